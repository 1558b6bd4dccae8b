package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// kept is an answer of Google's that callers get again while nothing else is to be had. Without one
// Status is 0.
type kept struct {
	cooldown.Info

	exists bool // an endpoint that has not refused this very call is known to have the model
	passes bool // it may change before a cooldown does
}

// kept returns the answer that Google gave when everything that may serve the request was refused
// for good: a caller who misspelled a model is told so every time, not to come back later. What was
// said of the model is for its caller. What was said of a key or a project is for the operator, and
// is given only where there is nothing else.
func (r *Request) kept(now time.Time, at int64) kept {
	if r.state.plan.closedUntil(&r.state.need, at) == 0 || r.restricted() || len(r.state.refused) > 0 {
		return r.findKept(now, at)
	}
	closed := r.state.plan.closedFor(&r.state.need).Load()
	if known := closed.kept.Load(); known != nil {
		return *known
	}
	k := r.findKept(now, at)
	if !k.passes {
		closed.kept.Store(&k)
	}
	return k
}

// findKept looks at every endpoint. One that is out for a reason of its own (its project, its keys,
// its host) says nothing of the model, unless it has shown that it has it.
func (r *Request) findKept(now time.Time, at int64) (k kept) {
	var ofModel, other cooldown.Info
	all := true      // each keeps an answer
	waiting := false // one is not on cooldown
	served := false  // one that keeps an answer about the model has served it before
	for _, c := range r.state.plan.all {
		if !eligibleAt(r, c, at) {
			continue
		}
		i := c.longest(now, at, &r.state.need).Info
		switch {
		case i.Status > 0 && Class(i.Class).ofModel():
			if ofModel.Status == 0 {
				ofModel = i
			}
			served = served || hasServed(c)
			continue
		case i.Class == "":
			waiting = true
		case i.Status > 0 && other.Status == 0:
			other = i
		}
		all = all && i.Status > 0
		k.exists = k.exists || r.sees(c, now, at)
	}
	switch {
	case ofModel.Status == 0 && all:
		k.Info = other
	case waiting || k.exists:
	case all:
		k.Info = ofModel
	case !served:
		k.Info, k.passes = ofModel, true
	}
	return k
}

// sees reports whether something shows that the candidate has the model, and the candidate has not
// told this very call that it has none.
func (r *Request) sees(c *candidate, now time.Time, at int64) bool {
	return !r.lacked(c) && hasModel(c, now, at, &r.state.need)
}

// hasServed reports whether the endpoint's project has ever served a call of the model and method.
func hasServed(c *candidate) bool {
	own, shared := c.own.entry.Load(), c.shared.entry.Load()
	return own != nil && own.proof.wellSince(0) || shared != nil && shared.proof.wellSince(0)
}

// hasModel reports whether something shows that the endpoint's project has the model: an order, a
// good answer, a refusal for lack of room, limits, or a circuit breaker that is not closed.
func hasModel(c *candidate, now time.Time, at int64, n *need) bool {
	if c.order != nil || hasServed(c) || c.outage() != nil {
		return true
	}
	if b := c.own.breaker(); b != nil && !b.Closed() {
		return true
	}
	for _, slot := range [...]*slot{&c.own, c.shared} {
		e := slot.entry.Load()
		if e == nil {
			continue
		}
		if Class(e.cool.Class(at)).ofQuota() {
			return true
		}
		for _, part := range e.parts() {
			if Class(part.cool.Class(at)).ofQuota() {
				return true
			}
		}
	}
	q, p := c.quota(), c.pacer()
	return q != nil && q.Wait(now, n.Input) > 0 || p != nil && p.Limited()
}

// ofQuota reports whether an answer of the class says that there is the model, but no room for the
// call.
func (c Class) ofQuota() bool {
	switch c {
	case ClassMinuteQuota, ClassDayQuota, ClassNoQuota, ClassQuotaUnknown, ClassContention, ClassProvisionedFull:
		return true
	default:
		return false
	}
}
