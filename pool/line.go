package pool

import (
	"math"
	"math/bits"
	"slices"
	"sort"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/quota"
)

const (
	// A line is looked through for calls that cannot be served in time at most so often, and less
	// often the more endpoints there are: it keeps that under one percent of a processor.
	scanPeriod   = 250 * time.Millisecond
	scanEndpoint = 250 * time.Microsecond
)

// line is the calls that the same endpoints can serve, the next one first. It is guarded by the
// queue's lock.
type line struct {
	key     lineKey
	waiters []*waiter
	ask     int64     // instant at which to try the head again; Forever if only a change can help
	tried   uint64    // the round in which the head was tried last
	scanned time.Time // when it was looked through
	stale   bool      // something has happened since
	pace    float64   // calls a second that have to go for each to be served in half of the time it has left
	heeded  float64   // the pace that the head was tried with
	went    time.Time // when a call was served last
}

// head is the call that goes first; nil if there is none.
func (ln *line) head() *waiter {
	if len(ln.waiters) == 0 {
		return nil
	}
	return ln.waiters[0]
}

// place is where w stands in the line, or would.
func (ln *line) place(w *waiter) int {
	return sort.Search(len(ln.waiters), func(i int) bool { return !ln.waiters[i].before(w) })
}

func (ln *line) insert(w *waiter, now time.Time) {
	i := ln.place(w)
	ln.waiters = slices.Insert(ln.waiters, i, w)
	ln.pace = max(ln.pace, requiredRate(i+1, now, w.limit))
	ln.stale = true
}

// requiredRate is the rate at which n calls go in half of the time until a limit. The other half is
// for what comes between.
func requiredRate(n int, now, limit time.Time) float64 {
	return 2 * float64(n) / max(limit.Sub(now), time.Millisecond).Seconds()
}

// trial is a look for an endpoint for the head. The caller holds the queue's lock.
func (ln *line) trial(p *Pool, now time.Time) trial {
	ln.heeded = ln.pace
	return ln.look(p, now)
}

// look is trial for one that only looks.
func (ln *line) look(p *Pool, now time.Time) trial {
	w := ln.waiters[0]
	t := trial{pool: p, r: w.request, now: now, at: p.instant(now), limit: w.limit, locked: true}
	t.due = ln.went.Add(time.Duration(float64(time.Second) / ln.pace))
	// A call that only waits for credit, for one round trip, has not waited for room.
	t.spread = t.due.After(now) && !w.request.awaiting(now)
	return t
}

// period is how often the line is looked through.
func (ln *line) period() time.Duration {
	endpoints := len(ln.waiters[0].request.state.plan.all)
	return scanPeriod + time.Duration(endpoints)*scanEndpoint
}

// serveLocked gives endpoints to the heads of the lines that may have some, the call that goes
// first at first. The caller holds q.mu.
func (q *queue) serveLocked(now time.Time, may func(*line) bool) {
	q.serveWithLocked(now, may, func(t *trial, _ *line) (Lease, finding) { return t.try() })
}

// tryFunc is one way for the head of a line to look for an endpoint.
type tryFunc func(*trial, *line) (Lease, finding)

func (q *queue) serveWithLocked(now time.Time, may func(*line) bool, try tryFunc) {
	q.round++
	for i := 0; i < len(q.order) && !q.closed; {
		ln := q.order[i]
		if ln.tried == q.round || !may(ln) || !q.serveHeadLocked(ln, now, try) {
			i++
		}
	}
	for _, ln := range q.order {
		if ln.tried == q.round && len(ln.waiters[0].request.state.plan.all) <= quickScan {
			q.scanLocked(ln, now)
		}
	}
	q.scheduleLocked(now)
}

// serveHeadLocked tries the head of a line, and reports whether it has gone. The caller holds q.mu.
func (q *queue) serveHeadLocked(ln *line, now time.Time, try tryFunc) bool {
	w := ln.waiters[0]
	w.request.refresh(q.pool, now)
	t := ln.trial(q.pool, now)
	l, found := try(&t, ln)
	switch {
	case found.leased:
		ln.went = now
		if d, gap := l.candidate.drain(t.at, &w.request.state.need); d != nil && !w.request.awaiting(now) {
			d.takeSlot(now, gap, w.batch)
		}
		q.removeLocked(ln, 0, now)
		w.serve(l)
		return true
	case found.hopeless:
		q.removeLocked(ln, 0, now)
		w.giveUp()
		return true
	default:
		ln.ask, ln.tried, ln.stale = found.ask, q.round, true
		q.pool.fleet.kick()
		w.wantAsks()
		return false
	}
}

// serve gives the call a lease.
func (w *waiter) serve(l Lease) {
	w.served <- l
	if w.wake != nil {
		w.wake()
	}
}

// giveUp tells the call that it cannot be served in time.
func (w *waiter) giveUp() {
	close(w.served)
	if w.wake != nil {
		w.wake()
	}
}

// wantAsks has the call ask the store for orders, if that has to be asked.
func (w *waiter) wantAsks() {
	as := w.request.state.asks
	if as == nil {
		return
	}
	if _, ok := as.pending(); ok {
		select {
		case w.asks <- struct{}{}:
		default: // it will
		}
	}
}

// changed tries every head: a cooldown ended early, a breaker closed, or the configuration is
// another.
func (q *queue) changed(now time.Time) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.serveLocked(now, func(*line) bool { return true })
}

// freed tries the heads that may use what a lease on a candidate gave back: its own and what its
// project or order has for the model.
func (q *queue) freed(now time.Time, c *candidate) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	room := int64(math.MaxInt64) // a call of so many tokens, or more, finds none
	may := func(ln *line) bool {
		if ln.key.model != c.plan.model.modelKey && (c.order == nil || !modelid.Same(ln.key.model.name, c.plan.model.name)) {
			return false
		}
		r := ln.head().request
		r.refresh(q.pool, now) // its plan may be from before a reload
		return (r.state.need.Input < room || r.state.need.Unmetered) && slices.ContainsFunc(r.state.plan.siblings(c), r.eligible)
	}
	q.serveWithLocked(now, may, func(t *trial, ln *line) (Lease, finding) {
		l, found := t.tryFreed(t.r.state.plan.siblings(c))
		if found.full {
			room = min(room, t.r.state.need.Input)
		}
		found.ask = min(found.ask, ln.ask) // of other candidates nothing is new
		return l, found
	})
}

// siblings returns the candidates that share what a lease on c holds.
func (p *plan) siblings(c *candidate) []*candidate {
	if p == c.plan && c.when.before == nil && c.when.after == nil {
		return c.shared.members
	}
	var list []*candidate // of another configuration, or another version of the model
	for _, other := range p.all {
		mine, its := c.shared.entry.Load(), other.shared.entry.Load()
		if mine == its && mine != nil || c.order != nil && other.order != nil && other.order.lot == c.order.lot {
			list = append(list, other)
		}
	}
	return list
}

// tick is what the timer calls.
func (q *queue) tick() {
	defer q.pool.outbox.deliver()
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.pool.clock.now()
	at := q.pool.instant(now)
	q.due = cooldown.Forever
	q.serveLocked(now, func(ln *line) bool { return ln.ask <= at })
	for _, ln := range q.order {
		q.scanLocked(ln, now)
	}
	q.scheduleLocked(now)
}

// scheduleLocked sets the timer for the next moment at which a head is to be tried or a line looked
// through. The caller holds q.mu.
func (q *queue) scheduleLocked(now time.Time) {
	due := int64(cooldown.Forever)
	for _, ln := range q.order {
		due = min(due, ln.ask)
		if ln.stale && len(ln.waiters) > 1 {
			due = min(due, q.pool.instant(ln.scanned.Add(ln.period())))
		}
	}
	if due == q.due || q.closed {
		return
	}
	q.due = due
	pause := max(time.Duration(due-q.pool.instant(now)), minPause)
	if due == cooldown.Forever {
		q.timer.clear()
	} else {
		q.timer.set(&q.pool.clock, pause, q.tick)
	}
}

// hopefulLocked reports whether a call that joins a line as the i-th may be served in time, as far
// as that is quickly known: the larger a pool, the less often its line is looked through, and in a
// large one only then. The caller holds q.mu.
func (q *queue) hopefulLocked(w *waiter, i int, now time.Time) bool {
	if len(w.request.state.plan.all) > quickScan {
		return true
	}
	t := trial{pool: q.pool, r: w.request, now: now, at: q.pool.instant(now), limit: w.limit, locked: true}
	if t.later(t.soonest(&w.request.state.need)) {
		return false
	}
	return t.forecast().By(w.limit.Sub(now)) > int64(i)
}

// quickScan is the number of endpoints that a call may look at when it joins a line.
const quickScan = 64

// size is a measure of the call: it needs at least 2^(size-1) tokens, or none.
func (w *waiter) size() int { return bits.Len64(uint64(w.request.state.need.Input)) }

// scanLocked takes the calls out of a line that cannot be served by their limits, once a period:
// too many are ahead of them by the forecast, or nothing takes a call of that size before. Those
// behind them move up. The caller holds q.mu.
func (q *queue) scanLocked(ln *line, now time.Time) {
	if len(ln.waiters) == 1 {
		ln.pace = requiredRate(1, now, ln.waiters[0].limit)
		return
	}
	if !ln.stale || ln.scanned.Add(ln.period()).After(now) {
		return
	}
	ln.stale = false
	ln.scanned = now
	t := ln.trial(q.pool, now)
	var soonest [65]time.Time
	sizes := uint64(0)
	for _, w := range ln.waiters {
		sizes |= 1 << w.size()
	}
	for size := range soonest {
		if sizes>>size&1 == 0 {
			continue
		}
		least := int64(1) << size >> 1 // all of it cached, which costs an order the least
		at := t.soonest(&need{Input: least, Cached: least, Unmetered: ln.key.unmetered})
		if soonest[size] = q.pool.timeOf(at); at == cooldown.Forever {
			soonest[size] = now.Add(1<<63 - 1)
		}
	}
	q.dropHopelessLocked(ln, now, t.forecast(), &soonest)
}

func (q *queue) dropHopelessLocked(ln *line, now time.Time, o *quota.Outlook, soonest *[65]time.Time) {
	stay := ln.waiters[:0]
	head := ln.waiters[0]
	ln.pace = 0
	for _, w := range ln.waiters {
		if w != head && (o.By(w.limit.Sub(now)) <= int64(len(stay)) || soonest[w.size()].After(w.limit)) {
			w.gone, w.ahead = true, len(stay)
			q.countLocked(w, -1)
			w.giveUp()
			continue
		}
		stay = append(stay, w)
		ln.pace = max(ln.pace, requiredRate(len(stay), now, w.limit))
	}
	clear(ln.waiters[len(stay):])
	ln.waiters = stay
}
