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

// BenchmarkLease is what the pool costs one call: its plan, two candidates drawn, the less loaded
// of them leased and settled, with a limit to keep to.
func BenchmarkLease(b *testing.B) {
	for _, endpoints := range []int{1, 64, 10_000} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			p, err := pool.New(limitedProjects(endpoints), nil)
			if err != nil {
				b.Fatal(err)
			}
			warm(p)
			b.ReportAllocs()
			for b.Loop() {
				now := time.Now()
				plan := p.View(now, flash)
				candidates := plan.All() // one tier
				n := plan.Need(pool.Estimate{Prompt: pool.Prompt{Text: 100}}, time.Time{})
				c, d := candidates[rand.IntN(len(candidates))], candidates[rand.IntN(len(candidates))]
				if d.Load(now) < c.Load(now) {
					c = d
				}
				l, ok := c.Lease(now, n)
				if !ok {
					b.Fatal(c.Reason(now, n))
				}
				l.Settle(now, counted)
			}
		})
	}
}

// BenchmarkAcquire is what a caller pays for one call with the default policy, from Acquire to
// Settle.
func BenchmarkAcquire(b *testing.B) {
	for _, endpoints := range []int{1, 64, 10_000} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			p, err := pool.New(limitedProjects(endpoints), nil)
			if err != nil {
				b.Fatal(err)
			}
			warm(p)
			ctx := b.Context()
			r := &pool.Request{Model: flash, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 100}}}
			b.ReportAllocs()
			for b.Loop() {
				*r = pool.Request{Model: r.Model, Estimate: r.Estimate}
				l, err := p.Acquire(ctx, r)
				if err != nil {
					b.Fatal(err)
				}
				l.Settle(time.Now(), counted)
			}
		})
	}
}

// counted is a good answer that says what it cost.
var counted = pool.Outcome{
	Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 100, Output: 100},
}

// limitedProjects are so many projects with limits that are never reached.
func limitedProjects(n int) pool.Config {
	var cfg pool.Config
	for i := range n {
		p := geminiProject(fmt.Sprintf("p%d", i), fmt.Sprintf("key-%d", i))
		p.Limits = []pool.Limit{{RPM: 1 << 40, TPM: 1 << 50, RPD: 1 << 40, Concurrency: 1 << 20}}
		cfg.Projects = append(cfg.Projects, p)
	}
	return cfg
}

// warm makes the first call to every endpoint: that one makes its entries.
func warm(p *pool.Pool) {
	for _, c := range p.View(time.Now(), flash).All() {
		if l, ok := c.Lease(time.Now(), pool.Need{}); ok {
			l.Settle(time.Now(), counted)
		}
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
