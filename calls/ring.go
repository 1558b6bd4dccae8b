package calls

import "sync/atomic"

// Ring keeps the last records. It is safe for concurrent use.
type Ring struct {
	slots []atomic.Pointer[Record]
	added atomic.Uint64
}

// NewRing returns a ring for n records, at least one. A record takes about 1 kB, and up to 4 kB if it
// tells of many endpoints.
func NewRing(n int) *Ring { return &Ring{slots: make([]atomic.Pointer[Record], max(n, 1))} }

// Add adds a record in the place of the oldest one.
func (g *Ring) Add(r *Record) {
	n := uint64(len(g.slots))
	g.slots[(g.added.Add(1)-1)%n].Store(r)
}

// Find returns the record of a call by its id; nil if the ring does not have it.
func (g *Ring) Find(id string) *Record {
	for i := range g.slots {
		if r := g.slots[i].Load(); r != nil && r.ID == id {
			return r
		}
	}
	return nil
}

// Last returns the last n records, in the order in which the calls ended. There may be fewer.
func (g *Ring) Last(n int) []*Record {
	end, size := g.added.Load(), uint64(len(g.slots))
	count := min(uint64(max(n, 0)), size, end)
	all := make([]*Record, 0, count)
	for i := end - count; i < end; i++ {
		if r := g.slots[i%size].Load(); r != nil { // one that is being added is not there yet
			all = append(all, r)
		}
	}
	return all
}
