package pool

import (
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// start starts the cooldown that the outcome asks for, if there is evidence enough.
func (r *lease) start(now time.Time, at int64, o *Outcome, rule *rule, accused *entry) {
	c := r.candidate
	if (rule.doubted || o.Suspected) && Class(accused.cool.Class(at)) != o.Class {
		elsewhere := func() bool { return c.plan.othersAnswer(c, at) }
		if !r.proofOf(accused).convicts(at, o.Call, o.words(), !o.Suspected, elsewhere) {
			return
		}
	}
	why := cooldown.Refusal{
		Class: string(o.Class), Cause: o.Cause, Rule: &rule.Rule, Hint: o.Hint, Quota: o.Quota, Message: o.Message,
	}
	if a := o.Answer; a != nil && len(a.Body) <= maxRemembered {
		why.Status, why.Body = a.Status, a.Body
	}
	if o.Class == ClassProvisionedFull {
		why.Cause = string(c.order.evidence.cause(at))
		if c.order.evidence.proven(at) {
			why.Rule, why.Least = &provenFull, c.order.ledger.Stat(now).Window/provenShare
		} else {
			why.Least = c.order.ledger.Wait(now, c.order.cost(&r.need))
		}
	}
	accused.start(c.plan.pool, now, at, r.seq, &why)
}

// maxRemembered bounds an answer of Google's that is kept for callers of a later time.
const maxRemembered = 16 << 10

// othersAnswer reports whether an endpoint of another project or location has answered the same
// model and method lately.
func (p *plan) othersAnswer(c *candidate, at int64) bool {
	for _, other := range p.all {
		if own := other.own.entry.Load(); own != nil && own != c.own.entry.Load() && own.proof.proven(at) {
			return true
		}
	}
	return false
}

// about returns what an outcome is about.
func (o *Outcome) about(rule *rule) Scope {
	switch {
	case o.Scope == ScopeClass, rule.scope == scopeNone, rule.scope == scopeBreaker:
		return rule.scope
	case rule.scope == scopeOrder && o.Scope != ScopeTool && o.Scope != ScopeCall:
		return rule.scope // the words that it refused in are about pay-as-you-go
	default:
		return o.Scope
	}
}

// accused returns the entry of what an outcome is about; nil if it puts nothing on cooldown. An
// order and pay-as-you-go of one project have separate quotas, so a model's cooldown is the order's
// own. An entry of a part that has no room is nil.
func (r *lease) accused(at int64, o *Outcome, rule *rule) *entry {
	c := r.candidate
	switch o.about(rule) {
	case ScopeKey:
		if r.key != nil {
			return r.key.entry
		}
		return c.whole
	case ScopeProject:
		return c.whole
	case ScopeModel:
		if quotaApart(&c.endpoint) {
			return r.own
		}
		return r.shared
	case ScopeTool:
		if len(o.Tools) == 0 {
			return r.shared
		}
		part := r.shared.subject
		part.Tool = strings.Join(o.Tools, toolsTogether)
		return c.plan.model.narrowed(at, r.shared, part)
	case ScopeEndpoint:
		return r.own
	case ScopeVersion:
		part := r.own.subject
		part.Version = r.need.asked.Version
		if part.Version == "" {
			return r.own
		}
		return c.plan.model.narrowed(at, r.own, part)
	case scopeOrder:
		if c.order != nil && c.order.turned() { // else another one has followed
			return c.order.entry
		}
	case ScopeBackend:
		return r.accusedBackend(at, o)
	case ScopeClass, ScopeCall, scopeNone, scopeBreaker:
	}
	return nil
}

// accusedBackend returns the entry that a refusal is about which may be all of the back end's: the
// project alone, as long as no other has been refused alike. Projects may have ways of their own to
// Google.
func (r *lease) accusedBackend(at int64, o *Outcome) *entry {
	c := r.candidate
	several := slices.ContainsFunc(c.plan.all, func(other *candidate) bool {
		return other.backend == c.backend && other.project != c.project
	})
	if !several || c.backend.cool.Active(at) {
		return c.backend
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, c.Project)
	if c.backend.proof.convicts(at, h.Sum64(), o.words(), false, func() bool { return false }) {
		return c.backend
	}
	return c.whole
}
