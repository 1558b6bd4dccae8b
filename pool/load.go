package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

// recently is how long a call that has begun counts as recent: long enough that chance evens out
// between endpoints, and that callers are seen who think between their calls.
const recently = 30 * time.Second

// tally counts the calls under way and those that began recently. The zero value counts none.
type tally struct {
	underWay atomic.Int64
	period   atomic.Int64 // the one that begun belongs to: periods of recently since the pool's epoch
	begun    atomic.Int64
	before   atomic.Int64 // begun in the period before
}

// begin counts a call that begins at an instant.
func (t *tally) begin(at int64) {
	t.turn(at)
	t.underWay.Add(1)
	t.begun.Add(1)
}

func (t *tally) end() { t.underWay.Add(-1) }

// turn starts the period of an instant. A call that comes late counts in the present period.
func (t *tally) turn(at int64) {
	p, now := at/int64(recently), t.period.Load()
	if p <= now || !t.period.CompareAndSwap(now, p) {
		return
	}
	begun := t.begun.Swap(0)
	if p > now+1 {
		begun = 0
	}
	t.before.Store(begun)
}

// recent returns how many calls are under way, and how many began recently. Those of the last
// period count for the part of it that is not past, as if they had come evenly.
func (t *tally) recent(at int64) (underWay int64, begun float64) {
	t.turn(at)
	past := max(float64(at)/float64(recently)-float64(t.period.Load()), 0)
	return t.underWay.Load(), float64(t.begun.Load()) + float64(t.before.Load())*(1-past)
}

// load is what an endpoint carries of one model.
type load struct {
	tokens atomic.Int64 // of the calls under way
	coming atomic.Int64 // calls that have chosen the endpoint and have no lease yet
	tally
	leases  leases
	counts  counts
	failing atomic.Bool // the last answer was a failure
	portion portion     // of an order or a pace, of the calls that keep to a share
}

// record is where a lease is kept. Records are used again, for leases of any endpoint. Each lease
// has a generation of its own, so that the handles of earlier ones do not touch it.
type record struct {
	lease

	next, prev *record
	generation atomic.Uint64
}

// records are those of leases that have ended.
var records = sync.Pool{New: func() any { return &record{} }}

// newRecord returns a record that is in no list. Its lease is what an earlier one left.
func newRecord() *record {
	r, _ := records.Get().(*record)
	return r
}

// leases are the calls under way, oldest first.
type leases struct {
	mu             sync.Mutex
	oldest, newest *record
}

// add puts a record into the list and returns the handle's generation.
func (s *leases) add(r *record) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.next, r.prev = nil, s.newest
	if s.newest != nil {
		s.newest.next = r
	} else {
		s.oldest = r
	}
	s.newest = r
	return r.generation.Load()
}

// end takes the record of a handle out of the list; false if the handle's lease has ended.
func (s *leases) end(r *record, generation uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.generation.Load() != generation {
		return false
	}
	s.removeLocked(r)
	return true
}

// expired takes out the oldest record if it began before an instant.
func (s *leases) expired(before int64) *record {
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
func (s *leases) removeLocked(r *record) {
	r.generation.Add(1)
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
}
