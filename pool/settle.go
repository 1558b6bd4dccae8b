package pool

import (
	"strings"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
)

// Outcome is how a leased call ended.
type Outcome struct {
	// Class is what the answer means.
	Class Class
	// Evidence is what the answer proves, and of what.
	Evidence
	// Hint is how long the server asked to wait; zero if it did not.
	Hint time.Duration
	// Quota is Google's name of the quota that is used up, Message the first line of what Google
	// said, Answer the whole of it: for logs, Stat and callers. They hold no key.
	Quota, Message string
	Answer         *Answer
	// Stated are limits that a refusal named; zero where it named none.
	Stated quota.Limits
	// Usage is what Google counted, if Counted.
	Usage   quota.Usage
	Counted bool
	// Prompt and Cached are the tokens of the prompt, cached ones included, and of what was cached,
	// by what they are of. ToolUse are the tokens of the input that tools returned, Thoughts those
	// of the output that were thoughts. All of it is optional; estimates learn more from a response
	// that has it.
	Prompt, Cached    Modalities
	ToolUse, Thoughts int64
	// Traffic is Google's usageMetadata.trafficType; empty if it said none.
	Traffic string
	// Served is Google's modelVersion: the model that answered; empty if it said none, or the one that
	// was asked for. If it is another model, usage is charged to that one.
	Served string
}

// Evidence is what an answer proves, and of what. The zero value is an answer of Google's that
// means what its class says.
type Evidence struct {
	// Cause is a finer word for what the class means, of those in docs/429.md. Empty, or a word that
	// is not one for the class, is what the class and the name of the quota tell.
	Cause string
	// Scope is what the answer is about. Zero means what its class is usually about.
	Scope Scope
	// Tools are the tools that a refusal with ScopeTool is about.
	Tools []string
	// Suspected says that the answer alone does not prove what its class says. It starts a cooldown
	// only together with others.
	Suspected bool
	// Call is a hash of the call that was refused. Different calls that are refused alike prove
	// more than one.
	Call uint64
	// Foreign says that the answer was not Google's: a page of a proxy, or nothing that is an answer.
	Foreign bool
	// Unsent says that there was no credential to send the call with. It says nothing of Google's
	// servers, and Google has counted nothing.
	Unsent bool
	// Running says that the call goes on, as a session does. All that counts of the outcome is its
	// Usage: what Google has counted so far.
	Running bool
}

// The trafficType of an answer that a Provisioned Throughput order served, and the beginning of
// that of every one that pay-as-you-go did. Source: TrafficType in google.golang.org/genai v1.77.0,
// types.go.
const (
	trafficProvisioned = "PROVISIONED_THROUGHPUT"
	trafficOnDemand    = "ON_DEMAND"
)

// Accept notes that Google has begun to answer well: the cooldowns that the call was a probe of
// end, and its breaker counts a success. A call whose answer comes in pieces is accepted at the
// first, long before it is settled. The lease goes on.
func (l Lease) Accept(now time.Time) {
	if l.record == nil {
		return
	}
	s := &l.candidate.own.entry.Load().load.leases
	s.mu.Lock()
	r := l.record
	if r.generation.Load() != l.generation || r.accepted() {
		s.mu.Unlock()
		return
	}
	r.held |= heldAccepted
	accepted := r.lease
	r.permits = permits{} // they end now; what comes later is another result
	s.mu.Unlock()
	accepted.accept(now)
	l.candidate.plan.pool.outbox.deliver()
}

// accept tells everything concerned of a good answer.
func (r *lease) accept(now time.Time) {
	c := r.candidate
	p := c.plan.pool
	at := p.instant(now)
	if r.own.load.failing.Load() {
		r.own.load.failing.Store(false)
	}
	if r.permits.own == (breaker.Permit{}) {
		r.permits.own = r.own.latePermit(r.candidate.plan.pool, now)
	}
	r.permits.own.Success(now)
	r.permits.servers.Success(now)
	c.server.entry.Load().outage.answered(at, r.own, c.hash)
	c.host.outage.answered(at, r.own, c.hash)
	if pacer := c.pacer(); pacer != nil {
		pacer.Accepted(now)
	}
	if r.held&heldTest != 0 {
		r.shared.passTest(p, now, at, r.seq)
	}
	var buf [maxGates]*entry
	for _, e := range c.gates(buf[:0], &r.need, r.key) {
		e.proof.answered(at)
		if e.cool.Dirty() {
			e.succeed(p, now, at, r.at, r.seq)
		}
	}
	r.own.versions.of(r.need.asked.Version).answered(at)
	if r.need.ties.doubted != nil {
		lacksTier(r, now, at, r.need.ties.doubted)
	}
}

// Settle ends the lease with its outcome: quota is corrected to what was used, and cooldowns start.
// With the outcome of a running call it charges the usage that has come since the last time, and the
// lease goes on.
func (l Lease) Settle(now time.Time, o Outcome) {
	if o.Running {
		l.spend(now, &o)
		return
	}
	r, ok := l.end()
	if !ok {
		return
	}
	r.settle(now, l.candidate.plan.pool.instant(now), &o)
	r.done(now)
}

func (r *lease) settle(now time.Time, at int64, o *Outcome) {
	c := r.candidate
	session := r.charges.spent != quota.Usage{}
	o.Usage = o.Usage.Minus(r.charges.spent)
	o.Class = r.effectiveClass(o.Class)
	rule := o.Class.rule()
	r.judgeServer(now, at, o, rule)
	paced := judgePace(r, now, at, o)
	tokens := &r.own.load.counts // where they are counted
	served := r.rerouted(now, at, o)
	if served != nil {
		tokens = &served.own.entry.Load().load.counts
	}
	r.charge(now, at, o, served)
	noteFault(r, now, at, o)
	if o.Class != ClassOK {
		r.failTest(at, o.Class)
		accused := r.accused(at, o, rule)
		if accused != nil && !paced {
			r.start(now, at, o, rule, accused)
		}
		r.returnProbes(at, true) // but for those that start has ended
		if accused == r.shared {
			r.shared.learn(c.plan.pool, now, at, o.Stated)
		}
	}
	if o.Counted && !session { // a session's prompt is not the call's
		counted := o.counted()
		c.plan.model.tokens.Observe(&r.need.estimate, &counted)
	}
	if order := r.need.ties.order; order != nil && o.Counted && served == nil &&
		(c.order == nil || strings.HasPrefix(o.Traffic, trafficOnDemand)) {
		order.spill(o.Usage)
	}
	r.own.load.counts.attempts[rule.index].Add(1)
	if downgraded(&c.endpoint, o) {
		r.own.load.counts.downgraded.Add(1)
	}
	tokens.add(o)
}

// judgePace tells the pace of contention, and reports whether no cooldown starts for it. A limited pace
// keeps the endpoint from being asked too often, and few refusals among many calls mean that there is
// room. A cooldown would leave capacity unused.
func judgePace(r *lease, now time.Time, at int64, o *Outcome) (paced bool) {
	pacer := r.candidate.pacer()
	if o.Class != ClassContention || pacer == nil {
		return false
	}
	paced = pacer.Limited() // before it
	pacer.rejected(now, now.Add(-time.Duration(at-r.at)))
	pacer.toll.refused()
	return paced || pacer.Tolerates() && o.Hint == 0
}

// judgeServer tells the breakers what the call says of the endpoint's health and of what it shares.
func (r *lease) judgeServer(now time.Time, at int64, o *Outcome, rule *rule) {
	switch {
	case o.Class == ClassOK:
		if !r.accepted() {
			r.accept(now)
		}
	case rule.scope == scopeBreaker && !o.Unsent && o.Scope != ScopeCall:
		if r.accepted() || r.permits.own == (breaker.Permit{}) {
			// Its success was counted when it began, or there was no breaker then: this is another result.
			r.permits.own = r.own.latePermit(r.candidate.plan.pool, now)
		}
		r.permits.own.Failure(now)
		r.permits.servers.Failure(now)
		r.own.load.failing.Store(true)
		r.judgeShared(now, at, o)
	default:
		r.permits.own.Ignore(now)
		r.permits.servers.Ignore(now)
	}
}

// effectiveClass is the class of an answer in the terms of what the endpoint has. A full order's
// refusal of a call that was for no order is contention. An order is asked for nothing else, so it
// is full in whatever words it refuses for lack of room. A dead key where no key is sent is the
// project's: a proxy adds its own.
func (r *lease) effectiveClass(class Class) Class {
	order := r.candidate.order != nil && r.candidate.Overflow == OverflowRouter
	switch {
	case class == ClassProvisionedFull && r.candidate.order == nil:
		return ClassContention
	case order && (class == ClassContention || class == ClassQuotaUnknown):
		return ClassProvisionedFull
	case class == ClassContention && !hidden(&r.candidate.endpoint):
		return ClassQuotaUnknown // there is nothing to be paced
	case class == ClassKeyDead && r.key == nil:
		return ClassProjectMisconfigured
	default:
		return class
	}
}

// charge corrects what was reserved to what the call cost. served is where another model answered.
func (r *lease) charge(now time.Time, at int64, o *Outcome, served *candidate) {
	settlePortion(r, now, o)
	switch {
	case served != nil:
		r.chargeServed(now, at, o, served)
	case r.held&heldQuota != 0:
		q := &r.shared.limits.quota
		switch {
		case o.Counted:
			q.Settle(now, r.charges.reservation, o.Usage.Input)
		case r.accepted() || charged(o.Class) && !o.Unsent:
			q.Settle(now, r.charges.reservation, r.need.Input)
		default:
			q.Release(now, r.charges.reservation)
		}
	}
	order := r.candidate.order
	onDemand := strings.HasPrefix(o.Traffic, trafficOnDemand)
	switch {
	case order == nil:
	case r.held&heldOrder != 0:
		r.chargeOrder(now, at, o, onDemand)
	case onDemand: // Vertex AI spills over by itself, and says so
		r.refusedByOrder(now, at)
	case o.Traffic == trafficProvisioned:
		order.evidence.serve(at)
	}
}

// chargeOrder corrects what was reserved of an order.
func (r *lease) chargeOrder(now time.Time, at int64, o *Outcome, onDemand bool) {
	c := r.candidate
	order := c.order
	switch {
	case o.Class == ClassProvisionedFull:
		order.refuse(now, r.hold)
		r.refusedByOrder(now, at)
	case onDemand:
		order.release(now, r.hold)
		order.evidence.spill(at)
		order.bypassedCount.Add(1)
		if order.bypassed.first() {
			c.plan.pool.outbox.orderUnused(now, order, o.Traffic)
		}
	case o.Counted || r.accepted() || o.Class == ClassOK:
		cost := order.cost(&r.need)
		if o.Counted {
			cost = order.ledger.Cost(o.Usage)
		}
		order.settle(now, r.hold, cost)
		order.evidence.serve(at)
	default:
		order.release(now, r.hold)
	}
}

// refusedByOrder notes that the order did not serve the call.
func (r *lease) refusedByOrder(now time.Time, at int64) {
	if order := r.candidate.order; order.evidence.refuse(at) {
		r.candidate.plan.pool.outbox.orderUnconfirmed(now, order)
	}
}

// charged reports whether Google counts a call that ended so against minute and day quotas: answers
// and its own failures yes, refusals for quota, key or permission no. Source: observed,
// https://github.com/google-gemini/gemini-cli/issues/15184.
func charged(c Class) bool {
	switch c {
	case ClassOK, ClassCallerFault, ClassServerFault, ClassOverloaded, ClassTransport, ClassCancelled:
		return true
	default:
		return false
	}
}

// checkLimits reports limits that are nearly used up.
func (e *entry) checkLimits(p *Pool, now time.Time, at int64) {
	if share := e.limits.alert.passed(at, 1-e.limits.quota.Headroom(now)); share > 0 {
		p.outbox.usageHigh(now, e, share, e.limits.cause(now, 1))
	}
}

// checkUsage notes what is used of an order, and reports it or a limit that the lease has nearly
// used up.
func (r *lease) checkUsage(now time.Time, at int64) {
	p := r.candidate.plan.pool
	if r.held&heldQuota != 0 {
		r.shared.checkLimits(p, now, at)
	}
	if r.held&heldOrder != 0 {
		o := r.candidate.order
		r.hold.Use = o.ledger.Utilisation(now)
		if share := o.alert.passed(at, r.hold.Use); share > 0 {
			p.outbox.usageHigh(now, o.entry, share, remedy.OrderFull)
		}
	}
}
