package quota

import (
	"math"
	"sync"
	"time"
)

// After a time without traffic a [Ramp] lets calls go at a rate that at most doubles in
// rampDoubling. Google refuses a project whose usage rises sharply ("acceleration limits"), and
// asks for traffic without spikes of seconds, but names no numbers:
// https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 and
// https://cloud.google.com/vertex-ai/generative-ai/docs/standard-paygo, read on 2026-11-25.
const (
	rampDoubling = 10 * time.Second
	// rampFloor requests a second may always go: a second's worth at once, then at this rate. Google
	// names no number. A service that has slept answers its first users at once, and what doubles
	// from there is at 600 a second within a minute.
	rampFloor = 10.0
	// rampHeadroom is how much faster than their mean rate calls may go. Chance makes even traffic
	// come in lumps, which must not wait.
	rampHeadroom = 1.3
	// rampBurst is how much of the rate may go at once, in seconds. With it and the headroom, 10 s of
	// calls as fast as they may go are twice those of the 10 s of an even rate before.
	rampBurst = 1.0
)

// rampMemory is the time that the mean rate is taken over, in seconds: traffic that goes as fast as
// it may, which is rampHeadroom times its mean, doubles in rampDoubling.
var rampMemory = rampDoubling.Seconds() * (rampHeadroom - 1) / math.Ln2

// Ramp keeps the rate of requests from rising sharply: as fast as it may rise, it doubles every
// 10 s, from 10 a second after a time without traffic. It bounds no rate for good.
//
// Give Allow once for every request sent, and Return for one that was not sent after all. It is
// safe for concurrent use and works without allocating. The zero value has seen no traffic.
type Ramp struct {
	mu     sync.Mutex
	last   time.Time // of the last request
	mean   float64   // requests a second, as they were at last
	tokens float64   // requests that might have gone at once, then
}

// NewRamp returns a ramp for traffic that goes at so many requests a second already.
func NewRamp(now time.Time, perSecond float64) *Ramp {
	perSecond = max(perSecond, 0)
	return &Ramp{last: now, mean: perSecond, tokens: rampBurst * allowed(perSecond)}
}

// Allow reports whether a request may be sent now, and counts it as sent if so.
func (r *Ramp) Allow(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := r.passedLocked(now)
	tokens := r.tokensLocked(passed)
	if tokens < 1 {
		return false
	}
	r.mean = faded(r.mean, passed) + 1/rampMemory
	r.tokens = tokens - 1
	if now.After(r.last) {
		r.last = now
	}
	return true
}

// Return gives back one Allow whose request was not sent.
func (r *Ramp) Return() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mean = max(r.mean-1/rampMemory, 0)
	r.tokens++
}

// Wait returns how long it takes until Allow would report true if nothing else came: 0 means now.
func (r *Ramp) Wait(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := r.passedLocked(now)
	missing := 1 - r.tokensLocked(passed)
	if missing <= 0 {
		return 0
	}
	// A nanosecond more than the quotient, so that rounding does not make the promise too early.
	d := time.Duration(math.Ceil(missing/allowed(r.mean)*float64(time.Second))) + 1
	return d + max(r.last.Sub(now), 0)
}

// Idle reports whether there was so little traffic of late that none makes no difference.
func (r *Ramp) Idle(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := r.passedLocked(now)
	return allowed(faded(r.mean, passed)) == rampFloor && r.tokensLocked(passed) >= rampFloor*rampBurst
}

// passedLocked returns the seconds since the last request. The caller holds r.mu.
func (r *Ramp) passedLocked(now time.Time) float64 { return max(now.Sub(r.last), 0).Seconds() }

// tokensLocked returns how many requests may go at once. They become more at the rate that was
// allowed at the last request, so that what Wait has said stays true. The caller holds r.mu.
func (r *Ramp) tokensLocked(passed float64) float64 {
	most := rampBurst * allowed(faded(r.mean, passed))
	return min(r.tokens+passed*allowed(r.mean), most)
}

// allowed returns the rate that follows a mean rate.
func allowed(mean float64) float64 { return max(rampHeadroom*mean, rampFloor) }

// faded returns a mean rate after so many seconds without traffic.
func faded(mean, passed float64) float64 { return mean * math.Exp(-passed/rampMemory) }
