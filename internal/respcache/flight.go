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
	moved    atomic.Int64 // when its response went on, in Unix nanoseconds; zero: it has not begun
}

func newFlight[T any](c *Cache[T], r Request) *Flight[T] {
	return &Flight[T]{cache: c, key: r.Key, terms: r.Terms, done: make(chan struct{})}
}

// Record notes that n more bytes of the response are kept until the end, and reports whether there
// is room for them. Without room the response cannot be kept.
func (f *Flight[T]) Record(n int, now time.Time) bool {
	f.moved.Store(now.UnixNano())
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

// Wait returns how the request ended, or the error of ctx. If the response has begun and not gone on
// for as long as idle, because its caller does not read it, the outcome is Apart, and no call joins
// any more.
func (f *Flight[T]) Wait(ctx context.Context, idle time.Duration) (Outcome[T], error) {
	timer := time.NewTimer(idle)
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
		rest := idle
		if moved := f.moved.Load(); moved != 0 {
			rest = idle - time.Since(time.Unix(0, moved))
		}
		if rest <= 0 {
			f.cache.mu.Lock()
			defer f.cache.mu.Unlock()
			f.leaveLocked()
			return Outcome[T]{Fate: Apart}, nil
		}
		timer.Reset(rest)
	}
}
