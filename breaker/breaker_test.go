package breaker_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/breaker"
)

func TestFreshBreakerLetsEverythingThrough(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	if !b.Ready(now) {
		t.Error("Ready = false, want true")
	}
	want := breaker.Stat{State: breaker.StateClosed, Weight: 1}
	if diff := cmp.Diff(want, b.Stat(now)); diff != "" {
		t.Errorf("Stat (-want +got):\n%s", diff)
	}
}

func TestTripsOnFailuresInARow(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name    string
		results string // s success, f failure, i ignored, in order of completion
		want    breaker.State
	}{
		{"four", "ffff", breaker.StateClosed},
		{"five", "fffff", breaker.StateOpen},
		{"a success between", "ssssssssssffffsffff", breaker.StateClosed},
		{"ignored ones between do not break the run", "ffififif", breaker.StateOpen},
		{"ignored ones do not count", "iiiiiiiiiiii", breaker.StateClosed},
		{"five after many successes", "ssssssssssssssssssssfffff", breaker.StateOpen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := breaker.New(breaker.Config{}, nil)
			play(t, b, now, tt.results)
			wantState(t, b, now, tt.want)
		})
	}
}

func TestTripsOnRatioOfRecentCompletions(t *testing.T) {
	tests := []struct {
		name  string
		steps []struct {
			after   time.Duration
			results string
		}
		want breaker.State
	}{
		{"half of ten", script("sfsfsfsfsf"), breaker.StateOpen},
		{"half of nine", script("sfsfsfsfs"), breaker.StateClosed},
		{"less than half", script("ssfsfsfsfssf"), breaker.StateClosed},
		{"half of ten over 28 s", script("sfsf", 14*time.Second, "sfs", 14*time.Second, "fsf"), breaker.StateOpen},
		{"old failures no longer count", script("sfsfsfsf", 31*time.Second, "sf"), breaker.StateClosed},
		{"old successes no longer help", script("ssssssssssssssssssss", 31*time.Second, "sfsfsfsfsf"), breaker.StateOpen},
		{"a day of silence between", script("sfsfsfsfs", 24*time.Hour, "f"), breaker.StateClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := breaker.New(breaker.Config{}, nil)
			now := time.Now()
			for _, step := range tt.steps {
				now = now.Add(step.after)
				play(t, b, now, step.results)
			}
			wantState(t, b, now, tt.want)
		})
	}
}

// gobreaker credits a result to the time when its call began, and with an Interval drops those that
// are older.
func TestCallsLongerThanTheWindowThatAllFailTrip(t *testing.T) {
	for _, length := range []time.Duration{60 * time.Second, time.Hour} {
		t.Run(length.String(), func(t *testing.T) {
			b := breaker.New(breaker.Config{}, nil)
			begin := time.Now()
			permits := make([]breaker.Permit, 5)
			for i := range permits {
				permits[i] = allow(t, b, begin.Add(time.Duration(i)*10*time.Second))
			}
			for i := range permits {
				wantState(t, b, begin, breaker.StateClosed)
				permits[i].Failure(begin.Add(time.Duration(i)*10*time.Second + length))
			}
			wantState(t, b, begin, breaker.StateOpen)
		})
	}
}

// The ratio must see long calls too: here no five fail in a row.
func TestLongCallsOfWhichHalfFailTrip(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	begin := time.Now()
	for i := range 10 {
		p := allow(t, b, begin.Add(time.Duration(i)*time.Second))
		end := begin.Add(time.Duration(i)*time.Second + time.Minute)
		if i%2 == 0 {
			p.Success(end)
		} else {
			p.Failure(end)
		}
	}
	wantState(t, b, begin.Add(70*time.Second), breaker.StateOpen)
}

// gobreaker counts every call of done: one request reported five times would open it.
func TestPermitCountsOnce(t *testing.T) {
	ends := map[string]func(*breaker.Permit, time.Time){
		"success": (*breaker.Permit).Success,
		"failure": (*breaker.Permit).Failure,
		"ignore":  (*breaker.Permit).Ignore,
	}
	wantCalls := map[string][2]int{"success": {1, 0}, "failure": {1, 1}, "ignore": {0, 0}}
	now := time.Now()
	for first, end := range ends {
		t.Run("first "+first, func(t *testing.T) {
			b := breaker.New(breaker.Config{}, nil)
			p := allow(t, b, now)
			end(&p, now)
			for range 6 {
				for _, again := range ends {
					again(&p, now)
				}
			}
			stat := b.Stat(now)
			if got := [2]int{stat.Calls, stat.Failures}; got != wantCalls[first] {
				t.Errorf("calls, failures = %v, want %v", got, wantCalls[first])
			}
			wantState(t, b, now, breaker.StateClosed)
		})
	}
}

func TestZeroPermitDoesNothing(t *testing.T) {
	var p breaker.Permit
	p.Success(time.Now())
	p.Failure(time.Now())
	p.Ignore(time.Now())
}

func TestOpenBreakerRefusesUntilItsPeriodIsOver(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	fail(t, b, now, 5)
	until := b.Until(now)
	wantBetween(t, "open period", until.Sub(now), 2500*time.Millisecond, 5*time.Second)

	before := until.Add(-1)
	if b.Ready(before) {
		t.Error("Ready just before the end = true, want false")
	}
	if p, ok := b.Allow(before, time.Time{}); ok || p != (breaker.Permit{}) {
		t.Errorf("Allow just before the end = %v, %v; want a zero permit and false", p, ok)
	}
	if !b.Ready(until) || !b.Until(until).IsZero() {
		t.Errorf("at the end: Ready = %v, Until = %v; want true, zero", b.Ready(until), b.Until(until))
	}
	wantState(t, b, until, breaker.StateOpen) // Ready and Until changed nothing
	probe(t, b, until, time.Time{})
	wantState(t, b, until, breaker.StateHalfOpen)
}

func TestProbeSuccessCloses(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	fail(t, b, now, 5)
	now = b.Until(now)
	p := probe(t, b, now, time.Time{})
	if _, ok := b.Allow(now, time.Time{}); ok {
		t.Error("a second call was let through beside the probe")
	}
	p.Success(now)
	stat := b.Stat(now)
	want := breaker.Stat{State: breaker.StateClosed, Weight: 0.1, OpenCount: 1}
	if diff := cmp.Diff(want, stat); diff != "" {
		t.Errorf("Stat (-want +got):\n%s", diff)
	}
	// What failed before is forgotten: it takes five anew.
	fail(t, b, now, 4)
	wantState(t, b, now, breaker.StateClosed)
}

func TestOpenPeriodDoublesUpToItsMaximum(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	fail(t, b, now, 5)
	for i, seconds := range []float64{5, 10, 20, 40, 80, 160, 300, 300, 300} {
		d := time.Duration(seconds * float64(time.Second))
		wantBetween(t, "open period", b.Until(now).Sub(now), d/2, d)
		if got := b.Stat(now).OpenCount; got != int64(i+1) {
			t.Errorf("OpenCount = %d, want %d", got, i+1)
		}
		now = reprobe(t, b, now)
	}
}

func TestOpenPeriodsAreJittered(t *testing.T) {
	now := time.Now()
	seen := map[time.Duration]bool{}
	for range 20 {
		b := breaker.New(breaker.Config{}, nil)
		fail(t, b, now, 5)
		seen[b.Until(now).Sub(now)] = true
	}
	if len(seen) < 10 {
		t.Errorf("20 breakers drew only %d different periods", len(seen))
	}
}

func TestDoublingGoesOnWhenItTripsDuringSlowStart(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	fail(t, b, now, 5)
	now = recoverAt(t, b, b.Until(now)).Add(9 * time.Second)
	fail(t, b, now, 5)
	wantBetween(t, "open period", b.Until(now).Sub(now), 5*time.Second, 10*time.Second)
}

func TestDoublingStartsAnewAfterASlowStartWithoutTrip(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	fail(t, b, now, 5)
	for range 5 {
		now = reprobe(t, b, now)
	}
	now = recoverAt(t, b, b.Until(now)).Add(10 * time.Second)
	fail(t, b, now, 5)
	wantBetween(t, "open period", b.Until(now).Sub(now), 2500*time.Millisecond, 5*time.Second)
}

func TestSlowStartWeight(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	if got := b.Weight(now); got != 1 {
		t.Errorf("weight of a breaker that was never open = %v, want 1", got)
	}
	fail(t, b, now, 5)
	closed := recoverAt(t, b, b.Until(now))
	for _, tt := range []struct {
		after time.Duration
		want  float64
	}{
		{-time.Second, 0.1}, {0, 0.1}, {time.Second, 0.1}, {2 * time.Second, 0.2}, {5 * time.Second, 0.5},
		{10 * time.Second, 1}, {time.Hour, 1},
	} {
		if got := b.Weight(closed.Add(tt.after)); got != tt.want {
			t.Errorf("weight %v after closing = %v, want %v", tt.after, got, tt.want)
		}
	}
}

// A full slot is halved; if it wrapped instead, the counts would run over into each other.
func TestCountsOfABusySecondKeepTheirRatio(t *testing.T) {
	b := breaker.New(breaker.Config{}, nil)
	now := time.Now()
	for i := range 300_000 {
		if i%4 == 0 {
			fail(t, b, now, 1)
		} else {
			succeed(t, b, now, 1)
		}
	}
	stat := b.Stat(now)
	if ratio := float64(stat.Failures) / float64(stat.Calls); stat.Calls < 100_000 || ratio < 0.24 || ratio > 0.26 {
		t.Errorf("%d failures of %d calls, want a quarter of at least 100,000", stat.Failures, stat.Calls)
	}
	wantState(t, b, now, breaker.StateClosed)
}

func TestStrangeTimesDoNoHarm(t *testing.T) {
	times := []time.Time{{}, time.Unix(0, 0), time.Unix(1<<40, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()}
	for _, now := range times {
		b := breaker.New(breaker.Config{}, nil)
		fail(t, b, now, 5)
		wantBetween(t, "open period", b.Until(now).Sub(now), 2500*time.Millisecond, 5*time.Second)
	}
	for _, a := range times {
		for _, z := range times {
			b := breaker.New(breaker.Config{}, nil)
			for range 3 {
				for range 6 {
					p := b.Force(a, z)
					p.Failure(z)
					p = b.Force(z, a)
					p.Ignore(a)
				}
				p := b.Force(z, a)
				p.Success(a)
				if w := b.Weight(z); w < 0.1 || w > 1 {
					t.Errorf("weight = %v, want 0.1 … 1", w)
				}
				b.Stat(a)
			}
		}
	}
}

func TestStateText(t *testing.T) {
	for state, want := range map[breaker.State]string{
		breaker.StateClosed: "closed", breaker.StateHalfOpen: "half_open", breaker.StateOpen: "open", 9: "unknown",
	} {
		text, err := state.MarshalText()
		if err != nil || string(text) != want || state.String() != want {
			t.Errorf("MarshalText() = %q, %v; String() = %q; want %q", text, err, state, want)
		}
	}
}
