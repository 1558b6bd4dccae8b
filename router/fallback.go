package router

import (
	"time"

	"github.com/spillway-go/spillway/pool"
)

// fallback records the models of a call that could not serve it in time.
type fallback struct {
	any     bool
	soonest time.Time // when the first of them could serve the call; zero: unknown
	hope    bool      // one of them may serve such a call later
}

// add records that a model cannot serve the call in time.
func (f *fallback) add(e *pool.ExhaustedError) {
	f.any = true
	if f.soonest.IsZero() || !e.RetryAt.IsZero() && e.RetryAt.Before(f.soonest) {
		f.soonest = e.RetryAt
	}
	f.hope = f.hope || !e.Never && e.Answer == nil
}

// fallBack selects the next model that stands in for the one of the call. A call keeps its model if
// it names a resource of a project, continues a response, or asks about the model.
func (x *exchange) fallBack(e *pool.ExhaustedError) bool {
	if x.payload.pinned() || x.payload.call.Continuation != "" || !x.payload.metered() ||
		x.payload.tail != nil || x.attempts >= x.in.cfg.MaxAttempts || x.in.ctx.Err() != nil {
		return false
	}
	next := x.in.cfg.standIn(x.in.cfg.alias(x.model), x.request.Model)
	if next == "" {
		return false
	}
	x.fallback.add(e)
	x.faults = 0
	x.selectModel(next)
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

// standIn returns the fallback of the model first that follows the model last; "" if there is none.
func (c *Config) standIn(first, last string) string {
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
		if len(next) > 0 {
			return c.alias(next[0])
		}
		return ""
	}
	return ""
}
