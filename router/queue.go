package router

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// queues hold the calls that wait for an endpoint: one queue for the calls that the same endpoints can serve, first come first served
// but for priority. Only the call at the head looks for an endpoint, so one that comes free wakes one call, and a late call does not
// snatch it from an early one.
type queues struct {
	waiting atomic.Int64 // in all of them

	mu    sync.Mutex
	byKey map[queueKey]*queue
}

// queueKey is what decides which endpoints can serve a call.
type queueKey struct {
	model     string
	traffic   pool.Traffic
	home      bool
	locations string
	backoff   *session // set while a call leaves servers alone that failed it: others need not
}

type queue struct{ line []*waiter }

// waiter is one call in a queue. head gets a token when the call comes to the head of it.
type waiter struct {
	batch bool
	since time.Time
	head  chan struct{}
}

// before reports whether w goes before v: interactive calls before batch calls, then the earlier.
func (w *waiter) before(v *waiter) bool {
	if w.batch != v.batch {
		return v.batch
	}
	return w.since.Before(v.since)
}

// busy reports whether calls wait for the endpoints of key.
func (q *queues) busy(key queueKey) bool {
	if q.waiting.Load() == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byKey[key] != nil
}

// join puts w into line.
func (q *queues) join(key queueKey, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[key]
	if line == nil {
		line = &queue{}
		q.byKey[key] = line
	}
	i := len(line.line)
	for i > 0 && w.before(line.line[i-1]) {
		i--
	}
	line.line = slices.Insert(line.line, i, w)
	q.waiting.Add(1)
	if i == 0 {
		w.call()
	}
}

// leave takes w out of line, and calls the next to the head.
func (q *queues) leave(key queueKey, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[key]
	i := slices.Index(line.line, w)
	line.line = slices.Delete(line.line, i, i+1)
	q.waiting.Add(-1)
	switch {
	case len(line.line) == 0:
		delete(q.byKey, key)
	case i == 0:
		line.line[0].call()
	}
}

// first reports whether w is at the head.
func (q *queues) first(key queueKey, w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byKey[key].line[0] == w
}

func (w *waiter) call() {
	select {
	case w.head <- struct{}{}:
	default: // it has a token already
	}
}

func (s *session) queueKey() queueKey {
	key := queueKey{model: s.plan.Model, traffic: s.traffic, home: s.home, locations: strings.Join(s.asked.Locations, ",")}
	if s.retryAt.After(s.now) {
		key.backoff = s
	}
	return key
}

// wait stands in line until the call is served, cannot be in time, or its caller has gone.
func (s *session) wait(limit time.Time) (pool.Lease, error) {
	q, key := &s.router.queues, s.queueKey()
	w := &waiter{batch: s.asked.Priority == Batch, since: s.began, head: make(chan struct{}, 1)}
	q.join(key, w)
	defer q.leave(key, w)

	joined := s.now
	defer func() { s.waited += s.now.Sub(joined) }()
	atLimit := time.NewTimer(limit.Sub(s.now))
	defer atLimit.Stop()
	for {
		if !q.first(key, w) {
			if err := s.doze(w, nil, nil, atLimit.C); err != nil {
				return pool.Lease{}, err
			}
			continue
		}
		changed, stop := s.router.pool.Changed() // before trying, so that no change is missed in between
		l, err := s.try(limit)
		if errors.Is(err, errNotYet) {
			wake, _ := s.wake()
			due := time.NewTimer(max(wake.Sub(s.now), minDoze))
			err = s.doze(w, changed, due.C, atLimit.C)
			due.Stop()
			stop()
			if err != nil {
				return pool.Lease{}, err
			}
			continue
		}
		stop()
		return l, err
	}
}

// minDoze keeps a call that was told to try now, and tried in vain, from trying over and over.
const minDoze = time.Millisecond

// doze waits for the first thing to happen that may change the call's lot.
func (s *session) doze(w *waiter, changed <-chan struct{}, due, atLimit <-chan time.Time) error {
	defer func() { s.now = time.Now() }()
	select {
	case <-w.head:
	case <-changed:
	case <-due:
	case <-atLimit:
		return errExhausted
	case <-s.router.closed:
		return ErrClosed
	case <-s.ctx.Done():
		if errors.Is(s.ctx.Err(), context.DeadlineExceeded) {
			return errExhausted // the pool's answer says more than the caller's own clock
		}
		return s.ctx.Err()
	}
	return nil
}
