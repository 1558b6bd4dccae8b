package quota

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	pacePeriod  = 500 * time.Millisecond  // how often the rate is judged
	paceSoon    = pacePeriod / 2          // the same while half is refused
	paceStale   = 10 * time.Second        // a period that has refusals begins anew after this long: it had idle time
	paceLongest = 2 * time.Second         // a refusal that took longer says no more about how long they take
	paceAnswers = 3                       // requests that refusals are judged by
	paceHaste   = 1300 * time.Millisecond // a good time this long doubles the growth
	paceMost    = 2                       // the most a rate grows: by exp(2) a second
	paceFall    = 4                       // the most a rate falls at once, as a divisor
	paceFreedom = 1e9                     // requests a second: as good as unlimited, and far from overflow
)

// Pacer follows a capacity that is hidden and moves: on-demand Vertex AI, for one project, location
// and model. Google answers contention there with 429 and no limit to keep to ("temporary high
// contention": https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429, read on
// 2026-11-22).
//
// It is unlimited until the first contention. From then on it is judged twice a second. With more
// than the tolerated share of contention among at least three requests, the rate becomes gain times
// what was accepted, but no less than a quarter of what was sent (from unlimited straight to it).
// With more than half of that share, it stays: it is where it should be, a little above the
// capacity. Else, if it was used, it grows, the faster the longer it goes well; and at the fastest
// at once if it stands so low that nothing is known of the capacity but that there was none. So a
// capacity that has multiplied, or come back, is found in seconds, and one that stands still is
// asked for a few percent too much.
//
// What was accepted is taken from what was sent and not refused: refusals come back at once, but a
// whole answer may take minutes, and waiting for it would make every start look like failure. Give
// Allow once for every request sent, Rejected once for every one that met contention, Accepted for
// every one that did not, and Return for one that was not sent after all.
//
// It is safe for concurrent use; while unlimited, Allow takes no lock. The zero value is not
// usable; call [NewPacer].
type Pacer struct {
	pacing  Pacing
	limited atomic.Bool
	sent    atomic.Int64 // in this period

	mu       sync.Mutex
	last     time.Time     // the latest time seen: the limiter mints tokens when time goes back
	began    time.Time     // the period
	good     time.Time     // since when there was no contention to speak of
	refused  int64         // in this period
	fell     time.Time     // when the rate fell for the last time
	lag      time.Duration // that refusals take to come back, nearly the longest
	guessed  bool          // the rate does not come from what was accepted: so little was that it says nothing
	returned float64       // requests allowed and then not sent: to be allowed again without asking the limiter
	limiter  *rate.Limiter
	accepted int64
	rejected int64
}

// NewPacer returns a pacer that has seen no contention.
func NewPacer(p Pacing) *Pacer {
	return &Pacer{pacing: p.withDefaults(), limiter: rate.NewLimiter(rate.Inf, 1)}
}

// Allow reports whether a request may be sent now, and counts it as sent if so.
func (p *Pacer) Allow(now time.Time) bool {
	if p.limited.Load() {
		p.mu.Lock()
		at := p.clampLocked(now)
		p.reviewLocked(at)
		ok := p.takeLocked(at)
		p.mu.Unlock()
		if !ok {
			return false
		}
	}
	if p.sent.Add(1) == 1 {
		p.mu.Lock()
		if at := p.clampLocked(now); at.Sub(p.began) > paceStale { // it began with idle time
			p.began, p.refused = at, 0
		}
		p.mu.Unlock()
	}
	return true
}

func (p *Pacer) takeLocked(now time.Time) bool {
	if p.returned >= 1 {
		p.returned--
		return true
	}
	return p.limiter.AllowN(now, 1)
}

// Wait returns how long it takes until Allow would report true if nothing else came: 0 means now.
func (p *Pacer) Wait(now time.Time) time.Duration {
	if !p.limited.Load() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.clampLocked(now)
	missing := 1 - p.limiter.TokensAt(at)
	if p.returned >= 1 || missing <= 0 {
		return 0
	}
	// A nanosecond more than the quotient, so that rounding does not make the promise too early.
	d := time.Duration(math.Ceil(missing/float64(p.limiter.Limit())*float64(time.Second))) + 1
	return at.Add(d).Sub(now)
}

// Return gives back one Allow whose request was not sent.
func (p *Pacer) Return(now time.Time) {
	p.sent.Add(-1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clampLocked(now)
	if p.limited.Load() {
		p.returned = min(p.returned+1, float64(p.limiter.Burst()))
	}
}

// Accepted tells that a request met no contention, whatever else became of it.
func (p *Pacer) Accepted(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	p.reviewLocked(p.clampLocked(now))
}

// Rejected tells that a request met contention; sent is the now of the Allow that it was sent
// after.
func (p *Pacer) Rejected(now, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rejected++
	now = p.clampLocked(now)
	if d := min(now.Sub(sent), paceLongest); d > p.lag {
		p.lag = d
	} else {
		p.lag -= (p.lag - max(d, 0)) / 8
	}
	if !sent.Before(p.fell) { // else it speaks of a rate that was too high, which is known already
		p.refused++
	}
	p.reviewLocked(now)
}

// reviewLocked judges the period if it is over and tells enough: refusals are judged by three
// requests, their absence by one. The last moments do not count, because their refusals are still
// unknown.
func (p *Pacer) reviewLocked(now time.Time) {
	elapsed := now.Sub(p.began)
	known := elapsed - p.lag
	if known < paceSoon {
		return
	}
	share := float64(known) / float64(elapsed)
	sent := max(float64(p.sent.Load())*share, float64(p.refused))
	switch {
	case p.refused > 0 && known > paceStale: // idle time would make the capacity look low
		p.beginLocked(now)
		return
	case sent >= paceAnswers && 2*float64(p.refused) >= sent:
	case known < pacePeriod || sent < share: // not a request yet
		return
	case p.refused == 0 || sent >= paceAnswers:
	case p.lowestLocked(): // it cannot fall, but waits for the first good request, which those refused before must not spoil
		p.beginLocked(now)
		return
	default:
		return
	}
	p.judgeLocked(now, sent, known.Seconds())
	p.beginLocked(now)
}

// judgeLocked sets the rate by what became of the requests sent within so many seconds.
func (p *Pacer) judgeLocked(now time.Time, sent, seconds float64) {
	refused := float64(p.refused)
	current := float64(p.limiter.Limit())
	limited := p.limited.Load()
	switch tolerated := p.pacing.Tolerance * sent; {
	case refused > tolerated:
		next := p.pacing.Gain * (sent - refused) / seconds
		// The fall is bounded, and starts from what was sent: an unused rate says nothing.
		least := sent / paceFall / seconds
		if !limited {
			least = 0
		}
		p.setLocked(now, min(max(next, least), current))
		p.fell, p.good, p.guessed = now, now, next < least || p.lowestLocked()
	case refused > tolerated/2:
		p.good, p.guessed = now, false
	case limited && sent >= current*seconds/2: // a rate that is not used needs no raise
		growth := float64(paceMost)
		if !p.guessed {
			growth = min(p.pacing.Growth*math.Exp2(now.Sub(p.good).Seconds()/paceHaste.Seconds()), paceMost)
		}
		p.setLocked(now, current*math.Exp(growth*min(seconds, 1)))
	}
}

// lowestLocked reports whether the rate is at its floor.
func (p *Pacer) lowestLocked() bool {
	return p.limited.Load() && float64(p.limiter.Limit()) <= p.pacing.Floor
}

func (p *Pacer) setLocked(now time.Time, perSecond float64) {
	perSecond = min(max(perSecond, p.pacing.Floor), paceFreedom)
	p.limiter.SetBurstAt(now, int(max(perSecond*p.pacing.Burst.Seconds(), 1)))
	p.limiter.SetLimitAt(now, rate.Limit(perSecond))
	p.limited.Store(true)
}

// clampLocked returns now, or the latest time seen if that is later.
func (p *Pacer) clampLocked(now time.Time) time.Time {
	if now.After(p.last) {
		p.last = now
	}
	return p.last
}

// beginLocked begins a period.
func (p *Pacer) beginLocked(now time.Time) {
	p.sent.Store(0)
	p.began, p.refused = now, 0
}

// Limited reports whether the rate is limited, which it is from the first contention on.
func (p *Pacer) Limited() bool { return p.limited.Load() }

// Rate returns the requests a second that may be sent; 0 while unlimited.
func (p *Pacer) Rate() float64 {
	if !p.limited.Load() {
		return 0
	}
	return float64(p.limiter.Limit())
}

// PacerStat is a snapshot of a [Pacer].
type PacerStat struct {
	Limited       bool
	Rate          float64       // requests a second; 0 while unlimited
	Wait          time.Duration // until the next request may be sent
	AcceptedCount int64
	RejectedCount int64
}

// Stat returns the rate in force, and what was answered so far.
func (p *Pacer) Stat(now time.Time) PacerStat {
	s := PacerStat{Limited: p.Limited(), Rate: p.Rate(), Wait: p.Wait(now)}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.AcceptedCount, s.RejectedCount = p.accepted, p.rejected
	return s
}
