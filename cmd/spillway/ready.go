package main

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// life is where a sidecar is in its life, and whether calls find an endpoint.
type life struct {
	atomic.Int32 // a phase

	mu     sync.Mutex
	next   time.Time // when serves is looked at again
	serves bool
}

// readyShare bounds what readiness may cost, which everyone may ask for: one part in so many of one
// processor, however large the pool is.
const readyShare = 10

// servesNow reports whether some call finds an endpoint now, or found one a moment ago: who asks soon
// after another is told the same.
func (l *life) servesNow(look func() snapshot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if began := time.Now(); !began.Before(l.next) {
		l.serves = look().serves("")
		now := time.Now()
		l.next = now.Add(readyShare * now.Sub(began))
	}
	return l.serves
}

// readiness is the body of /readyz.
type readiness struct {
	Status string `json:"status"`
}

// ready says whether the sidecar is to get more calls.
func (s *sidecar) ready(c *client, _ *http.Request) {
	code, status := http.StatusServiceUnavailable, "ready"
	switch {
	case s.phase.Load() == int32(phaseStarting):
		status = "starting"
	case s.phase.Load() == int32(phaseDraining):
		status = "draining"
	case !s.phase.servesNow(func() snapshot { return snapshotOf(s.router) }):
		status = "every endpoint refuses calls"
	default:
		code = http.StatusOK
	}
	writeJSON(c, code, readiness{status})
}
