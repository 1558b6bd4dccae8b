package pool

import (
	"context"
	"sync/atomic"
	"time"
)

// timeSource is the time that a pool lives in: the machine's or, in a simulation, [Config.Clock]'s.
type timeSource struct {
	virtual virtualTime
	dice    *dice // nil: the machine's

	// How far the time of day has run ahead of the pool's instants. These stand still while the machine
	// sleeps, and do not follow its clock when that is set; the days on which orders begin and end do.
	ahead atomic.Int64
	since time.Time // the time of day at instant 0
}

// virtualTime is [Config.Clock].
type virtualTime interface {
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func())
	Parking() (wait, wake func())
}

// begin begins the time, and returns it.
func (c *timeSource) begin(virtual virtualTime) time.Time {
	if virtual != nil {
		c.virtual, c.dice = virtual, newDice()
	}
	now := c.now()
	c.since = now.Round(0)
	return now
}

// see compares the time of day, which was just read, with the instant. What is known of when orders
// begin holds no more where the two have moved.
func see(p *Pool, now time.Time) {
	c := &p.clock
	ahead := int64(now.Round(0).Sub(c.since)) - p.instant(now)
	if d := ahead - c.ahead.Load(); d > int64(time.Millisecond) || d < -int64(time.Millisecond) {
		c.ahead.Store(ahead)
		p.models.wakeEarlier()
	}
}

// now returns the time.
func (c *timeSource) now() time.Time {
	if c.virtual != nil {
		return c.virtual.Now()
	}
	return time.Now()
}

// afterFunc calls f once d has passed.
func (c *timeSource) afterFunc(d time.Duration, f func()) {
	if c.virtual != nil {
		_ = c.virtual.AfterFunc(d, f)
		return
	}
	time.AfterFunc(d, f)
}

// timer calls a function, once each time that it is set. The zero timer is not set.
type timer struct {
	real *time.Timer
	stop func() // of a virtual one
}

// set has f called once d has passed, and not at the time that was set before.
func (t *timer) set(c *timeSource, d time.Duration, f func()) {
	switch {
	case c.virtual != nil:
		t.clear()
		t.stop = c.virtual.AfterFunc(d, f)
	case t.real == nil:
		t.real = time.AfterFunc(d, f)
	default:
		t.real.Reset(d)
	}
}

// clear has nothing called.
func (t *timer) clear() {
	if t.real != nil {
		t.real.Stop()
	}
	if t.stop != nil {
		t.stop()
	}
}

// awaitVirtually is await in a simulation, which decides when the call goes on. wake ends the wait.
func (w *waiter) awaitVirtually(ctx context.Context, q *queue, now time.Time) (Lease, error) {
	stop := q.pool.clock.virtual.AfterFunc(w.limit.Sub(now), w.wake)
	w.park()
	stop()
	select {
	case l := <-w.served:
		return l, nil
	default:
	}
	var over chan time.Time // else it was woken because the pool is closed
	if !q.pool.clock.now().Before(w.limit) {
		over = make(chan time.Time)
		close(over)
	}
	return w.await(ctx, q, over)
}

// wakeAllLocked ends the wait of all calls in a simulation. The caller holds q.mu.
func (q *queue) wakeAllLocked() {
	for _, ln := range q.order {
		for _, w := range ln.waiters {
			if w.wake != nil {
				w.wake()
			}
		}
	}
}
