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
	s.ahead = 0
	if !s.router.queues.busy(s) {
		if l, _, err := s.try(limit); err == nil || errors.Is(err, errExhausted) {
			return l, err
		}
	}
	return s.wait(limit)
}

// try leases an endpoint now. errNotYet says that one can be had by limit, and ask when to try again, the zero time if only a change can
// help; errExhausted says that none can.
func (s *session) try(limit time.Time) (l pool.Lease, ask time.Time, err error) {
	if l, ok := s.lease(); ok {
		return l, ask, nil
	}
	if l, ok := s.force(limit); ok {
		return l, ask, nil
	}
	wake, ask, ok := s.wake()
	if !ok || wake.After(limit) && !s.canBy(limit) {
		return pool.Lease{}, ask, errExhausted
	}
	return pool.Lease{}, ask, errNotYet
}

// wake returns when the first candidate could be asked, as far as is known, with ok false if there is none; and when this call should ask:
// later, where it keeps back, and not before it is called if it does so from all.
func (s *session) wake() (wake, ask time.Time, ok bool) {
	for _, c := range s.plan.All() {
		t, known := s.opens(c, (*pool.Candidate).Wake, s.need)
		if !known {
			continue
		}
		if !ok || t.Before(wake) {
			wake, ok = t, true
		}
		if s.yields(c) {
			continue
		}
		if s.waits != nil {
			if turn := c.Turn(s.now, s.need, s.waits.batch); s.waits.spread && turn.After(t) {
				t = turn
			}
		}
		ask = sooner(ask, t)
	}
	return wake, ask, ok
}

// canBy reports whether the call could be served by limit, as far as is known, if no other call were there.
func (s *session) canBy(limit time.Time) bool {
	earliest, ok := s.soonest((*pool.Candidate).Earliest, s.need)
	return ok && !earliest.After(limit)
}

// lease takes the first candidate that is to be had, tier by tier.
func (s *session) lease() (pool.Lease, bool) {
	for _, t := range s.plan.Tiers {
		if s.affinity != 0 {
			if l, ok := s.leaseAffine(t); ok {
				return l, true
			}
			continue
		}
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
		if !s.eligible(c) || s.yields(c) {
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

// moment is a question to a candidate: when it may be asked for a call with some need. ok is false if that is not known.
type moment func(c *pool.Candidate, now time.Time, n pool.Need) (t time.Time, ok bool)

// soonest returns the first moment at which any candidate may be asked; ok is false if there is none.
func (s *session) soonest(when moment, n pool.Need) (soonest time.Time, ok bool) {
	for _, c := range s.plan.All() {
		if t, known := s.opens(c, when, n); known && (!ok || t.Before(soonest)) {
			soonest, ok = t, true
		}
	}
	return soonest, ok
}

// opens is the moment from which on a call with some need may go to a candidate; ok is false if it never may, as far as is known.
func (s *session) opens(c *pool.Candidate, when moment, n pool.Need) (t time.Time, ok bool) {
	if !s.eligible(c) {
		return t, false
	}
	if t, ok = when(c, s.now, n); ok && s.hasFaulted(c) && s.retryAt.After(t) {
		t = s.retryAt
	}
	return t, ok
}

// limit is how long the call may wait: as long as is asked for, and never past its deadline.
func (s *session) limit() time.Time {
	most := s.cfg.MaxWait
	if s.asked.MaxWait != 0 {
		most = s.asked.MaxWait
	}
	limit := s.now.Add(max(most-s.waited, 0))
	if deadline, ok := s.ctx.Deadline(); ok && deadline.Before(limit) {
		return deadline
	}
	return limit
}
