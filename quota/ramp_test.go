package quota_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// climb asks a ramp as often as it allows from at on, for so many spans of 10 s, and returns how
// many it allowed in each.
func climb(r *quota.Ramp, at time.Time, spans int) []int {
	allowed := make([]int, spans)
	for i := range allowed {
		for end := at.Add(10 * time.Second); at.Before(end); at = at.Add(max(r.Wait(at), time.Nanosecond)) {
			if r.Allow(at) {
				allowed[i]++
			}
		}
	}
	return allowed
}

// steady sends evenly for a minute, and returns how many calls were allowed and the time after it.
func steady(r *quota.Ramp, at time.Time, perSecond int) (allowed int, end time.Time) {
	for range 60 * perSecond {
		if r.Allow(at) {
			allowed++
		}
		at = at.Add(time.Second / time.Duration(perSecond))
	}
	return allowed, at
}

func TestRampAtMostDoublesEveryTenSeconds(t *testing.T) {
	got := climb(&quota.Ramp{}, noon, 8)
	if got[0] < 100 || got[0] > 130 {
		t.Errorf("%d calls in the first 10 s, want 10 at once and about 10 a second", got[0])
	}
	for i := 1; i < len(got); i++ {
		if factor := float64(got[i]) / float64(got[i-1]); factor > 2.05 || factor < 1.4 || i > 2 && factor < 1.95 {
			t.Errorf("10 s after %d calls there are %d: %.2f times as many", got[i-1], got[i], factor)
		}
	}
}

func TestRampBeginsAfreshAfterIdleness(t *testing.T) {
	var r quota.Ramp
	_, at := steady(&r, noon, 5)
	if got := climb(&r, at, 8); got[7] < 100*got[0] {
		t.Fatalf("it climbs to %v", got)
	}
	at = at.Add(80*time.Second + 30*time.Minute)
	if !r.Idle(at) {
		t.Error("after half an hour it still knows of traffic")
	}
	burst := 0
	for r.Allow(at) {
		burst++
	}
	if burst != 10 || r.Idle(at) {
		t.Errorf("after half an hour %d calls go at once, want 10", burst)
	}
}

// TestRampLeavesSteadyTrafficAlone sends by chance at rates that have been reached slowly.
func TestRampLeavesSteadyTrafficAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, perSecond := range []float64{1, 5, 50, 500} {
		var r quota.Ramp
		climb(&r, noon, 8)
		at := noon.Add(80 * time.Second)
		kept, calls := 0, 0
		for end := at.Add(5 * time.Minute); at.Before(end); {
			at = at.Add(time.Duration(random.ExpFloat64() / perSecond * float64(time.Second)))
			calls++
			if !r.Allow(at) {
				kept++
			}
		}
		if float64(kept) > 0.01*float64(calls) {
			t.Errorf("at %v a second it keeps %d of %d calls", perSecond, kept, calls)
		}
	}
}

func TestRampFollowsARateThatDoublesSlowly(t *testing.T) {
	var r quota.Ramp
	at, all := noon, 0
	for _, perSecond := range []int{5, 10, 20, 40, 80, 160} {
		var got int
		got, at = steady(&r, at, perSecond)
		if all += 60 * perSecond; got < 60*perSecond*9/10 {
			t.Errorf("at %d a second %d of %d calls are allowed", perSecond, got, 60*perSecond)
		}
	}
}

func TestRampWaitIsTheExactMoment(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var r quota.Ramp
	now := noon
	waits := 0
	for i := range 10_000 {
		now = now.Add(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
		if i%500 == 0 {
			now = now.Add(time.Minute)
		}
		wait := r.Wait(now)
		if wait > 1 && r.Allow(now.Add(wait-time.Microsecond)) {
			t.Fatalf("it says to wait %v, and allows a call before", wait)
		}
		if wait > 0 {
			waits++
			now = now.Add(wait)
		}
		if !r.Allow(now) {
			t.Fatalf("it says to wait %v, and allows no call then", wait)
		}
	}
	if waits < 1000 {
		t.Errorf("only %d calls had to wait", waits)
	}
}

func TestRampOfTrafficThatGoesAlreadyLeavesItAlone(t *testing.T) {
	if got, _ := steady(quota.NewRamp(noon, 300), noon, 300); got != 60*300 {
		t.Errorf("%d of %d calls allowed", got, 60*300)
	}
	if got, _ := steady(quota.NewRamp(noon, -1), noon, 300); got > 60*250 {
		t.Errorf("%d of %d calls allowed after no traffic", got, 60*300)
	}
}

func TestRampForgetsCallsThatWereNotSent(t *testing.T) {
	var r quota.Ramp
	for range 1000 {
		if !r.Allow(noon) {
			t.Fatal("calls that were not sent count")
		}
		r.Return()
	}
	if !r.Idle(noon) {
		t.Error("it knows of traffic that was not sent")
	}
}

func TestRampStandsAClockThatStepsBack(t *testing.T) {
	var r quota.Ramp
	for r.Allow(noon) {
	}
	for i := range 100 {
		if r.Allow(noon.Add(-time.Duration(i) * time.Hour)) {
			t.Fatal("a step back allows a call")
		}
	}
	if wait := r.Wait(noon.Add(-time.Hour)); wait < time.Hour || wait > time.Hour+time.Second {
		t.Errorf("it says to wait %v", wait)
	}
}
