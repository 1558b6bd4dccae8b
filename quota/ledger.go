package quota

import (
	"math"
	"sync"
	"time"
)

// Never is what [Ledger.Wait] answers for a call that does not fit the order even when it is idle.
const Never = time.Duration(math.MaxInt64)

// Ledger follows one Provisioned Throughput order and foresees whether Google would take the next
// call on it.
//
// Google admits a call if what was used in a rolling window, plus an estimate of the call, stays
// within throughput times window. When the call ends its real cost replaces the estimate. The
// throughput is the bought one; the window is documented only as a range, and how the output is
// estimated not at all
// (https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/use-provisioned-throughput,
// read on 2026-11-22). The ledger learns both from the calls that were served and refused, starts
// with the longest window of the range, and keeps learning: when Google changes the window it
// follows. For that it needs a few refusals, at most about one in a hundred calls.
//
// Give Reserve the prompt's cost as well as it is known, and for the answer the mean of the model's
// answers, as both Output and Usual; other answers have another Output. The ledger sees what
// answers cost, and learns how Google foresees them.
//
// Every [Hold] must be ended exactly once, by Settle, Refuse or Release: the caller sees to that.
// It is safe for concurrent use and works without allocating. The zero value is not usable; call
// [NewLedger].
type Ledger struct {
	mu sync.Mutex
	book
	start time.Time // what bucket numbers count from: the time of the first call
	last  time.Time // the latest time seen
	heir  *Ledger   // of the order that has followed this one, see Succeed
}

// Hold is what one call holds of a [Ledger] until it is settled, refused or released.
type Hold struct {
	At   time.Time // when it was made
	Cost Cost      // as it was estimated
	Use  float64   // for whoever holds it: the share of the order that was used then, with the call

	bucket int64
	charge charge
	lesson int64
	belief int // that was asked for room, and the estimator
	way    int
	tells  bool // the store was not asked, and has to be told
	outlook
}

// NewLedger returns the ledger of an order that has not been used. It fails with [ErrUnknownModel]
// if the order does not say its throughput and the table does not know it either, and for numbers
// that are negative or make no throughput.
func NewLedger(o Order) (*Ledger, error) {
	b, err := newBook(o)
	if err != nil {
		return nil, err
	}
	return &Ledger{book: b}, nil
}

// Cost returns what a call of that usage takes from the order.
func (l *Ledger) Cost(u Usage) Cost { return l.burndown.cost(u) }

// Reserve holds room for a call of that estimated cost, or reports false if Google would refuse it
// now.
func (l *Ledger) Reserve(now time.Time, cost Cost) (Hold, bool) {
	l.mu.Lock()
	l.advanceLocked(now)
	h, ok := l.holdLocked(cost)
	heir := l.heir
	l.mu.Unlock()
	if ok {
		l.hand(heir, now, h.bucket, h.charge, endNone)
	}
	return h, ok
}

func (l *Ledger) holdLocked(cost Cost) (Hold, bool) {
	h := Hold{At: l.last, Cost: cost, bucket: l.current, charge: l.weigh(cost), lesson: l.lesson}
	l.offered()
	if !l.fits(&h.charge) && !l.tries(&h.charge) {
		return Hold{}, false
	}
	l.asked()
	l.note(&h.outlook, &h.charge)
	l.add(h.bucket, h.charge)
	return h, true
}

// Spend charges what a running call has used by now, beside what is held for it.
func (l *Ledger) Spend(now time.Time, cost Cost) {
	l.mu.Lock()
	l.advanceLocked(now)
	bucket, change := l.current, charge{}.settled(cost)
	l.add(bucket, change)
	heir := l.heir
	l.mu.Unlock()
	l.hand(heir, now, bucket, change, endNone)
}

// Settle ends a call that the order served, at its real cost: evidence that there was room.
func (l *Ledger) Settle(now time.Time, h Hold, cost Cost) {
	l.mu.Lock()
	l.advanceLocked(now)
	change, heir := l.settle(&h, cost), l.heir
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endServed)
}

// Refuse ends a call that Google refused because the order is full: evidence that there was no
// room. Nothing is charged.
func (l *Ledger) Refuse(now time.Time, h Hold) {
	l.mu.Lock()
	l.advanceLocked(now)
	change, heir := l.release(&h), l.heir
	l.refuse(&h, l.fresh(&h))
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endRefused)
}

// Release ends a call that says nothing about the order: never sent, failed otherwise, or served on
// demand. Nothing is charged.
func (l *Ledger) Release(now time.Time, h Hold) {
	l.mu.Lock()
	l.advanceLocked(now)
	change, heir := l.release(&h), l.heir
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endNone)
}

// Wait returns how long it takes until Reserve would succeed if nothing else came: 0 means now,
// [Never] that it does not fit at all. It does not know that Google has more room once a running
// call turns out smaller.
func (l *Ledger) Wait(now time.Time, cost Cost) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	c := l.outputs.charge(cost)
	switch buckets, ok := l.wait(&c); {
	case !ok:
		return Never
	case buckets == 0:
		return 0
	default:
		return l.start.Add(time.Duration(l.current+buckets) * l.bucket).Sub(now)
	}
}

// Utilisation returns the share of the order that is believed to be used in its window: 0 to 1, and
// above while in debt.
func (l *Ledger) Utilisation(now time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	return l.used()
}

// Headroom returns the share of the order that is believed to be free, 0 to 1.
func (l *Ledger) Headroom(now time.Time) float64 { return min(max(1-l.Utilisation(now), 0), 1) }

// Stat returns what is believed of the order now.
func (l *Ledger) Stat(now time.Time) LedgerStat {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	return l.stat()
}

// advanceLocked moves to the bucket of now, unless a later time has been seen.
func (l *Ledger) advanceLocked(now time.Time) {
	if l.start.IsZero() {
		l.start, l.last = now, now
	}
	if now.After(l.last) {
		l.last = now
	}
	l.advance(int64(l.last.Sub(l.start) / l.bucket))
}
