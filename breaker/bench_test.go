package breaker_test

import (
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/spillway-go/spillway/breaker"
)

func TestClosedPathDoesNotAllocate(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	allocs := testing.AllocsPerRun(100, func() {
		if !b.Ready(now) {
			t.Fatal("not ready")
		}
		p, _ := b.Allow(now, now.Add(time.Minute))
		p.Success(now)
	})
	if allocs != 0 {
		t.Errorf("%v allocations per call, want 0", allocs)
	}
}

func BenchmarkAllowSuccess(b *testing.B) {
	br := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		p, _ := br.Allow(now, time.Time{})
		p.Success(now)
	}
}

func BenchmarkAllowSuccessParallel(b *testing.B) {
	br := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p, _ := br.Allow(now, time.Time{})
			p.Success(now)
		}
	})
}

// The scan a router makes before it picks.
func BenchmarkReady64(b *testing.B) {
	now := time.Now()
	breakers := make([]*breaker.Breaker, 64)
	for i := range breakers {
		breakers[i] = breaker.New(breaker.Config{Failures: 1}, nil)
		if i%2 == 0 {
			p, _ := breakers[i].Allow(now, time.Time{})
			p.Failure(now)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		ready := 0
		for _, br := range breakers {
			if br.Ready(now) {
				ready++
			}
		}
		if ready != 32 {
			b.Fatal(ready)
		}
	}
}

// BenchmarkBaselineGobreaker is the same call through bare gobreaker.
func BenchmarkBaselineGobreaker(b *testing.B) {
	cb := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{})
	b.ReportAllocs()
	for b.Loop() {
		done, err := cb.Allow()
		if err != nil {
			b.Fatal(err)
		}
		done(nil)
	}
}

func BenchmarkBaselineGobreakerParallel(b *testing.B) {
	cb := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{})
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if done, err := cb.Allow(); err == nil {
				done(nil)
			}
		}
	})
}
