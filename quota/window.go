package quota

import "time"

// A minute is counted in slices of a quarter second. One more slice than a minute has is kept, because the
// oldest one is only partly in the past minute: that guard costs one part in 240 and buys that no 60 s,
// whatever their phase, see more than the limit.
const (
	slice  = 250 * time.Millisecond
	slices = int64(time.Minute/slice) + 1
)

// minute counts requests and tokens over the past 60 s. Its times are offsets from a fixed start and never
// decrease.
type minute struct {
	ring    [slices]count
	total   count
	current int64 // number of the slice that now lies in
}

type count struct{ requests, tokens int64 }

// advance moves to the slice that lies at offset and forgets those that have left.
func (m *minute) advance(offset time.Duration) {
	to := int64(offset / slice)
	if to-m.current >= slices {
		m.ring, m.total, m.current = [slices]count{}, count{}, to
		return
	}
	for m.current < to {
		m.current++
		left := &m.ring[m.current%slices]
		m.total.requests -= left.requests
		m.total.tokens -= left.tokens
		*left = count{}
	}
}

// add counts in the slice numbered at, unless that has left the minute.
func (m *minute) add(at int64, c count) {
	if m.current-at >= slices {
		return
	}
	s := &m.ring[at%slices]
	s.requests += c.requests
	s.tokens += c.tokens
	m.total.requests += c.requests
	m.total.tokens += c.tokens
}

// freeAt returns the offset at which at most so many requests and tokens will remain if no more come; 0 if
// that is so already.
func (m *minute) freeAt(requests, tokens int64) time.Duration {
	left := m.total
	var at time.Duration
	for s := max(m.current-slices+1, 0); s <= m.current && (left.requests > requests || left.tokens > tokens); s++ {
		left.requests -= m.ring[s%slices].requests
		left.tokens -= m.ring[s%slices].tokens
		at = time.Duration(s+slices) * slice
	}
	return at
}
