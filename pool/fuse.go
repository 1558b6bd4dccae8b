package pool

import (
	"time"

	"github.com/spillway-go/spillway/breaker"
)

// fuse returns the entry's breaker. It is made at the first answer that it counts. One verdict of
// an outage opens that of servers.
func (e *entry) fuse(p *Pool) *breaker.Breaker {
	for {
		if b := e.breaker.Load(); b != nil {
			return b
		}
		cfg := p.setup.Load().cfg.Breaker
		b := e.newBreaker(p, cfg)
		// Else a reload may have renewed the others already.
		if e.breaker.CompareAndSwap(nil, b) && p.setup.Load().cfg.Breaker != cfg {
			e.breaker.CompareAndSwap(b, nil)
		}
	}
}

// latePermit returns the permit of a call that had none when it began: its result counts unless the
// breaker has opened meanwhile, as that of any other call does.
func (e *entry) latePermit(p *Pool, now time.Time) breaker.Permit {
	b := e.fuse(p)
	if !b.Closed() {
		return breaker.Permit{}
	}
	permit, _ := b.Allow(now, time.Time{})
	return permit
}

func (e *entry) newBreaker(p *Pool, cfg breaker.Config) *breaker.Breaker {
	if e.outage != nil {
		cfg.Failures = 1
	}
	return breaker.New(cfg, func(c breaker.Change) { p.breakerChanged(e.subject, c) })
}

// renewBreaker gives an entry a breaker of another configuration in place of the one it has.
func (e *entry) renewBreaker(p *Pool, now time.Time) {
	old := e.breaker.Load()
	if old == nil {
		return
	}
	e.breaker.Store(e.newBreaker(p, p.setup.Load().cfg.Breaker))
	if old.Until(now).After(now) {
		p.outbox.post(Event{At: now, Kind: BreakerClosed, Subject: e.subject})
	}
}
