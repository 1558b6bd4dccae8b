package quota

import "time"

// A minute is counted in slices of a quarter second. One more slice than a minute has is kept,
// because the oldest one is only partly in the past minute: that guard costs one part in 240 and
// buys that no 60 s, whatever their phase, see more than the limit.
const (
	slice  = 250 * time.Millisecond
	slices = int64(time.Minute/slice) + 1
)

// minute counts requests and tokens over the past 60 s. Its times are offsets from a fixed start
// and never decrease. What every call looks at stands apart from the ring, which is large.
type minute struct {
	ring    *[slices]count // nil: nothing is counted
	total   count
	current int64 // number of the slice that now lies in
	fresh   count // of that slice; its place in the ring is filled when it is over
}

type count struct{ requests, tokens int64 }

// advance moves to the slice at offset and drops the slices that are over.
func (m *minute) advance(offset time.Duration) {
	to := int64(offset / slice)
	if to-m.current >= slices {
		*m.ring, m.total, m.fresh, m.current = [slices]count{}, count{}, count{}, to
		return
	}
	for m.current < to {
		m.ring[m.current%slices], m.fresh = m.fresh, count{}
		m.current++
		left := &m.ring[m.current%slices]
		m.total.requests -= left.requests
		m.total.tokens -= left.tokens
	}
}

// slice returns the count of a slice that has not left the minute.
func (m *minute) slice(at int64) *count {
	if at == m.current {
		return &m.fresh
	}
	return &m.ring[at%slices]
}

// add counts in the slice numbered at, unless that has left the minute.
func (m *minute) add(at int64, c count) {
	if m.current-at >= slices {
		return
	}
	s := m.slice(at)
	s.requests += c.requests
	s.tokens += c.tokens
	m.total.requests += c.requests
	m.total.tokens += c.tokens
}

// freeAt returns the offset at which at most so many requests and tokens will remain if no more
// come; 0 if that is so already.
func (m *minute) freeAt(requests, tokens int64) time.Duration {
	left := m.total
	var at time.Duration
	for s := max(m.current-slices+1, 0); s <= m.current && (left.requests > requests || left.tokens > tokens); s++ {
		c := m.slice(s)
		left.requests -= c.requests
		left.tokens -= c.tokens
		at = time.Duration(s+slices) * slice
	}
	return at
}
