package router

import (
	"context"
	"net/http"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Backoff is Retry.backoff, for tests.
func (r Retry) Backoff(n int, hint time.Duration, random float64) time.Duration {
	return r.backoff(n, hint, random)
}

// Budget is a retry budget, for tests.
type Budget struct{ budget }

// NewBudget makes one with this share of calls.
func NewBudget(share float64) *Budget { return &Budget{budget{share: share}} }

// Call and Retry are the budget's two moves.
func (b *Budget) Call(now time.Time)       { b.call(now) }
func (b *Budget) Retry(now time.Time) bool { return b.retry(now) }

// Expected returns how many tokens are reserved for a call of that estimate.
func (r *Router) Expected(ctx context.Context, model string, e pool.Estimate) (tokens int64, err error) {
	inFlight := func() (sum int64) {
		for _, end := range r.Stat().Endpoints {
			if end.Model == model {
				sum += end.Tokens
			}
		}
		return sum
	}
	before := inFlight()
	l, err := r.pool.Acquire(ctx, &pool.Request{Model: model, Estimate: e})
	if err != nil {
		return 0, err
	}
	defer l.Release(time.Now())
	return inFlight() - before, nil
}

// EditTransport changes the default transport of a router that has carried nothing yet.
func (r *Router) EditTransport(edit func(*http.Transport)) {
	made := r.own.make
	r.own.make = func() *http.Transport {
		t := made()
		edit(t)
		return t
	}
}

// UsualTimes is usualTimes, for tests.
type UsualTimes struct{ usualTimes }

// Observe notes an answer.
func (u *UsualTimes) Observe(model, method string, effort int, took time.Duration) {
	u.observe(kind{model, method, effort, false}, took)
}

// Of returns what is known.
func (u *UsualTimes) Of(model, method string, effort int) (answers int, took time.Duration) {
	k := u.of(kind{model, method, effort, false})
	return k.answers, k.time
}

// Len returns how many kinds of calls are remembered.
func (u *UsualTimes) Len() int { return len(u.kinds) }

// Hearings is hearings, for tests.
type Hearings struct{ hearings }

// Hearing is one of them.
type Hearing = hearing

// Begin and End are the beginning and the end of a call.
func (h *Hearings) Begin(endpoint, model string) *Hearing { return h.begin(place{endpoint, model}) }
func (h *Hearings) End(one *Hearing)                      { h.end(one) }

// Len returns how many are remembered.
func (h *Hearings) Len() int { return len(h.places) }

// BodiesHeld returns how many bytes of bodies the router holds in memory, and in files.
func (r *Router) BodiesHeld() (memory, files int64) {
	return r.bodies.used.Load(), r.bodies.files.Load()
}

// Blind keeps the router from reading through long bodies until see is called.
func (r *Router) Blind() (see func()) {
	for range cap(r.bodies.eyes) {
		r.bodies.eyes <- struct{}{}
	}
	return func() {
		for range cap(r.bodies.eyes) {
			<-r.bodies.eyes
		}
	}
}
