package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
)

// help is why something is refused, in one word, and what to do about it.
type help struct{ cause, do, page string }

// help returns it for a subject that is on cooldown. said is the finer word that is known, if any:
// it may come from a file or from another process.
func (p *Pool) help(s *Subject, class Class, said, quota string) help {
	return p.helpWith(s, func(vertex bool) remedy.Cause { return remedy.For(string(class), said, quota, vertex) })
}

// helpWith is help for a cause that depends on the back end alone.
func (p *Pool) helpWith(s *Subject, cause func(vertex bool) remedy.Cause) help {
	vertex, projectID := s.Backend == BackendVertex, ""
	if project := p.setup.Load().project(s.Project); project != nil && project.Backend == BackendVertex {
		vertex, projectID = true, project.ProjectID
	}
	c := cause(vertex)
	do, page := remedy.Of(c, vertex, projectID)
	return help{string(c), do, page}
}

// reason says why the endpoint cannot be asked for a call with this need; Why is empty if it can.
func (c *candidate) reason(now time.Time, n *need) Reason {
	p := c.plan.pool
	at := p.instant(now)
	if k := p.cooldown(c.longest(at, n), now, at); k.Class != "" {
		return Reason{
			Endpoint: c.Name, Why: k.String(), Cause: k.Cause, Subject: k.Subject, Until: k.Until,
			Remedy: k.Remedy, Page: k.Page,
		}
	}
	if o := c.opens(now, at, n); o.breaker > at {
		return c.because(remedy.BreakerOpen, c.breakerSubject(now), "circuit breaker open", p.timeOf(o.breaker))
	}
	if n.Unmetered {
		return Reason{Endpoint: c.Name}
	}
	for _, w := range [...]func(time.Time, int64, *need) Reason{c.orderReason, c.limitReason, c.paceReason, c.rampReason} {
		if r := w(now, at, n); r.Why != "" {
			return r
		}
	}
	return Reason{Endpoint: c.Name}
}

// because is a reason that ends at a time; the zero time is never.
func (c *candidate) because(cause remedy.Cause, s Subject, what string, until time.Time) Reason {
	h := c.plan.pool.helpWith(&s, func(bool) remedy.Cause { return cause })
	if !until.IsZero() {
		what += " until " + stamp(until)
	}
	return Reason{
		Endpoint: c.Name, Why: what, Cause: h.cause, Subject: s.String(), Until: until, Remedy: h.do, Page: h.page,
	}
}

// breakerSubject is what the breaker that is open is about.
func (c *candidate) breakerSubject(now time.Time) Subject {
	if b := c.own.breaker(); b == nil || b.Ready(now) {
		return c.serverSubject(c.plan.model.modelKey)
	}
	return c.subject(c.plan.model.modelKey)
}

// orderReason says that the order has no room.
func (c *candidate) orderReason(now time.Time, at int64, n *need) Reason {
	l := c.ledger()
	if l == nil {
		return Reason{}
	}
	switch d := l.Wait(now, c.order.cost(n)); {
	case d == quota.Never:
		return c.because(remedy.CallTooLarge, c.order.entry.subject, "the call is larger than the provisioned order", time.Time{})
	case d > 0:
		return c.because(c.order.evidence.cause(at), c.order.entry.subject, "provisioned order full", now.Add(d))
	default:
		return Reason{}
	}
}

// limitReason says that the limits of the project's model have no room.
func (c *candidate) limitReason(now time.Time, at int64, n *need) Reason {
	e := c.shared.entry.Load()
	d := e.limitWait(now, at, n.Input)
	if d <= 0 {
		return Reason{}
	}
	f := c.plan.pool.fleet
	cause := remedy.StoreAway
	if !f.away() {
		cause = e.limits.cause(now, n.Input)
	}
	return c.because(cause, e.subject, f.limitReached(), now.Add(d))
}

// paceReason says that the endpoint is paced.
func (c *candidate) paceReason(now time.Time, _ int64, _ *need) Reason {
	d := paceWait(c.pacer(), now)
	if d <= 0 {
		return Reason{}
	}
	return c.because(remedy.Contention, c.subject(c.plan.model.modelKey), "paced after contention", now.Add(d))
}

// rampReason says that the rate rises slowly.
func (c *candidate) rampReason(now time.Time, _ int64, _ *need) Reason {
	d := c.own.entry.Load().rampWait(now)
	if d <= 0 {
		return Reason{}
	}
	return c.because(remedy.Ramp, c.subject(c.plan.model.modelKey), "its rate rises slowly", now.Add(d))
}

// warning says that calls for the endpoint's order go past it; the zero Reason if they do not.
func (c *candidate) warning(at int64) Reason {
	if c.order == nil {
		return Reason{}
	}
	what := c.order.evidence.bypassed(at)
	if what == "" {
		return Reason{}
	}
	return c.because(remedy.OrderBypassed, c.order.entry.subject, what, time.Time{})
}

// cause is whose limits have no room for a call of so many tokens: the configuration's, or those
// that Google named.
func (l *limits) cause(now time.Time, tokens int64) remedy.Cause {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.anyLearned() || l.declared != (quota.Limits{}) && l.quota.WaitWithin(now, tokens, l.declared) > 0 {
		return remedy.OwnLimit
	}
	return remedy.LearnedLimit
}
