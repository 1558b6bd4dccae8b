package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

func TestReplicasCountWhatTheyUsedBeforeTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := orderOf(10)
		o := &cfg.Projects[0].Provisioned[0]
		change := time.Now().Add(20 * time.Second)
		next := *o
		o.Window, next.Window = 30*time.Second, 30*time.Second
		o.Until, next.From, next.GSUs = change, change, 5
		cfg.Projects[0].Provisioned = append(cfg.Projects[0].Provisioned, next)
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, cfg, func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		if n, all := rs.useOrder(40); n != all {
			t.Fatalf("%d of %d calls went to the order", n, all)
		}
		time.Sleep(time.Until(change.Add(-time.Second)))
		stat := func(p *pool.Pool) quota.LedgerStat {
			for _, e := range p.Stat(time.Now()).Endpoints {
				if e.Order != nil {
					return *e.Order
				}
			}
			t.Fatal("there is no order")
			return quota.LedgerStat{}
		}
		before := stat(rs.pools[0])
		time.Sleep(time.Second)
		for _, p := range rs.pools { // each looks at the new order
			stat(p)
		}
		time.Sleep(3 * time.Second)
		for i, p := range rs.pools {
			after := stat(p)
			if after.TokensPerSecond != before.TokensPerSecond/2 || after.Used < before.Used*0.99 || after.Used > before.Used*1.01 {
				t.Errorf("replica %d: the next order begins with %+v, want what the fleet used of the one before: %+v", i, after, before)
			}
		}
	})
}

// Over the change to a smaller order replicas together keep to what is bought, in every window.
func TestReplicasKeepToASmallerOrderFromTheChangeOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := orderOf(10)
		o := &cfg.Projects[0].Provisioned[0]
		change := time.Now().Add(60 * time.Second)
		next := *o
		o.Window, next.Window = 10*time.Second, 10*time.Second
		o.Until, next.From, next.GSUs = change, change, 5
		cfg.Projects[0].Provisioned = append(cfg.Projects[0].Provisioned, next)
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, cfg, func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		served := map[int64]float64{} // tokens of the order, by the second from the change on
		const each = 6000
		for i := 0; time.Since(change) < 30*time.Second; i++ {
			l, err := rs.pools[i%2].Acquire(context.Background(), &pool.Request{Model: flash, Estimate: pool.Estimate{Input: each, NoOutput: true}})
			if err != nil {
				t.Fatal(err)
			}
			if since := time.Since(change); since >= 0 && l.Endpoint().Traffic == pool.TrafficProvisioned {
				served[int64(since/time.Second)] += each
			}
			l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: each}})
			time.Sleep(100 * time.Millisecond) // 60,000 tokens a second: more than either order has
		}
		for from := range int64(20) { // windows of the second order alone
			sum := 0.0
			for s := from; s < from+10; s++ {
				sum += served[s]
			}
			if capacity := 13_450.0 * 10; sum > capacity*1.02 || from >= 10 && sum < capacity*0.85 {
				t.Errorf("in the 10 s from %d s after the change %v tokens were sent for the order, of %v", from, sum, capacity)
			}
		}
		first := 0.0
		for s := range int64(5) { // what the first order served is in the window
			first += served[s]
		}
		if first > 13_450*10*0.25 {
			t.Errorf("in the first 5 s after the change %v tokens were sent for an order whose window is full", first)
		}
	})
}
