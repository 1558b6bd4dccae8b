package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/store"
)

// replicas are pools in one bubble that share a store, before one record of what was sent.
type replicas struct {
	t     *testing.T
	cfg   pool.Config
	pools []*pool.Pool

	mu     sync.Mutex
	sent   map[string][]time.Time // by project, as long as it was sent
	served int
	failed int
	slow   []time.Duration // waits
}

func newReplicas(t *testing.T, n int, cfg pool.Config, way func(i int) store.Store) *replicas {
	t.Helper()
	rs := &replicas{t: t, cfg: cfg, sent: make(map[string][]time.Time)}
	for i := range n {
		c := cfg
		if way != nil {
			c.Store = way(i)
		}
		p, err := pool.New(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		rs.pools = append(rs.pools, p)
	}
	return rs
}

// known are projects of the Developer API with the same declared limits.
func known(projects int, limit pool.Limit) (cfg pool.Config) {
	for i := range projects {
		name := fmt.Sprintf("p%d", i)
		cfg.Projects = append(cfg.Projects, pool.Project{
			Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-" + name)}, Limits: []pool.Limit{limit},
		})
	}
	return cfg
}

// call makes one call that takes so long, and reports whether it was served.
func (rs *replicas) call(p *pool.Pool, tokens int64, takes, maxWait time.Duration) bool {
	began := time.Now()
	l, err := p.Acquire(context.Background(), &pool.Request{Model: "m", MaxWait: maxWait, Estimate: pool.Estimate{Input: tokens}})
	waited := time.Since(began)
	if err != nil {
		var exhausted *pool.ExhaustedError
		if !errors.As(err, &exhausted) {
			rs.t.Error(err)
		}
		rs.mu.Lock()
		rs.failed++
		rs.mu.Unlock()
		return false
	}
	rs.mu.Lock()
	rs.served++
	rs.slow = append(rs.slow, waited)
	name := l.Endpoint().Project
	rs.sent[name] = append(rs.sent[name], time.Now())
	rs.mu.Unlock()
	time.Sleep(takes)
	l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
	return true
}

// offer makes calls at a rate for a while, each at some replica, and waits for them to end.
func (rs *replicas) offer(rng *rand.Rand, perSecond float64, length, takes, maxWait time.Duration) (offered int) {
	var wg sync.WaitGroup
	for end := time.Now().Add(length); ; {
		time.Sleep(time.Duration(rng.ExpFloat64() / perSecond * float64(time.Second)))
		if !time.Now().Before(end) {
			break
		}
		offered++
		p := rs.pools[rng.IntN(len(rs.pools))]
		wg.Go(func() { rs.call(p, 100, takes, maxWait) })
	}
	wg.Wait()
	return offered
}

// most returns the most calls that one project was sent in any minute.
func (rs *replicas) most() (most int) {
	for _, sent := range rs.sent {
		slices.SortFunc(sent, func(a, b time.Time) int { return a.Compare(b) })
		from := 0
		for i, at := range sent {
			for !sent[from].After(at.Add(-time.Minute)) {
				from++
			}
			most = max(most, i-from+1)
		}
	}
	return most
}

// between returns how many calls were sent within a time after start.
func (rs *replicas) between(start time.Time, from, to time.Duration) (n int) {
	for _, sent := range rs.sent {
		for _, at := range sent {
			if d := at.Sub(start); d >= from && d < to {
				n++
			}
		}
	}
	return n
}

func TestReplicasKeepToOneQuota(t *testing.T) {
	for _, n := range []int{1, 4, 16, 64} {
		for _, latency := range []time.Duration{time.Millisecond, 20 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d replicas, %v", n, latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := store.NewMemory(latency)
					rs := newReplicas(t, n, known(10, pool.Limit{RPM: 60}), func(int) store.Store { return m })
					rng := rand.New(rand.NewPCG(1, uint64(n)))
					began := m.Operations()
					offered := rs.offer(rng, 15, 10*time.Minute, 2*time.Second, 10*time.Second)
					t.Logf("offered %d, served %d, failed %d, most %d, %.0f operations a second", offered, rs.served, rs.failed, rs.most(), float64(m.Operations()-began)/600)
					if most := rs.most(); most > 60 {
						t.Errorf("a project was sent %d calls in one minute, its limit is 60", most)
					}
					if rs.served < 5940 {
						t.Errorf("served %d calls of 6000 that the limits allow", rs.served)
					}
				})
			})
		}
	}
}

// During a fault, and after it, no project gets more than a twentieth above its limit in any minute,
// and no call fails for the store.
func TestReplicasWithoutTheirStore(t *testing.T) {
	gone := store.Fault{Err: errors.New("the store is gone")}
	for _, test := range []struct {
		name  string
		begin func(m *store.Memory, ways []*store.Replica)
		end   func(m *store.Memory, ways []*store.Replica)
		least float64 // served while it lasts, of what the limits allow
	}{
		{"gone", func(m *store.Memory, _ []*store.Replica) { m.SetFault(gone) }, func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{}) }, 0.88},
		{"hangs", func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{Hangs: true}) }, func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{}) }, 0.88},
		{"read-only", func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{WriteErr: errors.New("READONLY")}) }, func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{}) }, 0.88},
		{"loses replies", func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{LosesReplies: true}) }, func(m *store.Memory, _ []*store.Replica) { m.SetFault(store.Fault{}) }, 0.80},
		{"flushed", func(m *store.Memory, _ []*store.Replica) { m.Flush() }, func(m *store.Memory, _ []*store.Replica) { m.Flush() }, 0.9},
		{"gone and empty after", func(m *store.Memory, _ []*store.Replica) { m.SetFault(gone) }, func(m *store.Memory, _ []*store.Replica) { m.Flush(); m.SetFault(store.Fault{}) }, 0.88},
		{"half cut off", func(_ *store.Memory, ways []*store.Replica) {
			for _, w := range ways[:len(ways)/2] {
				w.SetFault(gone)
			}
		}, func(_ *store.Memory, ways []*store.Replica) {
			for _, w := range ways {
				w.SetFault(store.Fault{})
			}
		}, 0.88},
	} {
		for _, n := range []int{1, 4, 16} {
			t.Run(fmt.Sprintf("%s, %d replicas", test.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := store.NewMemory(time.Millisecond)
					var ways []*store.Replica
					rs := newReplicas(t, n, known(10, pool.Limit{RPM: 60}), func(int) store.Store {
						ways = append(ways, m.Replica())
						return ways[len(ways)-1]
					})
					start := time.Now()
					time.AfterFunc(150*time.Second, func() { test.begin(m, ways) })
					time.AfterFunc(210*time.Second, func() { test.end(m, ways) })
					rs.offer(rand.New(rand.NewPCG(2, uint64(n))), 15, 6*time.Minute, 2*time.Second, 10*time.Second)
					during, after := rs.between(start, 150*time.Second, 210*time.Second), rs.between(start, 215*time.Second, 335*time.Second)
					t.Logf("served %d, most %d in a minute, %d while it lasted, %d in two minutes after", rs.served, rs.most(), during, after)
					if most := rs.most(); most > 63 {
						t.Errorf("a project was sent %d calls in one minute, its limit is 60", most)
					}
					if float64(during) < test.least*600 {
						t.Errorf("%d calls were served while it lasted, want %v of 600", during, test.least)
					}
					if after < 1150 {
						t.Errorf("%d calls were served in two minutes after, want 1150", after)
					}
				})
			})
		}
	}
}
