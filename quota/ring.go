package quota

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

// ring is what calls were charged, by the bucket of time in which they were admitted. It reaches
// back over the longest window.
type ring struct {
	bucket  time.Duration // the length of one
	current int64         // number of the bucket of now
	charges []charge
}

// at returns the charge of the bucket with that number, or nil if it has left every window.
func (r *ring) at(bucket int64) *charge {
	n := int64(len(r.charges))
	if bucket < 0 || bucket > r.current || r.current-bucket >= n {
		return nil
	}
	return &r.charges[bucket%n]
}

// put charges in a bucket, unless it has left every window.
func (r *ring) put(bucket int64, c charge) {
	if a := r.at(bucket); a != nil {
		a.add(c)
	}
}

// skip moves to the bucket numbered to.
func (r *ring) skip(to int64) {
	n := int64(len(r.charges))
	if to-r.current >= n {
		clear(r.charges)
		r.current = to
	}
	for r.current < to {
		r.current++
		r.charges[r.current%n] = charge{}
	}
}

// turn numbers the buckets anew: that of now is to.
func (r *ring) turn(to int64) {
	n := int64(len(r.charges))
	turned := make([]charge, n)
	for age := range min(n, r.current+1, to+1) {
		turned[(to-age)%n] = r.charges[(r.current-age)%n]
	}
	r.charges, r.current = turned, to
}

// sum returns what was charged in the bucket of now and so many before it.
func (r *ring) sum(buckets int64) charge {
	var sum charge
	for b := max(r.current-buckets, 0); b <= r.current; b++ {
		sum.add(r.charges[b%int64(len(r.charges))])
	}
	return sum
}

// changes takes all that was charged out of r.
func (r *ring) changes() []store.OrderChange {
	var all []store.OrderChange
	n := int64(len(r.charges))
	for b := max(r.current-n+1, 0); b <= r.current; b++ {
		if c := &r.charges[b%n]; *c != (charge{}) {
			all = append(all, store.OrderChange{Bucket: b, Charge: c.shared()})
			*c = charge{}
		}
	}
	return all
}

// advance moves to the bucket numbered to. It lets what has left a window leave it. A window covers
// its length and the bucket that has begun: rather a little too much than too little.
func (m *mind) advance(to int64) {
	n := int64(len(m.charges))
	if to-m.current >= n {
		clear(m.charges)
		for k := range m.beliefs {
			m.beliefs[k].charge = charge{}
		}
		m.current = to
		return
	}
	for m.current < to {
		m.current++
		for k := range m.beliefs {
			b := &m.beliefs[k]
			if left := m.current - b.buckets - 1; left >= 0 {
				b.sub(m.charges[left%n])
			}
		}
		m.charges[m.current%n] = charge{}
	}
}

// add charges in the bucket with that number, unless it has left every window.
func (m *mind) add(bucket int64, c charge) {
	a := m.at(bucket)
	if a == nil {
		return
	}
	a.add(c)
	age := m.current - bucket
	for k := range m.beliefs {
		if b := &m.beliefs[k]; age <= b.buckets {
			b.add(c)
		}
	}
}

// wait returns after how many buckets there is room for a call if nothing else comes, or false if
// it does not fit at all.
func (m *mind) wait(c *charge) (int64, bool) {
	b := m.beliefs[m.best] // a copy, from which the buckets leave one by one
	if b.fits(m.way, c) {
		return 0, true
	}
	for s := max(m.current-b.buckets, 0); s <= m.current; s++ {
		b.sub(m.charges[s%int64(len(m.charges))])
		if b.fits(m.way, c) {
			return s + b.buckets + 1 - m.current, true
		}
	}
	return 0, false
}
