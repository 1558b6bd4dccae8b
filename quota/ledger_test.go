package quota_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// tenSeconds is an order of 1,000 tokens in any 10 s, with nothing about its window to learn.
func tenSeconds(t testing.TB) *quota.Ledger {
	t.Helper()
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 100, Window: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// prompt is a call whose cost is known before it ends, answer one of which it is estimated.
func prompt(cost float64) quota.Cost { return quota.Cost{Input: cost} }
func answer(cost float64) quota.Cost { return quota.Cost{Output: cost} }

func reserve(t testing.TB, l *quota.Ledger, at time.Duration, cost float64) quota.Hold {
	t.Helper()
	h, ok := l.Reserve(noon.Add(at), prompt(cost))
	if !ok {
		t.Fatalf("at %v: %v tokens refused, %+v", at, cost, l.Stat(noon.Add(at)))
	}
	return h
}

func refuses(t testing.TB, l *quota.Ledger, at time.Duration, cost float64) {
	t.Helper()
	if _, ok := l.Reserve(noon.Add(at), prompt(cost)); ok {
		t.Fatalf("at %v: %v tokens admitted, %+v", at, cost, l.Stat(noon.Add(at)))
	}
}

func TestLedgerAdmitsWhatFitsTheWindow(t *testing.T) {
	l := tenSeconds(t)
	reserve(t, l, 0, 600)
	reserve(t, l, time.Second, 400)
	refuses(t, l, 9*time.Second, 1)
	reserve(t, l, 10*time.Second+50*time.Millisecond, 600) // the first 600 have left
	refuses(t, l, 10*time.Second+50*time.Millisecond, 1)
	reserve(t, l, time.Minute, 1000)
}

func TestLedgerSettlesAtTheRealCost(t *testing.T) {
	l := tenSeconds(t)
	h := reserve(t, l, 0, 900)
	l.Settle(noon.Add(time.Second), h, prompt(300))
	h = reserve(t, l, time.Second, 700)
	refuses(t, l, time.Second, 10)
	l.Settle(noon.Add(2*time.Second), h, prompt(1500)) // into debt
	if got := l.Utilisation(noon.Add(2 * time.Second)); got < 1.79 || got > 1.81 {
		t.Errorf("utilisation %v, want 1.8", got)
	}
	if got := l.Headroom(noon.Add(2 * time.Second)); got != 0 {
		t.Errorf("headroom %v in debt, want 0", got)
	}
	refuses(t, l, 10*time.Second+500*time.Millisecond, 1)
	reserve(t, l, 12*time.Second, 900)
}

func TestLedgerGivesBackWhatWasNotServed(t *testing.T) {
	l := tenSeconds(t)
	h := reserve(t, l, 0, 1000)
	l.Release(noon.Add(time.Second), h)
	if got := l.Utilisation(noon.Add(time.Second)); got != 0 {
		t.Errorf("utilisation %v after a release, want 0", got)
	}
	h = reserve(t, l, 2*time.Second, 1000)
	l.Refuse(noon.Add(3*time.Second), h)
	if got := l.Utilisation(noon.Add(3 * time.Second)); got != 0 {
		t.Errorf("utilisation %v after a refusal, want 0", got)
	}
	if s := l.Stat(noon.Add(3 * time.Second)); s.RefusedCount != 1 || s.ServedCount != 0 {
		t.Errorf("%d refused, %d served", s.RefusedCount, s.ServedCount)
	}
}

func TestLedgerWaitIsTheExactMoment(t *testing.T) {
	const bucket = 50 * time.Millisecond
	for _, cost := range []float64{1, 200, 500, 700, 1000} {
		for _, early := range []time.Duration{0, time.Millisecond} {
			l := tenSeconds(t)
			reserve(t, l, 130*time.Millisecond, 300)
			reserve(t, l, 3*time.Second, 300)
			reserve(t, l, 4*time.Second, 400)
			now := noon.Add(5 * time.Second)
			wait := l.Wait(now, prompt(cost))
			if wait <= 5*time.Second || wait > 10*time.Second {
				t.Fatalf("wait of %v for %v tokens", wait, cost)
			}
			if _, ok := l.Reserve(now.Add(wait-early), prompt(cost)); ok != (early == 0) {
				t.Errorf("%v tokens, %v before the wait of %v is over: %v", cost, early, wait, ok)
			}
		}
	}
	if got := tenSeconds(t).Wait(noon, prompt(1000)); got != 0 {
		t.Errorf("wait of %v for an idle order", got)
	}
	l := tenSeconds(t)
	reserve(t, l, 0, 1000)
	if got, want := l.Wait(noon, prompt(1)), 10*time.Second+bucket; got != want {
		t.Errorf("wait of %v, want the window and its bucket, %v", got, want)
	}
}

func TestLedgerSaysNeverToWhatDoesNotFitAnIdleOrder(t *testing.T) {
	l := tenSeconds(t)
	refuses(t, l, 0, 1001)
	for _, cost := range []float64{1001, 1e300, math.Inf(1)} {
		if got := l.Wait(noon, prompt(cost)); got != quota.Never {
			t.Errorf("wait of %v for %v tokens, want Never", got, cost)
		}
	}
	for _, cost := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
		l.Release(noon, reserve(t, l, 0, cost))
	}
}

func TestLedgerAdmitsNoMoreWhenTheClockStepsBack(t *testing.T) {
	l := tenSeconds(t)
	reserve(t, l, time.Minute, 1000)
	refuses(t, l, 0, 1)
	refuses(t, l, -time.Hour, 1)
	refuses(t, l, 65*time.Second, 1)
	reserve(t, l, 71*time.Second, 1000)
	refuses(t, l, 71*time.Second, 1)
}

func TestLedgerEndsCallsThatOutliveTheWindow(t *testing.T) {
	l := tenSeconds(t)
	served, refused, released := reserve(t, l, 0, 100), reserve(t, l, 0, 100), reserve(t, l, 0, 100)
	later := noon.Add(time.Hour)
	reserve(t, l, time.Hour, 400)
	l.Settle(later, served, prompt(900))
	l.Refuse(later, refused)
	l.Release(later, released)
	if got := l.Stat(later).Used; math.Abs(got-400) > 50 {
		t.Errorf("%v tokens used, want those of the call that runs", got)
	}
}

func TestLedgerServesAgainAfterALongTimeOfRefusals(t *testing.T) {
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: 10}) // 26,900 a second
	if err != nil {
		t.Fatal(err)
	}
	at := time.Duration(0)
	for range 10_000 { // the order has ended, and was renewed a while later
		at += time.Second
		h, ok := l.Reserve(noon.Add(at), answer(5_000))
		if !ok {
			t.Fatalf("at %v: not asked although the order is idle, %+v", at, l.Stat(noon.Add(at)))
		}
		l.Refuse(noon.Add(at), h)
	}
	served := 0
	for range 4 * 600 { // offered 20,000 a second: three quarters of the order
		at += 250 * time.Millisecond
		if h, ok := l.Reserve(noon.Add(at), answer(5_000)); ok {
			served++
			l.Settle(noon.Add(at+100*time.Millisecond), h, answer(5_000))
		}
	}
	if served < 4*600*97/100 {
		t.Errorf("%d of %d calls served after the order came back", served, 4*600)
	}
}

func TestLedgerTriesWhetherTheWindowOfASeldomFullOrderIsLonger(t *testing.T) {
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: 10}) // 26,900 a second
	if err != nil {
		t.Fatal(err)
	}
	at, tried := noon, 0
	for range 300 {
		at = at.Add(time.Minute)
		for asked := 0; ; asked++ { // a burst, of which Google serves what fits into 5 s
			h, ok := l.Reserve(at, prompt(13_450))
			if !ok {
				break
			}
			if asked < 10 {
				l.Settle(at, h, prompt(13_450))
				continue
			}
			tried++
			l.Refuse(at, h)
		}
	}
	if s := l.Stat(at); s.Window < 5*time.Second || s.Window > 6*time.Second {
		t.Fatalf("window of %v believed, want 5 s", s.Window)
	}
	served := 0
	for range 300 { // now it is 30 s
		at = at.Add(time.Minute)
		served = 0
		for ; served < 60; served++ {
			h, ok := l.Reserve(at, prompt(13_450))
			if !ok {
				break
			}
			l.Settle(at, h, prompt(13_450))
		}
	}
	if tried > 60 || served < 55 {
		t.Errorf("%d of 3,300 calls refused, and %d served of 60 that fit the longer window", tried, served)
	}
}

func TestLedgerServesLargeCallsHoweverWrongItsGuess(t *testing.T) {
	l := tenSeconds(t)
	ask := func(at time.Duration) quota.Hold {
		h, ok := l.Reserve(noon.Add(at), answer(900))
		if !ok {
			t.Fatalf("at %v: 900 tokens refused, %+v", at, l.Stat(noon.Add(at)))
		}
		return h
	}
	at := time.Duration(0)
	for range 1000 { // refusals that teach it to count every call three times
		at += time.Minute
		l.Refuse(noon.Add(at), ask(at))
	}
	if s := l.Stat(noon.Add(at)); s.Guess < 2 {
		t.Fatalf("guess %v after refusals, want it raised", s.Guess)
	}
	l.Settle(noon.Add(at+time.Minute), ask(at+time.Minute), answer(900))
}

func TestLedgerWeighsAnAnswerAgainstTheUsualOne(t *testing.T) {
	used := func(l *quota.Ledger, at time.Time, cost quota.Cost) float64 {
		t.Helper()
		h, ok := l.Reserve(at, cost)
		if !ok {
			t.Fatalf("%+v refused", cost)
		}
		defer l.Release(at, h)
		return l.Stat(at).Used
	}
	for _, served := range []quota.Cost{
		{Output: 100, Usual: 100}, {Output: 300, Usual: 100}, {Output: 20, Usual: 100}, {Output: 100},
	} {
		l := tenSeconds(t)
		at := noon
		for range 40_000 { // answers cost twice what was expected of each
			at = at.Add(time.Minute)
			h, ok := l.Reserve(at, served)
			if !ok {
				t.Fatalf("%+v refused", served)
			}
			l.Settle(at.Add(time.Second), h, answer(2*served.Output))
		}
		if got := used(l, at.Add(time.Hour), quota.Cost{Output: 50, Usual: 100}); math.Abs(got-100) > 1 {
			t.Errorf("after answers to %+v half a usual answer weighs %v, want 100", served, got)
		}
		if got := used(l, at.Add(time.Hour), quota.Cost{Input: 10, Usual: 100}); math.Abs(got-10) > 0.01 {
			t.Errorf("no answer and a prompt of 10 weigh %v", got)
		}
	}
}

func TestLedgerIsSafeForManyGoroutines(t *testing.T) {
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: 10})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for g := range 64 {
		group.Go(func() {
			for i := range 300 {
				now := noon.Add(time.Duration(i) * 10 * time.Millisecond)
				h, ok := l.Reserve(now, prompt(1000))
				if !ok {
					l.Wait(now, prompt(1000))
					continue
				}
				switch (g + i) % 4 {
				case 0:
					l.Refuse(now, h)
				case 1:
					l.Release(now, h)
				default:
					l.Settle(now, h, prompt(500))
				}
				l.Headroom(now)
			}
		})
	}
	group.Wait()
	if got := l.Stat(noon.Add(time.Hour)).Used; got != 0 {
		t.Errorf("%v tokens used an hour later, want none", got)
	}
}

// A ledger that has seen no call foresees the first one as it will judge it.
func TestWaitAgreesWithReserveBeforeTheFirstCall(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for output := 10.0; output < 3_000; output *= 1.3 {
		l, err := quota.NewLedger(quota.Order{Model: "m", TokensPerSecond: 100, Window: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		cost := quota.Cost{Input: 100, Output: output, Usual: output}
		wait := l.Wait(now, cost)
		if _, ok := l.Reserve(now, cost); ok != (wait == 0) {
			t.Errorf("a call with an output of %.0f: Wait says %v, Reserve %v", output, wait, ok)
		}
	}
}
