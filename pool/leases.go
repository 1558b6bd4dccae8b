package pool

import (
	"sync"
	"sync/atomic"
)

// load is what an endpoint carries: it goes on when the configuration is another.
type load struct {
	tokens atomic.Int64 // of all its calls
	leases leases
}

// leases are the calls that a candidate carries, oldest first, and the records of ended ones, to be used again.
type leases struct {
	mu     sync.Mutex
	oldest *lease
	newest *lease
	free   *lease
	count  int
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
	return r.generation
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
