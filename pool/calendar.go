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

// schedule is when the order of a candidate is in force, in instants of the time of day: from on, and
// before until.
type schedule struct {
	clock       *timeSource
	from, until int64

	before, after *candidate // of the orders that it follows, and that follow it; nil if there are none
}

// scheduleOf returns when an order is in force; nil is pay-as-you-go, which always is.
func scheduleOf(p *Pool, o *Order) schedule {
	s := schedule{clock: &p.clock, from: math.MinInt64, until: cooldown.Forever}
	if o != nil && !o.From.IsZero() {
		s.from = p.instant(o.From)
	}
	if o != nil && !o.Until.IsZero() {
		s.until = p.instant(o.Until)
	}
	return s
}

// inForceAt returns the first instant, not before at, at which the order is in force; Forever after its
// end.
func (s *schedule) inForceAt(at int64) int64 {
	if s.from == math.MinInt64 && s.until == cooldown.Forever || at == cooldown.Forever {
		return at
	}
	ahead := s.clock.ahead.Load()
	switch day := at + ahead; {
	case day >= s.until:
		return cooldown.Forever
	case day < s.from:
		return s.from - ahead
	default:
		return at
	}
}

// holds reports whether the order is in force at an instant.
func (s *schedule) holds(at int64) bool { return s.inForceAt(at) == at }

// over reports whether the order has ended.
func (s *schedule) over(at int64) bool { return s.inForceAt(at) == cooldown.Forever }

// stands reports whether the order is the one to speak of, of those that follow each other: the one in
// force, else the next to begin, else the last.
func (s *schedule) stands(at int64) bool {
	return (s.before == nil || s.before.when.over(at)) && (s.after == nil || !s.over(at))
}

// others returns the candidates of the orders that it follows, and that follow it.
func (s *schedule) others() (all []*candidate) {
	for x := s.before; x != nil; x = x.when.before {
		all = append(all, x)
	}
	for x := s.after; x != nil; x = x.when.after {
		all = append(all, x)
	}
	return all
}

// standing returns the candidates that stand.
func (p *plan) standing(at int64) []*candidate {
	if !p.renewed {
		return p.all
	}
	return slices.DeleteFunc(slices.Clone(p.all), func(c *candidate) bool { return !c.when.stands(at) })
}

// follow links the candidates of orders that follow each other.
func (p *plan) follow() {
	last := make(map[*lot]*candidate)
	byTime := func(a, b *candidate) int { return cmp.Compare(a.when.from, b.when.from) }
	for _, c := range slices.SortedStableFunc(slices.Values(p.all), byTime) {
		if c.order == nil {
			continue
		}
		if c.when.before = last[c.order.lot]; c.when.before != nil {
			c.when.before.when.after, p.renewed = c, true
		}
		last[c.order.lot] = c
	}
}

// calendar says that the order has not begun, or that it has ended.
func (o obstacles) calendar() Reason {
	wake := o.c.when.inForceAt(o.at)
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
	see(c.pool, now)
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
