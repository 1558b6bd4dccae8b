//go:build !race

package quota_test

const (
	raced = false
	seeds = 10
	slack = 0
)
