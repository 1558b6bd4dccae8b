package pool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// bubbleStart is when every bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// lent is a project with an order from one hour after the bubble begins until three hours after.
func lent() pool.Config {
	v := keyless("v", "eu")
	v.Provisioned = []pool.Order{{
		Model: flash, Location: "eu", GSUs: 5, From: bubbleStart.Add(time.Hour), Until: bubbleStart.Add(3 * time.Hour),
	}}
	return pool.Config{Projects: []pool.Project{v}}
}

// goes returns the traffic that serves a call now.
func (b *bed) goes() pool.Traffic {
	b.t.Helper()
	l := b.acquire(&pool.Request{Model: flash, Estimate: pool.Estimate{Input: 100, Output: 10}})
	l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 100, Output: 10}})
	return l.Endpoint().Traffic
}

// why returns the reason and the cause of what keeps calls from the order now.
func (b *bed) why() (why, cause string, until time.Time) {
	b.t.Helper()
	for _, r := range b.pool.Plan(&pool.Request{Model: flash}).Reasons {
		if strings.HasSuffix(r.Endpoint, "/provisioned") {
			return r.Why, r.Cause, r.Until
		}
	}
	return "", "", time.Time{}
}

func TestAnOrderBeginsAndEndsByItself(t *testing.T) {
	inBubble(t, lent(), func(t *testing.T, b *bed) {
		type look struct {
			traffic    pool.Traffic
			why, cause string
			until      time.Time
		}
		see := func() look {
			why, cause, until := b.why()
			return look{b.goes(), why, cause, until}
		}
		begins := look{pool.TrafficOnDemand, "the order begins in 1h, at 2000-01-01T01:00:00.000Z", "order_not_begun", bubbleStart.Add(time.Hour)}
		soon := begins
		soon.why = "the order begins in 1m, at 2000-01-01T01:00:00.000Z"
		ended := look{pool.TrafficOnDemand, "the order ended 0s ago, at 2000-01-01T03:00:00.000Z", "order_ended", time.Time{}}
		later := ended
		later.why = "the order ended 2d ago, at 2000-01-01T03:00:00.000Z"
		for _, step := range []struct {
			at   time.Duration
			want look
		}{
			{0, begins}, {59 * time.Minute, soon}, {time.Hour, look{traffic: pool.TrafficProvisioned}},
			{3*time.Hour - time.Nanosecond, look{traffic: pool.TrafficProvisioned}}, {3 * time.Hour, ended}, {60 * time.Hour, later},
		} {
			time.Sleep(time.Until(bubbleStart.Add(step.at)))
			if got := see(); got != step.want {
				t.Errorf("after %v: %+v, want %+v", step.at, got, step.want)
			}
		}
		e := b.endpoint(time.Now(), b.candidate(flash, "v/eu/provisioned"), flash)
		if e.Order.ServedCount != 2 || e.SpilledTokenCount != 0 {
			t.Errorf("the order served %d calls, want 2, and spilled %d tokens outside of its time", e.Order.ServedCount, e.SpilledTokenCount)
		}
	})
}

func TestACallUnderWayOutlivesItsOrder(t *testing.T) {
	inBubble(t, lent(), func(t *testing.T, b *bed) {
		time.Sleep(3*time.Hour - time.Minute)
		l := b.acquire(&pool.Request{Model: flash})
		time.Sleep(time.Hour)
		l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 10, Output: 1}, Traffic: "PROVISIONED_THROUGHPUT"})
		if e := b.endpoint(time.Now(), b.candidate(flash, "v/eu/provisioned"), flash); e.Calls != 0 || e.Order.ServedCount != 1 {
			t.Errorf("%d calls are under way, and %d were served", e.Calls, e.Order.ServedCount)
		}
	})
}

func TestCallsForOrdersAloneWaitForTheBeginAndForNothingAfterTheEnd(t *testing.T) {
	inBubble(t, lent(), func(t *testing.T, b *bed) {
		only := func() *pool.Request {
			return &pool.Request{Model: flash, Traffic: pool.TrafficProvisioned, MaxWait: 2 * time.Hour}
		}
		l := b.acquire(only())
		if waited := time.Since(bubbleStart); waited < time.Hour || waited > time.Hour+10*time.Millisecond {
			t.Errorf("the call waited for %v, want an hour", waited)
		}
		l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
		time.Sleep(2 * time.Hour)
		began := time.Now()
		_, err := b.pool.Acquire(context.Background(), only())
		e, ok := errors.AsType[*pool.ExhaustedError](err)
		if !ok || !e.RetryAt.IsZero() || time.Since(began) > 0 {
			t.Fatalf("after %v: %v, want to hear at once that nothing will serve it", time.Since(began), err)
		}
		if e.Leading.Cause != "order_ended" {
			t.Errorf("the leading cause is %q", e.Leading.Cause)
		}
	})
}

func TestBeginsAndEndsAreEvents(t *testing.T) {
	var heard hearing
	synctest.Test(t, func(t *testing.T) {
		b := heard.bed(t, lent())
		time.Sleep(90 * time.Minute)
		longer := lent()
		longer.Projects[0].Provisioned[0].Until = bubbleStart.Add(5 * time.Hour)
		b.reload(time.Now(), longer)
		time.Sleep(24 * time.Hour)
		b.pool.Close()
	})
	if want := "order_began 1h0m0s,order_ended 5h0m0s"; heard.all() != want {
		t.Errorf("heard %s, want %s", heard.all(), want)
	}
	for _, e := range heard.list {
		if e.Subject.String() != "order:v/eu/"+flash || (e.Kind == pool.OrderEnded) != (e.Cause == "order_ended" && e.Remedy != "") {
			t.Errorf("an event says %+v", e)
		}
	}
}

func TestAReloadMovesTheEndAndKeepsTheLedger(t *testing.T) {
	inBubble(t, lent(), func(t *testing.T, b *bed) {
		time.Sleep(2 * time.Hour)
		b.goes()
		cfg := lent()
		cfg.Projects[0].Provisioned[0].Until = time.Time{}
		b.reload(time.Now(), cfg)
		time.Sleep(1000 * time.Hour)
		if got := b.goes(); got != pool.TrafficProvisioned {
			t.Errorf("an order without an end serves nothing: the call went %s", got)
		}
		if e := b.endpoint(time.Now(), b.candidate(flash, "v/eu/provisioned"), flash); e.Order.ServedCount != 2 {
			t.Errorf("the ledger knows of %d calls, want 2", e.Order.ServedCount)
		}
		cfg = lent()
		cfg.Projects[0].Provisioned[0].From = time.Now().Add(time.Hour)
		cfg.Projects[0].Provisioned[0].Until = time.Time{}
		b.reload(time.Now(), cfg)
		if got := b.goes(); got != pool.TrafficOnDemand {
			t.Errorf("an order that is yet to come serves: the call went %s", got)
		}
	})
}

// Google's own answer about the model is not hidden by an order that is over.
func TestAnOrderOutsideOfItsTimeSaysNothingOfTheModel(t *testing.T) {
	inBubble(t, lent(), func(t *testing.T, b *bed) {
		missing := pool.Outcome{Class: pool.ClassModelMissing, Answer: &pool.Answer{Status: 404, Body: []byte("{}")}}
		for i := range 5 { // different calls
			o := missing
			o.Call = uint64(i + 1)
			if l, err := b.pool.Acquire(context.Background(), &pool.Request{Model: flash}); err == nil {
				l.Settle(time.Now(), o)
			}
			time.Sleep(time.Second)
		}
		_, err := b.pool.Acquire(context.Background(), &pool.Request{Model: flash})
		if e, ok := errors.AsType[*pool.ExhaustedError](err); !ok || e.Answer == nil || e.Answer.Status != 404 {
			t.Errorf("%+v, want the remembered 404", err)
		}
	})
}

func TestReplicasBeginAnOrderTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := orderOf(10)
		cfg.Projects[0].Provisioned[0].From = time.Now().Add(time.Minute)
		m := store.NewMemory(time.Millisecond)
		rs := newReplicas(t, 2, cfg, func(int) store.Store { return m })
		time.Sleep(4 * time.Second)
		if n, all := rs.useOrder(20); n != 0 || all != 40 {
			t.Errorf("%d of %d calls went to an order that has not begun", n, all)
		}
		time.Sleep(time.Until(cfg.Projects[0].Provisioned[0].From))
		if n, all := rs.useOrder(5); n != all {
			t.Errorf("%d of %d calls went to an order that has begun", n, all)
		}
	})
}
