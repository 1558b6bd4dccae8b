//go:build race

package quota_test

// The race detector makes simulations thirty times slower, and they have one goroutine: with it there are fewer.
const (
	raced = true
	seeds = 1
	slack = 0.05 // for the want of a median
)
