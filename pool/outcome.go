package pool

import (
	"strings"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/quota"
)

// Outcome is how a leased call ended.
type Outcome struct {
	// Class is what the answer means.
	Class Class
	// Hint is how long the server asked to wait; zero if it did not.
	Hint time.Duration
	// Quota is Google's name of the quota that is used up, Message the first line of what Google said, Answer the whole of it: for
	// logs, Stat and callers. They hold no key.
	Quota, Message string
	Answer         *Answer
	// Stated are limits that a refusal named; zero where it named none.
	Stated quota.Limits
	// Usage is what Google counted, if Counted, and Details what it told beside.
	Usage   quota.Usage
	Counted bool
	Details Details
	// Traffic is Google's usageMetadata.trafficType; empty if it said none.
	Traffic string
}

// The trafficType of an answer that a Provisioned Throughput order served, and the beginning of that of every one that pay-as-you-go did.
// Source: TrafficType in google.golang.org/genai v1.77.0, types.go.
const (
	trafficProvisioned = "PROVISIONED_THROUGHPUT"
	trafficOnDemand    = "ON_DEMAND"
)

// Accept notes that Google has begun to answer well: what rested for the endpoint rests no longer, and its breaker counts a success. A
// call whose answer comes in pieces is accepted at the first, long before it is settled. The lease goes on.
func (l Lease) Accept(now time.Time) {
	if l.record == nil {
		return
	}
	s := &l.candidate.load.leases
	s.mu.Lock()
	r := l.record
	if r.generation != l.generation || r.accepted {
		s.mu.Unlock()
		return
	}
	r.accepted = true
	accepted := *r
	r.permit = breaker.Permit{} // it ends now; what comes later is another result
	s.mu.Unlock()
	accepted.accept(now)
}

// accept tells everyone concerned of a good answer.
func (r *lease) accept(now time.Time) {
	c := r.candidate
	c.server.answered.Store(c.pool.instant(now))
	r.permit.Success(now)
	if c.paced() {
		c.place.pacer.Accepted(now)
	}
	for _, gate := range r.gates() {
		if gate.cool == nil {
			continue
		}
		if rest, ended := gate.cool.succeed(r.seq); ended {
			c.pool.logBack(c, r.key, gate.scope, rest, now)
			c.pool.wake()
		}
	}
}

// Settle ends the lease with its outcome: quota is corrected to what was used, and what has to rest begins to.
func (l Lease) Settle(now time.Time, o Outcome) {
	r, ok := l.end()
	if !ok {
		return
	}
	r.settle(now, r.candidate.pool.instant(now), &o)
	r.done()
}

// AnsweredSince reports whether the endpoint's servers have given a byte to anyone since the lease began; false once it has ended.
func (l Lease) AnsweredSince() bool {
	if l.record == nil {
		return false
	}
	s := &l.candidate.load.leases
	s.mu.Lock()
	at := int64(never)
	if l.record.generation == l.generation { // else the record may be another lease's by now
		at = l.record.at
	}
	s.mu.Unlock()
	return l.candidate.server.answered.Load() > at
}

func (r *lease) settle(now time.Time, at int64, o *Outcome) {
	c := r.candidate
	o.Class = c.meant(o.Class, r.key)
	rule := rules[o.Class]

	switch {
	case o.Class == ClassOK:
		if !r.accepted {
			r.accept(now)
		}
	case rule.scope == scopeBreaker:
		if r.accepted { // its success was counted when it began: this is another result of the same servers
			r.permit = c.server.breaker.Force(now, time.Time{})
		}
		r.permit.Failure(now)
	default:
		r.permit.Ignore(now)
	}
	if o.Class != ClassTransport && o.Class != ClassCancelled {
		c.server.answered.Store(at)
	}
	paced := o.Class == ClassContention && c.place.pacer.Limited()
	if o.Class == ClassContention && c.paced() {
		c.place.pacer.Rejected(now, now.Add(-time.Duration(at-r.at)))
	}

	r.charge(now, at, o)
	if o.Class != ClassOK {
		r.unprobe(at, rule.scope, true)
		if !paced { // else the pace is what keeps it from being asked too often: a rest would leave capacity unused
			r.rest(now, at, o)
		}
	}
	if rule.scope == scopeProjectModel && c.shared.learn(at, o.Stated) {
		c.pool.logLearned(c, c.shared.known(at))
	}
	if o.Counted {
		c.plan.tokens.Observe(r.need.estimate.request(), o.counted())
	}
}

// meant is the class of an answer in the words of what the endpoint has: a full order's refusal of a call that was for no order is
// contention, and a dead key where we send none (a proxy adds its own) is the project's trouble.
func (c *Candidate) meant(class Class, k *key) Class {
	switch {
	case class == ClassProvisionedFull && c.order == nil:
		return ClassContention
	case class == ClassKeyDead && k == nil:
		return ClassProjectMisconfigured
	default:
		return class
	}
}

// charge corrects what was reserved to what the call cost.
func (r *lease) charge(now time.Time, at int64, o *Outcome) {
	c := r.candidate
	if r.took&tookQuota != 0 {
		switch {
		case o.Counted:
			c.shared.quota.Settle(now, r.reservation, o.Usage.Input)
		case r.accepted || charged(o.Class):
			c.shared.quota.Settle(now, r.reservation, r.need.Input)
		default:
			c.shared.quota.Release(now, r.reservation)
		}
	}
	if r.took&tookHold != 0 {
		switch {
		case o.Class == ClassProvisionedFull:
			c.order.ledger.Refuse(now, r.hold)
			r.doubt(at)
		case strings.HasPrefix(o.Traffic, trafficOnDemand):
			c.order.ledger.Release(now, r.hold)
			if c.order.spill.first() {
				c.pool.logSpill(c, o.Traffic)
			}
		case o.Counted || r.accepted || o.Class == ClassOK:
			cost := c.cost(r.need)
			if o.Counted {
				cost = c.order.ledger.Cost(o.Usage)
			}
			c.order.ledger.Settle(now, r.hold, cost)
			c.order.prove(at)
		default:
			c.order.ledger.Release(now, r.hold)
		}
	} else if c.order != nil { // Vertex AI spills over by itself, and says so
		switch {
		case strings.HasPrefix(o.Traffic, trafficOnDemand):
			r.doubt(at)
		case o.Traffic == trafficProvisioned:
			c.order.prove(at)
		}
	}
}

// doubt notes that the order did not serve the call.
func (r *lease) doubt(at int64) {
	if c := r.candidate; c.order.doubt(at) {
		c.pool.logDoubt(c)
	}
}

// charged reports whether Google counts a call that ended so against minute and day quotas: answers and its own failures yes, refusals
// for quota, key or permission no. Source: observed, https://github.com/google-gemini/gemini-cli/issues/15184.
func charged(c Class) bool {
	switch c {
	case ClassOK, ClassCallerFault, ClassServerFault, ClassOverloaded, ClassTransport, ClassCancelled:
		return true
	default:
		return false
	}
}

// rest begins the rest that the outcome asks for.
func (r *lease) rest(now time.Time, at int64, o *Outcome) {
	c := r.candidate
	rule := rules[o.Class]
	var least time.Duration
	if o.Class == ClassProvisionedFull {
		if c.order.proven(at) {
			rule = provenFull // its ledger says of every call whether it fits: smaller ones may
			least = c.order.ledger.Stat(now).Window / provenRest
		} else {
			least = c.order.ledger.Wait(now, c.cost(r.need))
		}
	}
	for _, gate := range r.gates() {
		if gate.cool == nil || gate.scope != rule.scope {
			continue
		}
		if rest, news := gate.cool.start(now, at, r.seq, c.pool.seq.Load(), o, rule, least); news {
			c.pool.logRest(c, r.key, rule.scope, rest)
		}
	}
}
