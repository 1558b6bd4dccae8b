package pool

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// leaseLife is when a lease that was never ended is taken for lost and given back: longer than any
// call of Google's lasts. Flex, the slowest, has at most 30 minutes:
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo.
const leaseLife = time.Hour

// Lease is one admitted call on one endpoint. Its quota is reserved until the lease is ended, once,
// by [Lease.Settle] or [Lease.Release]; further ends do nothing. A lease that is not ended expires
// after an hour. The zero Lease is ended. A Lease is a small value; copies are the same lease.
type Lease struct {
	record     *record
	generation uint64
	candidate  *candidate
	key        *key
}

// lease is what is kept of a lease.
type lease struct {
	candidate   *candidate
	own, shared *entry // of the candidate
	key         *key
	seq         uint64 // attempts are numbered in the order they begin
	at          int64
	need        need
	permits     permits
	probing     []*entry // cooldowns that the call is the probe of
	held        held
	charges     charges
	hold        quota.Hold // if it holds an order's
}

// charges are what the limits are charged for a call.
type charges struct {
	reservation quota.Reservation // if it holds quota
	spent       quota.Usage       // while it runs
	portion     portionHold       // if it keeps to a share
}

// permits are those of the breakers that a call has passed.
type permits struct {
	own     breaker.Permit // of the endpoint
	servers breaker.Permit // of its servers, while most of their endpoints fail
}

// held says what a lease holds beside the permits and probes.
type held uint8

const (
	heldQuota held = 1 << iota
	heldOrder
	heldPace
	heldTally
	heldAccepted // Google has begun to answer well
	heldRamp
	heldTest // it goes beyond learned limits
)

// accepted reports whether Google has begun to answer well.
func (r *lease) accepted() bool { return r.held&heldAccepted != 0 }

// lease admits a call, or says no: something is on cooldown, or a limit, the order or the pace has
// no room.
func (c *candidate) lease(now time.Time, n *need) (Lease, bool) {
	c.use()
	var p permits
	var ok bool
	if b := c.own.breaker(); b != nil {
		if p.own, ok = b.Allow(now, n.Deadline); !ok {
			return Lease{}, false
		}
	}
	if b := c.outage(); b != nil {
		if p.servers, ok = b.Allow(now, n.Deadline); !ok {
			p.own.Ignore(now)
			return Lease{}, false
		}
	}
	return c.admit(now, n, p)
}

// force is lease past open circuit breakers: for the last endpoint there is.
func (c *candidate) force(now time.Time, n *need) (Lease, bool) {
	c.use()
	var p permits
	if b := c.own.breaker(); b != nil {
		p.own = b.Force(now, n.Deadline)
	}
	if b := c.outage(); b != nil {
		p.servers = b.Force(now, n.Deadline)
	}
	return c.admit(now, n, p)
}

func (c *candidate) admit(now time.Time, n *need, held permits) (Lease, bool) {
	p := c.plan.pool
	at := p.instant(now)
	own := c.own.entry.Load()
	own.load.sweep(now, at)
	r := newRecord()
	r.candidate, r.own, r.shared, r.key = c, own, c.shared.entry.Load(), nil
	r.at, r.need, r.permits, r.probing, r.held = at, *n, held, nil, 0
	r.charges.spent, r.charges.portion = quota.Usage{}, portionHold{}
	deadline := int64(cooldown.Forever)
	if !n.Deadline.IsZero() {
		deadline = p.instant(n.Deadline)
	}
	// The attempt gets its number before it looks: a cooldown that starts meanwhile began after it.
	r.seq = p.seq.Add(1)
	if c.cooldownWake(at, n) > at || !r.reserve(now, deadline) || !r.admitAll(now, at, deadline) {
		r.undo(now, at)
		records.Put(r)
		return Lease{}, false
	}
	own.load.tokens.Add(n.Input + n.Output)
	own.load.begin(at)
	if pacer := c.pacer(); pacer != nil {
		pacer.toll.sent()
	}
	if c.tier.ring.made.Load() { // else no affinity asks
		c.tier.tally.begin(at)
		r.held |= heldTally
	}
	r.checkUsage(now, at)
	return Lease{r, own.load.leases.add(r), c, r.key}, true
}

// reserve takes what there is a limit of: all of it or, after undo, nothing.
func (r *lease) reserve(now time.Time, deadline int64) bool {
	c := r.candidate
	if r.need.Unmetered {
		return true
	}
	if r.need.asked.Share > 0 && !reservePortion(r, now) { // first: a ledger learns from what it is asked for
		return false
	}
	var ok bool
	turn(c, now, r.at)
	if c.ledger() != nil {
		if r.hold, ok = c.order.reserve(now, &r.need); !ok {
			return false
		}
		r.held |= heldOrder
	}
	if l := r.shared.limits; l != nil {
		if l.due(r.at) {
			r.shared.grow(c.plan.pool, now, r.at)
		}
		if q := l.inForce(); q != nil && !r.reserveQuota(q, now, deadline) {
			return false
		}
	}
	if ramp := r.own.ramp.Load(); ramp != nil && c.paced() {
		if !ramp.Allow(now) {
			return false
		}
		r.held |= heldRamp
	}
	if pacer := c.pacer(); pacer != nil && !braves(c, &r.need) {
		if !pacer.allow(now, r.own, &r.need) {
			return false
		}
		r.held |= heldPace
	}
	return true
}

// admitAll asks every cooldown for admission and takes the probe of an active one.
func (r *lease) admitAll(now time.Time, at, deadline int64) bool {
	c := r.candidate
	var buf [maxGates]*entry
	for _, e := range c.gates(buf[:0], &r.need, nil) {
		if e == r.own && e.cool.Active(at) && contended(e, at) && braves(c, &r.need) {
			continue
		}
		probe, ok := e.cool.Admit(at, deadline, r.seq)
		if !ok {
			return false
		}
		if probe {
			r.probing = append(r.probing, e)
		}
	}
	k, probe, ok := c.plan.pool.pauses.held.Load().admitKey(c, at, deadline, r.seq, &r.need)
	if !ok {
		return false
	}
	r.key = k
	if probe {
		r.probing = append(r.probing, k.entry)
	}
	for _, e := range r.probing { // in a fleet there is one probe
		if !c.plan.pool.fleet.mayProbe(now, e) {
			return false
		}
	}
	return true
}

// undo gives back what reserve and admitAll took, for a call that is not sent.
func (r *lease) undo(now time.Time, at int64) {
	c := r.candidate
	if r.held&heldOrder != 0 {
		c.order.release(now, r.hold)
	}
	if r.held&heldQuota != 0 {
		r.shared.limits.quota.Release(now, r.charges.reservation)
	}
	if r.held&heldPace != 0 {
		r.own.pacer.Load().back(now)
	}
	if ramp := r.own.ramp.Load(); r.held&heldRamp != 0 && ramp != nil { // a reload may have ended it
		ramp.Return()
	}
	releasePortion(r, now)
	r.returnTest(at)
	r.held &^= heldOrder | heldQuota | heldPace | heldRamp | heldTest
	r.returnProbes(at, false)
	r.permits.own.Ignore(now)
	r.permits.servers.Ignore(now)
}

// returnProbes gives back the probes that the call was and that nothing has ended yet.
func (r *lease) returnProbes(at int64, sent bool) {
	for _, e := range r.probing {
		e.cool.ReturnProbe(at, r.seq, sent)
		r.candidate.plan.pool.fleet.probed(e)
		r.candidate.plan.pool.models.wakesEarlier(e)
	}
}

// Endpoint returns the endpoint that was leased. The caller does not change it. The zero Lease has
// none.
func (l Lease) Endpoint() *Endpoint {
	if l.candidate == nil {
		return nil
	}
	return &l.candidate.Endpoint
}

// Release ends a lease whose call was never sent: all of it is given back.
func (l Lease) Release(now time.Time) {
	r, ok := l.end()
	if !ok {
		return
	}
	r.undo(now, l.candidate.plan.pool.instant(now))
	r.done(now)
}

// end takes the lease's record, once.
func (l Lease) end() (*record, bool) {
	if l.record == nil || !l.candidate.own.entry.Load().load.leases.end(l.record, l.generation) {
		return nil, false
	}
	return l.record, true
}

// done puts an ended record away, and lets the calls that wait have what came free.
func (r *record) done(now time.Time) {
	c := r.candidate
	if p := c.plan.pool; p.fleet != nil && r.held&heldQuota != 0 && r.shared.limits.fleet.tight.Load() {
		p.fleet.kick() // others may wait for its slot
	}
	probed := len(r.probing) > 0 || r.permits.own.Probe() || r.permits.servers.Probe()
	r.putAway()
	if probed { // what it probed may be another call's to probe
		c.plan.pool.queue.changed(now)
	} else {
		c.plan.pool.queue.freed(now, c)
	}
	c.plan.pool.outbox.deliver()
}

// putAway notes that the endpoint and its tier carry one call less.
func (r *record) putAway() {
	r.own.load.tokens.Add(-(r.need.Input + r.need.Output))
	r.own.load.end()
	if r.held&heldTally != 0 {
		r.candidate.tier.tally.end()
	}
	for _, e := range r.probing {
		r.candidate.plan.pool.fleet.probed(e)
	}
	if r.held&heldTest != 0 {
		r.candidate.plan.pool.fleet.probed(r.shared)
	}
	r.probing = nil
	records.Put(r)
}

// sweep ends the leases that their owners forgot.
func (l *load) sweep(now time.Time, at int64) {
	if l.underWay.Load() == 0 {
		return
	}
	for r := l.leases.expired(at - int64(leaseLife)); r != nil; r = l.leases.expired(at - int64(leaseLife)) {
		r.settle(now, at, &Outcome{Class: ClassCancelled})
		r.putAway()
	}
}

// Secrets returns the text of every key of the pool, and of the access tokens and former keys that
// it remembers to have given out, to be scrubbed out of what Google and proxies echo. Of the tokens
// it remembers the last few of each project. It leaves out what is too short to be a secret. The
// caller does not change it. It is the same slice until there is something new. The zero Lease has
// none.
func (l Lease) Secrets() []string {
	if l.candidate == nil {
		return nil
	}
	return l.candidate.plan.pool.sent.list()
}

// Authorize puts the leased credential into the header of a request: an API key into
// x-goog-api-key, an access token into Authorization. It fails if there is no access token; ctx
// bounds the asking for one. refused is a token that Google has refused for the lease, so that
// another is to be had; empty if there is none. See [Project.Credentials].
func (l Lease) Authorize(ctx context.Context, h http.Header, refused string) error {
	if l.key != nil {
		h["X-Goog-Api-Key"] = []string{l.key.secret.Reveal()}
		return nil
	}
	if l.candidate == nil {
		return errors.New("pool: the zero Lease has no credential")
	}
	tokens := l.candidate.project.tokens
	if d, ok := tokens.(interface{ Drop(token string) }); ok && refused != "" {
		d.Drop(refused)
	}
	token, err := tokens.Token(ctx)
	if err != nil {
		return err
	}
	if token.Value != "" {
		l.candidate.plan.pool.sent.token(l.candidate.project, token.Value)
		h["Authorization"] = []string{"Bearer " + token.Value}
	}
	return nil
}
