package breaker_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/breaker"
)

// gobreaker calls back under its lock: asking it for its state there is a deadlock.
func TestOnChangeRunsAfterUnlockAndSeesEveryChange(t *testing.T) {
	var b *breaker.Breaker
	var got []breaker.Change
	b = breaker.New(breaker.Config{}, func(c breaker.Change) {
		if stat := b.Stat(c.At); stat.State != c.To {
			t.Errorf("state in the callback = %v, want %v", stat.State, c.To)
		}
		p := b.Force(c.At, time.Time{})
		p.Ignore(c.At)
		got = append(got, c)
	})
	start := time.Now()
	fail(t, b, start, 5)
	first := b.Until(start)
	// The callback's own Force takes and frees the probe, so this probe finds its place empty.
	again := reprobe(t, b, start)
	second := b.Until(again)
	recoverAt(t, b, second)

	want := []breaker.Change{
		{From: breaker.StateClosed, To: breaker.StateOpen, At: start, Until: first},
		{From: breaker.StateOpen, To: breaker.StateHalfOpen, At: first},
		{From: breaker.StateHalfOpen, To: breaker.StateOpen, At: first, Until: second},
		{From: breaker.StateOpen, To: breaker.StateHalfOpen, At: second},
		{From: breaker.StateHalfOpen, To: breaker.StateClosed, At: second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestPanicInOnChangeDoesNotWedge(t *testing.T) {
	b := breaker.New(breaker.Config{}, func(breaker.Change) { panic("the caller's own") })
	now := time.Now()
	panicked := func(f func()) (r any) {
		defer func() { r = recover() }()
		f()
		return nil
	}
	fail(t, b, now, 4)
	p := allow(t, b, now)
	if panicked(func() { p.Failure(now) }) == nil {
		t.Fatal("the panic of onChange did not come through")
	}
	wantState(t, b, now, breaker.StateOpen)

	// The panic also takes the probe's permit with it; its lease ends like that of any lost one.
	now = b.Until(now)
	if panicked(func() { b.Allow(now, time.Time{}) }) == nil {
		t.Fatal("the panic of onChange did not come through")
	}
	now = b.Until(now)
	p, ok := b.Allow(now, time.Time{})
	if !ok {
		t.Fatal("no probe after the lease of the lost one")
	}
	if panicked(func() { p.Success(now) }) == nil {
		t.Fatal("the panic of onChange did not come through")
	}
	succeed(t, b, now, 1)
	wantState(t, b, now, breaker.StateClosed)
}

func TestManyGoroutines(t *testing.T) {
	const goroutines, rounds = 64, 300
	var mu sync.Mutex
	changes := map[string]int64{}
	b := breaker.New(breaker.Config{Open: time.Millisecond, MaxOpen: time.Millisecond, SlowStart: time.Millisecond},
		func(c breaker.Change) {
			mu.Lock()
			defer mu.Unlock()
			changes[fmt.Sprint(c.From, " ", c.To)]++
		})
	start := time.Now()
	var clock atomic.Int64 // all goroutines share a time line that moves on with every call
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				now := start.Add(time.Duration(clock.Add(int64(20 * time.Microsecond))))
				b.Ready(now)
				b.Until(now)
				p, ok := b.Allow(now, now.Add(time.Millisecond))
				if !ok && i%7 == 0 {
					p = b.Force(now, time.Time{})
				}
				switch (g + i/10) % 4 {
				case 0:
					p.Ignore(now)
				case 1:
					p.Success(now)
				default:
					p.Failure(now)
				}
				b.Weight(now)
				b.Stat(now)
			}
		})
	}
	wg.Wait()

	// Whatever the interleaving, the machine went round in steps it has.
	stat := b.Stat(start)
	legal := changes["closed open"] + changes["open half_open"] + changes["half_open open"] + changes["half_open closed"]
	var all int64
	for _, n := range changes {
		all += n
	}
	if all != legal || all == 0 {
		t.Errorf("changes = %v, want only legal ones, and some", changes)
	}
	if opened := changes["closed open"] + changes["half_open open"]; opened != stat.OpenCount {
		t.Errorf("%d changes to open, want OpenCount %d", opened, stat.OpenCount)
	}
	if left := changes["closed open"] - changes["half_open closed"]; left < 0 || left > 1 {
		t.Errorf("left the closed state %d times more than it came back, want 0 or 1", left)
	}

	// And it still works: after all permits' time it probes and closes.
	later := start.Add(time.Hour)
	p, ok := b.Allow(later, time.Time{})
	if !ok {
		t.Fatal("wedged: no call is let through an hour later")
	}
	p.Success(later)
	wantState(t, b, later, breaker.StateClosed)
}

func TestOneProbeAtATimeAmongManyGoroutines(t *testing.T) {
	const goroutines = 64
	b, now := opened(t)
	var let, ended atomic.Int64
	permits := make([]breaker.Permit, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			p, ok := b.Allow(now, time.Time{})
			if ok {
				let.Add(1)
			}
			permits[g] = p
		})
	}
	wg.Wait()
	if let.Load() != 1 {
		t.Fatalf("%d probes were let through, want 1", let.Load())
	}

	// All goroutines end all permits; one end of the one real permit must win.
	for range goroutines {
		wg.Go(func() {
			for i := range permits {
				permits[i].Failure(now)
			}
			ended.Add(1)
		})
	}
	wg.Wait()
	if got := b.Stat(now).OpenCount; got != 2 {
		t.Errorf("opened %d times after %d rounds, want 2", got, ended.Load())
	}
}
