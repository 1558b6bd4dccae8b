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
		e.breaker.CompareAndSwap(nil, e.newBreaker(p))
	}
}

func (e *entry) newBreaker(p *Pool) *breaker.Breaker {
	cfg := p.setup.Load().cfg.Breaker
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
	e.breaker.Store(e.newBreaker(p))
	if old.Until(now).After(now) {
		p.outbox.post(Event{At: now, Kind: BreakerClosed, Subject: e.subject})
	}
}
