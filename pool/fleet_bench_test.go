package pool_test

import (
	"context"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/store"
)

// plenty is a store that grants more than anyone can use.
type plenty struct{ store.Store }

func (plenty) Beat(context.Context, string, bool) (store.Fleet, error) {
	now := time.Now()
	return store.Fleet{Now: now, Members: 16, Epoch: "e", Since: now.Add(-time.Hour)}, nil
}

func (plenty) Take(_ context.Context, _ string, asks []store.Ask) (grants []store.Grant, now time.Time, err error) {
	now = time.Now()
	for range asks {
		grants = append(grants, store.Grant{At: now, Requests: 1 << 40, Tokens: 1 << 50, Slots: 1 << 40, Epoch: "e"})
	}
	return grants, now, nil
}

// BenchmarkFleet is a call with credit at hand beside one without a store, from Acquire to Settle.
func BenchmarkFleet(b *testing.B) {
	for _, bench := range []struct {
		name  string
		store store.Store
	}{{"alone", nil}, {"shared", plenty{store.NewMemory(0)}}} {
		for _, endpoints := range []int{1, 64} {
			b.Run(bench.name+map[int]string{1: "-1", 64: "-64"}[endpoints], func(b *testing.B) {
				cfg := limitedProjects(endpoints)
				cfg.Store = bench.store
				p, err := pool.New(cfg, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
				time.Sleep(10 * time.Millisecond)
				ctx := b.Context()
				r := &pool.Request{Model: flash, MaxWait: time.Second, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 100}}}
				b.ReportAllocs()
				for b.Loop() {
					l, err := p.Acquire(ctx, r)
					if err != nil {
						b.Fatal(err)
					}
					l.Settle(time.Now(), counted)
				}
			})
		}
	}
}
