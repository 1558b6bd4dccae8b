package quota

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	pacePeriod  = time.Second      // how often the rate is judged
	paceStale   = 10 * time.Second // a period with refusals of too few requests begins anew after this long
	paceFirst   = pacePeriod / 4   // the least time that a first rate is measured over, if half is refused
	paceAnswers = 3                // requests that refusals are judged by
	paceHaste   = 3 * time.Second  // a good time this long doubles the growth
	paceMost    = 0.4              // the most a rate grows in a second, as a share of it
	paceFall    = 4                // the most a rate falls in a second, as a divisor
	paceFreedom = 1e9              // requests a second: as good as unlimited, and far from overflow
	paceStep    = 0.1              // requests a second that every second without contention adds, beside the growth
)

// Pacer follows a capacity that is hidden and moves: on-demand Vertex AI, for one project, location and
// model. Google answers contention there with 429 and no limit to keep to ("temporary high contention":
// https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429, read on 2026-11-22).
//
// It is unlimited until the first contention. From then on it is judged about once a second: with more than the
// tolerated share of contention among at least three requests the rate becomes gain times what was accepted, but
// no less than a quarter of what was sent (from unlimited straight to it); else, if it was used, it grows, the faster
// the longer it goes well. A capacity that has multiplied is found in seconds, one that stands still is asked for
// a few percent too much.
//
// What was accepted is taken from what was sent and not refused: refusals come back at once, but a whole
// answer may take minutes, and waiting for it would make every start look like failure. Give Allow once for
// every request sent, Rejected once for every one that met contention, Accepted for every one that did not,
// and Return for one that was not sent after all.
//
// It is safe for concurrent use; while unlimited, Allow takes no lock. The zero value is not usable; call
// [NewPacer].
type Pacer struct {
	pacing  Pacing
	limited atomic.Bool
	sent    atomic.Int64 // in this period

	mu       sync.Mutex
	last     time.Time // the latest time seen: the limiter mints tokens when time goes back
	began    time.Time // the period
	good     time.Time // since when there was no contention to speak of
	refused  int64     // in this period
	returned float64   // requests allowed and then not sent: to be allowed again without asking the limiter
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
		p.beginLocked(p.clampLocked(now))
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
func (p *Pacer) Accepted(now time.Time) { p.answer(now, false) }

// Rejected tells that a request met contention.
func (p *Pacer) Rejected(now time.Time) { p.answer(now, true) }

func (p *Pacer) answer(now time.Time, contention bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.clampLocked(now)
	p.beginLocked(now)
	if contention {
		p.refused++
		p.rejected++
	} else {
		p.accepted++
	}
	p.reviewLocked(now)
}

// reviewLocked judges the period if it is over and tells enough: refusals are judged by three requests, their absence by one.
func (p *Pacer) reviewLocked(now time.Time) {
	elapsed := now.Sub(p.began)
	switch sent := p.sent.Load(); {
	case !p.limited.Load() && elapsed >= paceFirst && sent >= paceAnswers && 2*p.refused >= sent:
		p.judgeLocked(now, elapsed) // soon: while nothing is limited everything that waits is sent
	case elapsed < pacePeriod || sent < 1:
	case p.refused == 0 || sent >= paceAnswers:
		p.judgeLocked(now, elapsed)
	case elapsed > paceStale: // now and then a request says nothing about a rate
		p.sent.Add(-sent)
		p.began, p.refused = now, 0
	}
}

// judgeLocked sets the rate by what happened in the period, and begins the next.
func (p *Pacer) judgeLocked(now time.Time, elapsed time.Duration) {
	refused := float64(p.refused)
	sent := max(float64(p.sent.Swap(0)), refused)
	p.began, p.refused = now, 0
	seconds := elapsed.Seconds()
	current := float64(p.limiter.Limit())
	switch limited := p.limited.Load(); {
	case refused > p.pacing.Tolerance*sent:
		p.good = now
		next := p.pacing.Gain * (sent - refused) / seconds
		if limited { // not by more than so much at once, but from what was sent: a rate that nobody used says nothing
			next = max(next, sent/paceFall/seconds)
		}
		p.setLocked(now, min(next, current))
	case limited && sent >= current*seconds/2: // a rate that is not used needs no raise
		growth := min(p.pacing.Growth*math.Exp2(now.Sub(p.good).Seconds()/paceHaste.Seconds()), paceMost)
		p.setLocked(now, current+(paceStep+growth*current)*min(seconds, 1))
	}
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

func (p *Pacer) beginLocked(now time.Time) {
	if p.began.IsZero() {
		p.began = now
	}
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
