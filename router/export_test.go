package router

import "time"

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
