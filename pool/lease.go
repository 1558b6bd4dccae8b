package pool

import (
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/quota"
)

// leaseLife is when a lease that was never ended is taken for lost and given back: longer than any call of Google's lasts (Flex, the
// slowest, has at most 30 minutes: https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo).
const leaseLife = time.Hour

// Lease is one admitted call on one endpoint. Its quota is reserved until the lease is ended, once, by [Lease.Settle] or
// [Lease.Release]; further ends do nothing. One that is not ended expires after an hour. The zero Lease is ended. A Lease is a small
// value; copies are the same lease.
type Lease struct {
	record     *lease
	generation uint64
	candidate  *Candidate
	key        *key
}

// lease is the record behind a Lease. Records are used again, with a new generation.
type lease struct {
	next, prev *lease
	generation uint64

	candidate   *Candidate
	key         *key
	seq         uint64 // attempts are numbered in the order they begin
	at          int64
	need        Need
	took        took
	reservation quota.Reservation
	hold        quota.Hold
	permit      breaker.Permit
	accepted    bool
}

// took says what a lease holds beside the breaker's permit.
type took uint16

const (
	tookQuota took = 1 << iota
	tookHold
	tookPace
	// The call is the probe of something that rests.
	probesBackend
	probesProject
	probesShared
	probesPlace
	probesOrder
	probesKey
)

// Lease admits a call, or says no: something rests, or a limit, the order or the pace has no room. It reserves the call's quota.
func (c *Candidate) Lease(now time.Time, n Need) (Lease, bool) {
	permit, ok := c.server.breaker.Allow(now, n.Deadline)
	if !ok {
		return Lease{}, false
	}
	return c.admit(now, n, permit)
}

// Force is [Candidate.Lease] past an open circuit breaker: for the last endpoint there is.
func (c *Candidate) Force(now time.Time, n Need) (Lease, bool) {
	return c.admit(now, n, c.server.breaker.Force(now, n.Deadline))
}

func (c *Candidate) admit(now time.Time, n Need, permit breaker.Permit) (Lease, bool) {
	at := c.pool.instant(now)
	c.sweep(now, at)
	r := c.load.leases.record()
	r.candidate, r.at, r.need, r.permit = c, at, n, permit
	deadline := int64(never)
	if !n.Deadline.IsZero() {
		deadline = c.pool.instant(n.Deadline)
	}
	if !c.rested(at) || !r.reserve(now) || !r.pass(at, deadline) {
		r.giveBack(now, at, false)
		r.permit.Ignore(now)
		c.load.leases.recycle(r)
		return Lease{}, false
	}
	c.load.tokens.Add(n.Input + n.Output)
	c.measure(now, at, r.took)
	return Lease{r, c.load.leases.add(r), c, r.key}, true
}

// reserve takes what there is a limit of: all of it or, after giveBack, nothing.
func (r *lease) reserve(now time.Time) bool {
	c := r.candidate
	if r.need.Free {
		return true
	}
	var ok bool
	if l := c.ledger(); l != nil {
		if r.hold, ok = l.Reserve(now, c.cost(r.need)); !ok {
			return false
		}
		r.took |= tookHold
	}
	c.shared.refresh(r.at)
	if c.limited() {
		if r.reservation, ok = c.shared.quota.Reserve(now, r.need.Input); !ok {
			return false
		}
		r.took |= tookQuota
	}
	if c.paced() {
		if !c.place.pacer.Allow(now) {
			return false
		}
		r.took |= tookPace
	}
	return true
}

// pass goes by everything that may rest, as its probe where it does. The attempt gets its number before it looks: what begins to rest
// meanwhile began after it.
func (r *lease) pass(at, deadline int64) bool {
	c := r.candidate
	r.seq = c.pool.seq.Add(1)
	for _, gate := range r.gates() {
		if gate.cool == nil {
			continue
		}
		probe, ok := gate.cool.admit(at, deadline, r.seq)
		if !ok {
			return false
		}
		if probe {
			r.took |= gate.probes
		}
	}
	k, probe, ok := c.project.key(at, deadline, r.seq)
	if !ok {
		return false
	}
	r.key = k
	if probe {
		r.took |= probesKey
	}
	return true
}

// gate is something that may rest, with the mark of a lease that probes it.
type gate struct {
	cool   *cooldown
	probes took
	scope  scope
}

// gates are all that the call passes. Where there is nothing (no order, no key), cool is nil.
func (r *lease) gates() [6]gate {
	c := r.candidate
	g := [6]gate{
		{c.backend, probesBackend, scopeBackend},
		{c.project.cool, probesProject, scopeProject},
		{&c.shared.cool, probesShared, scopeProjectModel},
		{c.place.cool, probesPlace, scopePlace},
	}
	if c.order != nil {
		g[4] = gate{&c.order.cool, probesOrder, scopeOrder}
	}
	if r.key != nil {
		g[5] = gate{&r.key.cool, probesKey, scopeKey}
	}
	return g
}

// giveBack undoes reserve and pass. sent says that the call went out, which counts as a probe.
func (r *lease) giveBack(now time.Time, at int64, sent bool) {
	c := r.candidate
	if r.took&tookHold != 0 {
		c.order.ledger.Release(now, r.hold)
	}
	if r.took&tookQuota != 0 {
		c.shared.quota.Release(now, r.reservation)
	}
	if r.took&tookPace != 0 && !sent {
		c.place.pacer.Return(now)
	}
	r.took &^= tookHold | tookQuota | tookPace
	r.unprobe(at, scopeNone, sent)
}

// unprobe gives the probes back that the call was, but for that of one scope.
func (r *lease) unprobe(at int64, but scope, sent bool) {
	if r.took == 0 {
		return
	}
	for _, gate := range r.gates() {
		if gate.cool != nil && r.took&gate.probes != 0 && gate.scope != but {
			gate.cool.unprobe(at, r.seq, sent)
		}
	}
}

// Candidate returns the endpoint that was leased.
func (l Lease) Candidate() *Candidate { return l.candidate }

// Keyed reports whether the lease is for an API key, rather than an access token.
func (l Lease) Keyed() bool { return l.key != nil }

// Release ends a lease whose call was never sent: all of it is given back.
func (l Lease) Release(now time.Time) {
	r, ok := l.end()
	if !ok {
		return
	}
	r.giveBack(now, r.candidate.pool.instant(now), false)
	r.permit.Ignore(now)
	r.done()
}

// end takes the lease's record, once.
func (l Lease) end() (*lease, bool) {
	if l.record == nil || !l.candidate.load.leases.end(l.record, l.generation) {
		return nil, false
	}
	return l.record, true
}

// done puts an ended record away.
func (r *lease) done() {
	c := r.candidate
	c.load.tokens.Add(-(r.need.Input + r.need.Output))
	c.load.leases.recycle(r)
	c.pool.wake()
}

// sweep ends what its owner forgot.
func (c *Candidate) sweep(now time.Time, at int64) {
	for r := c.load.leases.expired(at - int64(leaseLife)); r != nil; r = c.load.leases.expired(at - int64(leaseLife)) {
		r.settle(now, at, &Outcome{Class: ClassCancelled})
		r.done()
	}
}
