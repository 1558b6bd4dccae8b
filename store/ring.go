package store

import "time"

// ring counts requests and tokens for Keep. Its slices are in order, and none of them is empty.
type ring struct {
	slices           []counted
	requests, tokens int64 // the sums
	latest           int64 // number of the slice that now lies in
}

// counted is what was counted in one slice. Slices are numbered from 1970.
type counted struct{ slice, requests, tokens int64 }

// kept is how many slices are counted, the latest among them.
const kept = int64(Keep / Slice)

func sliceOf(t time.Time) int64 { return t.UnixNano() / int64(Slice) }

func startOf(slice int64) time.Time { return time.Unix(0, slice*int64(Slice)) }

// advance moves to now, drops what has left the window and returns the window's time.
//
// The window's time never goes back, or something could be counted in a slice that ends too soon.
// When the clock goes back, it stands still until the clock has caught up. When that would take as
// long as Keep, all that is counted is counted as of now instead. What was granted before cannot be
// given back then, for its time lies in the future.
func (r *ring) advance(now time.Time) time.Time {
	n := sliceOf(now)
	switch {
	case n <= r.latest-kept:
		sum := counted{n, r.requests, r.tokens}
		r.slices, r.requests, r.tokens = nil, 0, 0
		r.latest = n
		r.add(sum)
	case n < r.latest:
		return startOf(r.latest)
	}
	r.latest = n
	gone := 0
	for gone < len(r.slices) && r.slices[gone].slice <= n-kept {
		r.requests -= r.slices[gone].requests
		r.tokens -= r.slices[gone].tokens
		gone++
	}
	if gone > 0 {
		r.slices = append(r.slices[:0], r.slices[gone:]...)
	}
	return now
}

// add counts c in its slice, and takes back at most what that has. It returns what it added.
func (r *ring) add(c counted) counted {
	i := len(r.slices)
	for i > 0 && r.slices[i-1].slice >= c.slice {
		i-- // most of what comes is of late
	}
	var old counted
	found := i < len(r.slices) && r.slices[i].slice == c.slice
	if found {
		old = r.slices[i]
	}
	c.requests = max(c.requests, -old.requests)
	c.tokens = max(c.tokens, -old.tokens)
	r.requests += c.requests
	r.tokens += c.tokens

	sum := counted{c.slice, old.requests + c.requests, old.tokens + c.tokens}
	empty := sum.requests == 0 && sum.tokens == 0
	switch {
	case found && empty:
		r.slices = append(r.slices[:i], r.slices[i+1:]...)
	case found:
		r.slices[i] = sum
	case !empty:
		r.slices = append(r.slices, counted{})
		copy(r.slices[i+1:], r.slices[i:])
		r.slices[i] = sum
	}
	return c
}

// next returns when something leaves the window so that what remains fits. It is zero if it fits
// already, or never does.
func (r *ring) next(fits func(requests, tokens int64) bool) time.Time {
	requests, tokens := r.requests, r.tokens
	if fits(requests, tokens) {
		return time.Time{}
	}
	for _, c := range r.slices {
		requests -= c.requests
		tokens -= c.tokens
		if fits(requests, tokens) {
			return startOf(c.slice + kept)
		}
	}
	return time.Time{}
}

// profile returns what is counted, by slices.
func (r *ring) profile() []Change {
	steps := make([]Change, 0, len(r.slices))
	for _, c := range r.slices {
		steps = append(steps, Change{At: startOf(c.slice), Requests: c.requests, Tokens: c.tokens})
	}
	return steps
}
