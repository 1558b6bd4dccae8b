package main

import (
	"context"
	"slices"
	"time"
)

// most returns the most of some sorted times that lie within any span that begins at or after from.
func most(times []time.Time, span time.Duration, from time.Time) (n int) {
	first := 0
	for i, t := range times {
		for t.Sub(times[first]) >= span || times[first].Before(from) && first < i {
			first++
		}
		if !times[first].Before(from) {
			n = max(n, i-first+1)
		}
	}
	return n
}

// allowed returns how many calls a limit of so many in any minute lets pass in a time, if calls
// arrive at overload times its rate all along.
func allowed(limit int, overload float64, length time.Duration) int {
	whole, rest := int(length/time.Minute), length%time.Minute
	return whole*limit + min(limit, int(overload*float64(limit)*rest.Minutes()))
}

// quantile returns the q-quantile of durations; 0 of none.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// longestPause returns for how long this process did not run, at the most, until ctx ends.
func longestPause(ctx context.Context) (longest time.Duration) {
	const nap = 5 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		time.Sleep(nap)
		longest = max(longest, time.Since(begin)-nap)
	}
	return longest
}
