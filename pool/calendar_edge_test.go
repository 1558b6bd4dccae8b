package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// Ten thousand orders have one timer, and each event comes once, in its time.
func TestManyOrdersBeginAndEnd(t *testing.T) {
	const n = 2500 // lots, each of two orders
	p := keyless("v", "eu")
	for i := range n {
		model := fmt.Sprintf("gemini-3.5-flash-%c%c%c", 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26)
		begin := bubbleStart.Add(time.Duration(i%50+1) * time.Minute)
		p.Provisioned = append(p.Provisioned,
			pool.Order{Model: model, Location: "eu", TokensPerSecond: 10, From: begin, Until: begin.Add(time.Hour)},
			pool.Order{Model: model, Location: "eu", TokensPerSecond: 20, From: begin.Add(time.Hour), Until: begin.Add(2 * time.Hour)})
	}
	var heard hearing
	synctest.Test(t, func(t *testing.T) {
		b := heard.bed(t, pool.Config{Projects: []pool.Project{p}})
		time.Sleep(5 * time.Hour)
		b.pool.Close()
	})
	began := strings.Count(heard.all(), string(pool.OrderBegan))
	if ended := strings.Count(heard.all(), string(pool.OrderEnded)); began != 2*n || ended != n {
		t.Errorf("%d began and %d ended", began, ended)
	}
	for i, e := range heard.list {
		if i > 0 && e.At.Before(heard.list[i-1].At) {
			t.Errorf("%v comes after %v", e.At, heard.list[i-1].At)
		}
	}
}

// What an order refused says nothing of the one that follows.
func TestTheNextOrderIsAskedAtOnce(t *testing.T) {
	inBubble(t, renewed(10, false), func(t *testing.T, b *bed) {
		time.Sleep(3*time.Hour - 20*time.Second)
		late := b.acquire(&pool.Request{Model: flash})
		for range 20 { // it does not exist
			l := b.acquire(&pool.Request{Model: flash})
			o := pool.Outcome{Class: pool.ClassProvisionedFull}
			if l.Endpoint().Traffic == pool.TrafficOnDemand {
				o = pool.Outcome{Class: pool.ClassOK}
			}
			l.Settle(time.Now(), o)
			time.Sleep(time.Second - time.Millisecond)
		}
		if got := b.goes(); got != pool.TrafficOnDemand {
			t.Fatalf("an order that refuses is not on cooldown: the call went %s", got)
		}
		time.Sleep(time.Until(bubbleStart.Add(3 * time.Hour)))
		if e := b.order(); e.Why != "" || e.Cooldown.Class != "" {
			t.Errorf("the next order is out: %s, %+v", e.Why, e.Cooldown)
		}
		if got := b.goes(); got != pool.TrafficProvisioned {
			t.Errorf("the next order is not asked: the call went %s", got)
		}
		late.Settle(time.Now(), pool.Outcome{Class: pool.ClassProvisionedFull}) // the order before refuses it
		if got := b.goes(); got != pool.TrafficProvisioned {
			t.Errorf("after a late refusal of the order before the call went %s", got)
		}
	})
}

// Until may move while calls are under way and while calls wait.
func TestAReloadEndsAnOrderUnderWaitingCalls(t *testing.T) {
	v := keyless("v", "eu")
	v.Provisioned = []pool.Order{{Model: flash, Location: "eu", TokensPerSecond: 100, Window: time.Minute}}
	cfg := pool.Config{Projects: []pool.Project{v}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		only := func() *pool.Request {
			return &pool.Request{Model: flash, Traffic: pool.TrafficProvisioned, MaxWait: time.Hour, Estimate: pool.Estimate{Input: 6000, NoOutput: true}}
		}
		l := b.acquire(only())
		failed := make(chan time.Duration, 1)
		go func() {
			_, err := b.pool.Acquire(context.Background(), only())
			if e, ok := errors.AsType[*pool.ExhaustedError](err); !ok || e.Leading.Why != "provisioned order full until it ends, at 2000-01-01T00:00:20.000Z" || !e.RetryAt.IsZero() {
				t.Errorf("the call that waits hears %v", err)
			}
			failed <- time.Since(bubbleStart)
		}()
		time.Sleep(10 * time.Second)
		next := cfg
		next.Projects = []pool.Project{v}
		next.Projects[0].Provisioned = []pool.Order{v.Provisioned[0]}
		next.Projects[0].Provisioned[0].Until = bubbleStart.Add(20 * time.Second)
		b.reload(time.Now(), next)
		if after := <-failed; after != 10*time.Second {
			t.Errorf("the call that waits hears after %v that the order ends before it has room", after)
		}
		l.Release(time.Now())
	})
}

// A limit of time that nobody can mean does not break the arithmetic.
func TestCalendarsOfAllTimes(t *testing.T) {
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	old := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		from, until time.Time
		want        pool.Traffic
	}{
		{old, far, pool.TrafficProvisioned}, {far, time.Time{}, pool.TrafficOnDemand}, {time.Time{}, old, pool.TrafficOnDemand},
		{old, old.Add(time.Nanosecond), pool.TrafficOnDemand}, {far.Add(-time.Second), far, pool.TrafficOnDemand},
	} {
		cfg := lent()
		cfg.Projects[0].Provisioned[0].From, cfg.Projects[0].Provisioned[0].Until = tt.from, tt.until
		inBubble(t, cfg, func(t *testing.T, b *bed) {
			if got := b.goes(); got != tt.want {
				t.Errorf("from %v until %v: the call went %s", tt.from, tt.until, got)
			}
			b.why()
			b.pool.Sleep(200 * 365 * 24 * time.Hour)
			b.goes()
		})
	}
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
