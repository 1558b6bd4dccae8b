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
	t   *testing.T
	cfg pool.Config

	mu     sync.Mutex
	pools  []*pool.Pool
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
		p := pool.Project{Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-" + name)}}
		if limit != (pool.Limit{}) {
			p.Limits = []pool.Limit{limit}
		}
		cfg.Projects = append(cfg.Projects, p)
	}
	return cfg
}

// swap puts another pool in the place of one, which it returns.
func (rs *replicas) swap(i int, p *pool.Pool) (old *pool.Pool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	old, rs.pools[i] = rs.pools[i], p
	return old
}

// call makes one call that takes so long, and reports whether it was served.
func (rs *replicas) call(p *pool.Pool, tokens int64, takes, maxWait time.Duration) bool {
	began := time.Now()
	l, err := p.Acquire(context.Background(), &pool.Request{Model: "m", MaxWait: maxWait, Estimate: pool.Estimate{Input: tokens}})
	waited := time.Since(began)
	if err != nil {
		if _, ok := errors.AsType[*pool.ExhaustedError](err); !ok {
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
		rs.mu.Lock()
		p := rs.pools[rng.IntN(len(rs.pools))]
		rs.mu.Unlock()
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
	projects, length := amount(3, 6), time.Duration(amount(4, 6))*time.Minute
	for _, n := range []int{16, 1, 4}[:amount(1, 3)] {
		for _, latency := range []time.Duration{20 * time.Millisecond, time.Millisecond}[:amount(1, 2)] {
			t.Run(fmt.Sprintf("%d replicas, %v", n, latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := store.NewMemory(latency)
					rs := newReplicas(t, n, known(projects, pool.Limit{RPM: 60}), func(int) store.Store { return m })
					rng := rand.New(rand.NewPCG(1, uint64(n)))
					began := m.Operations()
					offered := rs.offer(rng, 1.5*float64(projects), length, 2*time.Second, 10*time.Second)
					t.Logf("offered %d, served %d, failed %d, most %d, %.0f operations a second", offered, rs.served, rs.failed, rs.most(), float64(m.Operations()-began)/length.Seconds())
					if most := rs.most(); most > 60 {
						t.Errorf("a project was sent %d calls in one minute, its limit is 60", most)
					}
					allowed := projects * 60 * int(length/time.Minute)
					if float64(rs.served) < 0.99*float64(allowed) {
						t.Errorf("served %d calls of %d that the limits allow", rs.served, allowed)
					}
				})
			})
		}
	}
}

// During a fault, and after it, no project gets more than a twentieth above its limit in any minute,
// and no call fails for the store.
func TestReplicasWithoutTheirStore(t *testing.T) {
	projects := amount(3, 6)
	minute := float64(projects * 60)
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
		}, 0.82}, // both halves withhold what the other may use, and the remainder that does not divide
	} {
		for _, n := range []int{4, 16}[:amount(1, 2)] {
			t.Run(fmt.Sprintf("%s, %d replicas", test.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := store.NewMemory(time.Millisecond)
					var ways []*store.Replica
					rs := newReplicas(t, n, known(projects, pool.Limit{RPM: 60}), func(int) store.Store {
						ways = append(ways, m.Replica())
						return ways[len(ways)-1]
					})
					start := time.Now()
					time.AfterFunc(150*time.Second, func() { test.begin(m, ways) })
					time.AfterFunc(210*time.Second, func() { test.end(m, ways) })
					rs.offer(rand.New(rand.NewPCG(2, uint64(n))), 1.5*float64(projects), 6*time.Minute, 2*time.Second, 10*time.Second)
					during, after := rs.between(start, 150*time.Second, 210*time.Second), rs.between(start, 215*time.Second, 335*time.Second)
					t.Logf("served %d, most %d in a minute, %d while it lasted, %d in two minutes after", rs.served, rs.most(), during, after)
					if most := rs.most(); most > 63 {
						t.Errorf("a project was sent %d calls in one minute, its limit is 60", most)
					}
					if float64(during) < test.least*minute {
						t.Errorf("%d calls were served while it lasted, want %v of %v", during, test.least, minute)
					}
					if float64(after) < 1.8*minute {
						t.Errorf("%d calls were served in two minutes after, want %v", after, 1.8*minute)
					}
				})
			})
		}
	}
}

func TestReplicasShareLowLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 10, known(1, pool.Limit{RPM: 5}), func(int) store.Store { return m })
		time.Sleep(3 * time.Second)
		rs.offer(rand.New(rand.NewPCG(3, 3)), 0.2, 20*time.Minute, 2*time.Second, 30*time.Second)
		t.Logf("served %d, failed %d, most %d in a minute", rs.served, rs.failed, rs.most())
		if most := rs.most(); most > 5 {
			t.Errorf("%d calls were sent in one minute, the limit is 5", most)
		}
		if rs.served < 97 {
			t.Errorf("served %d of 100 calls that the limit allows", rs.served)
		}
	})
}

func TestReplicasShareTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 8, known(2, pool.Limit{TPM: 6000}), func(int) store.Store { return m })
		rs.offer(rand.New(rand.NewPCG(4, 4)), 3, 6*time.Minute, time.Second, 10*time.Second)
		t.Logf("served %d, failed %d, most %d in a minute", rs.served, rs.failed, rs.most())
		if most := rs.most(); most > 60 {
			t.Errorf("%d calls of 100 tokens were sent in one minute, the limit is 6000 tokens", most)
		}
		if rs.served < 700 {
			t.Errorf("served %d of 720 calls that the limits allow", rs.served)
		}
	})
}

// Replicas that are replaced one by one, in good order, count the day exactly.
func TestReplicasCountTheDayOverARollingRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		cfg := known(1, pool.Limit{RPM: 600, RPD: 1500})
		rs := newReplicas(t, 16, cfg, func(int) store.Store { return m })
		for i := range 16 {
			time.AfterFunc(time.Duration(20+10*i)*time.Second, func() {
				c := cfg
				c.Store = m
				c.Projects = slices.Clone(cfg.Projects)
				c.Projects[0].Weight = float64(i + 1)
				p, err := pool.New(c, nil)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(p.Close)
				old := rs.swap(i, p)
				time.Sleep(5 * time.Second) // its calls end
				old.Close()
			})
		}
		rs.offer(rand.New(rand.NewPCG(5, 5)), 4, 4*time.Minute, 2*time.Second, 10*time.Second)
		time.Sleep(5 * time.Second)
		used := int64(-1)
		for _, e := range rs.pools[0].Stat(time.Now()).Endpoints {
			used = e.Quota.Day.Used
		}
		t.Logf("served %d, failed %d, day %d", rs.served, rs.failed, used)
		if rs.failed > 0 {
			t.Errorf("%d calls failed", rs.failed)
		}
		if used != int64(rs.served) {
			t.Errorf("the day counts %d calls, %d were made", used, rs.served)
		}
		rs.offer(rand.New(rand.NewPCG(6, 6)), 20, 2*time.Minute, 2*time.Second, 0)
		if rs.served != 1500 {
			t.Errorf("%d calls were served in all, the day's limit is 1500", rs.served)
		}
	})
}

// The calls of a replica that is killed hold the limit of concurrent calls for three seconds.
func TestKilledReplicaFreesItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		dead := m.Replica()
		rs := newReplicas(t, 2, known(1, pool.Limit{Concurrency: 4}), func(i int) store.Store {
			if i == 0 {
				return dead
			}
			return m
		})
		time.Sleep(3 * time.Second)
		for range 4 {
			go rs.call(rs.pools[0], 1, time.Hour, time.Second)
		}
		time.Sleep(time.Second)
		if rs.call(rs.pools[1], 1, 0, time.Second) {
			t.Fatal("a fifth call was made at once")
		}
		dead.SetFault(store.Fault{Err: errors.New("killed")})
		began := time.Now()
		if !rs.call(rs.pools[1], 1, 0, 10*time.Second) {
			t.Fatal("no call was made after the other replica was killed")
		}
		if d := time.Since(began); d > 3500*time.Millisecond {
			t.Errorf("it took %v until the calls of a dead replica were free", d)
		}
		time.Sleep(time.Hour)
	})
}

// A call prefers to wait for credit at its first tier to going to the second.
func TestCallWaitsForCreditRatherThanSpillOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(5 * time.Millisecond)
		cfg := known(2, pool.Limit{RPM: 600})
		cfg.Projects[1].Priority, cfg.Projects[1].Limits = 1, nil
		rs := newReplicas(t, 2, cfg, func(int) store.Store { return m })
		time.Sleep(3 * time.Second)
		for range 20 {
			rs.call(rs.pools[0], 1, time.Second, -1)
		}
		if rs.failed > 0 || len(rs.sent["p0"]) != 20 {
			t.Errorf("%d calls failed, %d of 20 went to the first tier", rs.failed, len(rs.sent["p0"]))
		}
		for _, d := range rs.slow {
			if d > 12*time.Millisecond {
				t.Errorf("a call waited %v for credit", d)
			}
		}
		m.SetFault(store.Fault{Hangs: true})
		rs.slow = nil
		for range 20 {
			rs.call(rs.pools[0], 1, time.Second, -1)
		}
		for _, d := range rs.slow {
			if d > 51*time.Millisecond {
				t.Errorf("a call waited %v for a store that hangs", d)
			}
		}
		if rs.failed > 0 {
			t.Errorf("%d calls failed for a store that hangs", rs.failed)
		}
	})
}
