package router

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// errExhausted says that no endpoint can serve the call in time.
var errExhausted = errors.New("router: exhausted")

// errNotYet says that none can now, but one can in time.
var errNotYet = errors.New("router: not yet")

// acquire leases an endpoint, at once or by waiting for one.
func (s *session) acquire() (pool.Lease, error) {
	if s.ctx.Err() != nil {
		return pool.Lease{}, s.ctx.Err()
	}
	limit := s.limit()
	if !s.router.queues.busy(s.queueKey()) {
		if l, err := s.try(limit); err == nil || errors.Is(err, errExhausted) {
			return l, err
		}
	} else if wake, ok := s.wake(); !ok || wake.After(limit) {
		return pool.Lease{}, errExhausted
	}
	return s.wait(limit)
}

// try leases an endpoint now. errNotYet says that one can be had by limit, errExhausted that none can.
func (s *session) try(limit time.Time) (pool.Lease, error) {
	if l, ok := s.lease(); ok {
		return l, nil
	}
	if l, ok := s.force(limit); ok {
		return l, nil
	}
	if wake, ok := s.wake(); !ok || wake.After(limit) {
		return pool.Lease{}, errExhausted
	}
	return pool.Lease{}, errNotYet
}

// lease takes the first candidate that is to be had, tier by tier.
func (s *session) lease() (pool.Lease, bool) {
	for _, t := range s.plan.Tiers {
		// No candidate is asked twice: a ledger learns from what it is asked for.
		picked := s.pick(t)
		if picked != nil {
			if l, ok := picked.Lease(s.now, s.need); ok {
				return l, true
			}
		}
		// It has no room, or none was drawn: look at all of them, so that none that has is missed.
		n := len(t.Candidates)
		start := rand.IntN(n)
		for i := range n {
			c := t.Candidates[(start+i)%n]
			if c == picked || !s.ready(c) {
				continue
			}
			if l, ok := c.Lease(s.now, s.need); ok {
				return l, true
			}
		}
	}
	return pool.Lease{}, false
}

// force leases the least bad endpoint when open circuit breakers are all that is left: the last endpoint is never shut out.
func (s *session) force(limit time.Time) (pool.Lease, bool) {
	var least *pool.Candidate
	var soonest time.Time
	for _, c := range s.plan.All() {
		if !s.eligible(c) {
			continue
		}
		until, open := c.Open(s.now)
		if !open {
			if wake, ok := c.Wake(s.now, s.need); ok && !wake.After(limit) {
				return pool.Lease{}, false // waiting for this one is better
			}
			continue
		}
		if s.hasFaulted(c) && s.retryAt.After(s.now) {
			continue
		}
		if least == nil || until.Before(soonest) {
			least, soonest = c, until
		}
	}
	if least == nil {
		return pool.Lease{}, false
	}
	return least.Force(s.now, s.need)
}

// wake returns when the first candidate could be asked, as far as is known; ok is false if there is none.
func (s *session) wake() (wake time.Time, ok bool) {
	for _, c := range s.plan.All() {
		if !s.eligible(c) {
			continue
		}
		t, known := c.Wake(s.now, s.need)
		if !known {
			continue
		}
		if s.hasFaulted(c) && s.retryAt.After(t) {
			t = s.retryAt
		}
		if !ok || t.Before(wake) {
			wake, ok = t, true
		}
	}
	return wake, ok
}

// limit is how long the call may wait: as long as is asked for, and never past its deadline.
func (s *session) limit() time.Time {
	most := s.router.cfg.MaxWait
	if s.asked.MaxWait != 0 {
		most = s.asked.MaxWait
	}
	limit := s.now.Add(max(most-s.waited, 0))
	if deadline, ok := s.ctx.Deadline(); ok && deadline.Before(limit) {
		return deadline
	}
	return limit
}
