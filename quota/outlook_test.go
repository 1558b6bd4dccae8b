package quota_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

func TestOutlookOfAnIdleQuotaIsItsLimitEveryWindow(t *testing.T) {
	var o quota.Outlook
	o.Add(noon, quota.New(quota.Limits{RPM: 60}), 0)
	for _, tt := range []struct {
		d    time.Duration
		want int64
	}{{0, 60}, {59 * time.Second, 60}, {61 * time.Second, 120}, {10 * time.Minute, 600}, {-time.Second, 60}} {
		if got := o.By(tt.d); got != tt.want {
			t.Errorf("by %v: %d requests, want %d", tt.d, got, tt.want)
		}
	}
	for n, want := range map[int64]time.Duration{1: 0, 60: 0, 61: 60 * time.Second, 120: 60 * time.Second, 121: 120 * time.Second} {
		if got, ok := o.When(n); !ok || got < want || got > want+time.Second {
			t.Errorf("request %d: in %v, %v; want in %v or a little later", n, got, ok, want)
		}
	}
}

func TestOutlookKnowsDaysRestsAndWhatIsEndless(t *testing.T) {
	spent := quota.New(quota.Limits{RPM: 10, RPD: 12})
	for range 10 {
		if _, ok := spent.Reserve(noon, 0); !ok {
			t.Fatal("not admitted")
		}
	}
	midnight := quota.NextMidnight(noon).Sub(noon)
	var o quota.Outlook
	if _, ok := o.When(1); ok || o.By(time.Hour) != 0 {
		t.Error("no quota admits something")
	}
	o.Add(noon, spent, 0)
	if got := o.By(50 * time.Second); got != 0 {
		t.Errorf("%d while the minute is spent, want 0", got)
	}
	if got := o.By(time.Hour); got != 2 {
		t.Errorf("%d in the next hour, want the 2 that the day has left", got)
	}
	if got, ok := o.When(3); !ok || got != midnight {
		t.Errorf("the third in %v, %v; want at midnight, in %v", got, ok, midnight)
	}
	o.Add(noon, quota.New(quota.Limits{RPM: 5}), 30*time.Second) // it rests
	if got := o.By(29 * time.Second); got != 0 {
		t.Errorf("%d before the rest ends, want 0", got)
	}
	if got := o.By(31 * time.Second); got != 5 {
		t.Errorf("%d after the rest, want 5", got)
	}
	o.Open(90 * time.Second)
	if got := o.By(90 * time.Second); got != math.MaxInt64 {
		t.Errorf("%d from an endless supply", got)
	}
	if got, ok := o.When(1000); !ok || got != 90*time.Second {
		t.Errorf("the 1000th in %v, %v; want when the endless supply begins", got, ok)
	}
}

func TestOutlookOfADaysLimitAlone(t *testing.T) {
	var o quota.Outlook
	o.Add(noon, quota.New(quota.Limits{RPD: 7}), 10*time.Second)
	for d, want := range map[time.Duration]int64{0: 0, 9 * time.Second: 0, 11 * time.Second: 7, 65 * time.Second: 7, time.Hour: 7, 24 * time.Hour: math.MaxInt64} {
		if got := o.By(d); got != want {
			t.Errorf("by %v: %d requests, want %d", d, got, want)
		}
	}
}

// TestOutlookNeverSaysLessThanIsAdmitted compares it with what a quota admits to someone who tries
// every few milliseconds.
func TestOutlookNeverSaysLessThanIsAdmitted(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		q := quota.New(quota.Limits{RPM: 1 + rng.Int64N(50), RPD: rng.Int64N(2) * 100})
		now := noon
		step := func(most time.Duration) { now = now.Add(time.Duration(rng.Int64N(int64(most)))) }
		for range rng.IntN(100) { // a past of some shape
			q.Reserve(now, 0)
			step(2 * time.Second)
		}
		from := time.Duration(rng.Int64N(int64(40 * time.Second)))
		var o quota.Outlook
		o.Add(now, q, from)
		began, admitted := now, int64(0)
		for now = now.Add(from); now.Sub(began) < 4*time.Minute; step(100 * time.Millisecond) {
			if _, ok := q.Reserve(now, 0); !ok {
				continue
			}
			admitted++
			if by := o.By(now.Sub(began)); by < admitted {
				t.Fatalf("seed %d: %d admitted in %v, foreseen were at most %d", seed, admitted, now.Sub(began), by)
			}
			when, ok := o.When(admitted)
			if late := when - now.Sub(began); !ok || late > 500*time.Millisecond {
				t.Fatalf("seed %d: request %d admitted after %v, foreseen for %v, %v", seed, admitted, now.Sub(began), when, ok)
			}
		}
		if by := o.By(4 * time.Minute); q.Limits().RPD == 0 && admitted < by-q.Limits().RPM {
			t.Errorf("seed %d: only %d admitted of the %d that were foreseen", seed, admitted, by)
		}
	}
}
