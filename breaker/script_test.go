package breaker_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/breaker"
)

// script makes steps of a time line from results and the pauses between them.
func script(parts ...any) (steps []struct {
	after   time.Duration
	results string
}) {
	var after time.Duration
	for _, part := range parts {
		switch part := part.(type) {
		case time.Duration:
			after = part
		case string:
			steps = append(steps, struct {
				after   time.Duration
				results string
			}{after, part})
		}
	}
	return steps
}

// play makes one call per letter at now: s succeeds, f fails, i is ignored.
func play(t *testing.T, b *breaker.Breaker, now time.Time, results string) {
	t.Helper()
	for i, r := range results {
		p, ok := b.Allow(now, time.Time{})
		if !ok {
			t.Fatalf("call %d of %q was refused", i+1, results)
		}
		switch r {
		case 's':
			p.Success(now)
		case 'f':
			p.Failure(now)
		case 'i':
			p.Ignore(now)
		}
	}
}

func allow(t *testing.T, b *breaker.Breaker, now time.Time) breaker.Permit {
	t.Helper()
	p, ok := b.Allow(now, time.Time{})
	if !ok {
		t.Fatal("Allow refused")
	}
	return p
}

func succeed(t *testing.T, b *breaker.Breaker, now time.Time, n int) {
	t.Helper()
	for range n {
		p := allow(t, b, now)
		p.Success(now)
	}
}

func fail(t *testing.T, b *breaker.Breaker, now time.Time, n int) {
	t.Helper()
	for range n {
		p := allow(t, b, now)
		p.Failure(now)
	}
}

// probe takes the probe of an open breaker whose period is over.
func probe(t *testing.T, b *breaker.Breaker, now, deadline time.Time) breaker.Permit {
	t.Helper()
	p, ok := b.Allow(now, deadline)
	if !ok {
		t.Fatalf("no probe at %v; ready at %v", now, b.Until(now))
	}
	wantState(t, b, now, breaker.StateHalfOpen)
	return p
}

// reprobe waits for the end of the open period, lets the probe fail and returns the time of that.
func reprobe(t *testing.T, b *breaker.Breaker, now time.Time) time.Time {
	t.Helper()
	now = b.Until(now)
	p := probe(t, b, now, time.Time{})
	p.Failure(now)
	wantState(t, b, now, breaker.StateOpen)
	return now
}

// recoverAt lets the probe succeed at now and returns now.
func recoverAt(t *testing.T, b *breaker.Breaker, now time.Time) time.Time {
	t.Helper()
	p := probe(t, b, now, time.Time{})
	p.Success(now)
	wantState(t, b, now, breaker.StateClosed)
	return now
}

func wantState(t *testing.T, b *breaker.Breaker, now time.Time, want breaker.State) {
	t.Helper()
	if got := b.Stat(now).State; got != want {
		t.Fatalf("state = %v, want %v", got, want)
	}
}

func wantBetween(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s = %v, want between %v and %v", what, got, low, high)
	}
}
