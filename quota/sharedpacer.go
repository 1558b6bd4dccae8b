package quota

import (
	"sync"
	"time"

	"github.com/spillway-go/spillway/store"
)

const (
	paceApart    = 10.0            // requests a second of one replica above which it paces itself: it sees enough
	paceTogether = 2.0             // the same below which the fleet has one pace
	paceAway     = 1 * time.Second // for which a store that did not answer is not asked
)

// SharedPacer follows one hidden capacity that the replicas of a service use together. While each
// may send so little that it alone cannot tell what the capacity is, the fleet has one pace, in the
// store. Else each replica has a [Pacer] of its own, as it has before the first contention and while
// the store does not answer.
//
// Like [SharedLedger] it calls no store: its user does that.
//
//	allowed, ask := p.Allow(now)
//	if ask { // of other locations that have to be asked, too, in order of preference
//		grant, err := pacers.AllowPaced(ctx, key, store.PaceAsk{p.Pacing(), []store.PaceLocation{p.Location(name)}})
//		if err == nil {
//			p.Heard(now, grant.Rates[0])
//			allowed = grant.Index == 0
//		} else {
//			allowed = p.Alone(now)
//		}
//	}
//
// and for a request that met contention, which nothing needs to wait for:
//
//	if p.Rejected(now, sent) {
//		answer, err := pacers.RejectPaced(ctx, key, store.PaceRejection{p.Pacing(), p.Location(name), now.Sub(sent)})
//		if err == nil {
//			p.Heard(now, answer.Rate)
//		}
//	}
//
// It is safe for concurrent use. The zero value is not usable; call [NewSharedPacer].
type SharedPacer struct {
	own *Pacer

	mu      sync.Mutex
	members int
	shared  bool      // the fleet has one pace
	rate    float64   // of the fleet, as heard last
	away    time.Time // until when the store is not asked
}

// NewSharedPacer returns a pacer that has seen no contention.
func NewSharedPacer(p Pacing) *SharedPacer { return &SharedPacer{own: NewPacer(p), members: 1} }

// SetMembers tells how many replicas the fleet has, this one included.
func (p *SharedPacer) SetMembers(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members = max(n, 1)
}

// Pacing returns how the store has to pace.
func (p *SharedPacer) Pacing() store.Pacing { return p.own.pacing }

// Allow reports whether a request may be sent now, and counts it as sent if so; or that the store
// has to be asked.
func (p *SharedPacer) Allow(now time.Time) (allowed, ask bool) {
	if p.Shared(now) {
		return false, true
	}
	return p.own.Allow(now), false
}

// Shared reports whether the store has to be asked.
func (p *SharedPacer) Shared(now time.Time) bool {
	if !p.own.Limited() {
		return false // the lock is not needed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shared && !now.Before(p.away)
}

// Location returns the location for an ask or a rejection.
func (p *SharedPacer) Location(name string) store.PaceLocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate > 0 {
		return store.PaceLocation{Name: name, Seed: p.rate}
	}
	return store.PaceLocation{Name: name, Seed: p.own.Rate() * float64(p.members), Comes: true}
}

// Heard brings the rate of the fleet, which every answer of the store says.
func (p *SharedPacer) Heard(now time.Time, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shared || rate == 0 {
		return
	}
	p.rate, p.away = rate, time.Time{}
	if share := rate / float64(p.members); share > paceApart {
		p.shared, p.rate = false, 0
		p.own.begin(now, share)
	}
}

// Alone decides for a request of which the store could not be asked: each replica goes on from its
// share of the pace.
func (p *SharedPacer) Alone(now time.Time) bool {
	p.mu.Lock()
	if p.away.IsZero() {
		p.own.begin(now, p.rate/float64(p.members))
	}
	p.away = now.Add(paceAway)
	p.mu.Unlock()
	return p.own.Allow(now)
}

// Accepted tells that a request met no contention, whatever else became of it.
func (p *SharedPacer) Accepted(now time.Time) {
	if !p.Shared(now) {
		p.own.Accepted(now)
	}
}

// Rejected tells that a request met contention; sent is the now of the Allow that it was sent
// after. It reports whether the store has to be told.
func (p *SharedPacer) Rejected(now, sent time.Time) bool {
	if p.Shared(now) {
		return true
	}
	p.own.Rejected(now, sent)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared || p.members == 1 || !p.own.Limited() || p.own.Rate() >= paceTogether {
		return false
	}
	p.shared, p.rate = true, 0 // the store begins with what this replica found, if it knows no better
	return true
}

// Return gives back a request that was allowed and not sent. It reports whether the store has to be
// told.
func (p *SharedPacer) Return(now time.Time) bool {
	if p.Shared(now) {
		return true
	}
	p.own.Return(now)
	return false
}

// Limited is [Pacer.Limited].
func (p *SharedPacer) Limited() bool { return p.own.Limited() }

// Tolerates is [Pacer.Tolerates], of this replica alone.
func (p *SharedPacer) Tolerates() bool { return p.own.Tolerates() }

// Stat is [Pacer.Stat]. While the fleet has one pace the rate is an equal part of that.
func (p *SharedPacer) Stat(now time.Time) PacerStat {
	s := p.own.Stat(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared && p.rate > 0 {
		s.Limited, s.Rate, s.Wait = true, p.rate/float64(p.members), 0
	}
	return s
}

// Wait is [Pacer.Wait] while the replica paces itself, and 0 else: then the store knows.
func (p *SharedPacer) Wait(now time.Time) time.Duration {
	if p.Shared(now) {
		return 0
	}
	return p.own.Wait(now)
}
