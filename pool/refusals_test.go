package pool_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const refusedLine = "spillway: calls refused: no endpoint can serve them in time"

// ask asks for an endpoint and uses it at once. It reports whether there was one.
func (b *bed) ask(r pool.Request) bool {
	b.t.Helper()
	l, err := b.pool.Acquire(b.t.Context(), &r)
	if err != nil {
		return false
	}
	l.Settle(time.Now(), good)
	return true
}

func TestLogSaysAtOnceAndThenEveryTenSecondsHowManyCallsWereRefused(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 10}), func(t *testing.T, b *bed) {
		for range 12 {
			b.ask(pool.Request{Model: flash})
		}
		lines := said(b.lines(), refusedLine)
		if len(lines) != 1 {
			t.Fatalf("two calls were refused: %v", lines)
		}
		line := lines[0]
		if line["level"] != slog.LevelWarn.String() || line["subject"] != "model:"+flash || line["refused"] != 1.0 ||
			line["of"] != 11.0 || line["why"] != "limit reached" {
			t.Errorf("the line is %v", line)
		}
		if at := instant(t, line["retry_at"].(string)); at.Before(b.start.Add(time.Minute)) || at.After(b.start.Add(61*time.Second)) {
			t.Errorf("the line is %v", line)
		}

		time.Sleep(9 * time.Second)
		for range 3 {
			b.ask(pool.Request{Model: flash})
		}
		if lines := said(b.lines(), refusedLine); len(lines) != 0 {
			t.Errorf("within ten seconds there were more lines: %v", lines)
		}
		time.Sleep(1100 * time.Millisecond)
		if lines := said(b.lines(), refusedLine); len(lines) != 1 || lines[0]["refused"] != 4.0 || lines[0]["of"] != 4.0 {
			t.Errorf("after ten seconds: %v", lines)
		}
		time.Sleep(70 * time.Second)
		if !b.ask(pool.Request{Model: flash}) {
			t.Fatal("the limit is not free again")
		}
		if lines := said(b.lines(), refusedLine); len(lines) != 0 {
			t.Errorf("nothing was refused: %v", lines)
		}
	})
}

func TestEachModelAndMethodHasItsOwnLineOfRefusedCalls(t *testing.T) {
	cfg := limited(pool.Limit{RPM: 1})
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		for range 3 {
			b.ask(pool.Request{Model: flash})
			b.ask(pool.Request{Model: pro})
			b.ask(pool.Request{Model: flash, Asked: pool.Asked{Method: "embedContent"}})
		}
		subjects := make(map[any]int)
		for _, line := range said(b.lines(), refusedLine) {
			subjects[line["subject"]]++
		}
		if len(subjects) != 3 || subjects["model:"+flash] != 1 || subjects["model:"+pro] != 1 ||
			subjects["model:"+flash+";method=embedContent"] != 1 {
			t.Errorf("there are lines of %v", subjects)
		}
	})
}

func TestNoLineOfCallsThatAnotherModelServesOrThatCanDoWithout(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 1}), func(t *testing.T, b *bed) {
		b.ask(pool.Request{Model: flash})
		if b.ask(pool.Request{Model: flash, StandIn: true}) || b.ask(pool.Request{Model: flash, MaxWait: -1}) {
			t.Fatal("the limit does not hold")
		}
		time.Sleep(11 * time.Second)
		if lines := said(b.lines(), refusedLine); len(lines) != 0 {
			t.Errorf("logged %v", lines)
		}
		b.ask(pool.Request{Model: flash})
		if lines := said(b.lines(), refusedLine); len(lines) != 1 || lines[0]["refused"] != 1.0 || lines[0]["of"] != 4.0 {
			t.Errorf("logged %v", lines)
		}
	})
}

func TestRefusedCallsAreToldWithTheReasonOfEndpointsThatMayServeThem(t *testing.T) {
	v := keyless("v", "global", "eu", "us", "europe-west4")
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "v/eu/on_demand"), pool.Outcome{Class: pool.ClassMinuteQuota, Quota: "PerMinute"})
		b.lines()
		b.ask(pool.Request{Model: flash, Locations: []string{"eu"}})
		lines := said(b.lines(), refusedLine)
		if len(lines) != 1 || lines[0]["why"] != "minute_quota (PerMinute)" {
			t.Errorf("logged %v", lines)
		}
	})
}

func TestStatSaysWhyAnOrderRefusesAsTheErrorDoes(t *testing.T) {
	v := keyless("v")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		r := pool.Request{Model: flash, Traffic: pool.TrafficProvisioned, Estimate: pool.Estimate{Input: 20_000, Output: 1000}}
		const order = "v/global/provisioned"
		if e := b.endpoint(b.start, b.candidate(flash, order), flash); e.Why != "" {
			t.Errorf("before the first call it is out: %q", e.Why)
		}
		served := 0
		for range 1000 {
			l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: r.Model, Traffic: r.Traffic, Estimate: r.Estimate})
			if err != nil {
				break
			}
			l.Settle(time.Now(), good)
			served++
		}
		again := r
		_, err := b.pool.Acquire(t.Context(), &again)
		out, ok := errors.AsType[*pool.ExhaustedError](err)
		if !ok || served == 0 {
			t.Fatalf("the order served %d calls, then: %v", served, err)
		}
		e := b.endpoint(time.Now(), b.candidate(flash, order), flash)
		if e.Why == "" || e.Why != out.Reasons[0].Why || e.Cooldown != (pool.Cooldown{}) {
			t.Errorf("Stat says %q, and the error %+v", e.Why, out.Reasons)
		}
	})
}
