package router_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestNoCallFailsOrIsSentTwiceForAReload keeps many calls under way, some of them waiting for a
// project's minute, while projects, keys, limits and settings change over and over.
func TestNoCallFailsOrIsSentTwiceForAReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []project
		const rpm = 600
		for i := range 4 {
			name := fmt.Sprintf("p%d", i)
			p := keyed(name, name+"-first", name+"-second")
			p.google.Limits, p.pool.Limits = []geminitest.Limit{{RPM: rpm}}, []pool.Limit{{RPM: rpm}}
			all = append(all, p)
		}
		b := setup{
			google: geminitest.Config{Latency: geminitest.Latency{FirstToken: 700 * time.Millisecond}}, router: router.Config{MaxWait: time.Hour},
		}.bed(t, all...)
		client := b.client(t)

		var calls, failed atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for i := range 50 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					calls.Add(1)
					if _, err := ask(context.Background(), client, flash); err != nil && failed.Add(1) == 1 {
						t.Errorf("call %d of caller %d fails: %v", n, i, err)
					}
				}
			})
		}
		for round := range 100 {
			time.Sleep(time.Duration(300+37*round%900) * time.Millisecond)
			cfg := poolOf(all[0], all[1+round%3]) // the first stays, the others come and go
			switch round % 4 {
			case 1:
				cfg.Projects[0].Keys = cfg.Projects[0].Keys[1:]
			case 2:
				cfg.Breaker.Failures = 3 + round%5
			case 3:
				cfg.Projects[1].Weight = 2
			}
			if err := b.router.Reload(cfg, router.Config{MaxWait: time.Hour, MaxAttempts: 2 + round%3}); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		wg.Wait()
		if got, want := b.Count(geminitest.Match{}), int(calls.Load()); got != want {
			t.Errorf("%d requests for %d calls", got, want)
		}
		for _, e := range b.router.Stat().Endpoints {
			if e.Calls != 0 || e.Tokens != 0 {
				t.Errorf("%s still carries %d calls", e.Endpoint, e.Calls)
			}
		}
	})
}

// A call that waits for a project with nothing left goes to one that a reload brings, at once.
func TestWaitingCallGoesToWhatAReloadBrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := keyed("a", "key-a"), keyed("b", "key-b")
		pa.google.Limits, pa.pool.Limits = []geminitest.Limit{{RPM: 1}}, []pool.Limit{{RPM: 1}}
		b := setup{router: router.Config{MaxWait: 2 * time.Minute}}.over(t, googleOf(geminitest.Config{}, pa, pb), pa)
		client := b.client(t)
		if _, err := ask(context.Background(), client, flash); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		done := make(chan string)
		go func() {
			resp, err := ask(context.Background(), client, flash)
			if err != nil {
				t.Error(err)
				close(done)
				return
			}
			done <- endpoint(resp)
		}()
		time.Sleep(5 * time.Second)
		if err := b.router.Reload(poolOf(pa, pb), router.Config{}); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got != "b/global/on_demand" || time.Since(began) > 6*time.Second {
			t.Errorf("the call went to %q after %v", got, time.Since(began))
		}
	})
}

// A call that is under way on a project that is taken away ends there.
func TestCallOnARemovedProjectEndsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := keyed("a", "key-a"), keyed("b", "key-b")
		google := googleOf(geminitest.Config{Latency: geminitest.Latency{FirstToken: 10 * time.Second}}, pa, pb)
		b := setup{}.over(t, google, pa)
		client := b.client(t)
		done := make(chan string)
		go func() {
			resp, err := ask(context.Background(), client, flash)
			if err != nil {
				t.Error(err)
				close(done)
				return
			}
			done <- endpoint(resp)
		}()
		time.Sleep(time.Second)
		if err := b.router.Reload(poolOf(pb), router.Config{}); err != nil {
			t.Fatal(err)
		}
		if resp, err := ask(context.Background(), client, flash); err != nil || endpoint(resp) != "b/global/on_demand" {
			t.Errorf("a later call goes to %v, %v", resp, err)
		}
		if got := <-done; got != "a/global/on_demand" {
			t.Errorf("the call ended on %q", got)
		}
	})
}

func TestReloadRefusesWhatCannotBe(t *testing.T) {
	pa := keyed("a", "key-a")
	pv := vertexed("v", "global")
	b := setup{}.bed(t, pa)
	err := b.router.Reload(poolOf(pv), router.Config{})
	const want = `router: the new configuration makes clients speak "vertex", but the present clients speak "gemini": ` +
		`write backend = "gemini" under [router], or make a new client`
	if err == nil || err.Error() != want {
		t.Errorf("another dialect: %v\nwant %s", err, want)
	}
	if err := b.router.Reload(pool.Config{}, router.Config{}); err == nil {
		t.Error("a pool without projects is taken")
	}
	if err := b.router.Reload(poolOf(pa), router.Config{MaxAttempts: -1}); err == nil {
		t.Error("negative attempts are taken")
	}
	if got := slices.Concat(b.router.Plan(flash).Tiers...); len(got) != 1 || got[0].Name != "a/global/on_demand" {
		t.Errorf("after all that the plan is %v", got)
	}
	if err := b.router.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.router.Reload(poolOf(pa), router.Config{}); err == nil || err.Error() != "router: closed" {
		t.Errorf("after Close: %v", err)
	}
}
