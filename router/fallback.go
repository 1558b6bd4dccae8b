package router

import (
	"time"

	"github.com/spillway-go/spillway/internal/standin"
	"github.com/spillway-go/spillway/pool"
)

// fallback records the models of a call that could not serve it in time, and how long the call
// stays with its present one.
type fallback struct {
	standin.Turn

	any     bool
	soonest time.Time // when the first of them could serve the call; zero: unknown
	hope    bool      // one of them may serve such a call later
	doubt   int       // refusals that another project may prove wrong
}

// add records that a model cannot serve the call in time.
func (f *fallback) add(e *pool.ExhaustedError) {
	f.any = true
	if f.soonest.IsZero() || !e.RetryAt.IsZero() && e.RetryAt.Before(f.soonest) {
		f.soonest = e.RetryAt
	}
	f.hope = f.hope || !e.Never && e.Answer == nil
}

// wake returns when an endpoint may next be asked for a call that was refused, for its model or one
// that stands in.
func (f *fallback) wake(e *pool.ExhaustedError) time.Time {
	if f.any {
		return f.soonest
	}
	return e.RetryAt
}

// begin sets what the model of the call is given, before the first attempt at it.
func (f *fallback) begin(x *exchange, now time.Time) {
	f.doubt = 0
	next := ""
	if x.payload.mayFallBack() {
		next = x.in.cfg.standIn(x.in.cfg.alias(x.model), x.request.Model, &x.in.options.Scope)
	}
	deadline, _ := x.in.ctx.Deadline()
	f.Begin(next, x.in.cfg.FallbackAfter, now, deadline)
}

// doubts counts a refusal that another project may prove wrong, and reports whether one has been
// asked already.
func (f *fallback) doubts() bool {
	f.doubt++
	return f.doubt > 1
}

// maxWait returns the longest time that the call waits for endpoints in all.
func (in *incoming) maxWait() time.Duration {
	return in.cfg.patience(&in.options)
}

// mayFallBack reports whether another model may serve the call. A call keeps its model if it names
// a resource of a project, continues a response, or asks about the model.
func (p *payload) mayFallBack() bool {
	return !p.pinned() && p.call.Continuation == "" && p.metered() && p.tail == nil
}

// fallBack selects the next model that stands in for the one of the call.
func (x *exchange) fallBack(e *pool.ExhaustedError) bool {
	if x.fallback.Next == "" || x.in.ctx.Err() != nil {
		return false
	}
	x.fallback.add(e)
	x.costly = 0
	x.selectModel(x.fallback.Next)
	x.fallback.begin(x, time.Now())
	return true
}

// goBack makes the response to a call that no model could serve be about the model of the call.
func (x *exchange) goBack(e *pool.ExhaustedError) *pool.ExhaustedError {
	if !x.fallback.any {
		return e
	}
	x.fallback.add(e)
	x.selectModel(x.in.cfg.alias(x.model))
	return x.in.router.pool.Explain(x.request)
}

// StandIns returns the models that stand in for a model, the target of an alias, in the order in which
// they are tried.
func (c *Config) StandIns(model string) []string { return c.standIns(c.alias(model), &Scope{}) }

// standIns returns the fallbacks of a model that are within a scope, in order.
func (c *Config) standIns(model string, within *Scope) (all []string) {
	for next := c.standIn(model, model, within); next != ""; next = c.standIn(model, next, within) {
		all = append(all, next)
	}
	return all
}

// standIn returns the fallback of the model first that follows the model last and is within a scope;
// "" if there is none.
func (c *Config) standIn(first, last string, within *Scope) string {
	for _, f := range c.Fallbacks {
		if c.alias(f.Model) != first {
			continue
		}
		next := f.To
		for i, to := range f.To {
			if c.alias(to) == last {
				next = f.To[i+1:]
			}
		}
		for _, to := range next {
			if to = c.alias(to); within.model(to) {
				return to
			}
		}
		return ""
	}
	return ""
}
