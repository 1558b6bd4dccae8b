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
	"github.com/spillway-go/spillway/store"
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

// What an order has not got room for before it ends, it never has.
func TestNoCallWaitsForAnOrderPastItsEnd(t *testing.T) {
	v := keyless("v", "eu")
	v.Provisioned = []pool.Order{{
		Model: flash, Location: "eu", TokensPerSecond: 100, Window: time.Minute, Until: bubbleStart.Add(90 * time.Second),
	}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		only := pool.Request{
			Model: flash, Traffic: pool.TrafficProvisioned, MaxWait: time.Hour, Estimate: pool.Estimate{Input: 6000, NoOutput: true},
		}
		time.Sleep(40 * time.Second)
		first := only
		b.acquire(&first).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 6000}})
		second := only
		began := time.Now()
		_, err := b.pool.Acquire(context.Background(), &second)
		if e, ok := errors.AsType[*pool.ExhaustedError](err); !ok || time.Since(began) > 0 || !e.RetryAt.IsZero() {
			t.Errorf("after %v: %v, want to hear at once that the order ends before it has room", time.Since(began), err)
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

// That everything is out until an order begins is remembered, but not longer than it is true.
func TestAnOrderBeginsForAPoolThatIsOut(t *testing.T) {
	cfg := lent() // from one hour on
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		l := b.acquire(&pool.Request{Model: flash})
		l.Settle(time.Now(), pool.Outcome{Class: pool.ClassNoQuota, Answer: &pool.Answer{Status: 429, Body: []byte("{}")}})
		for range 2 {
			_, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash})
			if e, ok := errors.AsType[*pool.ExhaustedError](err); !ok || !e.RetryAt.Equal(bubbleStart.Add(time.Hour)) {
				t.Fatalf("the pool is not out until the order begins: %v", err)
			}
		}
		b.pool.Sleep(2 * time.Hour)
		if got := b.goes(); got != pool.TrafficProvisioned {
			t.Errorf("the call went %s", got)
		}
	})
}

// Timers and instants stand still while a laptop or a virtual machine sleeps. Orders do not.
func TestAnOrderBeginsAndEndsWhileTheMachineSleeps(t *testing.T) {
	cfg := lent() // from one hour on, until three
	cfg.Projects[0].Provisioned[0].From = bubbleStart.Add(5 * time.Hour)
	cfg.Projects[0].Provisioned[0].Until = bubbleStart.Add(10 * time.Hour)
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, cfg)
		for _, step := range []struct {
			sleep time.Duration
			want  pool.Traffic
			cause string
		}{
			{0, pool.TrafficOnDemand, "order_not_begun"}, {4 * time.Hour, pool.TrafficOnDemand, "order_not_begun"},
			{2 * time.Hour, pool.TrafficProvisioned, ""}, {5 * time.Hour, pool.TrafficOnDemand, "order_ended"},
			{-5 * time.Hour, pool.TrafficProvisioned, ""}, // the clock was wrong
		} {
			b.pool.Sleep(step.sleep)
			if _, cause, _ := b.why(); cause != step.cause {
				t.Errorf("after a sleep of %v a plan says %q, want %q", step.sleep, cause, step.cause)
			}
			if got := b.goes(); got != step.want {
				t.Errorf("after a sleep of %v the call went %s, want %s", step.sleep, got, step.want)
			}
		}
		b.pool.Close()
	})
}

// Google shows an order that was renewed with its new size.
func TestADiscoveredOrderOfAnotherSizeTakesOverItsWindow(t *testing.T) {
	of := func(gsus int) []pool.Order {
		return []pool.Order{{Model: flash, Location: "global", GSUs: gsus, TokensPerSecond: 2690 * float64(gsus)}}
	}
	google := orderOfV(of(10)...)
	discovering(t, google, nil, func(t *testing.T, x *explored) {
		google.set(func(g *googleHas) { g.has["v"] = pool.Project{Provisioned: of(5)} })
		stat := func() (l quota.LedgerStat) {
			for _, e := range x.pool.Stat(time.Now()).Endpoints {
				if e.Order != nil {
					l = *e.Order
				}
			}
			return l
		}
		var before, after quota.LedgerStat
		for range 2 * 3600 { // a call each second, until it is seen
			before = stat()
			x.acquire(&pool.Request{Model: flash}).Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000}})
			time.Sleep(time.Second)
			if after = stat(); before.TokensPerSecond > 0 && after.TokensPerSecond != before.TokensPerSecond {
				break
			}
		}
		if after.TokensPerSecond != before.TokensPerSecond/2 || after.Used < before.Used*0.9 || after.ServedCount <= before.ServedCount {
			t.Errorf("of another size it begins with %+v, want what is used of it: %+v", after, before)
		}
	})
}

// What Google shows of an order that by the file is over, or yet to come, is not used: the file wins.
// But it is told.
func TestGoogleShowsAnOrderThatIsNotInForce(t *testing.T) {
	day := 24 * time.Hour
	for _, test := range []struct {
		name        string
		from, until time.Duration // of the declared order, from now on; zero is none
		shown       []string
		want        string
	}{
		{"ended", 0, -day, []string{flash}, "it ended at"},
		{"ended an hour ago", 0, -time.Hour, []string{flash}, ""},
		{"to begin", day, 0, []string{flash}, "it begins at"},
		{"in force", -day, day, []string{flash}, ""},
		{"two versions", -day, 0, []string{"gemini-3.5-flash-001", "gemini-3.5-flash-002"}, "another version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var shown []pool.Order
			for _, model := range test.shown {
				shown = append(shown, pool.Order{Model: model, Location: "global", GSUs: 10})
			}
			discovering(t, orderOfV(shown...), func(c *pool.Config) {
				o := pool.Order{Model: flash, Location: "global", GSUs: 3}
				if test.from != 0 {
					o.From = time.Now().Add(test.from)
				}
				if test.until != 0 {
					o.Until = time.Now().Add(test.until)
				}
				c.Projects[1].Provisioned = []pool.Order{o}
			}, func(t *testing.T, x *explored) {
				told := x.take(pool.DiscoveryIncomplete)
				if test.want == "" && len(told) > 0 {
					t.Errorf("told %+v", told)
				}
				if test.want != "" && (len(told) != 1 || !strings.Contains(told[0].Message, test.want) || told[0].Remedy == "") {
					t.Errorf("told %+v, want that %q", told, test.want)
				}
				time.Sleep(3 * time.Hour)
				if test.name == "ended an hour ago" {
					if told := x.take(pool.DiscoveryIncomplete); len(told) != 1 {
						t.Errorf("after hours: told %+v", told)
					}
				}
			})
		})
	}
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
		for from := int64(0); from < 20; from++ { // windows of the second order alone
			sum := 0.0
			for s := from; s < from+10; s++ {
				sum += served[s]
			}
			if capacity := 13_450.0 * 10; sum > capacity*1.02 || from >= 10 && sum < capacity*0.85 {
				t.Errorf("in the 10 s from %d s after the change %v tokens were sent for the order, of %v", from, sum, capacity)
			}
		}
		first := 0.0
		for s := int64(0); s < 5; s++ { // what the first order served is in the window
			first += served[s]
		}
		if first > 13_450*10*0.25 {
			t.Errorf("in the first 5 s after the change %v tokens were sent for an order whose window is full", first)
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
