package breaker_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/spillway-go/spillway/breaker"
)

func TestValidateNamesEveryFieldThatIsOutOfRange(t *testing.T) {
	tests := []struct {
		name string
		cfg  breaker.Config
		want []string // one per line of the error; none: valid
	}{
		{"zero", breaker.Config{}, nil},
		{"all set", breaker.Config{Failures: 1, Open: time.Second, MaxOpen: time.Second, Ratio: 1, MinCalls: 1,
			Window: time.Second, SlowStart: time.Second, Probe: time.Second}, nil},
		{"all negative", breaker.Config{Failures: -1, Open: -1, MaxOpen: -1, Ratio: -1, MinCalls: -1, Window: -1,
			SlowStart: -1, Probe: -1}, []string{"Open", "MaxOpen", "Window", "SlowStart", "Probe", "Failures", "MinCalls", "Ratio"}},
		{"longer than a day", breaker.Config{Probe: 25 * time.Hour}, []string{"Probe"}},
		{"ratio above one", breaker.Config{Ratio: 1.01}, []string{"Ratio"}},
		{"ratio not a number", breaker.Config{Ratio: math.NaN()}, []string{"Ratio"}},
		{"max below open", breaker.Config{Open: time.Minute, MaxOpen: time.Second}, []string{"MaxOpen"}},
		{"max below default open", breaker.Config{MaxOpen: time.Second}, []string{"MaxOpen"}},
		{"open above default max", breaker.Config{Open: time.Hour}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if len(tt.want) == 0 {
				if err != nil {
					t.Fatalf("Validate() = %v, want nil", err)
				}
				return
			}
			if err == nil {
				t.Fatalf("Validate() = nil, want errors about %v", tt.want)
			}
			joined, ok := err.(interface{ Unwrap() []error })
			if !ok || len(joined.Unwrap()) != len(tt.want) {
				t.Fatalf("Validate() = %v, want %d errors, joined", err, len(tt.want))
			}
			for i, name := range tt.want {
				var e *breaker.ConfigError
				if !errors.As(joined.Unwrap()[i], &e) || e.Field != name || e.Problem == "" || e.Fix == "" {
					t.Errorf("error %d = %#v, want a ConfigError about %s with a problem and a fix", i, joined.Unwrap()[i], name)
				}
			}
		})
	}
}

func TestConfigErrorNamesFieldProblemAndFix(t *testing.T) {
	err := breaker.Config{MaxOpen: time.Second}.Validate()
	const want = "breaker: MaxOpen is 1s, which is out of bounds; write one that is not shorter than open"
	if err == nil || err.Error() != want {
		t.Errorf("Validate() = %v, want %s", err, want)
	}
}

func TestNewTakesDefaultsForWhatIsOutOfRange(t *testing.T) {
	b := breaker.New(breaker.Config{Failures: -1, Open: -1, MaxOpen: -1, Ratio: math.NaN(), MinCalls: -1, Window: -1,
		SlowStart: -1, Probe: -1}, nil)
	now := time.Now()
	fail(t, b, now, 4)
	if got := b.Stat(now).State; got != breaker.StateClosed {
		t.Fatalf("after 4 failures: %v, want closed", got)
	}
	fail(t, b, now, 1)
	wantBetween(t, "open period", b.Until(now).Sub(now), 2500*time.Millisecond, 5*time.Second)
}

// Each option is shown to act.
func TestOptionsAct(t *testing.T) {
	start := time.Now()
	t.Run("Failures", func(t *testing.T) {
		b := breaker.New(breaker.Config{Failures: 2}, nil)
		fail(t, b, start, 1)
		wantState(t, b, start, breaker.StateClosed)
		fail(t, b, start, 1)
		wantState(t, b, start, breaker.StateOpen)
	})
	t.Run("Open", func(t *testing.T) {
		b := breaker.New(breaker.Config{Open: time.Hour}, nil)
		fail(t, b, start, 5)
		wantBetween(t, "open period", b.Until(start).Sub(start), 30*time.Minute, time.Hour)
	})
	t.Run("MaxOpen", func(t *testing.T) {
		b := breaker.New(breaker.Config{Open: 4 * time.Second, MaxOpen: 6 * time.Second}, nil)
		fail(t, b, start, 5)
		now := reprobe(t, b, start)
		wantBetween(t, "second open period", b.Until(now).Sub(now), 3*time.Second, 6*time.Second)
		for range 100 {
			now = reprobe(t, b, now)
			wantBetween(t, "later open period", b.Until(now).Sub(now), 3*time.Second, 6*time.Second)
		}
	})
	t.Run("Ratio", func(t *testing.T) {
		b := breaker.New(breaker.Config{Ratio: 0.25}, nil)
		succeed(t, b, start, 9)
		fail(t, b, start, 2)
		wantState(t, b, start, breaker.StateClosed)
		fail(t, b, start, 1) // 3 of 12
		wantState(t, b, start, breaker.StateOpen)
	})
	t.Run("MinCalls", func(t *testing.T) {
		b := breaker.New(breaker.Config{MinCalls: 4}, nil)
		succeed(t, b, start, 2)
		fail(t, b, start, 1)
		wantState(t, b, start, breaker.StateClosed)
		fail(t, b, start, 1) // 2 of 4
		wantState(t, b, start, breaker.StateOpen)
	})
	t.Run("Window", func(t *testing.T) {
		b := breaker.New(breaker.Config{Window: 3 * time.Second}, nil)
		succeed(t, b, start, 100)
		later := start.Add(3100 * time.Millisecond)
		succeed(t, b, later, 6)
		fail(t, b, later, 4)
		if stat := b.Stat(later); stat.Calls != 10 {
			t.Errorf("calls in the window = %d, want 10", stat.Calls)
		}
	})
	t.Run("SlowStart", func(t *testing.T) {
		b := breaker.New(breaker.Config{SlowStart: 100 * time.Second}, nil)
		fail(t, b, start, 5)
		now := recoverAt(t, b, start.Add(time.Minute))
		if got := b.Weight(now.Add(50 * time.Second)); got != 0.5 {
			t.Errorf("weight half way = %v, want 0.5", got)
		}
	})
	t.Run("Probe", func(t *testing.T) {
		b := breaker.New(breaker.Config{Probe: time.Second}, nil)
		fail(t, b, start, 5)
		now := start.Add(time.Minute)
		probe(t, b, now, time.Time{})
		if got, want := b.Until(now), now.Add(time.Second); !got.Equal(want) {
			t.Errorf("lease ends at %v, want %v", got, want)
		}
	})
}
