package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/store"
)

// orderOf is one project on Vertex AI with an order.
func orderOf(gsus int) (cfg pool.Config) {
	cfg = twoProjects()
	cfg.Projects = cfg.Projects[1:]
	cfg.Projects[0].Provisioned[0].GSUs = gsus
	return cfg
}

// useOrder has each replica make calls for a while, one every 300 ms, and returns how many the order
// was asked to serve.
func (rs *replicas) useOrder(rounds int) (provisioned, all int) {
	for range rounds {
		for _, p := range rs.pools {
			l, err := p.Acquire(context.Background(), &pool.Request{
				Model: flash, MaxWait: time.Second, Estimate: pool.Estimate{Input: 1000, Output: 500},
			})
			all++
			if err != nil {
				continue
			}
			if l.Endpoint().Traffic == pool.TrafficProvisioned {
				provisioned++
			}
			time.AfterFunc(time.Second, func() {
				o := pool.Outcome{Class: pool.ClassOK}
				if l.Endpoint().Traffic == pool.TrafficProvisioned {
					o.Traffic = "PROVISIONED_THROUGHPUT"
				}
				l.Settle(time.Now(), o)
			})
		}
		time.Sleep(300 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	return provisioned, all
}

// Replicas know of each other what an order was charged: one that has made no call finds it full.
func TestReplicasShareAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, orderOf(10), func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		busy := &replicas{t: t, pools: rs.pools[:1]}
		if n, all := busy.useOrder(20); n != all {
			t.Fatalf("%d of %d calls went to an empty order", n, all)
		}
		both := func() (a, b float64) {
			now := time.Now()
			for i, p := range rs.pools {
				for _, e := range p.Stat(now).Endpoints {
					if e.Order != nil {
						*[]*float64{&a, &b}[i] = e.Order.Used
					}
				}
			}
			return a, b
		}
		other := &replicas{t: t, pools: rs.pools[1:]}
		other.useOrder(1)
		if a, b := both(); a == 0 || b < 0.9*a || b > 1.1*a {
			t.Errorf("one replica knows of %.0f tokens that are used, the other of %.0f", a, b)
		}
	})
}

// While the store is away, each replica uses its share of an order.
func TestOrderIsUsedWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 8, orderOf(100), func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		with, all := rs.useOrder(30)
		m.SetFault(store.Fault{Err: errBroken})
		time.Sleep(3 * time.Second)
		without, _ := rs.useOrder(30)
		m.SetFault(store.Fault{})
		time.Sleep(5 * time.Second)
		after, _ := rs.useOrder(30)
		t.Logf("of %d calls the order was asked for %d, without the store for %d, after for %d", all, with, without, after)
		if without < with/2 || after < with*9/10 {
			t.Errorf("of %d calls the order was asked for %d, without the store for %d, after for %d", all, with, without, after)
		}
	})
}
