package router

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// What Google says of flex: a call takes up to half an hour, ten minutes if its request does not say
// X-Server-Timeout, and has at most 20 MB. Source:
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo.
const (
	flexLongest = 30 * time.Minute
	flexUsual   = 10 * time.Minute
	flexBytes   = 20 << 20
)

const (
	// mostAtFlex is how often a call is refused by flex before it goes on at another service tier:
	// Google asks for few retries there.
	mostAtFlex = 4
	// A call leaves flex in time for an answer elsewhere: for so many times as long as one usually
	// takes, or unknownReserve while that is not known. Half of the time that it may wait comes on top.
	reserveTimes   = 3
	unknownReserve = 30 * time.Second
)

// climbing is what the ladders of the projects mean for calls.
type climbing struct {
	interactive, batch bool            // such calls may go to flex somewhere
	tiered             map[string]bool // projects that have other service tiers than the standard one
}

func climbingOf(projects []pool.Project) (c climbing) {
	for i := range projects {
		p := &projects[i]
		other := func(tier string) bool { return tier != pool.TierStandard }
		if slices.ContainsFunc(p.OnDemand, other) || slices.ContainsFunc(p.BatchOnDemand, other) {
			if c.tiered == nil {
				c.tiered = make(map[string]bool)
			}
			c.tiered[p.Name] = true
		}
		interactive := slices.Contains(p.OnDemand, pool.TierFlex)
		c.interactive = c.interactive || interactive
		c.batch = c.batch || slices.Contains(p.BatchOnDemand, pool.TierFlex) || len(p.BatchOnDemand) == 0 && interactive
	}
	return c
}

// plan returns how the pool serves a request that may wait so long, with where [ladder.find] would send
// it: a batch call goes to flex if that has room in half of the time, whatever its tier.
func (c *climbing) plan(p *pool.Pool, r *pool.Request, wait time.Duration) pool.Plan {
	flex, elsewhere := *r, *r
	plan := p.Plan(r)
	if !r.Batch || !c.interactive && !c.batch {
		return plan
	}
	elsewhere.Asked.Without = pool.TrafficFlex
	if p.Plan(&elsewhere).Never {
		return plan
	}
	flex.Asked.Only, flex.StandIn = pool.TrafficFlex, true
	if f := p.Plan(&flex); len(f.Next) > 0 || !f.RetryAt.IsZero() && time.Until(f.RetryAt) <= wait/2 {
		plan.Next, plan.RetryAt = f.Next, f.RetryAt
	}
	return plan
}

// ladder is how long a call keeps to flex, the cheapest and slowest service tier, before it goes on at
// another one. The zero ladder is of a call that does not go there.
type ladder struct {
	flex    bool
	refused int // answers of flex that were not good
}

// tierOf returns the service tier that a call names itself, as traffic; the standard one for what has
// none, or cannot be sent again; "" if it is left to the ladders of the projects. A body that is not
// kept cannot be given the tier of a header, which the Developer API does not read.
func tierOf(p *payload) pool.Traffic {
	if !p.call.Generates || p.tail != nil && p.call.Backend == pool.BackendGemini && request.ServiceTier(&p.call) == "" {
		return pool.TrafficOnDemand
	}
	if own := translate.Asked(&p.call, p.header); own != "" || p.tail == nil {
		return own
	}
	return pool.TrafficOnDemand
}

// begin puts a call at the foot of the ladder of its model.
func (l *ladder) begin(x *exchange) {
	*l = ladder{}
	a, c := &x.request.Asked, x.in.cfg.climbing
	a.Only, a.Without = "", ""
	if a.OnDemand != "" || !c.interactive && (!x.request.Batch || !c.batch) {
		return
	}
	if l.flex = without(x, pool.TrafficFlex); l.flex && x.payload.length > flexBytes {
		l.leave(x)
	}
}

// without reports whether the call has anywhere to go without some traffic.
func without(x *exchange, t pool.Traffic) bool {
	r := *x.request
	r.Asked.Without = t
	ever, _ := x.in.router.pool.Serves(&r)
	return ever
}

// leave makes the call go on without flex.
func (l *ladder) leave(x *exchange) { l.flex, x.request.Asked.Without = false, pool.TrafficFlex }

// left returns how long flex has for the call, so that another service tier can still answer it in
// time.
func (l *ladder) left(x *exchange, now time.Time) time.Duration {
	deadline := x.patience.deadline
	if !l.flex || deadline.IsZero() {
		return flexLongest
	}
	call := &x.payload.call
	needs := unknownReserve
	usual := x.in.router.listening.usual.of(kind{model: x.request.Model, method: request.MethodName(call), effort: effort(&call.Estimate)})
	if usual.answers > 0 {
		needs = reserveTimes * max(usual.time, leastUsual)
	}
	return min(deadline.Sub(now)-needs-x.in.maxWait()/2, flexLongest)
}

// lease leases an endpoint. A call that finds itself at flex unforeseen, by a reload, keeps to flex from
// then on as any other.
func (l *ladder) lease(x *exchange) (pool.Lease, error) {
	lease, err := l.find(x)
	if e := lease.Endpoint(); e != nil && e.Traffic == pool.TrafficFlex && !l.flex && x.request.Asked.OnDemand == "" {
		l.flex = without(x, pool.TrafficFlex)
	}
	return lease, err
}

// find leases an endpoint. A batch call waits for flex, for half of the time that it may wait at all,
// before it pays for another service tier.
func (l *ladder) find(x *exchange) (pool.Lease, error) {
	if !l.flex {
		return x.signed.lease(x)
	}
	r := x.request
	left := l.left(x, time.Now())
	if left <= 0 || l.refused >= mostAtFlex {
		l.leave(x)
	}
	if !l.flex || !r.Batch || x.signed.stay != "" {
		return x.signed.lease(x)
	}
	wait, standIn := r.MaxWait, r.StandIn
	r.Asked.Only, r.MaxWait, r.StandIn = pool.TrafficFlex, min(wait/2, x.fallback.Spent+left), true
	lease, err := x.signed.lease(x)
	r.Asked.Only, r.MaxWait, r.StandIn = "", wait, standIn
	if _, exhausted := errors.AsType[*pool.ExhaustedError](err); exhausted {
		return x.signed.lease(x)
	}
	return lease, err
}

// climbs reports whether the call goes on at another service tier than the one that an attempt has
// ended at, whatever else the result means: flex has no more time for it, or a tier that the router
// chose calls it wrong, and may lack the model.
func (l *ladder) climbs(x *exchange, res *result) bool {
	e := res.lease.Endpoint()
	if e == nil || res.served || x.request.Asked.OnDemand != "" {
		return false
	}
	if l.flex && e.Traffic == pool.TrafficFlex {
		l.refused++
	}
	switch {
	case res.late && l.flex:
		l.leave(x)
		return true
	case res.class != pool.ClassCallerFault || res.resp == nil || res.resp.StatusCode != http.StatusBadRequest,
		e.Traffic != pool.TrafficFlex && e.Traffic != pool.TrafficPriority,
		x.request.Asked.Without != "" || !without(x, e.Traffic):
		return false
	}
	l.flex, x.request.Asked.Without = l.flex && e.Traffic != pool.TrafficFlex, e.Traffic
	x.request.Refused(res.lease, res.class)
	last := *res
	x.last = &last
	return true
}

// tierIsFull reports whether a verdict says no more than that a service tier has no room: that flex
// sheds calls or, on the Developer API, which has no word for it, that a model is overloaded or some
// quota without a name is used up. Where a project has one tier, these are what they say.
func tierIsFull(a *attempt, v *verdict.Verdict) bool {
	e := a.endpoint
	overloaded := v.Class == pool.ClassOverloaded
	switch {
	case e.Traffic == pool.TrafficFlex && overloaded:
		return true
	case e.Backend != pool.BackendGemini || !a.exchange.in.cfg.climbing.tiered[e.Project]:
		return false
	default:
		return overloaded || v.Class == pool.ClassQuotaUnknown && len(v.Violations) == 0 && v.Scope == pool.ScopeClass
	}
}

// sheds reports whether an attempt was refused by flex, for want of room: that costs the call none of
// its attempts.
func (l *ladder) sheds(res *result) bool {
	return l.flex && res.class == pool.ClassContention && res.lease.Endpoint().Traffic == pool.TrafficFlex
}

// tierAt returns the service tier that an attempt on demand asks for, as traffic: the caller's own,
// else that of the endpoint.
func tierAt(a *attempt) pool.Traffic {
	if own := a.exchange.request.Asked.OnDemand; own != "" {
		return own
	}
	return a.endpoint.Traffic
}

// atFlex reports whether an attempt is at flex.
func atFlex(a *attempt) bool {
	return a.endpoint.Traffic != pool.TrafficProvisioned && tierAt(a) == pool.TrafficFlex
}

// firstByte returns how long an attempt waits for a response at most. Flex has its own time: the
// caller's if he chose it and says so, else what the ladder leaves.
func firstByte(a *attempt, now time.Time) time.Duration {
	x, most := a.exchange, a.exchange.in.cfg.FirstByteTimeout
	switch {
	case !atFlex(a):
		return most
	case x.request.Asked.OnDemand == "":
		return x.ladder.left(x, now)
	}
	own := seconds(x.in.req.Header.Get(serverTimeout))
	if own == 0 {
		own = flexUsual
	}
	return max(most, own+own/16) // Google's own answer goes first
}

// outOfTime reports whether an attempt at flex ended because the ladder leaves it no more time.
func outOfTime(a *attempt) bool {
	return atFlex(a) && a.exchange.request.Asked.OnDemand == "" && errors.Is(context.Cause(a.ctx), errFirstByte)
}

// endLate ends an attempt for which flex has no more time. That says nothing of the endpoint.
func endLate(a *attempt, resp *http.Response) result {
	a.settle(&pool.Outcome{Class: pool.ClassCancelled, Message: "flex has no more time for the call"})
	res := result{lease: a.lease, class: pool.ClassCancelled, late: true, resp: resp}
	if resp == nil {
		res.err = fmt.Errorf("router: %s: %w", a.endpoint.Name, errFirstByte)
	}
	return res
}
