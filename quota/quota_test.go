package quota_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/quota"
)

// noon is noon in Los Angeles, far from the end of a day.
var noon = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

// step is one call on a frozen time line. Reservations are numbered from 0 in the order in which
// they were asked for.
type step struct {
	at      time.Duration
	do      string // reserve, settle, release
	n       int    // which reservation to end
	tokens  int64
	refused bool
}

func play(t *testing.T, q *quota.Quota, steps []step) {
	t.Helper()
	var made []quota.Reservation
	for i, s := range steps {
		now := noon.Add(s.at)
		switch s.do {
		case "reserve":
			wait := q.Wait(now, s.tokens)
			r, ok := q.Reserve(now, s.tokens)
			if ok == s.refused {
				t.Fatalf("step %d at %v: Reserve(%d) = %v, want %v", i, s.at, s.tokens, ok, !s.refused)
			}
			if ok != (wait == 0) {
				t.Fatalf("step %d at %v: Wait(%d) = %v, and Reserve = %v", i, s.at, s.tokens, wait, ok)
			}
			made = append(made, r)
		case "settle":
			q.Settle(now, made[s.n], s.tokens)
		case "release":
			q.Release(now, made[s.n])
		default:
			t.Fatalf("step %d: unknown %q", i, s.do)
		}
	}
}

func TestQuotaAdmitsWhatFitsInEveryDimension(t *testing.T) {
	const s = time.Second
	midnight := quota.NextMidnight(noon).Sub(noon)
	for _, tt := range []struct {
		name   string
		limits quota.Limits
		steps  []step
	}{
		{"nothing is limited", quota.Limits{}, []step{
			{0, "reserve", 0, 1 << 50, false}, {0, "reserve", 0, 1 << 50, false},
		}},
		{"negative limits and tokens count as none", quota.Limits{RPM: -1, TPM: -1, RPD: -1, Concurrency: -1}, []step{
			{0, "reserve", 0, -5, false}, {0, "reserve", 0, 7, false},
		}},
		{"requests are free again after the minute and its guard", quota.Limits{RPM: 2}, []step{
			{0, "reserve", 0, 0, false}, {1 * s, "reserve", 0, 0, false}, {2 * s, "reserve", 0, 0, true},
			{60 * s, "reserve", 0, 0, true}, {60*s + 250*time.Millisecond, "reserve", 0, 0, false},
			{60*s + 250*time.Millisecond, "reserve", 0, 0, true},
		}},
		{"a refused call takes nothing in any dimension", quota.Limits{RPM: 2, TPM: 100, RPD: 2, Concurrency: 2}, []step{
			{0, "reserve", 0, 60, false}, {0, "reserve", 0, 60, true}, {0, "reserve", 0, 60, true}, {0, "reserve", 0, 40, false},
		}},
		{"settling downward gives tokens back at once", quota.Limits{TPM: 100}, []step{
			{0, "reserve", 0, 100, false}, {1 * s, "reserve", 0, 30, true}, {2 * s, "settle", 0, 70, false}, {2 * s, "reserve", 0, 30, false},
		}},
		{"tokens are corrected in the slice where they were reserved", quota.Limits{TPM: 100}, []step{
			{0, "reserve", 0, 10, false}, {50 * s, "settle", 0, 100, false}, {59 * s, "reserve", 0, 1, true}, {61 * s, "reserve", 0, 100, false},
		}},
		{"debt makes later calls wait, empty ones too", quota.Limits{TPM: 100}, []step{
			{0, "reserve", 0, 50, false}, {30 * s, "reserve", 0, 50, false}, {31 * s, "settle", 1, 500, false},
			{61 * s, "reserve", 0, 0, true}, {90 * s, "reserve", 0, 0, true}, {91 * s, "reserve", 0, 100, false},
		}},
		{"a correction after the window has passed is nothing", quota.Limits{TPM: 100}, []step{
			{0, "reserve", 0, 50, false}, {100 * s, "settle", 0, 5000, false}, {100 * s, "reserve", 0, 100, false},
		}},
		{"a request above the whole limit goes alone", quota.Limits{TPM: 100}, []step{
			{0, "reserve", 0, 1, false}, {0, "reserve", 0, 101, true}, {61 * s, "reserve", 0, 101, false}, {62 * s, "reserve", 0, 1, true},
			{122 * s, "reserve", 0, 1, false},
		}},
		{"a release gives everything back", quota.Limits{RPM: 1, TPM: 100, RPD: 1, Concurrency: 1}, []step{
			{0, "reserve", 0, 100, false}, {1 * s, "reserve", 0, 1, true}, {1 * s, "release", 0, 0, false}, {1 * s, "reserve", 0, 100, false},
		}},
		{"concurrency is free when a call ends", quota.Limits{Concurrency: 1}, []step{
			{0, "reserve", 0, 0, false}, {0, "reserve", 0, 0, true}, {600 * s, "reserve", 0, 0, true}, {601 * s, "settle", 0, 9, false},
			{601 * s, "reserve", 0, 0, false},
		}},
		{"the day ends at midnight in Los Angeles", quota.Limits{RPD: 1}, []step{
			{0, "reserve", 0, 0, false}, {midnight - 1, "reserve", 0, 0, true}, {midnight, "reserve", 0, 0, false},
		}},
		{"a release after midnight takes nothing from the new day", quota.Limits{RPD: 1}, []step{
			{0, "reserve", 0, 0, false}, {midnight, "release", 0, 0, false}, {midnight, "reserve", 0, 0, false}, {midnight, "reserve", 0, 0, true},
		}},
		{"a clock that steps back admits no more", quota.Limits{RPM: 1, RPD: 2}, []step{
			{midnight, "reserve", 0, 0, false}, {0, "reserve", 0, 0, true}, {-midnight, "reserve", 0, 0, true},
			{midnight + 60*s, "reserve", 0, 0, true}, {midnight + 61*s, "reserve", 0, 0, false}, {0, "reserve", 0, 0, true},
			{midnight + 130*s, "reserve", 0, 0, true},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { play(t, quota.New(tt.limits), tt.steps) })
	}
}

func TestQuotaNeverAdmitsMoreThanTheLimitInAnySixtySeconds(t *testing.T) {
	type sent struct {
		at     time.Time
		tokens int64
	}
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		limits := quota.Limits{RPM: 1 + rng.Int64N(20), TPM: 1000 + rng.Int64N(5000)}
		q := quota.New(limits)
		now := noon.Add(time.Duration(rng.Int64N(int64(time.Minute)))) // any phase
		var admitted []sent
		type open struct {
			r quota.Reservation
			i int
		}
		var running []open
		for range 300 {
			now = now.Add(time.Duration(rng.ExpFloat64() * float64(60*time.Second) / float64(limits.RPM) / 2))
			asked := now
			if rng.IntN(10) == 0 { // a clock that steps back, and is right again the next time
				q.Stat(now)
				asked = now.Add(-time.Duration(rng.Int64N(int64(2 * time.Minute))))
			}
			tokens := rng.Int64N(limits.TPM / 2)
			if r, ok := q.Reserve(asked, tokens); ok {
				running = append(running, open{r, len(admitted)})
				admitted = append(admitted, sent{now, tokens})
			}
			if len(running) > 0 && rng.IntN(2) == 0 {
				k := rng.IntN(len(running))
				o := running[k]
				running = append(running[:k], running[k+1:]...)
				used := rng.Int64N(o.r.Tokens + 1)
				q.Settle(now, o.r, used)
				admitted[o.i].tokens = used
			}
		}
		for i, first := range admitted {
			var requests, tokens int64
			for _, s := range admitted[i:] {
				if s.at.Sub(first.at) > time.Minute {
					break
				}
				requests++
				tokens += s.tokens
			}
			if requests > limits.RPM || tokens > limits.TPM {
				t.Fatalf("seed %d: %d requests and %d tokens in 60 s from %v, limits %+v", seed, requests, tokens, first.at, limits)
			}
		}
	}
}

func TestQuotaCostsLessThanHalfAPercentOfASteadyLimit(t *testing.T) {
	const minutes = 20
	q := quota.New(quota.Limits{RPM: 6000})
	admitted := 0
	for i := range minutes * 60 * 1000 {
		if _, ok := q.Reserve(noon.Add(time.Duration(i)*time.Millisecond), 1); ok {
			admitted++
		}
	}
	if want := 0.995 * 6000 * minutes; float64(admitted) < want || admitted > 6000*(minutes+1) {
		t.Errorf("%d admitted in %d minutes, want at least %.0f", admitted, minutes, want)
	}
}

func TestQuotaWaitIsTheExactMoment(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		limits := quota.Limits{RPM: 1 + rng.Int64N(5), TPM: 100 + rng.Int64N(400), RPD: 10 + rng.Int64N(100)}
		build := func() (*quota.Quota, time.Time, int64) {
			rng := rand.New(rand.NewPCG(seed, 4))
			q, now := quota.New(limits), noon.Add(time.Duration(rng.Int64N(int64(time.Hour))))
			for range 40 {
				now = now.Add(time.Duration(rng.Int64N(int64(10 * time.Second))))
				if r, ok := q.Reserve(now, rng.Int64N(200)); ok {
					q.Settle(now, r, rng.Int64N(300))
				}
			}
			return q, now, rng.Int64N(600)
		}
		q, now, tokens := build()
		wait := q.Wait(now, tokens)
		if wait > 0 {
			if _, ok := q.Reserve(now.Add(wait-time.Millisecond), tokens); ok {
				t.Fatalf("seed %d: admitted before the wait of %v was over", seed, wait)
			}
		}
		q, now, tokens = build()
		if _, ok := q.Reserve(now.Add(wait), tokens); !ok {
			t.Fatalf("seed %d: refused after a wait of %v", seed, wait)
		}
	}
}

func TestQuotaWaitWhileAllCallsAreTakenIsAGuess(t *testing.T) {
	q := quota.New(quota.Limits{Concurrency: 1})
	q.Reserve(noon, 0)
	if got := q.Wait(noon, 0); got != quota.ConcurrencyWait {
		t.Errorf("Wait = %v, want %v", got, quota.ConcurrencyWait)
	}
}

func TestQuotaHeadroomIsThatOfTheTightestDimension(t *testing.T) {
	for _, tt := range []struct {
		limits quota.Limits
		tokens []int64
		want   float64
	}{
		{quota.Limits{}, []int64{10, 10}, 1},
		{quota.Limits{RPM: 10, TPM: 100, RPD: 10, Concurrency: 10}, nil, 1},
		{quota.Limits{RPM: 10}, []int64{1}, 0.9},
		{quota.Limits{RPM: 10, TPM: 100}, []int64{40, 30}, 0.3},
		{quota.Limits{RPM: 10, RPD: 4}, []int64{1, 1}, 0.5},
		{quota.Limits{RPM: 10, Concurrency: 2}, []int64{1, 1}, 0},
		{quota.Limits{TPM: 100}, []int64{500}, 0},
	} {
		q := quota.New(tt.limits)
		for _, n := range tt.tokens {
			q.Reserve(noon, n)
		}
		if got := q.Headroom(noon); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%+v after %v: headroom %v, want %v", tt.limits, tt.tokens, got, tt.want)
		}
	}
}

func TestQuotaKeepsWhatWasUsedWhenLimitsChange(t *testing.T) {
	q := quota.New(quota.Limits{RPM: 10})
	for range 5 {
		q.Reserve(noon, 1)
	}
	q.SetLimits(quota.Limits{RPM: 5})
	if _, ok := q.Reserve(noon, 1); ok {
		t.Error("admitted a sixth request after the limit fell to 5")
	}
	q.SetLimits(quota.Limits{})
	if _, ok := q.Reserve(noon, 1); !ok {
		t.Error("refused without limits")
	}
	q.SetLimits(quota.Limits{RPM: 7})
	if _, ok := q.Reserve(noon, 1); !ok {
		t.Error("refused the seventh request of 7")
	}
	if _, ok := q.Reserve(noon, 1); ok {
		t.Error("admitted the eighth request of 7")
	}
	if got, want := q.Limits(), (quota.Limits{RPM: 7}); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
}

func TestQuotaReservesAndWaitsWithinOtherLimits(t *testing.T) {
	q := quota.New(quota.Limits{RPM: 1, RPD: 1})
	q.Reserve(noon, 50)
	if _, ok := q.Reserve(noon, 50); ok {
		t.Fatal("admitted a second request of 1")
	}
	for _, tt := range []struct {
		within quota.Limits
		wait   time.Duration
	}{
		{quota.Limits{RPM: 1}, 60250 * time.Millisecond},
		{quota.Limits{RPD: 1}, quota.NextMidnight(noon).Sub(noon)},
		{quota.Limits{TPM: 99}, 60250 * time.Millisecond},
		{quota.Limits{RPM: 2, RPD: 2, TPM: 100}, 0},
		{quota.Limits{}, 0},
	} {
		if got := q.WaitWithin(noon, 50, tt.within); got != tt.wait {
			t.Errorf("within %+v it says to wait %v, want %v", tt.within, got, tt.wait)
		}
		r, ok := q.ReserveWithin(noon, 50, tt.within)
		if ok != (tt.wait == 0) {
			t.Errorf("within %+v: admitted %v", tt.within, ok)
		}
		if ok {
			q.Release(noon, r)
		}
	}
	if got := q.Stat(noon); got.Requests.Used != 1 || got.Day.Used != 1 || got.Requests.Limit != 1 {
		t.Errorf("after that %+v", got)
	}
}

func TestQuotaEndsCallsThatBeganBeforeAMinuteWasLimited(t *testing.T) {
	q := quota.New(quota.Limits{Concurrency: 1})
	r, _ := q.Reserve(noon, 50)
	q.SetLimits(quota.Limits{RPM: 1, TPM: 100, Concurrency: 1})
	q.Settle(noon.Add(time.Second), r, 1000)
	if _, ok := q.Reserve(noon.Add(time.Second), 100); !ok {
		t.Error("a call from before the limit was counted, or still holds its place")
	}
}

func TestQuotaRestoresTheDayOfAnEarlierProcess(t *testing.T) {
	q := quota.New(quota.Limits{RPD: 10})
	q.RestoreDay(noon, 4, quota.NextMidnight(noon.Add(-24*time.Hour))) // yesterday's
	q.RestoreDay(noon, 9, quota.NextMidnight(noon))
	if _, ok := q.Reserve(noon, 1); !ok {
		t.Error("refused the tenth request of the day")
	}
	if _, ok := q.Reserve(noon, 1); ok {
		t.Error("admitted the eleventh request of the day")
	}
}

func TestQuotaStatSaysWhatIsUsedAndWhenItComesBack(t *testing.T) {
	q := quota.New(quota.Limits{RPM: 10, TPM: 100, RPD: 50, Concurrency: 3})
	r, _ := q.Reserve(noon, 30)
	q.Reserve(noon.Add(10*time.Second), 0)
	q.Settle(noon.Add(11*time.Second), r, 40)
	got := q.Stat(noon.Add(12 * time.Second))
	want := quota.Stat{
		Requests:    quota.Dimension{Used: 2, Limit: 10, Resets: noon.Add(70*time.Second + 250*time.Millisecond)},
		Tokens:      quota.Dimension{Used: 40, Limit: 100, Resets: noon.Add(60*time.Second + 250*time.Millisecond)},
		Day:         quota.Dimension{Used: 2, Limit: 50, Resets: quota.NextMidnight(noon)},
		Concurrency: quota.Dimension{Used: 1, Limit: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stat (-want +got):\n%s", diff)
	}
	later := q.Stat(noon.Add(10 * time.Minute))
	if later.Requests != (quota.Dimension{Limit: 10}) || later.Tokens != (quota.Dimension{Limit: 100}) {
		t.Errorf("after the window: %+v", later)
	}
}

func TestQuotaKeepsItsLimitsUnderManyGoroutines(t *testing.T) {
	const limit, calls = 8, 500
	q := quota.New(quota.Limits{RPM: 10_000, TPM: 1 << 30, RPD: 1 << 30, Concurrency: limit})
	var running, admitted atomic.Int64
	var group sync.WaitGroup
	for g := range 64 {
		group.Go(func() {
			for i := range calls {
				now := noon.Add(time.Duration(i) * time.Millisecond)
				r, ok := q.Reserve(now, int64(g))
				if !ok {
					continue
				}
				if n := running.Add(1); n > limit {
					t.Errorf("%d calls at once", n)
				}
				admitted.Add(1)
				_ = q.Headroom(now)
				running.Add(-1)
				if i%2 == 0 {
					q.Settle(now, r, 1)
				} else {
					q.Release(now, r)
					admitted.Add(-1)
				}
			}
		})
	}
	group.Wait()
	s := q.Stat(noon.Add(time.Second))
	if s.Concurrency.Used != 0 || s.Requests.Used != admitted.Load() || s.Tokens.Used != admitted.Load() || s.Day.Used != admitted.Load() {
		t.Errorf("%d settled, but %+v", admitted.Load(), s)
	}
}

func TestQuotaDoesNotPanicAtTheEndsOfTime(t *testing.T) {
	q := quota.New(quota.Limits{RPM: 1, TPM: 1, RPD: 1, Concurrency: 1})
	for _, now := range []time.Time{{}, time.Unix(1<<40, 0), noon, time.Unix(-1<<40, 0), {}} {
		r, _ := q.Reserve(now, math.MaxInt64)
		q.Wait(now, math.MinInt64)
		q.Stat(now)
		q.Settle(now, r, math.MaxInt64)
		q.Release(now, quota.Reservation{})
	}
}

func ExampleQuota() {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	q := quota.New(quota.Limits{RPM: 60, TPM: 10_000})

	r, ok := q.Reserve(now, 9_000) // an estimate
	fmt.Println(ok, q.Wait(now, 2_000))

	q.Settle(now.Add(3*time.Second), r, 7_500) // what it was
	fmt.Println(q.Wait(now.Add(3*time.Second), 2_000))
	// Output:
	// true 1m0.25s
	// 0s
}
