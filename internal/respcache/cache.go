// Package respcache keeps responses for a while, and lets equal requests that are under way at the
// same time share one.
package respcache

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// Key is the SHA-256 of all that a response depends on.
type Key [sha256.Size]byte

const (
	// overhead is what an entry takes beside its value, in bytes: the map, the list and the key.
	overhead = 256
	// largest is the part of the bound, as a divisor, that one response may take.
	largest = 4
)

// A Cache keeps values of type T, which nobody changes any more. The bytes of its entries, and of
// the responses that are being recorded, are bounded; the entries that were used least recently make
// room. It is safe for concurrent use.
type Cache[T any] struct {
	mu      sync.Mutex
	bound   int64
	bytes   int64 // of the entries, and of what flights have recorded
	entries map[Key]*list.Element
	recent  list.List            // of *entry[T], the most recently used first
	flights map[Key][]*Flight[T] // that calls may join

	hits, misses int64
}

type entry[T any] struct {
	key   Key
	value T
	at    time.Time
	ttl   time.Duration
	bytes int64
}

func (e *entry[T]) age(now time.Time) time.Duration { return max(now.Sub(e.at), 0) }

func (e *entry[T]) outlived(now time.Time) bool { return e.age(now) >= e.ttl }

// New returns an empty cache of at most bound bytes.
func New[T any](bound int64) *Cache[T] {
	return &Cache[T]{
		bound: max(bound, 0), entries: make(map[Key]*list.Element), flights: make(map[Key][]*Flight[T]),
	}
}

// Request is what a call asks of a cache.
type Request struct {
	Key Key
	Now time.Time
	// Fresh is the age from which on an entry is too old, Left for how long it must still be kept.
	Fresh, Left time.Duration
	Terms       Terms
}

// Terms are how a request waits before it is sent. A call does not join a request that may wait
// longer than the call would itself.
type Terms struct {
	Batch bool    // others go first
	Share float64 // the part of what there is that it may use; 0 is all
	Wait  time.Duration
}

// covers reports whether whoever has terms u may rely on a request that has terms t.
func (t Terms) covers(u Terms) bool {
	return t.Wait <= u.Wait && (!t.Batch || u.Batch) && (t.Share == 0 || u.Share > 0 && u.Share <= t.Share)
}

// Found is what a cache has for a call: an entry if Flight is nil, else a request. If the call leads
// it, the call makes the request and ends the flight; else it waits for that.
type Found[T any] struct {
	Value T
	Age   time.Duration

	Flight *Flight[T]
	Leads  bool
}

// Get looks for an entry alone.
func (c *Cache[T]) Get(r Request) (value T, age time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.getLocked(r)
}

func (c *Cache[T]) getLocked(r Request) (value T, age time.Duration, ok bool) {
	el := c.entries[r.Key]
	if el == nil {
		return value, 0, false
	}
	e := entryOf[T](el)
	switch age = e.age(r.Now); {
	case age >= e.ttl:
		c.dropLocked(el)
		return value, 0, false
	case age >= r.Fresh, e.ttl-age < r.Left:
		return value, 0, false
	}
	c.recent.MoveToFront(el)
	c.hits++
	return e.value, age, true
}

// Ask looks for an entry, then for a request to join whose terms suit. Without either the call leads.
func (c *Cache[T]) Ask(r Request) Found[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if value, age, ok := c.getLocked(r); ok {
		return Found[T]{Value: value, Age: age}
	}
	for _, f := range c.flights[r.Key] {
		if f.terms.covers(r.Terms) {
			return Found[T]{Flight: f}
		}
	}
	c.misses++
	made := newFlight(c, r)
	c.flights[r.Key] = append(c.flights[r.Key], made)
	return Found[T]{Flight: made, Leads: true}
}

// Alone returns a flight that no other call joins, for a call that takes neither an entry nor the
// response of another request.
func (c *Cache[T]) Alone(r Request) *Flight[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.misses++
	return newFlight(c, r)
}

// Fits reports whether a response of n bytes is small enough to be kept.
func (c *Cache[T]) Fits(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n+overhead <= c.bound/largest
}

// SetBound changes the bound. Over it the cache drops entries at once.
func (c *Cache[T]) SetBound(bound int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = max(bound, 0)
	c.trimLocked()
}

// Stat is a snapshot of a cache.
type Stat struct {
	// HitCount counts the calls that got an entry or the response of another's request, MissCount
	// those that made a request.
	HitCount, MissCount int64
	Entries             int
	Bytes, Bound        int64
}

// Stat returns a snapshot.
func (c *Cache[T]) Stat() Stat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stat{c.hits, c.misses, len(c.entries), c.bytes, c.bound}
}

// keepLocked puts an entry in place of an older one. The caller holds c.mu.
func (c *Cache[T]) keepLocked(e *entry[T]) {
	c.dropLocked(c.entries[e.key])
	e.bytes += overhead
	if e.bytes > c.bound/largest || e.ttl <= 0 {
		return
	}
	c.entries[e.key] = c.recent.PushFront(e)
	c.bytes += e.bytes
	c.trimLocked()
	for el := c.recent.Back(); el != nil && entryOf[T](el).outlived(e.at); el = c.recent.Back() {
		c.dropLocked(el)
	}
}

// trimLocked drops entries over the bound. The caller holds c.mu.
func (c *Cache[T]) trimLocked() {
	for c.bytes > c.bound && c.recent.Len() > 0 {
		c.dropLocked(c.recent.Back())
	}
}

// dropLocked drops an entry, if it is not nil. The caller holds c.mu.
func (c *Cache[T]) dropLocked(el *list.Element) {
	if el == nil {
		return
	}
	e := entryOf[T](el)
	c.bytes -= e.bytes
	delete(c.entries, e.key)
	c.recent.Remove(el)
}

func entryOf[T any](el *list.Element) *entry[T] {
	e, _ := el.Value.(*entry[T])
	return e
}
