package pool_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// BenchmarkLease is what the pool costs one call: its plan, two candidates drawn, the less loaded of them leased and settled, with a
// limit to keep to.
func BenchmarkLease(b *testing.B) {
	for _, endpoints := range []int{1, 64, 10_000} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			var cfg pool.Config
			for i := range endpoints {
				p := geminiProject(fmt.Sprintf("p%d", i), fmt.Sprintf("key-%d", i))
				p.Limits = []pool.Limit{{RPM: 1 << 40, TPM: 1 << 50, RPD: 1 << 40, Concurrency: 1 << 20}}
				cfg.Projects = append(cfg.Projects, p)
			}
			p, err := pool.New(cfg, nil)
			if err != nil {
				b.Fatal(err)
			}
			good := pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 100, Output: 100}}
			for _, c := range p.Plan(time.Now(), flash).All() { // the first call of an endpoint makes its record
				if l, ok := c.Lease(time.Now(), pool.Need{}); ok {
					l.Settle(time.Now(), good)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				now := time.Now()
				plan := p.Plan(now, flash)
				candidates := plan.Tiers[0].Candidates
				n := plan.Need(pool.Estimate{Prompt: pool.Prompt{Text: 100}}, time.Time{})
				c, d := candidates[rand.IntN(len(candidates))], candidates[rand.IntN(len(candidates))]
				if d.Load(now) < c.Load(now) {
					c = d
				}
				l, ok := c.Lease(now, n)
				if !ok {
					b.Fatal(c.Reason(now, n))
				}
				l.Settle(now, good)
			}
		})
	}
}

// BenchmarkBaselineAtomicAdd is the least that any shared count costs.
func BenchmarkBaselineAtomicAdd(b *testing.B) {
	var calls atomic.Int64
	b.ReportAllocs()
	for b.Loop() {
		calls.Add(1)
	}
}

// BenchmarkBaselineGobreaker is what the circuit breaker of the same name costs alone.
func BenchmarkBaselineGobreaker(b *testing.B) {
	machine := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{})
	b.ReportAllocs()
	for b.Loop() {
		done, err := machine.Allow()
		if err != nil {
			b.Fatal(err)
		}
		done(nil)
	}
}
