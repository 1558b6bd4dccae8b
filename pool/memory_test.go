package pool_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// flood asks for so many models that do not exist, as callers do who misspell one.
func (b *bed) flood(now time.Time, from, n int) {
	b.t.Helper()
	for i := range n {
		for _, c := range b.pool.View(now, fmt.Sprintf("misspelled-%d", from+i)).All() {
			if l, ok := c.Lease(now, small); ok {
				l.Settle(now, pool.Outcome{Class: pool.ClassModelMissing, Answer: &pool.Answer{
					Status: 404, Body: fmt.Appendf(nil, `{"error":{"code":404,"message":"no misspelled-%d"}}`, from+i),
				}})
			}
		}
	}
}

func TestMisspelledModelsTakeNothingFromARealOne(t *testing.T) {
	t.Parallel()
	p := keyless("prod", "global", "eu")
	p.Limits = []pool.Limit{{Model: flash, RPM: 30, RPD: 100, Concurrency: 5}}
	cfg := pool.Config{Projects: []pool.Project{p, geminiProject("studio", "k")}, Memory: 16 << 20}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		now := b.start
		c := b.candidate(flash, "prod/global/on_demand")
		running := b.lease(now, c)
		for range 9 {
			b.answer(now, c, good)
		}
		b.answer(now, b.candidate(pro, "studio/global/on_demand"), pool.Outcome{Class: pool.ClassDayQuota, Stated: quota.Limits{RPD: 20}})
		held := b.candidate("gemini-held", "studio/global/on_demand")
		stream := b.lease(now, held)

		b.flood(now, 0, 20_000)

		e := b.endpoint(now, c, flash)
		if e.Calls != 1 || e.Quota.Requests.Used != 10 || e.Quota.Day.Used != 10 || e.Quota.Concurrency.Used != 1 {
			t.Errorf("after the flood the real model has %+v of %+v", e, *e.Quota)
		}
		other := b.endpoint(now, b.candidate(pro, "studio/global/on_demand"), pro)
		if other.Cooldown.Class != pool.ClassDayQuota || other.Learned.RPD != 20 {
			t.Errorf("after the flood the day's cooldown is %+v, learned %+v", other.Cooldown, other.Learned)
		}
		if got := b.endpoint(now, held, "gemini-held"); got.Calls != 1 {
			t.Errorf("a running stream is not counted any more: %+v", got)
		}
		running.Settle(now, good)
		stream.Settle(now, good)
		if e := b.endpoint(now, c, flash); e.Calls != 0 || e.Quota.Concurrency.Used != 0 {
			t.Errorf("what ran before the flood does not end: %+v", e)
		}
	})
}

func TestMemoryOfMissingModelsIsBounded(t *testing.T) {
	const bound = 16 << 20
	cfg := pool.Config{Projects: []pool.Project{keyless("prod", "global", "eu"), geminiProject("studio", "k")}, Memory: bound}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		b.flood(b.start, 0, 100)
		before := heap()
		b.flood(b.start, 1_000, 20_000)
		b.log.take() // it grows with every model
		if grown := heap() - before; grown > bound*5/4 {
			t.Errorf("20,000 models that do not exist take %d MB, want %d at most", grown>>20, bound>>20)
		}
		newest := b.candidate("misspelled-20999", "studio/global/on_demand")
		if got := newest.Resting(b.start).Class; got != pool.ClassModelMissing {
			t.Errorf("the newest is forgotten first: %q", got)
		}
	})
}

func TestAFullMemoryRefusesNewModelsAndSaysSoOnce(t *testing.T) {
	p := geminiProject("studio", "k")
	p.Limits = []pool.Limit{{RPD: 1000}}
	cfg := pool.Config{Projects: []pool.Project{p}, Memory: 1 << 20}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		refused := 0
		for i := range 1_000 {
			r := &pool.Request{Model: fmt.Sprintf("used-%d", i)}
			l, err := b.pool.Acquire(t.Context(), r)
			var full *pool.ExhaustedError
			switch {
			case err == nil:
				l.Settle(b.start, good) // it counts for the day
			case errors.As(err, &full) && full.MemoryFull:
				refused++
			default:
				t.Fatal(err)
			}
		}
		if refused == 0 || refused == 1000 {
			t.Errorf("%d of 1,000 models that count were refused", refused)
		}
		if lines := said(b.lines(), "spillway: the memory is full, so calls for new models are refused; "+
			"raise memory under [router] if they are meant"); len(lines) != 1 {
			t.Errorf("%d lines in the log, want one", len(lines))
		}
		if _, err := b.pool.Acquire(t.Context(), &pool.Request{Model: "used-0"}); err != nil {
			t.Errorf("a model that is known is refused: %v", err)
		}
		time.Sleep(25 * time.Hour) // the day's counts are over
		if _, err := b.pool.Acquire(t.Context(), &pool.Request{Model: "new"}); err != nil {
			t.Errorf("a day later a new model is refused: %v", err)
		}
	})
}

func TestAnEndpointTakesLittleMemoryBeforeItsFirstCall(t *testing.T) {
	const projects, models = 500, 40
	var cfg pool.Config
	for i := range projects {
		p := geminiProject(fmt.Sprintf("p%d", i), fmt.Sprintf("key-%d", i))
		p.Limits = []pool.Limit{{RPM: 10}}
		cfg.Projects = append(cfg.Projects, p)
	}
	b := newBed(t, cfg)
	before := heap()
	for i := range models {
		b.pool.View(b.start, fmt.Sprintf("model-%d", i))
	}
	if each := (heap() - before) / (projects * models); each > 512 {
		t.Errorf("an endpoint takes %d bytes for each model before its first call, want 512 at most", each)
	}
	runtime.KeepAlive(b)
}

// acquire takes a lease that has to be had at once.
func (b *bed) acquire(r *pool.Request) pool.Lease {
	b.t.Helper()
	l, err := b.pool.Acquire(b.t.Context(), r)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func TestAcquireWaitsForWhatComesFree(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		first := b.acquire(&pool.Request{Model: flash})
		got := make(chan pool.Lease)
		go func() {
			l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, MaxWait: time.Minute})
			if err != nil {
				t.Error(err)
			}
			got <- l
		}()
		synctest.Wait()
		if s := b.pool.Stat(time.Now()); s.QueueCount != 1 || s.Models[0].Waiting != 1 {
			t.Errorf("while a call waits Stat says %d queues, %+v", s.QueueCount, s.Models)
		}
		time.Sleep(3 * time.Second)
		first.Settle(time.Now(), good)
		l := <-got
		if waited := time.Since(b.start); waited != 3*time.Second {
			t.Errorf("it waited %v, want the 3 s until the first call ended", waited)
		}
		l.Settle(time.Now(), good)
		m := b.pool.Stat(time.Now()).Models[0]
		if m.CallCount != 2 || m.WaitCount != 1 || m.WaitDuration != 3*time.Second || m.Waiting != 0 {
			t.Errorf("Stat counts %+v", m)
		}
	})
}

func TestAWaitingCallIsTheProbeAndTheNextWaitsForItsSuccess(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassBilling})
		served := make(chan time.Duration)
		for range 2 {
			go func() {
				l := b.acquire(&pool.Request{Model: flash, MaxWait: 5 * time.Minute})
				served <- time.Since(b.start)
				time.Sleep(7 * time.Second)
				l.Accept(time.Now())
				l.Settle(time.Now(), good)
			}()
		}
		if got := <-served; got != time.Minute {
			t.Errorf("the probe went after %v, want the minute", got)
		}
		if got := <-served; got != time.Minute+7*time.Second {
			t.Errorf("the other call went after %v, want when the probe succeeded", got)
		}
		time.Sleep(time.Minute)
	})
}

func TestCloseFailsWhatWaits(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		held := b.acquire(&pool.Request{Model: flash})
		got := make(chan error)
		go func() {
			_, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, MaxWait: time.Minute})
			got <- err
		}()
		synctest.Wait()
		b.pool.Close()
		b.pool.Close()
		if err := <-got; !errors.Is(err, pool.ErrClosed) {
			t.Errorf("the error is %v", err)
		}
		held.Settle(time.Now(), good)
	})
}
