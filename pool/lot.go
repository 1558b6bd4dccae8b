package pool

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// lot is what a project buys of a model in a location: an order or, where it is renewed, several
// that follow each other. What is counted of it outlives each of them.
type lot struct {
	entry  *entry
	faults *quota.Faults
	below  belowNews

	bypassedCount atomic.Int64 // calls for it that were served on demand
	spilledTokens atomic.Int64 // burned down, of calls that it could have served

	current atomic.Pointer[order] // whose ledger follows Google's: that of the order in force, once it is used
	turning sync.Mutex            // held while it changes

	terms []term // of the configuration in force, in the order of time; guarded by Pool.reload
}

// term is an order as the configuration declares it now: a reload may change its time.
type term struct {
	order    *order
	declared *Order
}

// lotSubject names what an order is one of.
func (p *Project) lotSubject(o *order) Subject {
	return Subject{Kind: kindOrder, Project: p.Name, Location: o.Location, Model: o.Model}
}

// lotEntry returns the entry of a lot.
func lotEntry(memory *entries, s Subject) *entry {
	return memory.entry(s, func(e *entry) { e.lot = &lot{entry: e, faults: &quota.Faults{}} })
}

// connectLots gives the project's orders their lots, and puts those in their place that the memory
// has. It adds to replaced the orders in whose place the memory had another.
func (p *project) connectLots(memory *entries, now time.Time, replaced map[*order]bool) {
	terms := make(map[Subject][]term)
	for i, o := range p.orders {
		s := p.lotSubject(o)
		terms[s] = append(terms[s], term{o, &p.Provisioned[i]})
	}
	for s, list := range terms {
		slices.SortStableFunc(list, func(a, b term) int { return a.declared.From.Compare(b.declared.From) })
		l := lotEntry(memory, s).lot
		shown := slices.ContainsFunc(p.found.used, list[0].declared.sameLot) // of another size, it was renewed
		if !shown && l.gone(now, list) {
			memory.drop(func(e *entry) bool { return e == l.entry })
			faults := l.faults
			l = lotEntry(memory, s).lot
			l.faults = faults
			for _, t := range list {
				replaced[t.order] = true
			}
		}
		l.adopt(now, list)
	}
	for i, o := range p.orders {
		l := lotEntry(memory, p.lotSubject(o)).lot
		k := slices.IndexFunc(l.terms, func(t term) bool { return t.declared == &p.Provisioned[i] })
		p.orders[i] = l.terms[k].order
	}
}

// gone reports whether other orders have taken the place of those that the lot has: the one that is
// in force neither is one of them, nor follows one.
func (l *lot) gone(now time.Time, list []term) bool {
	current := l.current.Load()
	i := slices.IndexFunc(list, func(t term) bool { return t.declared.inForce(now) })
	if current == nil || i < 0 {
		return false
	}
	next := list[i]
	if current.same(next.declared) {
		return false
	}
	known := func(t term) bool { return t.order.same(next.declared) }
	follows := func(t term) bool {
		until := t.declared.Until
		return current.same(t.declared) && !until.IsZero() && !next.declared.From.Before(until)
	}
	return !slices.ContainsFunc(l.terms, known) && !slices.ContainsFunc(l.terms, follows) && !slices.ContainsFunc(list, follows)
}

// adopt makes the terms the lot's. An order that the lot has goes on in place of an equal one.
func (l *lot) adopt(now time.Time, list []term) {
	known := make([]*order, 0, len(l.terms)+1)
	for _, t := range l.terms {
		known = append(known, t.order)
	}
	if current := l.current.Load(); current != nil {
		known = append(known, current)
	}
	for i := range list {
		t := &list[i]
		if k := slices.IndexFunc(known, func(o *order) bool { return o.same(t.declared) }); k >= 0 {
			t.order = known[k]
			continue
		}
		t.order.lot = l
		known = append(known, t.order)
	}
	if l.current.Load() == nil {
		l.current.Store(list[standing(list, now)].order)
	}
	l.terms = list
}

// standing returns which of some terms, in the order of time, is the one to speak of: the one in
// force, else the next to begin, else the last.
func standing(list []term, now time.Time) int {
	i := slices.IndexFunc(list, func(t term) bool { return t.declared.Until.IsZero() || now.Before(t.declared.Until) })
	return cmp.Or(i+1, len(list)) - 1
}

// inForce reports whether the order's time has begun and has not ended.
func (o *Order) inForce(now time.Time) bool {
	return !now.Before(o.From) && (o.Until.IsZero() || now.Before(o.Until))
}

// turned reports whether the order is the one of its lot that is used.
func (o *order) turned() bool { return o.current.Load() == o }

// turn has the order follow the one before it in its lot, and reports whether it has.
func (o *order) turn(now time.Time) bool {
	o.turning.Lock()
	defer o.turning.Unlock()
	before := o.current.Load()
	switch {
	case before == o:
		return false
	case before == nil:
	case o.common != nil && before.common != nil:
		o.common.ledger.Succeed(now, before.common.ledger)
		defer o.common.fleet.kick()
	case o.common == nil && before.common == nil:
		o.alone.Succeed(now, before.alone)
	}
	o.current.Store(o)
	return true
}

// turn has a candidate's order follow the one before it as soon as it is in force. Nothing waits for
// that moment: the first that looks finds it. That the order before was full, or not there, says
// nothing of the next.
func turn(c *candidate, now time.Time, at int64) {
	if c.order == nil || c.order.turned() || !c.when.holds(at) || !c.order.turn(now) {
		return
	}
	p, e := c.plan.pool, c.order.entry
	e.forgotten(p, now, at)
	e.cool.Clear(at)
	p.models.wakesEarlier(e)
}
