package pool_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// gossip is a store that keeps what it is told.
type gossip struct {
	store.Store
	mu    sync.Mutex
	facts []store.Fact
}

func (s *gossip) Publish(ctx context.Context, facts []store.Fact) (time.Time, error) {
	s.mu.Lock()
	s.facts = append(s.facts, facts...)
	s.mu.Unlock()
	return s.Store.Publish(ctx, facts)
}

// fleetOf makes n replicas over one Memory and waits until they have heard of each other.
func fleetOf(t *testing.T, n int, cfg pool.Config) (*replicas, *gossip) {
	t.Helper()
	s := &gossip{Store: store.NewMemory(time.Millisecond)}
	rs := newReplicas(t, n, cfg, func(int) store.Store { return s })
	time.Sleep(4 * time.Second)
	return rs, s
}

// ask makes a call at one replica that gets an answer, and reports whether it was sent.
func ask(p *pool.Pool, o pool.Outcome) bool {
	l, err := p.Acquire(context.Background(), &pool.Request{Model: "m", MaxWait: -1})
	if err != nil {
		return false
	}
	time.Sleep(100 * time.Millisecond)
	l.Settle(time.Now(), o)
	return true
}

func TestDeadKeyIsFoundOnceInAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, s := fleetOf(t, 16, known(1, pool.Limit{}))
		dead := pool.Outcome{Class: pool.ClassKeyDead, Message: "API key not valid: prompt text", Answer: &pool.Answer{Status: 400, Body: []byte("answer body")}}
		sent := 0
		for i := range 160 {
			if ask(rs.pools[i%16], dead) {
				sent++
			}
			time.Sleep(10 * time.Millisecond)
		}
		if sent > 3 {
			t.Errorf("%d calls were sent with a dead key, want 3 at most", sent)
		}
		// Then it is probed by one at a time, the more seldom the longer it is dead.
		var mu sync.Mutex
		var underWay, most, probes int
		var wg sync.WaitGroup
		for range 400 {
			for _, p := range rs.pools {
				wg.Go(func() {
					l, err := p.Acquire(context.Background(), &pool.Request{Model: "m", MaxWait: -1})
					if err != nil {
						return
					}
					mu.Lock()
					probes++
					underWay++
					most = max(most, underWay)
					mu.Unlock()
					time.Sleep(300 * time.Millisecond)
					l.Settle(time.Now(), dead)
					mu.Lock()
					underWay--
					mu.Unlock()
				})
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
		t.Logf("%d probes", probes)
		if most > 1 || probes == 0 || probes > 8 {
			t.Errorf("%d probes in 400 s, %d at once; want few, one at a time", probes, most)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, f := range s.facts {
			text := f.Key.Name + string(f.Value)
			for _, secret := range []string{"key-p0", "prompt", "answer", "not valid"} {
				if strings.Contains(text, secret) {
					t.Errorf("the store is told %q", text)
				}
			}
			if f.Key.Kind == store.KindCooldown && len(f.Value) > 0 && !json.Valid(f.Value) {
				t.Errorf("%q is no JSON", f.Value)
			}
		}
	})
}

func TestSuccessEndsACooldownForTheFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, _ := fleetOf(t, 4, known(1, pool.Limit{}))
		began, err := rs.pools[1].Acquire(context.Background(), &pool.Request{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if !ask(rs.pools[0], pool.Outcome{Class: pool.ClassProjectMisconfigured}) {
			t.Fatal("not sent")
		}
		time.Sleep(20 * time.Millisecond)
		// An answer to a call that began before ends nothing.
		began.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
		time.Sleep(20 * time.Millisecond)
		cooled := func(p *pool.Pool) bool { return p.Stat(time.Now()).Projects[0].Cooldown.Class != "" }
		for i, p := range rs.pools {
			if !cooled(p) {
				t.Fatalf("replica %d has no cooldown", i)
			}
		}
		served := false
		for range 600 {
			if served = ask(rs.pools[2], pool.Outcome{Class: pool.ClassOK}); served {
				break
			}
			time.Sleep(time.Second)
		}
		time.Sleep(20 * time.Millisecond)
		for i, p := range rs.pools {
			if !served || cooled(p) {
				t.Errorf("replica %d has a cooldown after a success of another: %v", i, p.Stat(time.Now()).Projects[0].Cooldown)
			}
		}
	})
}

// A replica that starts late, and a fleet whose clocks differ from the store's, know the same.
func TestLateReplicaHearsOfCooldownsAndLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory(time.Millisecond)
		m.SetClock(30 * time.Second)
		rs := newReplicas(t, 2, known(1, pool.Limit{}), func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		ask(rs.pools[0], pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 40 * time.Second, Quota: "id", Stated: quota.Limits{RPM: 7}})
		time.Sleep(10 * time.Second)
		cfg := rs.cfg
		cfg.Store = m
		late, err := pool.New(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		time.Sleep(100 * time.Millisecond)
		if ask(late, pool.Outcome{}) {
			t.Error("the late replica sent a call")
		}
		for i, p := range []*pool.Pool{rs.pools[0], rs.pools[1], late} {
			e := p.Stat(time.Now()).Endpoints
			if len(e) == 0 || e[0].Cooldown.Class != pool.ClassMinuteQuota || e[0].Learned.RPM != 7 {
				t.Fatalf("replica %d knows %+v", i, e)
			}
			if left := time.Until(e[0].Cooldown.Until); left < 29*time.Second || left > 35*time.Second {
				t.Errorf("replica %d: %v are left of a cooldown of 40 s after 10 s", i, left)
			}
		}
	})
}

func TestFleetKnowsWhereResourcesLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, s := fleetOf(t, 2, known(2, pool.Limit{}))
		home := pool.Home{Project: "p1", Location: "global"}
		rs.pools[0].Own("files/secret-name", home)
		time.Sleep(10 * time.Millisecond)
		if h, ok := rs.pools[1].FindOwner(t.Context(), "files/secret-name"); !ok || h != home {
			t.Errorf("found %v %v", h, ok)
		}
		if h, known, _ := rs.pools[1].Owner(time.Now(), "files/secret-name"); !known || h != home {
			t.Errorf("it is not remembered: %v %v", h, known)
		}
		if _, ok := rs.pools[1].FindOwner(t.Context(), "files/other"); ok {
			t.Error("found what no one told of")
		}
		rs.pools[0].Own("files/secret-name", pool.Home{})
		time.Sleep(10 * time.Millisecond)
		if h, ok := rs.pools[1].FindOwner(t.Context(), "files/secret-name"); ok {
			t.Errorf("found %v after it has gone", h)
		}
		for _, f := range s.facts {
			if strings.Contains(f.Key.Name, "secret") {
				t.Errorf("the store is told the name: %v", f.Key)
			}
		}
	})
}
