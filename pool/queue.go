package pool

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// minPause keeps a line that was tried too early from being tried over and over.
const minPause = time.Millisecond

// queue holds the calls that wait for an endpoint: one line for the calls that the same endpoints
// can serve. What comes free goes to the head of a line: of all heads that can use it to the one
// that goes first, and a late call does not take it from an early one. Whoever frees an endpoint
// gives it away, so one endpoint wakes one call; a timer does it for what opens with time.
type queue struct {
	pool        *Pool
	waiting     atomic.Int64 // in all lines
	interactive atomic.Int64 // of these
	done        chan struct{}

	mu     sync.Mutex
	lines  map[lineKey]*line
	order  []*line // the same, the one whose head goes first at first
	joined uint64  // calls that ever waited
	round  uint64  // counts serveLocked
	timer  timer
	due    int64 // instant at which the timer fires
	closed bool
}

// lineKey is what decides which endpoints can serve a call.
type lineKey struct {
	gemini    bool // it can be served by that back end,
	vertex    bool // and by that one
	model     modelKey
	version   string
	tools     string
	traffic   Traffic
	home      Home
	unmetered bool
	locations string
	label     string // if some project is for calls with it
	share     float64
	climb     climb
	backoff   *Request // set while a call avoids endpoints that failed or refused it: others need not
}

// waiter is one call in a line.
type waiter struct {
	request *Request
	batch   bool
	since   time.Time
	number  uint64
	limit   time.Time
	served  chan Lease // gets the lease, or is closed if the call cannot be served in time
	park    func()     // in a simulation, waits for wake; else nil
	wake    func()
	asks    chan struct{} // says that the store has to be asked for an order

	// Guarded by the queue's lock:
	line  *line
	gone  bool // it is in no line any more
	ahead int  // how many were ahead of it then
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

func newQueue(p *Pool) *queue {
	return &queue{pool: p, lines: make(map[lineKey]*line), done: make(chan struct{}), due: cooldown.Forever}
}

// close fails the calls that wait, and later ones.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	close(q.done)
	q.timer.clear()
	q.wakeAllLocked()
}

// count returns how many lines there are.
func (q *queue) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines)
}

// busy reports whether calls wait for the endpoints that r asks for.
func (q *queue) busy(r *Request) bool {
	if q.waiting.Load() == 0 {
		return false
	}
	key := r.lineKey(q.pool.clock.now())
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines[key] != nil
}

func (r *Request) lineKey(now time.Time) lineKey {
	key := lineKey{
		gemini: r.servedBy(BackendGemini), vertex: r.servedBy(BackendVertex),
		model: modelKey{r.Model, r.Asked.Method}, version: r.Asked.Version, tools: strings.Join(r.Asked.Tools, toolsTogether),
		traffic: r.Traffic, home: r.Home, unmetered: r.Estimate.Unmetered,
		locations: strings.Join(r.Locations, ","), climb: climbOf(r), share: r.Asked.Share,
	}
	if r.state.claimed {
		key.label = r.Asked.Label
	}
	if r.state.notBy.After(now) || slices.ContainsFunc(r.state.refused, func(x refused) bool { return x.last }) {
		key.backoff = r
	}
	return key
}

// wait stands in line until the request is served, cannot be in time, or its caller has gone.
func (q *queue) wait(ctx context.Context, r *Request, now time.Time) (l Lease, err error) {
	m := r.state.plan.model
	w := &waiter{
		request: r, batch: r.Batch, since: r.state.began, limit: r.limit(now), served: make(chan Lease, 1),
		asks: make(chan struct{}, 1),
	}
	if v := q.pool.clock.virtual; v != nil {
		w.park, w.wake = v.Parking()
	}
	m.queued.Add(1)
	defer m.queued.Add(-1)
	if err = q.join(w, now); errors.Is(err, errHopeless) {
		return Lease{}, r.exhausted()
	} else if err != nil {
		return Lease{}, err
	}
	if w.limit.After(now) { // else it only looked
		m.counts.waited.Add(1)
	}
	q.pool.outbox.deliver()
	if w.park != nil {
		l, err = w.awaitVirtually(ctx, q, now)
	} else {
		limit := time.NewTimer(w.limit.Sub(now))
		defer limit.Stop()
		l, err = w.await(ctx, q, limit.C)
	}
	then := q.pool.clock.now()
	r.state.waited += then.Sub(now)
	m.counts.waitTime.Add(int64(then.Sub(now)))
	if l.record == nil {
		l = q.leave(w, then) // it may have been served at this very moment
	}
	switch {
	case err != nil && l.record != nil:
		l.Release(then)
		return Lease{}, err
	case err != nil || l.record != nil:
		return l, err
	case !r.refresh(q.pool, then):
		return Lease{}, &ExhaustedError{MemoryFull: true}
	default:
		return Lease{}, r.exhausted()
	}
}

// await waits until the call is served, given up by its queue, or at its limit. Meanwhile it asks the
// store for orders where the queue has found that it has to be asked.
func (w *waiter) await(ctx context.Context, q *queue, limit <-chan time.Time) (l Lease, err error) {
	for {
		select {
		case l = <-w.served:
			return l, nil
		case <-w.asks:
			if w.request.state.asks.ask(ctx) {
				q.changed(time.Now())
			}
		case <-limit:
			return Lease{}, nil
		case <-q.done:
			return Lease{}, ErrClosed
		case <-ctx.Done():
			// Of a deadline the exhausted answer says more than the caller's own clock.
			if err = ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			return Lease{}, err
		}
	}
}

// ahead returns how many calls wait that would go before r.
func (q *queue) ahead(r *Request, now time.Time) int {
	if q.waiting.Load() == 0 {
		return 0
	}
	key := r.lineKey(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	ln := q.lines[key]
	if ln == nil {
		return 0
	}
	return ln.place(&waiter{batch: r.Batch, since: now, number: q.joined + 1})
}

// errHopeless says that a call cannot be served behind those that wait already.
var errHopeless = errors.New("pool: too many calls wait")

// join puts w into its line.
func (q *queue) join(w *waiter, now time.Time) error {
	key := w.request.lineKey(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	ln := q.lines[key]
	if ln == nil {
		ln = &line{key: key, ask: cooldown.Forever, scanned: now.Add(-time.Hour)}
		q.lines[key] = ln
	}
	head := ln.head()
	q.joined++
	w.number, w.line = q.joined, ln
	if i := ln.place(w); i > 0 && !q.hopefulLocked(w, i, now) {
		w.request.state.ahead = i
		return errHopeless
	}
	ln.insert(w, now)
	q.placeLocked(ln, head)
	q.countLocked(w, 1)
	// The head is tried when it is new, and when the line has to move faster.
	if i := ln.place(w); i == 0 || ln.pace > 1.25*ln.heeded {
		q.serveLocked(now, func(other *line) bool { return other == ln })
	} else {
		q.scheduleLocked(now)
	}
	return nil
}

// placeLocked puts a line where its head belongs in the order of lines. head is the one that it had
// before; nil if it was empty. The caller holds q.mu.
func (q *queue) placeLocked(ln *line, head *waiter) {
	if head == ln.head() {
		return
	}
	if head != nil {
		i := slices.Index(q.order, ln)
		q.order = slices.Delete(q.order, i, i+1)
	}
	if w := ln.head(); w != nil {
		i := sort.Search(len(q.order), func(i int) bool { return !q.order[i].head().before(w) })
		q.order = slices.Insert(q.order, i, ln)
	}
}

// leave takes w out of its line. If it was given a lease in the meantime, that is returned.
func (q *queue) leave(w *waiter, now time.Time) Lease {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.gone {
		w.request.state.ahead = w.ahead
		return <-w.served // closed if it was given none
	}
	ln := w.line
	i := ln.place(w)
	w.request.state.ahead = i
	q.removeLocked(ln, i, now)
	if i == 0 {
		at := q.pool.instant(now)
		q.serveLocked(now, func(other *line) bool { return other == ln && len(ln.waiters) > 0 || other.ask <= at })
	}
	return Lease{}
}

// removeLocked takes the i-th call out of a line. The caller holds q.mu.
func (q *queue) removeLocked(ln *line, i int, now time.Time) {
	w := ln.waiters[i]
	w.gone, w.ahead = true, i
	head := ln.head()
	if i == 0 { // without moving all the others
		ln.waiters[0] = nil
		ln.waiters = ln.waiters[1:]
	} else {
		ln.waiters = slices.Delete(ln.waiters, i, i+1)
	}
	q.countLocked(w, -1)
	q.placeLocked(ln, head)
	if len(ln.waiters) == 0 {
		delete(q.lines, ln.key)
	}
	if !w.batch && (len(ln.waiters) == 0 || ln.waiters[0].batch) {
		// Batch calls before which it stood may have what it wanted.
		for _, other := range q.order {
			if other.key.model == ln.key.model && other.waiters[0].batch {
				other.ask = q.pool.instant(now)
			}
		}
	}
}

func (q *queue) countLocked(w *waiter, n int64) {
	q.waiting.Add(n)
	if !w.batch {
		q.interactive.Add(n)
	}
}

// wantedLocked reports whether an interactive call at the head of a line for the same model could
// go to a candidate. The caller holds q.mu.
func (q *queue) wantedLocked(c *candidate, now time.Time) bool {
	for _, ln := range q.order {
		head := ln.head()
		if head.batch {
			break // they come last
		}
		if ln.key.model == c.plan.model.modelKey && head.request.wants(c, now) {
			return true
		}
	}
	return false
}
