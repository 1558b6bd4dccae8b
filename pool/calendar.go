package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/remedy"
)

// calendar is the time in which an order is in force, in instants. The zero calendar is no time.
type calendar struct{ from, until int64 }

// always is the calendar of what is not bought for a time.
var always = calendar{0, cooldown.Forever}

// calendarOf returns the time in which an order is in force; nil is pay-as-you-go.
func calendarOf(p *Pool, o *Order) calendar {
	c := always
	if o == nil {
		return c
	}
	if !o.From.IsZero() {
		c.from = p.instant(o.From)
	}
	if !o.Until.IsZero() {
		c.until = p.instant(o.Until)
	}
	return c
}

// calendar checks when an order begins and ends.
func (f *faults) calendar(at string, o *Order) {
	if !o.Until.IsZero() && !o.Until.After(o.From) {
		f.add(at+".until", "the order ends before it begins", "write an end after from, or leave it out")
	}
}

// together says what to write in place of two orders for the same model and location.
func together(a, b *Order) string {
	follows := func(a, b *Order) bool { return !a.Until.IsZero() && !b.From.Before(a.Until) }
	if follows(a, b) || follows(b, a) {
		return "leave the later one out until the first ends, and write it then: a reload is enough"
	}
	return "write one order with the sum of both"
}

// wake returns when the order may be asked: at the instant itself if it is in force then, and Forever
// after its end.
func (c calendar) wake(at int64) int64 {
	switch {
	case at >= c.until:
		return cooldown.Forever
	case at < c.from:
		return c.from
	default:
		return at
	}
}

// holds reports whether the order is in force at an instant.
func (c calendar) holds(at int64) bool { return c.wake(at) == at }

// calendar says that the order has not begun, or that it has ended.
func (o obstacles) calendar() Reason {
	if o.c.inForce.holds(o.at) {
		return Reason{}
	}
	subject := o.c.order.entry.subject
	if from := o.c.Order.From; o.at < o.c.inForce.from {
		r := o.because(remedy.OrderNotBegun, subject, "the order begins in "+plain.Span(from.Sub(o.now))+", at "+stamp(from), time.Time{})
		r.Until = from
		return r
	}
	until := o.c.Order.Until
	return o.because(remedy.OrderEnded, subject, "the order ended "+plain.Span(o.now.Sub(until))+" ago, at "+stamp(until), time.Time{})
}

// calendars tells of orders that begin and end, as long as someone listens.
type calendars struct {
	pool  *Pool
	timer timer
	told  time.Time // until when all is told
}

// follow tells of the orders of the configuration in force from now on. The caller holds Pool.reload.
func (c *calendars) follow(now time.Time) {
	if c.pool.outbox.observe == nil {
		return
	}
	c.told = now
	c.schedule(now)
}

// schedule sets the timer for the next order that begins or ends. The caller holds Pool.reload.
func (c *calendars) schedule(now time.Time) {
	var next time.Time
	c.each(func(_ *endpoint, _ EventKind, at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	})
	c.timer.clear()
	if !next.IsZero() {
		c.timer.set(&c.pool.clock, next.Sub(now), c.tell)
	}
}

// each calls f for every begin and end that orders have.
func (c *calendars) each(f func(e *endpoint, kind EventKind, at time.Time)) {
	for _, project := range c.pool.setup.Load().projects {
		for _, e := range project.provisioned {
			if !e.Order.From.IsZero() {
				f(e, OrderBegan, e.Order.From)
			}
			if !e.Order.Until.IsZero() {
				f(e, OrderEnded, e.Order.Until)
			}
		}
	}
}

// tell tells of what has begun and ended since the last time, unless the pool is closed.
func (c *calendars) tell() {
	select {
	case <-c.pool.queue.done:
		return
	default:
	}
	c.pool.reload.Lock()
	now := c.pool.clock.now()
	c.each(func(e *endpoint, kind EventKind, at time.Time) {
		if at.After(c.told) && !at.After(now) {
			c.pool.outbox.orderScheduled(at, kind, e)
		}
	})
	c.told = now
	c.schedule(now)
	c.pool.reload.Unlock()
	c.pool.outbox.deliver()
}
