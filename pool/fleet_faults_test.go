package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/store"
)

// halfStore is a store of which some methods fail, or do what they should not.
type halfStore struct {
	store.Store
	take, publish atomic.Bool // fail
	extra         atomic.Bool // one grant too many
	flaky         func() bool // whether a call fails
}

var errBroken = errors.New("NOPERM")

func (s *halfStore) Beat(ctx context.Context, member string, leaves bool) (store.Fleet, error) {
	if s.flaky != nil && s.flaky() {
		return store.Fleet{}, errBroken
	}
	return s.Store.Beat(ctx, member, leaves)
}

func (s *halfStore) Take(ctx context.Context, member string, asks []store.Ask) ([]store.Grant, time.Time, error) {
	if s.take.Load() || s.flaky != nil && s.flaky() {
		return nil, time.Time{}, errBroken
	}
	grants, now, err := s.Store.Take(ctx, member, asks)
	if s.extra.Load() {
		grants = append(grants, store.Grant{})
	}
	return grants, now, err
}

func (s *halfStore) Publish(ctx context.Context, facts []store.Fact) (time.Time, error) {
	if s.publish.Load() {
		return time.Time{}, errBroken
	}
	return s.Store.Publish(ctx, facts)
}

// Calls that come together and have no patience wait for one round trip each, and none is refused
// or spills over while the limits have room.
func TestBurstWithoutPatienceWaitsForCredit(t *testing.T) {
	for _, tiers := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			m := store.NewMemory(5 * time.Millisecond)
			cfg := known(tiers, pool.Limit{RPM: 600})
			if tiers == 2 {
				cfg.Projects[1].Priority, cfg.Projects[1].Limits = 1, nil
			}
			rs := newReplicas(t, 2, cfg, func(int) store.Store { return m })
			time.Sleep(4 * time.Second)
			for range 20 {
				var wg sync.WaitGroup
				for range 6 {
					wg.Go(func() { rs.call(rs.pools[0], 1, 100*time.Millisecond, -1) })
				}
				wg.Wait()
				time.Sleep(7 * time.Second)
			}
			if rs.failed > 0 || len(rs.sent["p0"]) != 120 {
				t.Errorf("%d tiers: %d calls failed, %d of 120 went to the first tier", tiers, rs.failed, len(rs.sent["p0"]))
			}
		})
	}
}

// A window that was left because it was idle, and is used again, still corrects what was granted.
func TestWindowThatWasIdleCountsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, known(1, pool.Limit{RPM: 60, RPD: 10_000}), func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		rng := rand.New(rand.NewPCG(7, 7))
		rs.offer(rng, 1.5, 3*time.Minute, time.Second, 5*time.Second)
		time.Sleep(4 * time.Minute)
		rs.offer(rng, 1.5, time.Minute, time.Second, 5*time.Second)
		m.SetFault(store.Fault{Err: errBroken})
		rs.offer(rng, 1.5, time.Minute, time.Second, 5*time.Second)
		m.SetFault(store.Fault{})
		rs.offer(rng, 1.5, time.Minute, time.Second, 5*time.Second)
		time.Sleep(10 * time.Second)
		rs.call(rs.pools[0], 1, time.Second, time.Second)
		time.Sleep(5 * time.Second)
		if day := rs.pools[0].Stat(time.Now()).Endpoints[0].Quota.Day.Used; day != int64(rs.served) {
			t.Errorf("the day counts %d calls, %d were made", day, rs.served)
		}
	})
}

// Each replica's state file holds what it counted itself: together they are the day, also after the
// store has lost its own.
func TestStateFilesOfAFleetCountTheDayOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		cfg := known(1, pool.Limit{RPM: 6000, RPD: 1000})
		cfg.Store = m
		rs := newReplicas(t, 4, cfg, nil)
		time.Sleep(4 * time.Second)
		rs.offer(rand.New(rand.NewPCG(8, 8)), 5, time.Minute, time.Second, time.Second)
		for i, old := range rs.pools {
			saved, err := old.Save(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			old.Close()
			p, err := pool.New(cfg, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			if err := p.Restore(time.Now(), saved); err != nil {
				t.Fatal(err)
			}
			rs.pools[i] = p
		}
		for _, p := range rs.pools {
			rs.call(p, 1, time.Second, time.Second)
		}
		time.Sleep(4 * time.Second)
		m.Flush()
		time.Sleep(10 * time.Second)
		for _, p := range rs.pools {
			rs.call(p, 1, time.Second, time.Second)
		}
		time.Sleep(5 * time.Second)
		if day := rs.pools[0].Stat(time.Now()).Endpoints[0].Quota.Day.Used; day != int64(rs.served) {
			t.Errorf("the day counts %d calls, %d were made", day, rs.served)
		}
	})
}

// A store that answers beats and refuses the rest is told of as lost, once; one that only refuses
// what limits do without is not.
func TestStoreThatHalfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &halfStore{Store: store.NewMemory(time.Millisecond)}
		cfg := known(1, pool.Limit{RPM: 60})
		cfg.Store = s
		var mu sync.Mutex
		events := map[pool.EventKind]int{}
		p, err := pool.New(cfg, func(e pool.Event) {
			mu.Lock()
			defer mu.Unlock()
			events[e.Kind]++
		})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		told := func(when string, lost, back int) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if events[pool.StoreLost] != lost || events[pool.StoreBack] != back {
				t.Errorf("%s: StoreLost was told %d times, StoreBack %d times", when, events[pool.StoreLost], events[pool.StoreBack])
			}
		}
		rs := &replicas{t: t, pools: []*pool.Pool{p}, sent: map[string][]time.Time{}}
		rng := rand.New(rand.NewPCG(9, 9))
		time.Sleep(4 * time.Second)
		s.publish.Store(true)
		p.Own("files/x", pool.Home{Project: "p0", Location: "global"})
		rs.offer(rng, 0.9, 2*time.Minute, time.Second, 5*time.Second)
		told("while nothing can be published", 0, 0)
		if !p.Stat(time.Now()).Store.In {
			t.Error("the store's credit does not count while nothing can be published")
		}
		s.publish.Store(false)
		s.take.Store(true)
		rs.offer(rng, 0.9, time.Minute, time.Second, 5*time.Second)
		told("while nothing is granted", 1, 0)
		s.take.Store(false)
		s.extra.Store(true)
		rs.offer(rng, 0.9, time.Minute, time.Second, 5*time.Second)
		told("while there are too many grants", 1, 0)
		s.extra.Store(false)
		rs.offer(rng, 0.9, time.Minute, time.Second, 5*time.Second)
		told("after all", 1, 1)
		if rs.failed > 0 {
			t.Errorf("%d calls failed", rs.failed)
		}
	})
}

// A store of which every third call fails breaks no limit.
func TestFlakyStoreBreaksNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(10, 10))
		flaky := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return rng.Float64() < 0.3
		}
		rs := newReplicas(t, 4, known(2, pool.Limit{RPM: 60}), func(int) store.Store { return &halfStore{Store: m, flaky: flaky} })
		rs.offer(rand.New(rand.NewPCG(11, 11)), 3, 5*time.Minute, time.Second, 5*time.Second)
		t.Logf("served %d, most %d in a minute", rs.served, rs.most())
		if most := rs.most(); most > 64 {
			t.Errorf("a project was sent %d calls in one minute, its limit is 60", most)
		}
	})
}

// Concurrent calls keep to their limit in a fleet that is at work.
func TestFleetKeepsToConcurrentCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 3, known(1, pool.Limit{Concurrency: 10}), func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		var underWay, most atomic.Int64
		rng := rand.New(rand.NewPCG(12, 12))
		var wg sync.WaitGroup
		began := m.Operations()
		for range 1500 {
			time.Sleep(time.Duration(rng.ExpFloat64() * float64(time.Second) / 8))
			p, takes := rs.pools[rng.IntN(3)], time.Duration(rng.ExpFloat64()*2*float64(time.Second))
			wg.Go(func() {
				l, err := p.Acquire(context.Background(), &pool.Request{Model: "m", MaxWait: 3 * time.Second})
				if err != nil {
					return
				}
				n := underWay.Add(1)
				for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
				}
				time.Sleep(takes)
				underWay.Add(-1)
				l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
			})
		}
		wg.Wait()
		perSecond := float64(m.Operations()-began) / 190
		t.Logf("most %d at once, %.0f operations a second", most.Load(), perSecond)
		if most.Load() > 10 || perSecond > 100 {
			t.Errorf("%d calls at once with a limit of 10, %.0f operations a second", most.Load(), perSecond)
		}
	})
}

// A large burst is not spread out: it waits for credit alone.
func TestLargeBurstStaysInItsTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		cfg := known(2, pool.Limit{RPM: 1200})
		cfg.Projects[1].Priority = 1
		rs := newReplicas(t, 1, cfg, func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		for range 4 {
			var wg sync.WaitGroup
			for range 60 {
				wg.Go(func() { rs.call(rs.pools[0], 1, 200*time.Millisecond, -1) })
			}
			wg.Wait()
			time.Sleep(3 * time.Second)
		}
		if rs.failed > 0 || len(rs.sent["p0"]) != 240 {
			t.Errorf("%d calls failed, %d of 240 went to the first tier", rs.failed, len(rs.sent["p0"]))
		}
	})
}

// Replicas do not find their store again at one time. Who is back first knows that the others were
// at work meanwhile, whether the store still knows them or not.
func TestReplicasThatComeBackOneByOneBreakNoLimit(t *testing.T) {
	gone := store.Fault{Err: errors.New("the store is gone")}
	for _, test := range []struct {
		name  string
		lasts time.Duration
		empty bool
	}{
		{"as it was, after half a minute", 30 * time.Second, false},
		{"as it was, after two minutes", 2 * time.Minute, false},
		{"empty, after half a minute", 30 * time.Second, true},
		{"empty, after two minutes", 2 * time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := store.NewMemory(time.Millisecond)
				var ways []*store.Replica
				rs := newReplicas(t, 4, known(2, pool.Limit{RPM: 60}), func(int) store.Store {
					ways = append(ways, m.Replica())
					return ways[len(ways)-1]
				})
				begins := 90 * time.Second
				for i, w := range ways {
					time.AfterFunc(begins, func() { w.SetFault(gone) })
					if i > 0 { // the first is back 4 s before the others
						time.AfterFunc(begins+test.lasts+4*time.Second, func() { w.SetFault(store.Fault{}) })
					}
				}
				time.AfterFunc(begins+test.lasts, func() {
					if test.empty {
						m.Flush()
					}
					ways[0].SetFault(store.Fault{})
				})
				start := time.Now()
				rs.offer(rand.New(rand.NewPCG(2, 4)), 3, begins+test.lasts+3*time.Minute, time.Second, 10*time.Second)
				after := rs.between(start, begins+test.lasts+20*time.Second, begins+test.lasts+140*time.Second)
				t.Logf("served %d, most %d in a minute, %d in two minutes after", rs.served, rs.most(), after)
				if most := rs.most(); most > 62 {
					t.Errorf("a project was sent %d calls in one minute, its limit is 60", most)
				}
				if after < 228 {
					t.Errorf("%d calls were served in two minutes after, want 228 of 240", after)
				}
			})
		})
	}
}

// A member that is back beats before it has reported what it used while the store was away. Until then
// its part is kept for it.
func TestAMemberThatIsBackIsWaitedForUntilItReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		way := m.Replica()
		rs := newReplicas(t, 1, known(1, pool.Limit{RPM: 60}), func(int) store.Store { return way })
		beat := func() {
			if _, err := m.Beat(t.Context(), "other", false); err != nil {
				t.Error(err)
			}
		}
		for range 30 {
			beat()
			time.Sleep(time.Second)
		}
		way.SetFault(store.Fault{Err: errors.New("the store is gone")})
		time.Sleep(2 * time.Minute)
		way.SetFault(store.Fault{})
		time.Sleep(4 * time.Second)
		all := func(wait time.Duration) {
			var wg sync.WaitGroup
			for range 70 {
				wg.Go(func() { rs.call(rs.pools[0], 1, 0, wait) })
			}
			wg.Wait()
		}
		beat()
		if all(1500 * time.Millisecond); rs.served > 33 {
			t.Errorf("%d of 60 calls went before the other could report, want its part to be left", rs.served)
		}
		for range 3 {
			beat()
			time.Sleep(time.Second)
		}
		if all(2 * time.Second); rs.served < 55 {
			t.Errorf("%d of 60 calls went, though the other has used nothing", rs.served)
		}
	})
}
