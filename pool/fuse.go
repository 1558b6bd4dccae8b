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
