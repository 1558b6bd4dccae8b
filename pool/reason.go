package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
)

// help is why something is refused, in one word, and what to do about it.
type help struct{ cause, do, page string }

// helpWith returns it for a cause that depends on the back end alone. owner is the project that it is
// about; nil is none, or one that is not known.
func (s *Subject) helpWith(owner *project, cause func(vertex bool) remedy.Cause) help {
	vertex, projectID := s.Backend == BackendVertex, ""
	if owner != nil && owner.Backend == BackendVertex {
		vertex, projectID = true, owner.ProjectID
	}
	c := cause(vertex)
	do, page := remedy.Of(c, vertex, projectID)
	return help{string(c), do, page}
}

// reason says why the endpoint cannot be asked for a call with this need; Why is empty if it can.
func (c *candidate) reason(now time.Time, n *need) Reason {
	p := c.plan.pool
	at := p.instant(now)
	o := obstacles{c, now, at, n}
	if r := o.calendar(); r.Why != "" {
		return r
	}
	if k := c.longest(now, at, n).cooldown(c.project); k.Class != "" {
		return Reason{
			Endpoint: c.Name, Why: k.String(), Cause: k.Cause, Subject: k.Subject, Until: k.Until, Probe: k.Probe,
			Remedy: k.Remedy, Page: k.Page,
		}
	}
	for _, keeps := range [...]func() Reason{o.breaker, o.order, o.limit, o.pace, o.ramp, o.share} {
		if r := keeps(); r.Why != "" {
			return r
		}
	}
	return Reason{Endpoint: c.Name}
}

// obstacles are what may keep a candidate, which is not on cooldown, from a call: each method says so,
// or returns the zero Reason.
type obstacles struct {
	c   *candidate
	now time.Time
	at  int64
	n   *need
}

// because is a reason that ends at a time; the zero time is never.
func (o obstacles) because(cause remedy.Cause, s Subject, what string, until time.Time) Reason {
	h := s.helpWith(o.c.project, func(bool) remedy.Cause { return cause })
	if !until.IsZero() {
		what += " until " + stamp(until)
	}
	return Reason{
		Endpoint: o.c.Name, Why: what, Cause: h.cause, Subject: s.String(), Until: until, Remedy: h.do, Page: h.page,
	}
}

func (o obstacles) breaker() Reason {
	opening := o.c.opens(o.now, o.at, o.n)
	if opening.breaker <= o.at {
		return Reason{}
	}
	s := o.c.subject(o.c.plan.model.modelKey)
	if b := o.c.own.breaker(); b == nil || b.Ready(o.now) { // it is that of the servers
		s = o.c.serverSubject(o.c.plan.model.modelKey)
	}
	return o.because(remedy.BreakerOpen, s, "circuit breaker open", o.c.plan.pool.timeOf(opening.breaker))
}

func (o obstacles) order() Reason {
	l, order := o.c.ledger(), o.c.order
	if l == nil || o.n.Unmetered {
		return Reason{}
	}
	switch d := l.Wait(o.now, order.cost(o.n)); {
	case d == quota.Never:
		return o.because(remedy.CallTooLarge, order.entry.subject, "the call is larger than the provisioned order", time.Time{})
	case o.c.when.inForceAt(o.at+int64(d)) == cooldown.Forever:
		return o.because(order.evidence.cause(o.at), order.entry.subject, "provisioned order full until it ends, at "+stamp(o.c.Order.Until), time.Time{})
	case d > 0:
		return o.because(order.evidence.cause(o.at), order.entry.subject, "provisioned order full", o.now.Add(d))
	default:
		return Reason{}
	}
}

func (o obstacles) limit() Reason {
	e, f := o.c.shared.entry.Load(), o.c.plan.pool.fleet
	d := e.limitWait(o.now, o.at, o.n.Input)
	if d <= 0 || o.n.Unmetered {
		return Reason{}
	}
	cause := remedy.StoreAway
	if !f.away() {
		cause = e.limits.cause(o.now, o.n.Input)
	}
	return o.because(cause, e.subject, f.limitReached(), o.now.Add(d))
}

func (o obstacles) pace() Reason {
	d := paceWait(o.c.pacer(), o.now)
	if d <= 0 || o.n.Unmetered {
		return Reason{}
	}
	return o.because(remedy.Contention, o.c.subject(o.c.plan.model.modelKey), "paced after contention", o.now.Add(d))
}

func (o obstacles) ramp() Reason {
	d := o.c.own.entry.Load().rampWait(o.now)
	if d <= 0 || o.n.Unmetered || !o.c.paced() {
		return Reason{}
	}
	return o.because(remedy.Ramp, o.c.subject(o.c.plan.model.modelKey), "its rate rises slowly", o.now.Add(d))
}

func (o obstacles) share() Reason {
	if o.n.asked.Share == 0 || o.n.Unmetered {
		return Reason{}
	}
	d := portionWait(o.c, o.now, o.n)
	if d <= 0 {
		return Reason{}
	}
	return o.because(remedy.ShareUsed, o.c.subject(o.c.plan.model.modelKey), "the share of such calls is used", o.now.Add(d))
}

// bypassed says that calls for the candidate's order go past it.
func (o obstacles) bypassed() Reason {
	order := o.c.order
	if order == nil {
		return Reason{}
	}
	what := order.evidence.bypassed(o.at)
	if what == "" || !o.c.when.holds(o.at) {
		return Reason{}
	}
	return o.because(remedy.OrderBypassed, order.entry.subject, what, time.Time{})
}

// cause is whose limits have no room for a call of so many tokens: the configuration's, those that
// Google shows, or those that it named.
func (l *limits) cause(now time.Time, tokens int64) remedy.Cause {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := func(limits quota.Limits) bool {
		return limits != (quota.Limits{}) && l.quota.WaitWithin(now, tokens, limits) > 0
	}
	shown := l.promised.discovered
	switch {
	case full(l.promised.declared), !l.anyLearned() && shown == (quota.Limits{}):
		return remedy.OwnLimit
	case !l.anyLearned(), full(shown):
		return remedy.DiscoveredLimit
	default:
		return remedy.LearnedLimit
	}
}
