package respcache

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// Fate is what the end of a request means for the calls that have joined it.
type Fate uint8

const (
	// Answered gives them a good response.
	Answered Fate = iota
	// Refused gives them an error that they would get too.
	Refused
	// Left has one of them make the request again: its call has gone.
	Left
	// Failed is the same after a fault of the server's.
	Failed
	// Held is the same while its call reads the response too slowly.
	Held
	// Apart has each of them make a request of its own: the response is for its call alone.
	Apart
)

// Outcome is how a request ended.
type Outcome[T any] struct {
	Fate  Fate
	Value T // of Answered and Refused

	// A response of Answered is kept for TTL as of At, and takes Bytes. Zero TTL does not keep it.
	At    time.Time
	TTL   time.Duration
	Bytes int64
}

// Flight is a request under way. The call that leads it ends it, once. It is safe for concurrent use.
type Flight[T any] struct {
	cache *Cache[T]
	key   Key
	terms Terms

	done     chan struct{}
	outcome  Outcome[T] // once done is closed
	ended    bool       // guarded by cache.mu, as is the next
	recorded int64

	began atomic.Int64 // when its call had the response, in Unix nanoseconds, as is left
	left  atomic.Int64 // since when the call does not read on; zero: it waits for the server
	away  atomic.Int64 // how long it did not before, in nanoseconds
}

func newFlight[T any](c *Cache[T], r Request) *Flight[T] {
	return &Flight[T]{cache: c, key: r.Key, terms: r.Terms, done: make(chan struct{})}
}

// Record notes that n more bytes of the response are kept until the end, and reports whether there
// is room for them. Without room the response cannot be kept.
func (f *Flight[T]) Record(n int) bool {
	c := f.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.ended || f.recorded+int64(n)+overhead > c.bound/largest {
		return false
	}
	f.recorded += int64(n)
	c.bytes += int64(n)
	c.trimLocked()
	return c.bytes <= c.bound
}

// End ends the request. Only the first outcome counts.
func (f *Flight[T]) End(o Outcome[T]) {
	c := f.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.ended {
		return
	}
	f.ended, f.outcome = true, o
	c.bytes -= f.recorded
	f.leaveLocked()
	if o.Fate == Answered {
		c.keepLocked(&entry[T]{key: f.key, value: o.Value, at: o.At, ttl: o.TTL, bytes: o.Bytes})
	}
	close(f.done)
}

// leaveLocked keeps further calls from joining. The caller holds cache.mu.
func (f *Flight[T]) leaveLocked() {
	flights := f.cache.flights
	others := slices.DeleteFunc(flights[f.key], func(other *Flight[T]) bool { return other == f })
	if flights[f.key] = others; len(others) == 0 {
		delete(flights, f.key)
	}
}

// Leave notes that from now on the response waits for its call to read, Return that the call waits
// for the response again.
func (f *Flight[T]) Leave(now time.Time) {
	f.began.CompareAndSwap(0, now.UnixNano())
	f.left.Store(now.UnixNano())
}

// Return ends what Leave has begun, if it has.
func (f *Flight[T]) Return(now time.Time) {
	if left := f.left.Swap(0); left != 0 {
		f.away.Add(now.UnixNano() - left)
	}
}

// held returns by how much longer the response has waited for its call than the call for it.
func (f *Flight[T]) held(now time.Time) time.Duration {
	began, away := f.began.Load(), f.away.Load()
	if began == 0 {
		return 0
	}
	if left := f.left.Load(); left != 0 {
		away += now.UnixNano() - left
	}
	return time.Duration(2*away - (now.UnixNano() - began))
}

// glance is the least time between two looks at how a response is read.
const glance = 50 * time.Millisecond

// Wait returns how the request ended, or the error of ctx. If the response has waited for its own call
// longer than that for the response, by patience, the outcome is Held, and no call joins any more.
func (f *Flight[T]) Wait(ctx context.Context, patience time.Duration) (Outcome[T], error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-f.done:
			c := f.cache
			c.mu.Lock()
			defer c.mu.Unlock()
			if f.outcome.Fate == Answered {
				c.hits++
			}
			return f.outcome, nil
		case <-ctx.Done():
			return Outcome[T]{}, ctx.Err()
		case <-timer.C:
		}
		rest := patience - f.held(time.Now())
		if rest <= 0 {
			f.cache.mu.Lock()
			defer f.cache.mu.Unlock()
			f.leaveLocked()
			return Outcome[T]{Fate: Held}, nil
		}
		timer.Reset(max(rest, glance))
	}
}
