package router

import (
	"context"
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

// BodiesHeld returns how many bytes of bodies the router holds in memory, and in files.
func (r *Router) BodiesHeld() (memory, files int64) {
	return r.bodies.used.Load(), r.bodies.files.Load()
}
