package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// renewed is a project whose order of 5 GSUs ends three hours after the bubble begins, when one of
// another size follows. They stand in the file in either order.
func renewed(gsus int, reversed bool) pool.Config {
	v := keyless("v", "eu")
	v.Provisioned = []pool.Order{
		{Model: flash, Location: "eu", GSUs: 5, Until: bubbleStart.Add(3 * time.Hour)},
		{Model: flash, Location: "eu", GSUs: gsus, From: bubbleStart.Add(3 * time.Hour)},
	}
	if reversed {
		slices.Reverse(v.Provisioned)
	}
	return pool.Config{Projects: []pool.Project{v}}
}

// order returns what Stat shows of the order, of which it must show one.
func (b *bed) order() pool.EndpointStat {
	b.t.Helper()
	var found []pool.EndpointStat
	for _, e := range b.pool.Stat(time.Now()).Endpoints {
		if e.Order != nil {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		b.t.Fatalf("Stat shows %d orders", len(found))
	}
	return found[0]
}

func TestAnOrderFollowsAnotherWithoutAReload(t *testing.T) {
	for _, reversed := range []bool{false, true} {
		inBubble(t, renewed(10, reversed), func(t *testing.T, b *bed) {
			if got := b.goes(); got != pool.TrafficProvisioned {
				t.Fatalf("the first order serves nothing: the call went %s", got)
			}
			was := b.order()
			time.Sleep(3*time.Hour - 2*time.Second)
			b.goes()
			running := b.acquire(&pool.Request{Model: flash, Estimate: pool.Estimate{Input: 1000, Output: 100}})
			used := b.order().Order.Used
			time.Sleep(2 * time.Second)
			now := b.order()
			if now.Order.TokensPerSecond != 2*was.Order.TokensPerSecond {
				t.Errorf("the order has %v tokens a second, want twice the %v before", now.Order.TokensPerSecond, was.Order.TokensPerSecond)
			}
			if now.Order.Used != used || now.Order.ServedCount != 2 || now.Calls != 1 {
				t.Errorf("of %v tokens and 2 calls before, and one under way, it knows %v, %d and %d", used, now.Order.Used, now.Order.ServedCount, now.Calls)
			}
			if now.Why != "" {
				t.Errorf("the order cannot be asked: %s", now.Why)
			}
			running.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000, Output: 100}})
			if got := b.goes(); got != pool.TrafficProvisioned {
				t.Errorf("the second order serves nothing: the call went %s", got)
			}
			cost := b.order()
			if cost.Order.ServedCount != 4 || cost.Calls != 0 || cost.SpilledTokenCount != 0 {
				t.Errorf("the order says %+v", cost)
			}
			// The first order may leave the file now, or later.
			after := renewed(10, reversed)
			after.Projects[0].Provisioned = slices.DeleteFunc(after.Projects[0].Provisioned, func(o pool.Order) bool { return o.GSUs == 5 })
			b.reload(time.Now(), after)
			if again := b.order(); *again.Order != *cost.Order {
				t.Errorf("after a reload without the first order it says %+v, want %+v", again.Order, cost.Order)
			}
		})
	}
}

func TestAnOrderMayBeRenewedByAReload(t *testing.T) {
	cfg := renewed(10, false)
	next := cfg.Projects[0].Provisioned[1]
	cfg.Projects[0].Provisioned = cfg.Projects[0].Provisioned[:1]
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		time.Sleep(3*time.Hour - time.Second)
		b.goes()
		used := b.order().Order.Used
		time.Sleep(time.Second)
		after := renewed(10, false)
		after.Projects[0].Provisioned = []pool.Order{next}
		b.reload(time.Now(), after)
		if e := b.order(); e.Order.Used != used || e.Order.ServedCount != 1 {
			t.Errorf("of the order before it knows %+v", e.Order)
		}
	})
}

// A pool may be made after the change: nothing of its orders is older than itself.
func TestAPoolThatIsMadeAfterTheChangeKnowsTheOrderInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30 * time.Hour)
		b := newBed(t, renewed(10, false))
		b.goes()
		if e := b.order(); e.Why != "" || e.Order.TokensPerSecond != 26_900 || e.Order.ServedCount != 1 {
			t.Errorf("it says %+v, and %s", e.Order, e.Why)
		}
		if plan := b.pool.Plan(&pool.Request{Model: flash}); len(plan.Tiers[0]) != 1 || plan.Tiers[0][0].Order.GSUs != 10 {
			t.Errorf("a plan has %+v", plan.Tiers[0])
		}
	})
}

// An order that was bought again unchanged is the same.
func TestARenewalOfTheSameSizeChangesNothing(t *testing.T) {
	inBubble(t, renewed(5, true), func(t *testing.T, b *bed) {
		time.Sleep(3*time.Hour - time.Second)
		b.goes()
		before := b.order()
		time.Sleep(time.Second)
		if after := b.order(); *after.Order != *before.Order || after.Why != "" {
			t.Errorf("it says %+v, want %+v", after, before)
		}
	})
}

// What is said of the order is said once, of the one that it is about.
func TestOneOfTheOrdersSpeaks(t *testing.T) {
	cfg := renewed(10, false)
	cfg.Projects[0].Provisioned[1].From = bubbleStart.Add(5 * time.Hour)
	cfg.Projects[0].Provisioned[1].Until = bubbleStart.Add(6 * time.Hour)
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		for _, step := range []struct {
			at    time.Duration
			why   string
			gsus  []int // that a plan has
			cause string
		}{
			{0, "", []int{5, 10}, ""},
			{4 * time.Hour, "the order begins in 1h, at 2000-01-01T05:00:00.000Z", []int{10}, "order_not_begun"},
			{5 * time.Hour, "", []int{10}, ""},
			{7 * time.Hour, "the order ended 1h ago, at 2000-01-01T06:00:00.000Z", []int{10}, "order_ended"},
		} {
			time.Sleep(time.Until(bubbleStart.Add(step.at)))
			b.goes()
			if e := b.order(); e.Why != step.why {
				t.Errorf("after %v: Stat says %q, want %q", step.at, e.Why, step.why)
			}
			var gsus []int
			plan := b.pool.Plan(&pool.Request{Model: flash})
			for _, tier := range plan.Tiers {
				for _, e := range tier {
					if e.Order != nil {
						gsus = append(gsus, e.Order.GSUs)
					}
				}
			}
			if !slices.Equal(gsus, step.gsus) {
				t.Errorf("after %v: a plan has orders of %v GSUs, want %v", step.at, gsus, step.gsus)
			}
			why, cause, _ := b.why()
			if why != step.why || cause != step.cause {
				t.Errorf("after %v: a plan says %q (%s)", step.at, why, cause)
			}
			_, err := b.pool.Acquire(context.Background(), &pool.Request{Model: flash, Locations: []string{"mars"}})
			e, ok := errors.AsType[*pool.ExhaustedError](err)
			if !ok || len(e.Reasons) != 2 {
				t.Errorf("after %v: a call that nothing serves hears %v", step.at, err)
			}
		}
		e := b.order()
		if e.RefusedCount != 4 {
			t.Errorf("the order counts %d refused calls, want each once", e.RefusedCount)
		}
	})
}

// hearing hears of orders that begin and end.
type hearing struct {
	mu   sync.Mutex
	list []pool.Event
}

// bed makes a pool that tells it.
func (h *hearing) bed(t *testing.T, cfg pool.Config) *bed {
	t.Helper()
	p, err := pool.New(cfg, func(e pool.Event) {
		if e.Kind == pool.OrderBegan || e.Kind == pool.OrderEnded {
			h.mu.Lock()
			h.list = append(h.list, e)
			h.mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return &bed{t: t, start: time.Now(), pool: p}
}

// all returns what was heard, and how long after the bubble began.
func (h *hearing) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, e := range h.list {
		all = append(all, string(e.Kind)+" "+e.At.Sub(bubbleStart).String())
	}
	return strings.Join(all, ",")
}

func TestARenewalIsOneEvent(t *testing.T) {
	for _, reversed := range []bool{false, true} {
		var heard hearing
		cfg := renewed(10, reversed)
		i := slices.IndexFunc(cfg.Projects[0].Provisioned, func(o pool.Order) bool { return o.GSUs == 10 })
		cfg.Projects[0].Provisioned[i].Until = bubbleStart.Add(4 * time.Hour)
		cfg.Projects[0].Provisioned = append(cfg.Projects[0].Provisioned,
			pool.Order{Model: flash, Location: "eu", GSUs: 1, From: bubbleStart.Add(5 * time.Hour)})
		synctest.Test(t, func(t *testing.T) {
			b := heard.bed(t, cfg)
			time.Sleep(24 * time.Hour)
			b.pool.Close()
		})
		if want := "order_began 3h0m0s,order_ended 4h0m0s,order_began 5h0m0s"; heard.all() != want {
			t.Errorf("heard %v, want %v", heard.all(), want)
		}
	}
}

func TestOrdersThatFollowMayOverflowDifferently(t *testing.T) {
	cfg := renewed(10, false)
	cfg.Projects[0].Provisioned[1].Overflow = pool.OverflowVertex
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		first := b.acquire(&pool.Request{Model: flash})
		time.Sleep(3 * time.Hour)
		second := b.acquire(&pool.Request{Model: flash})
		if first.Endpoint().Overflow != pool.OverflowRouter || second.Endpoint().Overflow != pool.OverflowVertex {
			t.Errorf("the calls overflow by %s and %s", first.Endpoint().Overflow, second.Endpoint().Overflow)
		}
		first.Release(time.Now())
		second.Settle(time.Now(), pool.Outcome{Class: pool.ClassContention})
		if e := b.order(); e.Pacing == nil || e.Pacing.RejectedCount != 1 {
			t.Errorf("an order whose overflow Vertex AI routes is not paced after contention: %+v", e.Pacing)
		}
		b.reload(time.Now(), renewed(10, false))
		if e := b.order(); e.Pacing != nil {
			t.Errorf("an order whose overflow the router routes is paced: %+v", e.Pacing)
		}
	})
}

// A call that waits for the order in force goes to the next one as soon as that is in force.
func TestACallThatWaitsGoesToTheNextOrder(t *testing.T) {
	v := keyless("v", "eu")
	change := bubbleStart.Add(30 * time.Second)
	v.Provisioned = []pool.Order{
		{Model: flash, Location: "eu", TokensPerSecond: 100, Window: time.Minute, Until: change},
		{Model: flash, Location: "eu", TokensPerSecond: 300, Window: time.Minute, From: change},
	}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		only := pool.Request{
			Model: flash, Traffic: pool.TrafficProvisioned, MaxWait: time.Hour, Estimate: pool.Estimate{Input: 6000, NoOutput: true},
		}
		first := only
		b.acquire(&first).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 6000}})
		second := only
		b.acquire(&second)
		if late := time.Since(change); late < 0 || late > 10*time.Millisecond {
			t.Errorf("the call went %v after the change", late)
		}
	})
}

// A session that began on the order before is charged to the one in force while it goes on.
func TestASessionOutlivesItsOrder(t *testing.T) {
	inBubble(t, renewed(10, false), func(t *testing.T, b *bed) {
		time.Sleep(3*time.Hour - time.Minute)
		l := b.acquire(&pool.Request{Model: flash})
		spent := func(n int64) {
			l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Evidence: pool.Evidence{Running: true}, Counted: true, Usage: quota.Usage{Input: n}})
		}
		spent(500)
		time.Sleep(10 * time.Minute)
		b.goes() // the next order is in use
		before := b.order().Order.Used
		spent(1500)
		if after := b.order().Order.Used; after != before+1000 {
			t.Errorf("%v tokens are used after a thousand more, and %v before", after, before)
		}
		l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1700}})
		if e := b.order(); e.Calls != 0 || e.Order.Used != before+1000 { // the rest belongs to when it began
			t.Errorf("at its end %v tokens are used, and %d calls are under way", e.Order.Used, e.Calls)
		}
	})
}

// However calls lie beside the change, each counts once.
func TestNoCallIsLostOrCountedTwiceAtTheChange(t *testing.T) {
	cfg := renewed(100, false)
	for i := range cfg.Projects[0].Provisioned {
		cfg.Projects[0].Provisioned[i].TokensPerSecond, cfg.Projects[0].Provisioned[i].Window = 1e6*float64(i+1), time.Minute
	}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		time.Sleep(3*time.Hour - time.Second)
		const callers, calls = 40, 50
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() {
				for k := range calls {
					l := b.acquire(&pool.Request{Model: flash, Estimate: pool.Estimate{Input: 900, Output: 100}})
					time.Sleep(time.Duration(i*7+k) * time.Millisecond / 5)
					l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000}})
				}
			})
		}
		wait.Wait()
		e := b.order()
		if time.Since(bubbleStart) < 3*time.Hour+time.Second {
			t.Fatal("the calls do not reach beyond the change")
		}
		if want := int64(callers * calls); e.Order.ServedCount != want || e.Order.Used != float64(want)*1000 || e.Calls != 0 {
			t.Errorf("of %d calls it counts %d, %v tokens, and %d under way", want, e.Order.ServedCount, e.Order.Used, e.Calls)
		}
	})
}
