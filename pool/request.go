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
	// Names is the resource that ties the call to Home; messages show it.
	Names string
	// Speaks says why the call cannot be sent to a back end, or "". It may be called by several
	// goroutines. Nil means that it can be sent to both.
	Speaks func(Backend) (why string)
	// Affinity makes calls with the same number prefer the same endpoint. Zero means no preference.
	Affinity uint64
	// Prefix is the affinity that the further turns of the call will have; zero if there will be
	// none.
	Prefix uint64
	// InOrder takes the first endpoint of a tier that is ready, whatever the policy: what the call
	// makes can only be used together with what was made there before.
	InOrder bool

	state requestState
}

// requestState is what the pool remembers of a request between its attempts.
type requestState struct {
	plan    *plan
	need    need
	counted bool          // the request is counted in its model's calls
	began   time.Time     // of the first attempt
	waited  time.Duration // in all attempts
	ahead   int           // calls ahead of it in its queue when it last failed

	failed []*entry  // servers that failed the call, and projects that had no credential for it
	notBy  time.Time // they are not asked before
}

// picky reports whether the request can do without an endpoint.
func (r *Request) picky() bool { return r.MaxWait < 0 }

// Failed tells the pool that the servers behind a lease failed the call, or that there was no
// credential to send it with, and that the call is not to be sent to the same servers, or by the
// same project, before retryAt. The next Acquire prefers others.
func (r *Request) Failed(l Lease, sent bool, retryAt time.Time) {
	e := l.candidate.server.entry.Load()
	if !sent {
		e = l.candidate.project.entry
	}
	if !r.hasFailed(l.candidate) {
		r.state.failed = append(r.state.failed, e)
	}
	r.state.notBy = retryAt
}

// hasFailed reports whether the candidate's servers failed the call.
func (r *Request) hasFailed(c *candidate) bool {
	if len(r.state.failed) == 0 {
		return false
	}
	e := c.server.entry.Load()
	for _, f := range r.state.failed {
		if f == e || f == c.project.entry {
			return true
		}
	}
	return false
}

// Forget makes the request one for another model, which no server has failed yet.
func (r *Request) Forget(model string) {
	r.Model = model
	r.state = requestState{began: r.state.began, waited: r.state.waited}
}

// refresh updates the plan and what the call needs. Call it after anything that takes time. It
// reports whether the pool knows the model.
func (r *Request) refresh(p *Pool, now time.Time) bool {
	s := &r.state
	if s.began.IsZero() {
		s.began = now
	}
	m, ok := p.model(now, r.Model)
	if !ok {
		return false
	}
	if s.plan == nil || s.plan.model != m {
		s.need.fill(m, &r.Estimate, r.Deadline)
		s.need.Unmetered = r.Estimate.Unmetered
	}
	s.plan = m.plan.Load()
	return true
}

// limit returns how long the request may wait: never past its deadline.
func (r *Request) limit(now time.Time) time.Time {
	limit := now.Add(max(r.MaxWait-r.state.waited, 0))
	if !r.Deadline.IsZero() && r.Deadline.Before(limit) {
		return r.Deadline
	}
	return limit
}

// ineligible returns what keeps the request from an endpoint, now and ever, in a few words; "" if
// nothing does.
func (r *Request) ineligible(e *Endpoint) string {
	if r.Speaks != nil {
		if why := r.Speaks(e.Backend); why != "" {
			return why
		}
	}
	switch {
	case r.Home != (Home{}) && !r.Home.has(e):
		return "is not where " + cmp.Or(r.Names, "what the call names") + " lives"
	case r.Traffic != "" && e.Traffic != r.Traffic:
		return "carries " + string(e.Traffic) + " traffic"
	case !r.allows(e.Location):
		return "location not allowed by the call"
	default:
		return ""
	}
}

// eligible reports whether the request may go to a candidate at all.
func (r *Request) eligible(c *candidate) bool { return r.ineligible(&c.Endpoint) == "" }

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
	return r.eligible(c) && (!r.hasFailed(c) || !r.state.notBy.After(now))
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
	t := time.Now()
	if !r.refresh(p, t) {
		return false, false
	}
	at := p.instant(t)
	for _, c := range r.state.plan.all {
		if r.eligible(c) {
			ever = true
			now = now || c.cooldownWake(at) <= at
		}
	}
	return ever, now
}
