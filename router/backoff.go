package router

import "time"

// backoff is how long servers that failed a call n times are left alone by it: a random share of a period that doubles from Initial to
// Max (full jitter: the share is random, in [0, 1)), and no less than the server asked for.
func (r Retry) backoff(n int, hint time.Duration, random float64) time.Duration {
	period := min(r.Initial, r.Max)
	for i := 1; i < n && period < r.Max; i++ {
		period = min(2*period, r.Max)
	}
	return max(time.Duration(random*float64(period)), hint)
}
