package quota_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// second sends n requests over one second from at, of which every rejectEvery-th meets contention (0: none),
// answered at once. It reports how many the pacer allowed.
func second(p *quota.Pacer, at time.Duration, n, rejectEvery int) int {
	allowed := 0
	for i := range n {
		now := noon.Add(at + time.Duration(i)*time.Second/time.Duration(n))
		if !p.Allow(now) {
			continue
		}
		allowed++
		if rejectEvery > 0 && allowed%rejectEvery == 0 {
			p.Rejected(now)
		} else {
			p.Accepted(now)
		}
	}
	return allowed
}

// paced returns a pacer that was limited by a capacity of 50 a second, and whose time line goes on at 2 s.
func paced(p quota.Pacing) *quota.Pacer {
	pacer := quota.NewPacer(p)
	second(pacer, 0, 100, 2)
	second(pacer, time.Second, 40, 0)
	return pacer
}

func TestPacerIsUnlimitedUntilTheFirstContention(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for s := range 10 {
		if got := second(p, time.Duration(s)*time.Second, 1000, 0); got != 1000 {
			t.Fatalf("%d of 1000 allowed without contention", got)
		}
	}
	if p.Limited() || p.Rate() != 0 || p.Wait(noon) != 0 {
		t.Errorf("limited %v to %v, wait %v", p.Limited(), p.Rate(), p.Wait(noon))
	}
}

func TestPacerToleratesALittleContention(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for s := range 5 {
		second(p, time.Duration(s)*time.Second, 100, 20)
	}
	if p.Limited() {
		t.Errorf("limited to %v by 5 %% of contention", p.Rate())
	}
}

func TestPacerGoesStraightToGainTimesWhatWasAccepted(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 2)
	second(p, time.Second, 1, 0)
	if got := p.Rate(); math.Abs(got-55) > 4 {
		t.Errorf("rate %v after 50 of 100 a second were accepted, want 55", got)
	}
	if s := p.Stat(noon.Add(time.Second)); !s.Limited || s.AcceptedCount != s.RejectedCount+1 {
		t.Errorf("%+v", s)
	}
}

func TestPacerCountsWhatIsStillRunningAsAccepted(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for i := range 100 { // half is refused at once, the other half takes minutes
		now := noon.Add(time.Duration(i) * 10 * time.Millisecond)
		p.Allow(now)
		if i%2 == 0 {
			p.Rejected(now)
		}
	}
	p.Rejected(noon.Add(time.Second))
	if got := p.Rate(); math.Abs(got-55) > 4 {
		t.Errorf("rate %v, want 55", got)
	}
}

func TestPacerFallsToAQuarterASecondAtMost(t *testing.T) {
	p := paced(quota.Pacing{})
	for s := range 6 {
		before := p.Rate()
		second(p, time.Duration(2+s)*time.Second, 200, 1)
		if got := p.Rate(); got < 0.2*before {
			t.Errorf("second %d without a request accepted: from %v to %v", s, before, got)
		}
	}
	if got := p.Rate(); got > 1 {
		t.Errorf("rate %v after six seconds without a request accepted", got)
	}
}

func TestPacerDoesNotFallBelowItsFloorAndRecovers(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{Floor: 2})
	for s := range 30 {
		second(p, time.Duration(s)*time.Second, 50, 1)
	}
	if got := p.Rate(); got != 2 {
		t.Fatalf("rate %v, want the floor of 2", got)
	}
	at := 30 * time.Second
	for ; p.Rate() < 100 && at < 5*time.Minute; at += time.Second {
		second(p, at, 200, 0)
	}
	if took := at - 30*time.Second; took > 30*time.Second {
		t.Errorf("took %v from 2 to 100 a second", took)
	}
}

func TestPacerAllowsItsRateInSmallBursts(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{Burst: 200 * time.Millisecond})
	second(p, 0, 100, 2)
	now := noon.Add(time.Minute)
	p.Allow(now) // which judges what was before
	now = now.Add(500 * time.Millisecond)
	rate := p.Rate()
	burst := 0
	for p.Allow(now) {
		burst++
	}
	if want := int(rate * 0.2); burst != want {
		t.Errorf("burst of %d, want %d", burst, want)
	}
	allowed := 0
	for i := range 400 { // within a period, in which the rate stays
		if p.Allow(now.Add(time.Duration(i) * time.Millisecond)) {
			allowed++
		}
	}
	if math.Abs(float64(allowed)-0.4*rate) > 2 {
		t.Errorf("%d allowed in 0.4 s at a rate of %v", allowed, rate)
	}
}

func TestPacerWaitIsTheExactMoment(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 2)
	second(p, time.Second, 1, 0)
	now := noon.Add(2 * time.Second)
	for range 50 {
		wait := p.Wait(now)
		if wait > 0 {
			if p.Allow(now.Add(wait - time.Microsecond)) {
				t.Fatalf("allowed before the wait of %v was over", wait)
			}
			now = now.Add(wait)
		}
		if !p.Allow(now) {
			t.Fatalf("not allowed after the wait of %v", wait)
		}
	}
}

func TestPacerAllowsAgainWhatWasReturned(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 2)
	second(p, time.Second, 1, 0)
	now := noon.Add(2 * time.Second)
	for p.Allow(now) {
	}
	p.Return(now)
	if p.Wait(now) != 0 || !p.Allow(now) {
		t.Error("a returned request was not allowed again")
	}
	if p.Allow(now) {
		t.Error("a returned request was allowed twice")
	}
	for range 10_000 {
		p.Return(now)
	}
	again := 0
	for p.Allow(now) {
		again++
	}
	if most := int(p.Rate() * 0.25); again > most {
		t.Errorf("%d allowed at once after returns, want at most the burst of %d", again, most)
	}
}

func TestPacerMintsNothingWhenTheClockStepsBack(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 2)
	second(p, time.Second, 1, 0)
	now := noon.Add(10 * time.Second)
	for p.Allow(now) {
	}
	for range 1000 {
		if p.Allow(noon) || p.Allow(now) {
			t.Fatal("allowed more by stepping back and forth")
		}
	}
}

func TestPacerForgetsAPeriodWithTooFewAnswers(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for i := range 100 { // now and then a request, and all of them refused
		now := noon.Add(time.Duration(i) * time.Minute)
		p.Allow(now)
		p.Rejected(now)
	}
	if p.Limited() {
		t.Errorf("limited to %v by one request a minute", p.Rate())
	}
}

func TestPacerPresetsDifferFromTheDefaults(t *testing.T) {
	rate := func(s quota.Pacing) float64 {
		p := quota.NewPacer(s)
		second(p, 0, 100, 2)
		second(p, time.Second, 1, 0)
		return p.Rate()
	}
	careful, plain, eager := rate(quota.Careful()), rate(quota.Pacing{}), rate(quota.Eager())
	if careful >= plain || plain >= eager {
		t.Errorf("careful %v, default %v, eager %v: want them in this order", careful, plain, eager)
	}
	if odd := rate(quota.Pacing{Gain: -1, Tolerance: math.NaN(), Growth: -1, Floor: math.NaN(), Burst: -1}); odd != plain {
		t.Errorf("settings that make no sense give %v, want the defaults' %v", odd, plain)
	}
}

func TestPacerIsSafeForManyGoroutines(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	var allowed, returned atomic.Int64
	var group sync.WaitGroup
	for g := range 64 {
		group.Go(func() {
			for i := range 500 {
				now := noon.Add(time.Duration(i) * 10 * time.Millisecond)
				if !p.Allow(now) {
					p.Wait(now)
					continue
				}
				allowed.Add(1)
				switch (g + i) % 3 {
				case 0:
					p.Rejected(now)
				case 1:
					p.Accepted(now)
				default:
					p.Return(now)
					returned.Add(1)
				}
			}
		})
	}
	group.Wait()
	s := p.Stat(noon.Add(time.Minute))
	if !s.Limited || s.AcceptedCount+s.RejectedCount != allowed.Load()-returned.Load() {
		t.Errorf("%+v after %d allowed and %d returned", s, allowed.Load(), returned.Load())
	}
}

// TestPacerDoesNotRaiseARateThatIsNotUsed: else an hour of little traffic would end in a burst.
func TestPacerDoesNotRaiseARateThatIsNotUsed(t *testing.T) {
	p := paced(quota.Pacing{})
	before := p.Rate()
	for s := range 3600 {
		second(p, time.Duration(2+s)*time.Second, 5, 0)
	}
	if got := p.Rate(); got > 1.2*before {
		t.Errorf("rate %v after an hour at 5 a second, before it %v", got, before)
	}
}

// TestPacerRaisesItsRateWhileAnswersTakeMinutes: what is sent and not refused counts, not what has been answered.
func TestPacerRaisesItsRateWhileAnswersTakeMinutes(t *testing.T) {
	p := paced(quota.Pacing{})
	before := p.Rate()
	for ms := range 10_000 {
		p.Allow(noon.Add(2*time.Second + time.Duration(ms)*time.Millisecond))
	}
	if got := p.Rate(); got < 4*before {
		t.Errorf("rate %v after ten seconds without a refusal, before them %v", got, before)
	}
}
