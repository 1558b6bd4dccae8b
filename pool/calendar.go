package pool

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/remedy"
)

// calendar is the time in which an order is in force, in instants. The zero calendar is no time.
type calendar struct{ from, until int64 }

// always is the calendar of what is not bought for a time.
var always = calendar{math.MinInt64, cooldown.Forever}

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

// inForceAt returns the first instant, not before at, at which the candidate's order is in force; Forever
// after its end. Instants before at cost no look at the time of day.
func (c *candidate) inForceAt(at int64) int64 {
	if c.inForce == always || at == cooldown.Forever {
		return at
	}
	ahead := c.plan.pool.clock.ahead.Load()
	switch day := at + ahead; {
	case day >= c.inForce.until:
		return cooldown.Forever
	case day < c.inForce.from:
		return c.inForce.from - ahead
	default:
		return at
	}
}

// holds reports whether the candidate's order is in force at an instant; true of pay-as-you-go.
func (c *candidate) holds(at int64) bool { return c.inForceAt(at) == at }

// stands reports whether the candidate is the one to speak of, of the orders that follow each other:
// the one in force, else the next to begin, else the last.
func (c *candidate) stands(at int64) bool {
	over := func(c *candidate) bool { return c.inForceAt(at) == cooldown.Forever }
	return (c.before == nil || over(c.before)) && (c.after == nil || !over(c))
}

// others returns the candidates of the orders that it follows, and that follow it.
func (c *candidate) others() (all []*candidate) {
	for x := c.before; x != nil; x = x.before {
		all = append(all, x)
	}
	for x := c.after; x != nil; x = x.after {
		all = append(all, x)
	}
	return all
}

// standing returns the candidates that stand.
func (p *plan) standing(at int64) []*candidate {
	if !p.renewed {
		return p.all
	}
	return slices.DeleteFunc(slices.Clone(p.all), func(c *candidate) bool { return !c.stands(at) })
}

// follow links the candidates of orders that follow each other.
func (p *plan) follow() {
	last := make(map[*lot]*candidate)
	for _, c := range slices.SortedStableFunc(slices.Values(p.all), func(a, b *candidate) int { return cmp.Compare(a.inForce.from, b.inForce.from) }) {
		if c.order == nil {
			continue
		}
		if c.before = last[c.order.lot]; c.before != nil {
			c.before.after, p.renewed = c, true
		}
		last[c.order.lot] = c
	}
}

// calendar says that the order has not begun, or that it has ended.
func (o obstacles) calendar() Reason {
	wake := o.c.inForceAt(o.at)
	if wake == o.at {
		return Reason{}
	}
	subject := o.c.order.entry.subject
	if from := o.c.Order.From; wake != cooldown.Forever {
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

// calendarLook is how long the timer sleeps at most: it stands still while the machine sleeps, and
// does not hear of a clock that is set.
const calendarLook = time.Minute

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
	if next.IsZero() {
		return
	}
	pause := next.Sub(now)
	if c.pool.clock.virtual == nil {
		pause = min(pause, calendarLook)
	}
	c.timer.set(&c.pool.clock, pause, c.tell)
}

// each calls f for every begin and end that orders have. An order that another one follows at once
// has none.
func (c *calendars) each(f func(e *endpoint, kind EventKind, at time.Time)) {
	for _, project := range c.pool.setup.Load().projects {
		for _, e := range project.provisioned {
			if !e.Order.From.IsZero() {
				f(e, OrderBegan, e.Order.From)
			}
			until := e.Order.Until
			followed := func(t term) bool { return t.declared.inForce(until) }
			if !until.IsZero() && !slices.ContainsFunc(e.order.terms, followed) {
				f(e, OrderEnded, until)
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
	c.pool.clock.see(now, c.pool.instant(now))
	c.pass(now)
	c.schedule(now)
	c.pool.reload.Unlock()
	c.pool.outbox.deliver()
}

// pass tells of what has begun and ended by now. The caller holds Pool.reload.
func (c *calendars) pass(now time.Time) {
	if c.pool.outbox.observe == nil {
		return
	}
	type news struct {
		at   time.Time
		kind EventKind
		of   *endpoint
	}
	var all []news
	c.each(func(e *endpoint, kind EventKind, at time.Time) {
		if at.After(c.told) && !at.After(now) {
			all = append(all, news{at, kind, e})
		}
	})
	slices.SortStableFunc(all, func(a, b news) int { return a.at.Compare(b.at) })
	for _, n := range all {
		c.pool.outbox.orderScheduled(n.at, n.kind, n.of)
	}
	c.told = now
}
