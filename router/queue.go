package router

import (
	"math/bits"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// queues hold the calls that wait for an endpoint: one queue for the calls that the same endpoints can serve, first come first served
// but for priority. Only the call at the head looks for an endpoint, so one that comes free wakes one call, and a late call does not
// snatch it from an early one.
type queues struct {
	waiting     atomic.Int64 // in all of them
	interactive atomic.Int64 // of these

	mu     sync.Mutex
	byKey  map[queueKey]*queue
	joined uint64 // calls that ever waited
}

// queueKey is what decides which endpoints can serve a call.
type queueKey struct {
	gemini    bool // it can be served by that back end,
	vertex    bool // and by that one
	model     string
	traffic   pool.Traffic
	home      pool.Home
	free      bool // of limits: waits for none
	locations string
	backoff   *session // set while a call leaves servers alone that failed it: others need not
}

// queue is guarded by the mutex of its queues.
type queue struct {
	line     []*waiter
	reviewed time.Time // when those were looked for that wait in vain
	pace     float64   // calls a second that have to go for each to be served in half of the time that it has left
	heeded   float64   // the pace that the head knows
	went     time.Time // when a call was served last
}

// waiter is one call in a queue. called gets a token when there is news for it: it stands first, is out, or should try again.
type waiter struct {
	session *session // does not change what endpoints it may go to while it waits
	key     queueKey
	batch   bool
	since   time.Time
	number  uint64
	limit   time.Time
	called  chan struct{}

	spread bool // whether it keeps to turns now; its own goroutine's

	out   bool // it was taken out of line, for it cannot be served in time; guarded by the mutex of the queues
	ahead int  // how many were ahead then
}

// before reports whether w goes before v: interactive calls before batch calls, then the earlier.
func (w *waiter) before(v *waiter) bool {
	switch {
	case w.batch != v.batch:
		return v.batch
	case !w.since.Equal(v.since):
		return w.since.Before(v.since)
	default:
		return w.number < v.number
	}
}

// place is where w stands in the line, or would.
func (q *queue) place(w *waiter) int {
	return sort.Search(len(q.line), func(i int) bool { return !q.line[i].before(w) })
}

// haste is the pace at which n calls go in half of the time until a limit: the other half is for what comes between.
func haste(n int, now, limit time.Time) float64 {
	return 2 * float64(n) / max(limit.Sub(now), time.Millisecond).Seconds()
}

// busy reports whether calls wait for the endpoints that s waits for.
func (q *queues) busy(s *session) bool {
	if q.waiting.Load() == 0 {
		return false
	}
	key := s.queueKey()
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byKey[key] != nil
}

// ahead returns how many calls would go before w if it joined now.
func (q *queues) ahead(w *waiter) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[w.key]
	if line == nil {
		return 0
	}
	w.number = q.joined + 1
	return line.place(w)
}

// join puts w into line.
func (q *queues) join(w *waiter, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[w.key]
	if line == nil {
		line = &queue{}
		q.byKey[w.key] = line
	}
	q.joined++
	w.number = q.joined
	i := line.place(w)
	line.line = slices.Insert(line.line, i, w)
	q.count(w, 1)
	line.pace = max(line.pace, haste(i+1, now, w.limit))
	// The head is told when it stands first, and when more haste is called for, or less hope is left for those behind w.
	if i == 0 || i < len(line.line)-1 || line.pace > 1.25*line.heeded {
		line.line[0].call()
	}
}

// leave takes w out of line if it still stands in it, and calls the next to the head. served says that it has got an endpoint.
func (q *queues) leave(w *waiter, now time.Time, served bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.out {
		return
	}
	line := q.byKey[w.key]
	if served {
		line.went = now
	}
	i := line.place(w)
	if i == 0 { // without moving all the others
		line.line[0] = nil
		line.line = line.line[1:]
	} else {
		line.line = slices.Delete(line.line, i, i+1)
	}
	q.count(w, -1)
	switch {
	case len(line.line) == 0:
		delete(q.byKey, w.key)
	case i == 0:
		line.line[0].call()
	}
	if !w.batch && (len(line.line) == 0 || line.line[0].batch) {
		q.callBatchLocked(w.key.model)
	}
}

// callBatchLocked calls the batch calls that stand first for a model: an interactive call before which they stood back has gone. The caller
// holds q.mu.
func (q *queues) callBatchLocked(model string) {
	if q.waiting.Load() == q.interactive.Load() {
		return
	}
	for key, line := range q.byKey {
		if key.model == model && line.line[0].batch {
			line.line[0].call()
		}
	}
}

func (q *queues) count(w *waiter, n int64) {
	q.waiting.Add(n)
	if !w.batch {
		q.interactive.Add(n)
	}
}

// stand returns how many calls are ahead of w, and whether it was taken out of line.
func (q *queues) stand(w *waiter) (ahead int, out bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.out {
		return w.ahead, true
	}
	return q.byKey[w.key].place(w), false
}

// due is when w, which stands first, no longer keeps to turns, so that they make nobody wait in vain.
func (q *queues) due(w *waiter) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[w.key]
	line.heeded = line.pace
	return line.went.Add(time.Duration(float64(time.Second) / line.pace))
}

// wanted reports whether an interactive call that stands first in a line for the model could go to a candidate.
func (q *queues) wanted(c *pool.Candidate, model string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, line := range q.byKey {
		if first := line.line[0]; key.model == model && !first.batch && first.session.wants(c, now) {
			return true
		}
	}
	return false
}

// lines returns how many queues there are.
func (q *queues) lines() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.byKey)
}

// review begins to look for calls behind w that wait in vain, unless that was done less than a period ago: then not is when to do it. sizes
// has a bit for each size of the calls, see [waiter.size].
func (q *queues) review(w *waiter, now time.Time, period time.Duration) (sizes uint64, not time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[w.key]
	next := line.reviewed.Add(period)
	switch {
	case len(line.line) == 1:
		line.pace = haste(1, now, w.limit)
		return 0, time.Time{}
	case next.After(now):
		return 0, next
	}
	line.reviewed = now
	for _, v := range line.line {
		sizes |= 1 << v.size()
	}
	return sizes, time.Time{}
}

// size is a measure of the call: it needs at least 2^(size-1) tokens, or none.
func (w *waiter) size() int { return bits.Len64(uint64(w.session.need.Input)) }

// cull takes the calls behind w out of line that cannot be served by their limits: because too many are ahead of them, by the outlook, or
// because nothing takes a call of that size before, by soonest. Those behind them move up, and are judged by that.
func (q *queues) cull(w *waiter, now time.Time, o *quota.Outlook, soonest *[65]time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.byKey[w.key]
	stay := line.line[:0]
	line.pace = 0
	for _, v := range line.line {
		if v != w && (o.By(v.limit.Sub(now)) <= int64(len(stay)) || soonest[v.size()].After(v.limit)) {
			v.out, v.ahead = true, len(stay)
			q.count(v, -1)
			v.call()
			continue
		}
		stay = append(stay, v)
		line.pace = max(line.pace, haste(len(stay), now, v.limit))
	}
	clear(line.line[len(stay):])
	line.line = stay
}

func (w *waiter) call() {
	select {
	case w.called <- struct{}{}:
	default: // it has a token already
	}
}

func (s *session) queueKey() queueKey {
	key := queueKey{
		gemini: s.servedBy(pool.BackendGemini), vertex: s.servedBy(pool.BackendVertex),
		model: s.plan.Model, traffic: s.traffic, home: s.home, free: s.need.Free,
		locations: strings.Join(s.asked.Locations, ","),
	}
	if s.retryAt.After(s.now) {
		key.backoff = s
	}
	return key
}
