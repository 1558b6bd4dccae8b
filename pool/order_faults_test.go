package pool_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// bought is a project with an order of a thousand tokens a second, whose window is known.
func bought() pool.Config {
	v := keyless("v", "global", "eu")
	v.Provisioned = []pool.Order{{
		Model: flash, Location: "global", TokensPerSecond: 1_000, Window: 10 * time.Second, Burndown: &quota.Burndown{Output: 1, Cached: 1},
	}}
	return pool.Config{Projects: []pool.Project{v}}
}

const boughtOrder = "order:v/global/" + flash

func failed(status int, ids ...string) pool.Outcome {
	return pool.Outcome{
		Class: pool.ClassServerFault, Message: "Internal error encountered.",
		Answer: &pool.Answer{Status: status, Body: []byte(`{}`), IDs: ids},
	}
}

func TestWhatAnOrderFailsToServeIsKept(t *testing.T) {
	inBubble(t, bought(), func(t *testing.T, b *bed) {
		order := b.candidate(flash, "v/global/provisioned")
		running := b.leaseFor(time.Now(), order, pool.Need{Input: 4_000})
		l := b.leaseFor(time.Now(), order, pool.Need{Input: 1_000})
		time.Sleep(300 * time.Millisecond)
		l.Settle(time.Now(), failed(503, "x-request-id=1"))
		time.Sleep(10 * time.Second)
		running.Release(time.Now())
		b.answer(time.Now(), order, failed(500))
		want := map[string][]quota.Fault{boughtOrder: {
			{
				At: b.start.Add(300 * time.Millisecond), Latency: 300 * time.Millisecond, Status: 503, Model: flash, Use: 0.5,
				IDs: []string{"x-request-id=1"},
			},
			{At: b.start.Add(10*time.Second + 300*time.Millisecond), Status: 500, Model: flash, Use: 0.02},
		}}
		if diff := cmp.Diff(want, b.pool.OrderFaults()); diff != "" {
			t.Errorf("kept is (-want +got):\n%s", diff)
		}
		if s := b.endpoint(time.Now(), order, flash).Faults; s.BelowCount != 2 || s.AboveCount != 0 || !s.BelowLast.Equal(want[boughtOrder][1].At) {
			t.Errorf("Stat counts %+v", s)
		}
	})
}

func TestWhatSaysNothingOfAPurchaseIsNoEvidence(t *testing.T) {
	inBubble(t, bought(), func(t *testing.T, b *bed) {
		order := b.candidate(flash, "v/global/provisioned")
		foreign := failed(502)
		foreign.Foreign = true
		late := failed(504) // within the time that the caller gave to Google, which was too short
		late.Class = pool.ClassCallerFault
		for _, o := range []pool.Outcome{
			{Class: pool.ClassOK}, failed(429), failed(400), foreign, late,
			{Class: pool.ClassTransport}, // no answer came
			{Class: pool.ClassTransport, Evidence: pool.Evidence{Unsent: true}},
		} {
			b.answer(time.Now(), order, o)
			time.Sleep(time.Hour)
		}
		b.answer(time.Now(), b.candidate(flash, "v/eu/on_demand"), failed(503)) // no order's
		if all := b.pool.OrderFaults(); len(all) > 0 {
			t.Errorf("kept is %v", all)
		}
	})
}

func TestTheEvidenceOutlivesAReloadAndANewPurchase(t *testing.T) {
	inBubble(t, bought(), func(t *testing.T, b *bed) {
		b.answer(time.Now(), b.candidate(flash, "v/global/provisioned"), failed(503))
		larger := bought()
		larger.Projects[0].Provisioned[0].TokensPerSecond = 2_000
		for _, cfg := range []pool.Config{bought(), larger, {Projects: []pool.Project{keyless("other")}}, larger} {
			b.reload(time.Now(), cfg)
			if n := len(b.pool.OrderFaults()[boughtOrder]); n != 1 {
				t.Errorf("%d faults are kept, want 1", n)
			}
		}
		b.answer(time.Now(), b.candidate(flash, "v/global/provisioned"), failed(503))
		if n := len(b.pool.OrderFaults()[boughtOrder]); n != 2 {
			t.Errorf("%d faults are kept, want 2", n)
		}
	})
}

func TestFaultsBelowAPurchaseAreToldAtOnceThenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex // timers tell, too
		var heard []string
		cfg := bought()
		cfg.Breaker.Failures = 1_000_000
		cfg.Breaker.MinCalls = 1_000_000
		p, err := pool.New(cfg, func(e pool.Event) {
			if e.Kind == pool.OrderBelowPurchase {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, fmt.Sprintf("%v %s %d of %d %.2f %s", e.At.Sub(start), e.Subject, e.Calls, e.Of, e.Share, e.Message))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		b := &bed{t: t, pool: p, start: start}
		order := b.candidate(flash, "v/global/provisioned")
		for range 19 { // over two minutes
			b.answer(time.Now(), order, failed(503))
			time.Sleep(7 * time.Second)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		const told = " " + boughtOrder + " %d of %d 0.02 Internal error encountered."
		want := []string{
			"0s" + fmt.Sprintf(told, 1, 1), "1m0s" + fmt.Sprintf(told, 8, 8), "2m0s" + fmt.Sprintf(told, 9, 9),
			"3m0s" + fmt.Sprintf(told, 1, 1),
		}
		if diff := cmp.Diff(want, heard); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestTheLogSaysWhatToDoAboutFaultsBelowAPurchase(t *testing.T) {
	inBubble(t, bought(), func(t *testing.T, b *bed) {
		b.answer(time.Now(), b.candidate(flash, "v/global/provisioned"), failed(503))
		lines := b.lines()
		if len(lines) != 1 || lines[0]["level"] != "WARN" || lines[0]["subject"] != boughtOrder || lines[0]["calls"] != 1.0 ||
			lines[0]["msg"] != "spillway: a provisioned order failed calls within its purchase" ||
			lines[0]["page"] != "https://cloud.google.com/vertex-ai/generative-ai/sla" ||
			!strings.Contains(lines[0]["remedy"].(string), "save what `spillway sla` shows, and claim it") {
			t.Errorf("logged is %v", lines)
		}
	})
}

// With a store the purchase is used by all: what one replica alone uses is no evidence.
func TestInAFleetTheUseIsOfAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, bought(), func(int) store.Store { return s })
		time.Sleep(5 * time.Second)
		take := func(i int, tokens int64) pool.Lease {
			t.Helper()
			l, err := rs.pools[i].Acquire(t.Context(), &pool.Request{
				Model: flash, Traffic: pool.TrafficProvisioned, Estimate: pool.Estimate{Input: tokens, NoOutput: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := take(0, 6_000)
		time.Sleep(3 * time.Second) // the other hears of it
		take(1, 1_000).Settle(time.Now(), failed(503))
		l.Release(time.Now())
		f := rs.pools[1].OrderFaults()[boughtOrder]
		if len(f) != 1 || f[0].Use < 0.69 || f[0].Use > 0.71 {
			t.Errorf("kept is %+v, want a use of 0.7", f)
		}
	})
}
