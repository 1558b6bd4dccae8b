package quota_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// enough is a capacity that refuses nothing.
const enough = 1e9

// second sends n requests over one second from at, answered at once: of those allowed, so many a
// second meet no contention. It reports how many the pacer allowed.
func second(p *quota.Pacer, at time.Duration, n int, capacity float64) int {
	allowed, accepted := 0, 0.0
	for i := range n {
		share := float64(i) / float64(n)
		now := noon.Add(at + time.Duration(share*float64(time.Second)))
		if !p.Allow(now) {
			continue
		}
		allowed++
		if accepted < capacity*share+min(capacity, 1) {
			accepted++
			p.Accepted(now)
		} else {
			p.Rejected(now, now)
		}
	}
	return allowed
}

// paced returns a pacer that was limited by a capacity of 50 a second, and whose time line goes on
// at 2 s.
func paced(p quota.Pacing) *quota.Pacer {
	pacer := quota.NewPacer(p)
	second(pacer, 0, 100, 50)
	second(pacer, time.Second, 200, 50)
	return pacer
}

func TestPacerIsUnlimitedUntilTheFirstContention(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for s := range 10 {
		if got := second(p, time.Duration(s)*time.Second, 1000, enough); got != 1000 {
			t.Fatalf("%d of 1000 allowed without contention", got)
		}
	}
	if p.Limited() || p.Rate() != 0 || p.Wait(noon) != 0 {
		t.Errorf("limited %v to %v, wait %v", p.Limited(), p.Rate(), p.Wait(noon))
	}
}

func TestPacerToleratesALittleContention(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for i := range 500 {
		now := noon.Add(time.Duration(i) * 10 * time.Millisecond)
		p.Allow(now)
		if i%25 == 24 {
			p.Rejected(now, now)
		} else {
			p.Accepted(now)
		}
	}
	if p.Limited() {
		t.Errorf("limited to %v by 4 %% of contention", p.Rate())
	}
}

func TestPacerGoesStraightToGainTimesWhatWasAccepted(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 50)
	if got := p.Rate(); math.Abs(got-55) > 4 {
		t.Errorf("rate %v after 50 of 100 a second were accepted, want 55", got)
	}
	if s := p.Stat(noon.Add(time.Second)); !s.Limited || s.AcceptedCount == 0 || s.RejectedCount == 0 {
		t.Errorf("%+v", s)
	}
}

func TestPacerCountsWhatIsStillRunningAsAccepted(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for i := 0; !p.Limited() && i < 100; i++ { // half is refused at once, the other half takes minutes
		now := noon.Add(time.Duration(i) * 10 * time.Millisecond)
		p.Allow(now)
		if i%2 == 0 {
			p.Rejected(now, now)
		}
	}
	if got := p.Rate(); math.Abs(got-55) > 4 {
		t.Errorf("rate %v, want 55", got)
	}
}

// TestPacerIsNotMisledByRefusalsThatTakeTheirTime: 100 a second are sent, 50 a second have room,
// and refusals come back after a quarter second. Those of requests that were sent before the rate
// fell are no reason for it to fall again.
func TestPacerIsNotMisledByRefusalsThatTakeTheirTime(t *testing.T) {
	const lag = 250 // ms
	p := quota.NewPacer(quota.Pacing{})
	var refused [10_000 + lag]bool // by the millisecond in which they were sent
	room := 0.0
	for ms := range 10_000 {
		now := noon.Add(time.Duration(ms) * time.Millisecond)
		if ms >= lag && refused[ms-lag] {
			p.Rejected(now, now.Add(-lag*time.Millisecond))
		}
		room = min(room+0.05, 1)
		if ms%10 == 0 && p.Allow(now) {
			if room < 1 {
				refused[ms] = true
			} else {
				room--
			}
		}
		if got := p.Rate(); ms > 1000 && (got < 40 || got > 75) {
			t.Fatalf("rate %v after %d ms at a capacity of 50", got, ms)
		}
	}
}

// TestPacerIsLimitedByBurstsOfRefusals: 100 requests at a time, with a second between them, of
// which 90 are refused one after the other. The first of the refusals ends a period in which there
// was hardly any; the others count in the next.
func TestPacerIsLimitedByBurstsOfRefusals(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, enough)
	for s := 2; s < 10; s++ {
		sent := noon.Add(time.Duration(s) * time.Second)
		for range 100 {
			p.Allow(sent)
		}
		for i := range 90 {
			p.Rejected(sent.Add(20*time.Millisecond+time.Duration(i)*100*time.Microsecond), sent)
		}
		if p.Limited() {
			return
		}
	}
	t.Error("not limited after eight bursts of which 90 % were refused")
}

// TestPacerDoesNotTakeIdleTimeForALowCapacity: what comes after an hour without a request is
// measured from then on.
func TestPacerDoesNotTakeIdleTimeForALowCapacity(t *testing.T) {
	for before := range 3 { // requests that were not judged before
		p := quota.NewPacer(quota.Pacing{})
		second(p, 0, 100, enough)
		p.Accepted(noon.Add(time.Minute)) // ends the period
		for range before {
			p.Allow(noon.Add(time.Minute))
		}
		now := noon.Add(time.Hour)
		for range 5 {
			p.Allow(now)
		}
		for range 3 {
			p.Rejected(now, now)
		}
		if p.Limited() {
			t.Errorf("limited to %v by what came at once after an idle hour", p.Rate())
		}
	}
}

// TestPacerMeasuresTheFirstBurstAfterIdleTime: 100 requests within 0.3 s, half of which are refused
// a little later.
func TestPacerMeasuresTheFirstBurstAfterIdleTime(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, enough)
	p.Accepted(noon.Add(time.Minute)) // ends the period
	later := func(ms int) time.Time { return noon.Add(time.Hour + time.Duration(ms)*time.Millisecond) }
	for i := range 100 {
		p.Allow(later(3 * i))
	}
	for i := range 50 {
		p.Rejected(later(300+i), later(6*i))
	}
	p.Accepted(later(700))
	if got := p.Rate(); got < 50 || got > 200 {
		t.Errorf("rate %v after 50 requests in 0.6 s were not refused", got)
	}
}

func TestPacerFallsToAQuarterAtOnceAtMost(t *testing.T) {
	p := paced(quota.Pacing{})
	before, falls := p.Rate(), 0
	for i := range 1200 {
		now := noon.Add(2*time.Second + time.Duration(i)*5*time.Millisecond)
		if p.Allow(now) {
			p.Rejected(now, now)
		}
		got := p.Rate()
		if got < before {
			falls++
		}
		if got < 0.2*before && got > 0.5 {
			t.Errorf("after %d requests, none of them accepted: from %v to %v", i, before, got)
		}
		before = got
	}
	if before > 1 || falls < 3 {
		t.Errorf("rate %v after six seconds without a request accepted, and %d falls", before, falls)
	}
}

// TestPacerIsQuickToFindACapacityThatComesBack: at its floor a pacer knows nothing of the capacity
// but that there was none, and the requests that were refused until then do not count against the
// first that is not.
func TestPacerIsQuickToFindACapacityThatComesBack(t *testing.T) {
	for gone := range 6 {
		p := paced(quota.Pacing{})
		at := 2 * time.Second
		for range 15 + gone {
			second(p, at, 200, 0)
			at += time.Second
		}
		if got := p.Rate(); got != 0.5 {
			t.Fatalf("rate %v after %v without capacity, want the floor", got, at)
		}
		for range 6 {
			second(p, at, 200, 50)
			at += time.Second
		}
		if got := p.Rate(); got < 40 {
			t.Errorf("rate %v six seconds after a capacity of 50 came back, which had gone for %d", got, 15+gone)
		}
	}
}

// TestPacerStaysWhereItIsRefusedALittle: between half of the tolerated share and all of it, the
// rate is what it should be.
func TestPacerStaysWhereItIsRefusedALittle(t *testing.T) {
	p := paced(quota.Pacing{Tolerance: 0.2})
	var rate float64
	for i, sent := 0, 0; i < 5000; i++ {
		now := noon.Add(2*time.Second + time.Duration(i)*2*time.Millisecond)
		if !p.Allow(now) {
			continue
		}
		if sent++; sent%7 == 0 { // 14 %
			p.Rejected(now, now)
		}
		if i < 500 {
			rate = p.Rate()
		}
		if got := p.Rate(); got != rate {
			t.Fatalf("rate %v after %d requests, before it %v", got, sent, rate)
		}
	}
}

func TestPacerDoesNotFallBelowItsFloorAndRecovers(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{Floor: 2})
	for s := range 30 {
		second(p, time.Duration(s)*time.Second, 50, 0)
	}
	if got := p.Rate(); got != 2 {
		t.Fatalf("rate %v, want the floor of 2", got)
	}
	at := 30 * time.Second
	for ; p.Rate() < 100 && at < 5*time.Minute; at += time.Second {
		second(p, at, 200, enough)
	}
	if took := at - 30*time.Second; took > 30*time.Second {
		t.Errorf("took %v from 2 to 100 a second", took)
	}
}

func TestPacerAllowsItsRateInSmallBursts(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{Burst: 200 * time.Millisecond})
	second(p, 0, 100, 50)
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
	second(p, 0, 100, 50)
	second(p, time.Second, 2, enough)
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
	second(p, 0, 100, 50)
	second(p, time.Second, 1, enough)
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
	if most := int(p.Rate() * 0.05); again > most {
		t.Errorf("%d allowed at once after returns, want at most the burst of %d", again, most)
	}
}

func TestPacerMintsNothingWhenTheClockStepsBack(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	second(p, 0, 100, 50)
	second(p, time.Second, 1, enough)
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
		p.Rejected(now, now)
	}
	if p.Limited() {
		t.Errorf("limited to %v by one request a minute", p.Rate())
	}
}

func TestPacerPresetsDifferFromTheDefaults(t *testing.T) {
	rate := func(s quota.Pacing) float64 {
		p := quota.NewPacer(s)
		second(p, 0, 100, 50)
		second(p, time.Second, 1, enough)
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
					p.Rejected(now, now)
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
		second(p, time.Duration(2+s)*time.Second, 5, enough)
	}
	if got := p.Rate(); got > 1.2*before {
		t.Errorf("rate %v after an hour at 5 a second, before it %v", got, before)
	}
}

// TestPacerRaisesItsRateWhileAnswersTakeMinutes: what is sent and not refused counts, not what has
// been answered.
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

// TestPacerCountsRefusalsWhereTheirRequestsWere: 100 requests at a time, every 700 ms, of which 4 % are
// refused 50 ms later. A refusal that came after its period would count among the few of the next.
func TestPacerCountsRefusalsWhereTheirRequestsWere(t *testing.T) {
	p := quota.NewPacer(quota.Pacing{})
	for burst := range 20 {
		sent := noon.Add(time.Duration(burst) * 700 * time.Millisecond)
		for range 100 {
			p.Allow(sent)
		}
		for i := range 100 {
			now := sent.Add(50*time.Millisecond + time.Duration(i)*time.Microsecond)
			if i%25 == 0 {
				p.Rejected(now, sent)
			} else {
				p.Accepted(now)
			}
		}
	}
	if p.Limited() {
		t.Errorf("limited to %v by 4 %% of contention", p.Rate())
	}
}

func TestPacerToleratesContentionOfFewAmongMany(t *testing.T) {
	for _, tt := range []struct {
		sent, refused int
		tolerates     bool
	}{{1, 1, false}, {9, 1, false}, {10, 1, true}, {10, 2, true}, {10, 3, false}, {1000, 200, true}, {1000, 201, false}} {
		p := quota.NewPacer(quota.Pacing{Tolerance: 0.2})
		for range tt.sent {
			p.Allow(noon)
		}
		for range tt.refused {
			p.Rejected(noon.Add(time.Millisecond), noon)
		}
		if got := p.Tolerates(); got != tt.tolerates || p.Limited() {
			t.Errorf("%d of %d refused: tolerates %t, limited %t, want %t and no", tt.refused, tt.sent, got, p.Limited(), tt.tolerates)
		}
	}
	whole := quota.NewPacer(quota.Pacing{Tolerance: 1})
	for range 100 {
		whole.Allow(noon)
		whole.Rejected(noon, noon)
	}
	if whole.Tolerates() {
		t.Error("a tolerance of 1 tolerates that all are refused")
	}
}
