package router

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

const (
	// minDoze keeps a call that was told to try now, and tried in vain, from trying over and over.
	minDoze = time.Millisecond

	// A queue is looked through for calls that wait in vain at most so often, and less often the more endpoints there are: it costs the
	// head a few hundred nanoseconds for each, so this keeps it under one percent of a processor.
	reviewPeriod   = 250 * time.Millisecond
	reviewEndpoint = 250 * time.Microsecond

	// Every call that ends calls all heads, of which most then try in vain. Where there are many, each pauses before it listens again, so
	// that they make no more than so many tries in a second, whatever ends: a few percent of a processor. Pauses are random, or all would
	// listen at the same moments, and what comes free between them lie idle.
	fewLines    = 16
	mostTries   = 5_000
	breathOfOne = time.Second / mostTries
)

// wait stands in line until the call is served, cannot be in time, or its caller has gone.
func (s *session) wait(limit time.Time) (l pool.Lease, err error) {
	q := &s.router.queues
	w := &waiter{session: s, key: s.queueKey(), batch: s.asked.Priority == Batch, since: s.began, limit: limit, called: make(chan struct{}, 1)}
	if s.ahead = q.ahead(w); s.ahead > 0 && (!s.canBy(limit) || s.outlook().By(limit.Sub(s.now)) <= int64(s.ahead)) {
		return pool.Lease{}, errExhausted
	}
	q.join(w, s.now)
	s.waits = w
	joined := s.now
	defer func() {
		if err != nil {
			s.ahead, _ = q.stand(w)
		}
		q.leave(w, s.now, err == nil)
		s.waits = nil
		s.waited += s.now.Sub(joined)
	}()
	atLimit := time.NewTimer(limit.Sub(s.now))
	defer atLimit.Stop()
	for {
		var out bool
		switch s.ahead, out = q.stand(w); {
		case out:
			return pool.Lease{}, errExhausted
		case s.ahead > 0:
			_, err = s.doze(nil, nil, atLimit.C)
		default:
			l, err = s.tryFirst(limit, atLimit.C)
		}
		switch {
		case errors.Is(err, errNotYet), err == nil && s.ahead > 0:
		case err == nil:
			l.Candidate().TakeTurn(s.now, s.need, w.batch)
			return l, nil
		default:
			return pool.Lease{}, err
		}
	}
}

// tryFirst is a try of the call that stands first. errNotYet says that it was in vain, and that something has happened since that may have
// changed that.
func (s *session) tryFirst(limit time.Time, atLimit <-chan time.Time) (pool.Lease, error) {
	changed, stop := s.router.pool.Changed() // before trying, so that no change is missed in between
	defer stop()
	w := s.waits
	due := s.router.queues.due(w)
	w.spread = due.After(s.now)
	l, ask, err := s.try(limit)
	if !errors.Is(err, errNotYet) {
		return l, err
	}
	if w.spread {
		ask = sooner(ask, due)
	}
	ask = sooner(ask, s.review())
	if err := s.pause(changed, ask, atLimit); err != nil {
		return pool.Lease{}, err
	}
	return pool.Lease{}, errNotYet
}

// sooner returns the earlier of two moments, of which the zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// review lets the calls behind this one know that cannot be served in time any more, for things may have changed for the worse. It returns
// when to do it if it is too early; else the zero time.
func (s *session) review() time.Time {
	q, w := &s.router.queues, s.waits
	sizes, not := q.review(w, s.now, reviewPeriod+time.Duration(len(s.plan.All()))*reviewEndpoint)
	if sizes == 0 {
		return not
	}
	var soonest [65]time.Time
	for size := range soonest {
		if sizes>>size&1 == 0 {
			continue
		}
		least := int64(1) << size >> 1 // all of it cached, which costs an order the least
		t, ok := s.soonest((*pool.Candidate).Earliest, pool.Need{Input: least, Cached: least, Free: s.need.Free})
		if !ok {
			t = s.now.Add(math.MaxInt64)
		}
		soonest[size] = t
	}
	q.cull(w, s.now, s.outlook(), &soonest)
	return time.Time{}
}

// outlook foresees how many calls the endpoints take by and by that this call may go to: of the smallest calls, for it is a bound.
func (s *session) outlook() *quota.Outlook {
	n := pool.Need{Free: s.need.Free}
	return s.plan.Outlook(s.now, func(c *pool.Candidate) (time.Time, bool) { return s.opens(c, (*pool.Candidate).Earliest, n) })
}

// comeBack is the earliest moment at which the call could be served, behind those that were ahead of it, as far as is known.
func (s *session) comeBack() (t time.Time, ok bool) {
	t, ok = s.soonest((*pool.Candidate).Wake, s.need)
	if !ok || s.ahead == 0 {
		return t, ok
	}
	if d, known := s.outlook().When(int64(s.ahead) + 1); known && d > t.Sub(s.now) {
		t = s.now.Add(d)
	}
	return t, true
}

// keepsBack reports whether the call leaves a candidate alone that it could have: because it is wanted by calls that go first, or because
// those that waited take turns.
func (s *session) keepsBack(c *pool.Candidate) bool {
	return s.waits != nil && s.waits.spread && c.Turn(s.now, s.need, s.waits.batch).After(s.now) || s.yields(c)
}

// yields reports whether this is a batch call, and a candidate is wanted by an interactive call that waits: in another line, for in its own
// that one stands ahead.
func (s *session) yields(c *pool.Candidate) bool {
	if s.asked.Priority != Batch {
		return false
	}
	q := &s.router.queues
	return q.interactive.Load() > 0 && q.wanted(c, s.plan.Model, s.now)
}

// wants reports whether the call, while it waits, would go to a candidate.
func (s *session) wants(c *pool.Candidate, now time.Time) bool {
	return s.eligible(c) && (!s.hasFaulted(c) || !s.retryAt.After(now))
}

// pause waits, after a try in vain, until something may have changed: at ask at the latest, if that is not the zero time.
func (s *session) pause(changed <-chan struct{}, ask time.Time, atLimit <-chan time.Time) error {
	if n := s.router.queues.lines(); n > fewLines {
		breath := s.now.Add(time.Duration(2 * rand.Float64() * float64(n) * float64(breathOfOne)))
		if called, err := s.dozeUntil(nil, sooner(ask, breath), atLimit); called || err != nil {
			return err
		}
	}
	_, err := s.dozeUntil(changed, ask, atLimit)
	return err
}

// dozeUntil is doze with its end as a time; the zero time is none.
func (s *session) dozeUntil(changed <-chan struct{}, end time.Time, atLimit <-chan time.Time) (called bool, err error) {
	if end.IsZero() {
		return s.doze(changed, nil, atLimit)
	}
	due := time.NewTimer(max(end.Sub(s.now), minDoze))
	defer due.Stop()
	return s.doze(changed, due.C, atLimit)
}

// doze waits for the first thing to happen that may change the call's lot. called says that there is news in its line.
func (s *session) doze(changed <-chan struct{}, due, atLimit <-chan time.Time) (called bool, err error) {
	defer s.look()
	select {
	case <-s.waits.called:
		return true, nil
	case <-changed:
	case <-due:
	case <-atLimit:
		return false, errExhausted
	case <-s.router.closed:
		return false, ErrClosed
	case <-s.ctx.Done():
		if errors.Is(s.ctx.Err(), context.DeadlineExceeded) {
			return false, errExhausted // the pool's answer says more than the caller's own clock
		}
		return false, s.ctx.Err()
	}
	return false, nil
}
