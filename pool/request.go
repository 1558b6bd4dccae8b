package pool

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Request is what one call asks of the pool, see [Pool.Acquire]. The zero value asks for any
// endpoint, for a call that names no model. The caller does not change a Request while Acquire
// runs, and uses it for one call.
type Request struct {
	// Model is the model's id; empty for calls that name none.
	Model string
	// Asked is what else the call asks for.
	Asked Asked
	// StandIn says that another model may serve the call. Endpoints behind open circuit breakers are
	// left alone then, even the last one.
	StandIn bool
	// Estimate is what can be said of the call's tokens.
	Estimate Estimate
	// MaxWait is the longest that the call waits for endpoints, all attempts together. Zero means
	// that it does not wait. Negative means that it can do without: no endpoint is taken past its
	// open breaker, and the [*ExhaustedError] is empty and counts nowhere.
	MaxWait time.Duration
	// Deadline is when the caller gives up; zero means never.
	Deadline time.Time
	// Batch calls wait behind interactive ones.
	Batch bool
	// Policy chooses among endpoints that are equally preferred. Empty means PolicyLeastLoaded.
	Policy Policy
	// Traffic, Locations and Home are all that may serve the call; empty means any.
	Traffic   Traffic
	Locations []string
	Home      Home
	// Speaks says why the call cannot be sent to a back end, or "". It may be called by several
	// goroutines. Nil means that it can be sent to both.
	Speaks func(Backend) (why string)
	// Affinity makes calls with the same number prefer the same endpoint. Zero means no preference.
	Affinity uint64
	// Prefix is the affinity that the further turns of the call will have; zero if there will be
	// none.
	Prefix uint64

	state requestState
}

// Asked is what a call asks for beside its model. Google refuses each method, version and tool by
// itself, so a refusal of one says nothing of the others. The zero value generates content.
type Asked struct {
	// Method is the account of the call's method, of which there are few: empty for all that
	// generates content, else "embedContent", "countTokens", "files.get" and the like.
	Method string
	// Version is the version of the API, such as "v1beta".
	Version string
	// Tools are the tools that Google runs for the call, sorted: "google_search" and the like.
	Tools []string
	// Names is the resource that ties the call to Request.Home; messages show it.
	Names string
	// Label says who makes the call. See Project.Labels.
	Label string
	// Share is the part, up to 1, of each limit, order and pace that the call may use together with
	// all others that have a share: in any 60 seconds of a limit, at any moment of the others. Where
	// the share of a minute is less than one call, they come less often. Limits of a day, or of
	// concurrent calls, allow at least one call. Zero means all of it. A pace that no contention has
	// limited yet, and a project without limits, have no share.
	Share float64
	// OnDemand is the service tier that the call names itself, as traffic: TrafficOnDemand is the
	// standard one, also of calls that have none. It counts where the call goes on demand; empty means
	// the steps of each project, see [Project.OnDemand]. Of these steps Only is the one that will do
	// for now, and Without is one that will not. A call with Only counts nowhere if it is refused.
	OnDemand, Only, Without Traffic
}

// requestState is what the pool remembers of a request between its attempts.
type requestState struct {
	plan    *plan
	first   *model // that the caller asked for, if another one stands in for it; else nil
	need    need
	counted bool          // the request is counted in its model's calls
	lost    bool          // and in those that were refused
	began   time.Time     // of the first attempt
	waited  time.Duration // in all attempts
	ahead   int           // calls ahead of it in its queue when it last failed

	asks    *asks // of the store that replicas share
	claimed bool  // some project is for calls with its label

	failed   []*entry  // endpoints that failed the call, and projects that had no credential for it
	notBy    time.Time // they are not asked before
	creditBy time.Time // until when it waits for credit at the endpoints that it likes best
	refused  []refused // endpoints that refused the call, each with the key that was sent
}

// picky reports whether the request can do without an endpoint.
func (r *Request) picky() bool { return r.MaxWait < 0 }

// refused is an endpoint that refused a call.
type refused struct {
	own *entry
	key *entry
	// The same call may not go there again: nothing keeps it from there but this.
	last  bool
	lacks bool // it has no such model, as it says
}

// Failed tells the pool that the endpoint behind a lease failed the call, or that there was no
// credential to send it with, and that the call is not to be sent to the same endpoint, or by the
// same project, before retryAt. The next Acquire takes others, at once.
func (r *Request) Failed(l Lease, sent bool, retryAt time.Time) {
	e := l.candidate.own.entry.Load()
	switch {
	case !sent:
		e = l.candidate.project.entry
	case r.Policy == PolicyFirst && retryAt.Before(r.limit(l.candidate.plan.pool.clock.now())):
		e = l.candidate.server.entry.Load() // what the call makes is wanted where the others are
	}
	if !r.hasFailed(l.candidate) {
		r.state.failed = append(r.state.failed, e)
	}
	r.state.notBy = retryAt
}

// Refused tells the pool that the endpoint behind a lease refused the call, and the class of the
// refusal. It reports whether that is to be counted as an attempt that cost something: the same
// endpoint has refused the call with the same key before, or refuses it alone, while it answers
// others well. If the refusal put nothing on cooldown, the call does not go to the endpoint again.
// An endpoint that says itself that it lacks the model is not believed by the call to have it.
// [ClassCallerFault] is of a call for which only the service tier may have been wrong: if an endpoint
// of another one answers it well, the first has not got the model.
func (r *Request) Refused(l Lease, as Class) (costs bool) {
	c, now := l.candidate, l.candidate.plan.pool.clock.now()
	x := refused{own: c.own.entry.Load()}
	if l.key != nil {
		x.key = l.key.entry
	}
	for _, known := range r.state.refused {
		costs = costs || known.own == x.own && known.key == x.key
	}
	if as == ClassCallerFault {
		r.state.need.ties.doubted = x.own
	}
	at := c.plan.pool.instant(now)
	pacer := c.pacer()
	r.state.need.ties.dearer = false
	free := c.cooldownWake(at, &r.state.need) <= at && (x.key == nil || !x.key.cool.Active(at))
	// What is paced is refused now and then, which is no cooldown.
	paced := pacer != nil && (as == ClassContention || pacer.Limited())
	x.last = free && !paced
	x.lacks = as.ofModel()
	r.state.refused = append(r.state.refused, x)
	return costs || x.last && x.own.proof.proven(at)
}

// lacked reports whether the candidate has told this call that it has no such model.
func (r *Request) lacked(c *candidate) bool {
	return slices.ContainsFunc(r.state.refused, func(x refused) bool { return x.lacks && x.own == c.own.entry.Load() })
}

// spent reports whether the call may not go to the candidate again.
func (r *Request) spent(c *candidate) bool {
	for i := range r.state.refused {
		if r.state.refused[i].last && r.state.refused[i].own == c.own.entry.Load() {
			return true
		}
	}
	return false
}

// refusedBy reports whether the candidate refused the call, with a key that it could be asked with
// again. The call goes back there only if it can go nowhere else.
func (r *Request) refusedBy(c *candidate, at int64) bool {
	return slices.ContainsFunc(r.state.refused, func(x refused) bool {
		return x.own == c.own.entry.Load() && (x.key == nil || !x.key.cool.Active(at))
	})
}

// hasFailed reports whether the candidate failed the call.
func (r *Request) hasFailed(c *candidate) bool {
	if len(r.state.failed) == 0 {
		return false
	}
	e := c.own.entry.Load()
	for _, f := range r.state.failed {
		if f == e || f == c.project.entry || f == c.server.entry.Load() {
			return true
		}
	}
	return false
}

// Forget makes the request one for another model, which no server has failed yet. If that cannot serve
// it either, it counts as refused at the model that it was for at first.
func (r *Request) Forget(model string) {
	first := r.state.first
	if first == nil && r.state.plan != nil {
		first = r.state.plan.model
	}
	r.Model = model
	r.state = requestState{first: first, began: r.state.began, waited: r.state.waited}
}

// refresh updates the plan and what the call needs. Call it after anything that takes time. It
// reports whether the pool knows the model.
func (r *Request) refresh(p *Pool, now time.Time) bool {
	s := &r.state
	if s.began.IsZero() {
		s.began = now
	}
	m, ok := p.model(now, modelKey{r.Model, r.Asked.Method})
	if !ok {
		return false
	}
	if s.plan == nil || s.plan.model != m {
		s.need.fill(m, &r.Estimate, r.Deadline)
		s.need.Unmetered, s.need.asked = r.Estimate.Unmetered, r.Asked
	}
	s.plan = m.plan.Load()
	s.claimed = s.plan.setup.claims(r.Asked.Label)
	if p.fleet != nil && s.asks == nil && s.plan.asks() {
		s.asks = &asks{}
	}
	s.need.ties.asks, s.need.ties.order = s.asks, s.plan.orderFor(r, p.instant(now))
	return true
}

// limit returns how long the request may wait: never past its deadline.
func (r *Request) limit(now time.Time) time.Time {
	limit := now.Add(max(r.MaxWait-r.state.waited, 0))
	if by := r.state.creditBy; !by.IsZero() { // it looks once more then
		limit = later(limit, by.Add(creditLast))
	}
	if !r.Deadline.IsZero() && r.Deadline.Before(limit) {
		return r.Deadline
	}
	return limit
}

// awaiting reports whether the request waits for credit from the store, and for nothing else yet.
func (r *Request) awaiting(now time.Time) bool {
	by := r.state.creditBy
	return !by.IsZero() && now.Before(by.Add(creditLast))
}

// creditLast is how long a call that has waited for credit in vain has to go elsewhere.
const creditLast = 10 * time.Millisecond

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ineligible returns what keeps the request from an endpoint, now and ever, in a few words; "" if
// nothing does.
func (r *Request) ineligible(c *candidate) string {
	if r.Speaks != nil {
		if why := r.Speaks(c.Backend); why != "" {
			return why
		}
	}
	switch {
	case r.Home != (Home{}) && !r.Home.has(&c.Endpoint):
		return "is not where " + cmp.Or(r.Asked.Names, "what the call names") + " lives"
	case !r.Traffic.covers(c.Traffic):
		return "carries " + string(c.Traffic) + " traffic"
	case !r.allows(c.Location):
		return "location not allowed by the call"
	default:
		if barred := barredByLabel(r, c); barred != "" {
			return barred
		}
		return offStep(r, c)
	}
}

// eligible reports whether the request may go to a candidate at all.
func (r *Request) eligible(c *candidate) bool { return r.ineligible(c) == "" }

// eligibleAt reports whether a request may go to a candidate, and its order, if it is one, is in force.
func eligibleAt(r *Request, c *candidate, at int64) bool {
	return c.when.holds(at) && r.eligible(c)
}

func (r *Request) allows(location string) bool {
	if len(r.Locations) == 0 {
		return true
	}
	for _, l := range r.Locations {
		if strings.EqualFold(l, location) {
			return true
		}
	}
	return false
}

// wants reports whether the request, while it waits, would go to a candidate.
func (r *Request) wants(c *candidate, now time.Time) bool {
	if !r.eligible(c) || r.spent(c) || r.hasFailed(c) && r.state.notBy.After(now) {
		return false
	}
	n := &r.state.need
	return n.asked.Share == 0 || n.Unmetered || portionWait(c, now, n) <= 0
}

// servedBy reports whether the pool has endpoints of the back end, and the request can be sent to
// it.
func (r *Request) servedBy(b Backend) bool {
	return slices.Contains(r.state.plan.speaks, b) && (r.Speaks == nil || r.Speaks(b) == "")
}

// Serves reports whether any endpoint may ever serve the request, and whether one is not on
// cooldown now.
func (p *Pool) Serves(r *Request) (ever, now bool) {
	defer p.outbox.deliver()
	t := p.clock.now()
	if !r.refresh(p, t) {
		return false, false
	}
	at := p.instant(t)
	for _, c := range r.state.plan.all {
		if r.eligible(c) {
			ever = true
			now = now || c.cooldownWake(at, &r.state.need) <= at
		}
	}
	return ever, now
}
