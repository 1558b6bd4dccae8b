package quota

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/store"
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
// Requests and refusals are counted by when the request was sent, and judged once as much time has
// passed as refusals take. So it makes no difference whether requests come evenly or in bursts.
//
// What was accepted is taken from what was sent and not refused: refusals come back at once, but a
// whole answer may take minutes, and waiting for it would make every start look like failure. Give
// Allow once for every request sent, Rejected once for every one that met contention, Accepted for
// every one that did not, and Return for one that was not sent after all.
//
// It is safe for concurrent use; while unlimited, Allow takes no lock. The zero value is not
// usable; call [NewPacer].
type Pacer struct {
	pacing  store.Pacing
	limited atomic.Bool
	sent    atomic.Int64 // while unlimited, not counted in state yet

	mu       sync.Mutex
	state    store.PacerState
	accepted int64
	rejected int64
}

// NewPacer returns a pacer that has seen no contention.
func NewPacer(p Pacing) *Pacer { return &Pacer{pacing: store.Pacing(p.withDefaults())} }

// Allow reports whether a request may be sent now, and counts it as sent if so.
func (p *Pacer) Allow(now time.Time) bool {
	if p.limited.Load() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.countLocked(now)
		return p.state.Allow(now, &p.pacing)
	}
	if p.sent.Add(1) == 1 {
		p.mu.Lock()
		p.state.Count(now, 0) // a period begins
		p.mu.Unlock()
	}
	return true
}

// countLocked counts in the state what was sent without the lock. While the pace is unlimited the
// atomic count stays, so that Allow sees when a period begins; countedLocked must follow with what
// is returned.
func (p *Pacer) countLocked(now time.Time) int64 {
	if p.limited.Load() {
		if n := p.sent.Swap(0); n != 0 {
			p.state.Count(now, float64(n))
		}
		return 0
	}
	n := p.sent.Load()
	p.state.Tally(float64(n))
	return n
}

func (p *Pacer) countedLocked(n int64) {
	limited := p.state.Rate() > 0
	if limited { // the state counts now
		p.sent.Add(-n)
	} else { // a period has ended, or goes on
		p.sent.Add(int64(p.state.Sent()) - n)
	}
	p.limited.Store(limited)
}

// Wait returns how long it takes until Allow would report true if nothing else came: 0 means now.
func (p *Pacer) Wait(now time.Time) time.Duration {
	if !p.limited.Load() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Wait(now)
}

// Return gives back one Allow whose request was not sent.
func (p *Pacer) Return(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.limited.Load() {
		p.sent.Add(-1)
		return
	}
	p.countLocked(now)
	p.state.Return(now)
}

// Accepted tells that a request met no contention, whatever else became of it.
func (p *Pacer) Accepted(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	n := p.countLocked(now)
	p.state.Review(now, &p.pacing)
	p.countedLocked(n)
}

// Rejected tells that a request met contention; sent is the now of the Allow that it was sent
// after.
func (p *Pacer) Rejected(now, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rejected++
	n := p.countLocked(now)
	p.state.Reject(now, sent, &p.pacing)
	p.countedLocked(n)
}

// Tolerates reports whether no more had met contention than is tolerated of what was sent of late, and
// that was many requests, when the last one did. Then there is no reason to send less.
func (p *Pacer) Tolerates() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Tolerates()
}

// begin begins with a rate.
func (p *Pacer) begin(now time.Time, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Begin(now, &p.pacing, rate)
	p.sent.Store(0)
	p.limited.Store(true)
}

// Limited reports whether the rate is limited, which it is from the first contention on.
func (p *Pacer) Limited() bool { return p.limited.Load() }

// Rate returns the requests a second that may be sent; 0 while unlimited.
func (p *Pacer) Rate() float64 {
	if !p.limited.Load() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Rate()
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
