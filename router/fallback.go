package router

import (
	"time"

	"github.com/spillway-go/spillway/pool"
)

// fallback records the models of a call that could not serve it in time, and how long the call
// stays with its present one.
type fallback struct {
	any     bool
	soonest time.Time // when the first of them could serve the call; zero: unknown
	hope    bool      // one of them may serve such a call later

	next   string    // the model that stands in for the present one; "": there is none
	after  time.Time // when it is asked; zero: the call has always had an attempt in flight
	spent  time.Duration
	doubt  int // refusals that another project may prove wrong
	period time.Duration
	half   time.Time // half of the time that the caller gives is spent; zero: he gives all
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
	f.next, f.after, f.doubt = "", time.Time{}, 0
	f.period = x.in.cfg.FallbackAfter
	if x.payload.mayFallBack() {
		f.next = x.in.cfg.standIn(x.in.cfg.alias(x.model), x.request.Model, &x.in.options.Scope)
	}
	if deadline, ok := x.in.ctx.Deadline(); ok {
		f.half = now.Add(deadline.Sub(now) / 2)
	}
}

// patience returns how long the call may wait in all, for what is tried from now on.
func (f *fallback) patience(x *exchange, now time.Time) time.Duration {
	most := x.in.maxWait()
	if f.next == "" || most <= 0 {
		return most
	}
	until := now.Add(f.period)
	if !f.after.IsZero() {
		until = f.after
	}
	if !f.half.IsZero() && f.half.Before(until) {
		until = f.half
	}
	return min(most, f.spent+max(until.Sub(now), 0))
}

// waited takes note of a wait for an endpoint. The first moment without an attempt in flight is the
// beginning of the call if it had to wait then.
func (f *fallback) waited(from, to time.Time, first bool) {
	f.spent += to.Sub(from)
	if first && to.Sub(from) < time.Millisecond {
		return
	}
	if f.after.IsZero() {
		f.after = from.Add(f.period)
	}
}

// due reports whether the stand-in is to be asked rather than the same model again. No attempt is
// in flight.
func (f *fallback) due(now time.Time) bool {
	if f.next == "" {
		return false
	}
	if f.after.IsZero() {
		f.after = now.Add(f.period)
	}
	return !now.Before(f.after) || !f.half.IsZero() && !now.Before(f.half)
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
	if x.fallback.next == "" || x.in.ctx.Err() != nil {
		return false
	}
	x.fallback.add(e)
	x.costly = 0
	x.selectModel(x.fallback.next)
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
