package pool

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// A call that finds no credit for limits that a fleet shares, while all have left some room, waits
// in the queue for one round trip to the store: it does not go to an endpoint that it likes less.

// mostAsked bounds the calls of one line that credit is asked for at once.
const mostAsked = 64

// shortage is the credit that calls wait for at one project for one model.
type shortage struct{ requests, tokens, least int64 }

// lacksCredit reports whether credit is all that keeps the request from a candidate that is ready,
// and whether there is some, as far as is known. Concurrent calls of others may end at any moment.
func (t *trial) lacksCredit(c *candidate) (lacks, room bool) {
	n := &t.r.state.need
	if n.Unmetered {
		return false, false
	}
	if state, _ := n.told(c); state == askUnknown || state == askHeld || c.order != nil {
		return false, state != askNever && state != askNone
	}
	e, q := c.shared.entry.Load(), c.quota()
	if q == nil || !e.limits.fleet.joined.Load() {
		return false, false
	}
	switch e.limitWait(t.now, t.at, n.Input) {
	case quota.CreditWait:
		return true, true
	case 0: // some has just come
		return false, true
	case quota.ConcurrencyWait:
		return q.Limits().Concurrency > 0, false
	default:
		return false, false
	}
}

// told returns what the store has said about the call at a candidate.
func (n *need) told(c *candidate) (askState, time.Time) {
	switch {
	case n.ties.asks == nil:
		return askNever, time.Time{}
	case c.order != nil:
		return n.ties.asks.state(c.order)
	default:
		return n.ties.asks.state(c.own.entry.Load())
	}
}

// awaitsCredit reports whether the request should wait for credit at a tier before it looks at the
// next. It does so once, for as long as a call to the store may take.
func (t *trial) awaitsCredit(tier *tier) bool {
	f := t.pool.fleet
	if f == nil || f.link.lost.Load() {
		return false
	}
	s := &t.r.state
	if !s.creditBy.IsZero() && !t.now.Before(s.creditBy) {
		return false
	}
	for _, c := range tier.candidates {
		if _, room := t.lacksCredit(c); room && t.ready(c) {
			if s.creditBy.IsZero() {
				s.creditBy = t.now.Add(t.pool.fleet.link.bound())
			}
			return true
		}
	}
	return false
}

// shortages returns the credit that the calls in all lines wait for, spread over the projects that
// have the most room.
func (q *queue) shortages(now time.Time) map[*limits]shortage {
	if q.waiting.Load() == 0 {
		return nil
	}
	all := make(map[*limits]shortage)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ln := range q.order {
		head := ln.head().request
		head.refresh(q.pool, now)
		t := ln.look(q.pool, now)
		for _, tier := range head.state.plan.tiers {
			found := ln.share(&t, tier, all)
			if found && now.Before(head.state.creditBy) {
				break
			}
		}
	}
	return all
}

// share spreads the calls of a line over the projects of a tier that lack credit alone, and reports
// whether there are any.
func (ln *line) share(t *trial, tier *tier, all map[*limits]shortage) bool {
	type source struct {
		l    *limits
		room float64 // share of the limits that is left
	}
	var sources []source
	for _, c := range tier.candidates {
		if lacks, _ := t.lacksCredit(c); !lacks || !t.ready(c) {
			continue
		}
		l := c.shared.entry.Load().limits
		if !slices.ContainsFunc(sources, func(s source) bool { return s.l == l }) {
			sources = append(sources, source{l, l.quota.Headroom(t.now)})
		}
	}
	slices.SortStableFunc(sources, func(a, b source) int { return -cmp.Compare(a.room, b.room) })
	waiters := ln.waiters[:min(len(ln.waiters), mostAsked)]
	for _, s := range sources {
		if len(waiters) == 0 {
			break
		}
		n := len(waiters)
		if rpm := s.l.quota.Limits().RPM; rpm > 0 {
			n = min(n, max(int(math.Ceil(s.room*float64(rpm)/4)), 1))
		}
		short := all[s.l]
		for _, w := range waiters[:n] {
			short.requests++
			short.tokens += w.request.state.need.Input
			if short.least == 0 {
				short.least = w.request.state.need.Input
			}
		}
		all[s.l], waiters = short, waiters[n:]
	}
	return len(sources) > 0
}
