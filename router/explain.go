package router

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Explanation says where a call would go, and why not elsewhere. It shares nothing with the router.
type Explanation struct {
	At time.Time
	// Asked is the model as the caller names it.
	Asked string
	// Plans are how the model that the name stands for is served and, after it, the models that would
	// stand in for it, in the order in which they are asked.
	Plans []pool.Plan
	// Model is the one of them that the call would get. Next are the endpoints of that model to one
	// of which it would go: several where the policy draws. Both are empty if it would be refused.
	Model string
	Next  []string
	// RetryAt is when it would go: At if Next has one now, later if it would wait. For a call that
	// would be refused it is when to come back. Zero means that no such time is known.
	RetryAt time.Time
	// Wrong says why the call would be refused with 400, or with 403 for its scope; empty if it would
	// not.
	Wrong string
}

// Explain says where a call for a model, or an alias, that generates content would go now, by the
// judgement that leases and refuses. Of c it takes what bounds the call and its tokens; without tokens
// it explains a call like the last that was refused, if that is at most 10 s ago, else one of the
// usual size. Where flex has room soon, it is where a batch call goes, see [Call.Priority]. It reserves
// nothing and changes nothing. In a pool with other traffic the next call may find another state.
func (r *Router) Explain(model string, c Call) Explanation {
	cfg := r.cfg.Load()
	e := Explanation{At: time.Now(), Asked: model, Wrong: c.check(cfg.places)}
	if e.Wrong == "" && (len(model) > maxName || unprintable(model)) {
		e.Wrong = "the model's name is too long, or has control characters; write a name such as gemini-3.5-flash"
	}
	first := cfg.alias(model)
	if e.Wrong == "" {
		e.Wrong = c.beyond(first, false, cfg.places)
	}
	if e.Wrong != "" {
		return e
	}
	most := cfg.patience(&c)
	for next := first; next != ""; {
		standIn := cfg.standIn(first, next, &c.Scope)
		request := pool.Request{
			Model: next, Asked: pool.Asked{Version: usualVersion(cfg.Backend), Label: c.Label, Share: c.Share}, StandIn: standIn != "",
			Estimate:  pool.Estimate{Input: max(c.InputTokens, 0), Output: max(c.OutputTokens, 0)},
			Batch:     c.Priority == PriorityBatch,
			Policy:    cfg.Policy,
			Locations: c.Locations,
		}
		if c.Affinity != "" {
			request.Affinity = hash(c.Affinity)
		}
		wait := most
		if standIn != "" {
			wait = min(wait, cfg.FallbackAfter)
		}
		plan := cfg.climbing.plan(r.pool, &request, wait)
		e.Plans = append(e.Plans, plan)
		e.consider(&plan, wait)
		next = standIn
	}
	return e
}

// consider takes over what a plan says, unless an earlier one serves the call. wait is how long the
// call would wait for it.
func (e *Explanation) consider(p *pool.Plan, wait time.Duration) {
	switch {
	case e.Model != "":
	case len(p.Next) > 0, !p.RetryAt.IsZero() && p.RetryAt.Sub(e.At) <= wait:
		e.Model, e.Next, e.RetryAt = p.Model, p.Next, p.RetryAt
	case e.RetryAt.IsZero(), !p.RetryAt.IsZero() && p.RetryAt.Before(e.RetryAt):
		e.RetryAt = p.RetryAt
	}
}

// patience returns how long a call waits for endpoints in all.
func (c *Config) patience(call *Call) time.Duration {
	return max(cmp.Or(call.MaxWait, c.MaxWait), 0)
}

// usualVersion is the version of the API that the SDK asks of a back end. Source:
// google.golang.org/genai v1.77.0, client.go.
func usualVersion(b pool.Backend) string {
	if b == pool.BackendVertex {
		return "v1beta1"
	}
	return "v1beta"
}

// String says in a line where the call would go.
func (e Explanation) String() string {
	at := func() string { return e.RetryAt.UTC().Format(time.RFC3339) }
	switch {
	case e.Wrong != "":
		return "refused with 400: " + e.Wrong
	case len(e.Next) > 0:
		return e.Model + " at " + strings.Join(e.Next, " or ")
	case e.Model != "":
		return e.Model + ", after a wait until " + at()
	case !slices.ContainsFunc(e.Plans, func(p pool.Plan) bool { return !p.Never }):
		return "refused with 400: no endpoint may ever serve it"
	case e.RetryAt.IsZero():
		return "refused with " + e.status()
	default:
		return "refused with " + e.status() + "; an endpoint may be asked again at " + at()
	}
}

// status is that of the response to a call that would be refused: Google's own, where no other model
// stands in and Google has said why for good.
func (e Explanation) status() string {
	if len(e.Plans) == 1 && e.Plans[0].Status > 0 {
		return strconv.Itoa(e.Plans[0].Status)
	}
	return strconv.Itoa(http.StatusTooManyRequests)
}
