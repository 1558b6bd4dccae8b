package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

// recently is how long a call that has begun counts as recent: long enough that chance evens out between endpoints, and that callers are
// seen who think between their calls.
const recently = 30 * time.Second

// load is what an endpoint carries: it goes on when the configuration is another.
type load struct {
	tokens atomic.Int64 // of all its calls
	coming atomic.Int64 // calls that have chosen it, and have no lease yet
	leases leases
}

// leases are the calls that a candidate carries, oldest first, and the records of ended ones, to be used again.
type leases struct {
	mu     sync.Mutex
	oldest *lease
	newest *lease
	free   *lease
	count  int

	period int64 // the one that the counts below belong to: periods of recently, from the pool's beginning
	begun  int   // calls that began in it
	before int   // and in the one before it
}

// record returns an unused record.
func (s *leases) record() *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.free
	if r == nil {
		return &lease{}
	}
	s.free = r.next
	*r = lease{generation: r.generation}
	return r
}

// recycle takes a record that is in no list.
func (s *leases) recycle(r *lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.next, r.prev = s.free, nil
	s.free = r
}

// add puts a record into the list and returns the handle's generation.
func (s *leases) add(r *lease) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.generation++
	r.next, r.prev = nil, s.newest
	if s.newest != nil {
		s.newest.next = r
	} else {
		s.oldest = r
	}
	s.newest = r
	s.count++
	s.turnLocked(r.at)
	s.begun++
	return r.generation
}

// turnLocked begins the period of an instant. One that comes late counts in the present period. The caller holds s.mu.
func (s *leases) turnLocked(at int64) {
	switch p := at / int64(recently); {
	case p <= s.period:
	case p == s.period+1:
		s.period, s.before, s.begun = p, s.begun, 0
	default:
		s.period, s.before, s.begun = p, 0, 0
	}
}

// recent returns how many calls there are, and how many have begun recently: those of the last period count as far as it is not past, as if
// they had come evenly.
func (s *leases) recent(at int64) (calls int, begun float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnLocked(at)
	past := max(float64(at)/float64(recently)-float64(s.period), 0)
	return s.count, float64(s.begun) + float64(s.before)*(1-past)
}

// end takes the record of a handle out of the list; false if the handle's lease has ended.
func (s *leases) end(r *lease, generation uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.generation != generation {
		return false
	}
	s.removeLocked(r)
	return true
}

// expired takes out the oldest record if it began before an instant.
func (s *leases) expired(before int64) *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.oldest
	if r == nil || r.at >= before {
		return nil
	}
	s.removeLocked(r)
	return r
}

// removeLocked takes r out and makes its handles void. The caller holds s.mu.
func (s *leases) removeLocked(r *lease) {
	r.generation++
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		s.oldest = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		s.newest = r.prev
	}
	r.next, r.prev = nil, nil
	s.count--
}

// carried returns how many leases there are.
func (s *leases) carried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
