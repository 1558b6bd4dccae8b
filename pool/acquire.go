package pool

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// Acquire reserves an endpoint for r. It returns at once if one is ready. Otherwise it waits for at
// most r.MaxWait, and not past r.Deadline or the end of ctx: calls that are not batch first, then
// first come first served. It does not wait if nothing can open in time.
//
// It fails with an [*ExhaustedError] that says why and when to come back, with [ErrClosed], or with
// the error of ctx. When a deadline passes while the call waits it fails with an *ExhaustedError,
// which says more. Call it again with the same r for the next attempt.
func (p *Pool) Acquire(ctx context.Context, r *Request) (Lease, error) {
	defer p.outbox.deliver()
	if err := ctx.Err(); err != nil {
		return Lease{}, err
	}
	now := p.clock.now()
	see(p, now)
	if !r.refresh(p, now) {
		return Lease{}, &ExhaustedError{MemoryFull: true}
	}
	if counts := &r.state.plan.model.counts; !r.state.counted {
		r.state.counted = true
		counts.calls.Add(1)
	}
	r.state.ahead = 0
	t := trial{pool: p, r: r, now: now, at: p.instant(now), limit: r.limit(now)}
	defer r.dropAsks()
	if p.queue.busy(r) {
		_ = slices.ContainsFunc(r.state.plan.tiers, t.awaitsCredit) // it has as long for that as those ahead
	} else {
		l, found := t.try()
		for i := 0; i < mostAsks && !found.leased && r.state.asks.ask(ctx); i++ {
			t.now = p.clock.now()
			t.at = p.instant(t.now)
			l, found = t.try()
		}
		switch {
		case found.leased:
			return l, nil
		case found.hopeless:
			return Lease{}, r.exhausted()
		}
	}
	return p.queue.wait(ctx, r, t.now)
}

// mostAsks bounds how often a call looks for an endpoint before it waits.
const mostAsks = 8

// dropAsks gives back what the store granted for orders that the call did not go to.
func (r *Request) dropAsks() {
	if r.state.asks != nil {
		r.state.asks.drop(r.state.plan.pool.clock.now())
	}
}

// exhausted counts a request that no endpoint can serve in time, and says why.
func (r *Request) exhausted() *ExhaustedError {
	if r.picky() || r.Asked.Only != "" {
		return &ExhaustedError{}
	}
	m, p := r.state.plan.model, r.state.plan.pool
	m.counts.exhausted.Add(1)
	e := p.Explain(r)
	// The caller of a call that endpoints failed gets their failure, and who misspelled a model is told so.
	lacks := !e.Exists && slices.ContainsFunc(r.state.refused, func(x refused) bool { return x.lacks })
	told := len(r.state.failed) > 0 || e.Class.ofModel() || lacks
	if !r.StandIn && !r.state.lost && !told {
		r.state.lost = true
		e.count()
		cmp.Or(r.state.first, m).refused(p, &r.state.need, e)
	}
	return e
}

// trial is one look for an endpoint.
type trial struct {
	pool  *Pool
	r     *Request
	now   time.Time
	at    int64 // the instant of now
	limit time.Time

	fresh bool // only an endpoint that the request trusts will do

	// Of a request that waits:
	locked bool      // the queue is locked by the caller
	spread bool      // the request keeps to the slots of drains
	due    time.Time // when it no longer does
}

// finding is what a trial without a lease has found.
type finding struct {
	leased   bool
	hopeless bool  // nothing can open by the limit
	full     bool  // of a freed candidate: no room is all that keeps the request from it and its siblings
	ask      int64 // when to try again; Forever if only a change can help
}

// try leases an endpoint now, or says when to try again.
func (t *trial) try() (Lease, finding) {
	plan := t.r.state.plan
	if until := plan.closedUntil(&t.r.state.need, t.at); until > 0 {
		return Lease{}, finding{hopeless: t.later(until), ask: until}
	}
	if t.fresh = t.r.Policy != PolicyFirst && (len(t.r.state.failed)+len(t.r.state.refused) > 0); t.fresh {
		if l, ok := t.leaseFirst(plan); ok {
			return l, finding{leased: true}
		}
		t.fresh = false
	}
	if l, ok := t.leaseFirst(plan); ok {
		return l, finding{leased: true}
	}
	s := t.survey(plan.all)
	if s.forced != nil && t.r.StandIn {
		return Lease{}, finding{hopeless: true}
	}
	if s.forced != nil && !t.r.picky() {
		if l, ok := s.forced.force(t.now, &t.r.state.need); ok {
			return l, finding{leased: true}
		}
	}
	s.close(plan, t.at, &t.r.state.need)
	hopeless := s.wake == cooldown.Forever || t.later(s.wake) && t.later(s.earliest)
	return Lease{}, finding{hopeless: hopeless, ask: t.ask(&s)}
}

// leaseFirst leases an endpoint of the first tier that has one.
func (t *trial) leaseFirst(plan *plan) (Lease, bool) {
	braved := &t.r.state.need.ties.dearer
	*braved = false
	for i, tier := range plan.tiers {
		if tolls(t, plan, i) {
			for _, cheaper := range plan.tiers[:i] {
				if l, ok := t.lease(cheaper); ok {
					return l, true
				}
			}
			*braved = false
		}
		if l, ok := t.lease(tier); ok {
			return l, true
		}
		if t.awaitsCredit(tier) {
			break
		}
	}
	return Lease{}, false
}

// tryFreed is try among candidates of which one came free.
func (t *trial) tryFreed(list []*candidate) (Lease, finding) {
	full := true
	for _, c := range list {
		if !t.ready(c) {
			full = false
			continue
		}
		if l, ok := c.lease(t.now, &t.r.state.need); ok {
			return l, finding{leased: true}
		}
	}
	s := t.survey(list)
	return Lease{}, finding{full: full, ask: t.ask(&s)}
}

// ask returns when a request that found s should try again.
func (t *trial) ask(s *survey) int64 {
	ask := s.ask
	if by := t.r.state.creditBy; by.After(t.now) { // then it looks further
		ask = min(ask, t.pool.instant(by))
	}
	if t.spread {
		ask = min(ask, t.pool.instant(t.due))
	}
	return ask
}

// later reports whether an instant is after the request's limit.
func (t *trial) later(at int64) bool {
	return at == cooldown.Forever || t.pool.timeOf(at).After(t.limit)
}

// lease takes the first candidate of a tier that there is.
func (t *trial) lease(tier *tier) (Lease, bool) {
	if t.r.Affinity != 0 {
		return t.leaseAffine(tier)
	}
	need := &t.r.state.need
	// No candidate is asked twice: a ledger learns from what it is asked for.
	picked := t.pick(tier)
	if picked != nil {
		if l, ok := picked.lease(t.now, need); ok {
			return l, true
		}
	}
	// The picked one has no room, or none was picked. Try every other candidate before moving to
	// the next tier.
	return t.leaseAny(tier, func(c *candidate) bool { return c == picked })
}

// leaseAny takes any candidate of a tier but those that skip names.
func (t *trial) leaseAny(tier *tier, skip func(*candidate) bool) (Lease, bool) {
	n := len(tier.candidates)
	start := tier.dice.intN(n)
	for i := range n {
		c := tier.candidates[(start+i)%n]
		if skip(c) || !t.ready(c) {
			continue
		}
		if l, ok := c.lease(t.now, &t.r.state.need); ok {
			return l, true
		}
	}
	return Lease{}, false
}

// ready reports whether a candidate may and can be asked now.
func (t *trial) ready(c *candidate) bool {
	return c.ready(t.now, t.at, &t.r.state.need) && t.r.wants(c, t.now) && !t.holdsBack(c) &&
		(!t.fresh || t.trusts(c))
}

// trusts reports whether a call that has failed elsewhere does well to go to a candidate: its last
// answer was no failure, no breaker wants a call to probe it, and it has not refused the call.
func (t *trial) trusts(c *candidate) bool {
	own, b := c.own.entry.Load(), c.own.breaker()
	return (own == nil || !own.load.failing.Load()) && (b == nil || b.Closed()) && c.outage() == nil && !t.r.refusedBy(c, t.at)
}

// holdsBack reports whether the request leaves a candidate alone that it could have: calls that go
// first want it, or those that waited go in slots.
func (t *trial) holdsBack(c *candidate) bool {
	return t.spread && t.slot(c) > t.at || t.defers(c)
}

// slot returns the instant at which a request that waited may go to a candidate.
func (t *trial) slot(c *candidate) int64 {
	d, gap := c.drain(t.at, &t.r.state.need)
	if d == nil {
		return t.at
	}
	return t.pool.instant(d.nextSlot(t.now, gap, t.r.Batch))
}

// defers reports whether this is a batch call and a candidate is wanted by an interactive call that
// waits.
func (t *trial) defers(c *candidate) bool {
	q := t.pool.queue
	if !t.r.Batch || q.interactive.Load() == 0 {
		return false
	}
	if !t.locked {
		q.mu.Lock()
		defer q.mu.Unlock()
	}
	return q.wantedLocked(c, t.now)
}

// survey is what one look at candidates shows to one request. Instants are Forever where nothing is
// known.
type survey struct {
	wake     int64      // when the first of them could be asked
	earliest int64      // the moment before which none certainly can
	ask      int64      // when this request should ask: later, where it holds back
	forced   *candidate // the least bad, if open breakers are all that is left
	until    int64      // of forced: the end of its open period
	ties     int        // candidates that are as bad as forced
	waitable bool       // one that is not open can be had by the limit

	changes uint64
	closed  int64 // the end of the first cooldown
	all     bool  // every candidate was looked at
}

// survey looks at every candidate once.
func (t *trial) survey(list []*candidate) survey {
	const never = cooldown.Forever
	s := survey{wake: never, earliest: never, ask: never, closed: never, all: true, changes: t.r.state.plan.changes.Load()}
	notBy := t.pool.instant(t.r.state.notBy)
	for _, c := range list {
		if !t.r.eligible(c) || t.r.spent(c) {
			s.all = false
			continue
		}
		if wake := c.cooldownWake(t.at, &t.r.state.need); wake > t.at && s.later(wake) && (s.waitable || t.later(wake)) {
			s.closed = min(s.closed, wake)
			continue // it changes nothing
		}
		o := c.opens(t.now, t.at, &t.r.state.need)
		s.closed = min(s.closed, o.cooldown)
		wake, earliest, ask := o.wake(), o.earliest(t.at), o.ask(t.at)
		avoided := t.r.hasFailed(c) && notBy > t.at
		defers := t.defers(c)
		if !defers {
			s.considerForce(t, c, &o, wake, avoided)
		}
		if avoided && o.onlyBreaker(t.at) { // it is asked past its breaker then
			wake, ask = max(o.cooldown, o.room), max(o.cooldown, o.room)
		}
		if avoided {
			wake, earliest, ask = max(wake, notBy), max(earliest, notBy), max(ask, notBy)
		}
		s.wake, s.earliest = min(s.wake, wake), min(s.earliest, earliest)
		if defers {
			continue
		}
		if t.spread && ask != never {
			ask = max(ask, t.slot(c))
		}
		s.ask = min(s.ask, ask)
	}
	if s.waitable {
		s.forced = nil
	}
	return s
}

// later reports whether what opens at wake comes after all that is found.
func (s *survey) later(wake int64) bool { return wake >= max(s.wake, s.earliest, s.ask) }

// considerForce finds the least bad endpoint: the last one is never shut out by its breaker.
func (s *survey) considerForce(t *trial, c *candidate, o *opening, wake int64, avoided bool) {
	switch {
	case !o.onlyBreaker(t.at):
		s.waitable = s.waitable || !t.later(wake)
	case avoided, o.room > t.at:
	case s.forced == nil || o.breaker < s.until:
		s.forced, s.until, s.ties = c, o.breaker, 1
	case o.breaker == s.until:
		if s.ties++; t.pool.clock.dice.intN(s.ties) == 0 { // by the order of the file it would always be the same
			s.forced = c
		}
	}
}

// close notes in a plan that every endpoint is on cooldown, so that other calls need not look.
func (s *survey) close(p *plan, at int64, n *need) {
	if s.all && s.closed > at && s.closed != cooldown.Forever && len(n.asked.Tools) == 0 {
		p.closedFor(n).Store(&closed{version: n.asked.Version, changes: s.changes, until: s.closed})
	}
}
