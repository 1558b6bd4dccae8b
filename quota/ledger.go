package quota

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// ErrUnknownModel is wrapped by the error of [NewLedger] for a model whose throughput the built-in
// table does not have.
var ErrUnknownModel = errors.New("quota: no Provisioned Throughput known for the model")

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
	rate     float64
	burndown Burndown

	mu sync.Mutex
	clock
	mind
	lesson  int64 // counts refusals learned from: those of calls that left together teach once
	served  int64
	refused int64
}

// clock is the time of a ledger, which never goes back.
type clock struct {
	start time.Time // what bucket numbers count from: the time of the first call
	last  time.Time // the latest time seen
}

// Hold is what one call holds of a [Ledger] until it is settled, refused or released.
type Hold struct {
	At   time.Time // when it was made
	Cost Cost      // as it was estimated

	bucket int64
	charge charge
	lesson int64
	outlook
}

// NewLedger returns the ledger of an order that has not been used. It fails with [ErrUnknownModel]
// if the order does not say its throughput and the table does not know it either, and for numbers
// that are negative or make no throughput.
func NewLedger(o Order) (*Ledger, error) {
	key, known := modelKey(models, o.Model)
	m := models[key]
	switch {
	case o.GSUs < 0 || !(o.TokensPerSecond >= 0) || o.TokensPerSecond > mostTokens || o.Window < 0:
		return nil, fmt.Errorf("quota: order for model %q: a number is negative or too large", o.Model)
	case o.TokensPerSecond == 0 && !known:
		return nil, fmt.Errorf("%w %q: set tokens_per_second to the throughput that was bought", ErrUnknownModel, o.Model)
	case o.TokensPerSecond == 0 && o.GSUs == 0:
		return nil, fmt.Errorf("quota: order for model %q: set gsus, or tokens_per_second", o.Model)
	}
	rate, gsus := o.TokensPerSecond, o.GSUs
	if rate == 0 {
		rate = float64(gsus) * m.throughput
	}
	if gsus == 0 && known {
		gsus = max(int(rate/m.throughput+0.5), 1)
	}
	shortest, longest := windowRange(o.Model, gsus)
	if o.Window > 0 {
		shortest, longest = o.Window, o.Window
	}
	var own Burndown
	if o.Burndown != nil {
		own = *o.Burndown
	}
	return &Ledger{rate: rate, burndown: own.over(m.burndown).complete(), mind: newMind(rate, shortest, longest)}, nil
}

// Cost is what a call takes from an order, in burned-down tokens.
type Cost struct {
	Input  float64 // its prompt
	Output float64 // its answer
	// Usual is what a usual answer costs at the moment at which Output was estimated, if the two
	// differ. Zero means Output.
	Usual float64
}

// Cost returns what a call of that usage takes from the order.
func (l *Ledger) Cost(u Usage) Cost { return l.burndown.cost(u) }

// Reserve holds room for a call of that estimated cost, or reports false if Google would refuse it
// now.
func (l *Ledger) Reserve(now time.Time, cost Cost) (Hold, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
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

// Settle ends a call that the order served, at its real cost: evidence that there was room.
func (l *Ledger) Settle(now time.Time, h Hold, cost Cost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.served++
	l.add(h.bucket, h.charge.settled(cost))
	l.learnServed(&h, cost.Output)
}

// Refuse ends a call that Google refused because the order is full: evidence that there was no
// room. Nothing is charged.
func (l *Ledger) Refuse(now time.Time, h Hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.refused++
	l.add(h.bucket, h.charge.ended(0))
	fresh := h.lesson == l.lesson
	if fresh {
		l.lesson++
	}
	l.learnRefused(&h, fresh)
}

// Release ends a call that says nothing about the order: never sent, failed otherwise, or served on
// demand. Nothing is charged.
func (l *Ledger) Release(now time.Time, h Hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.add(h.bucket, h.charge.ended(0))
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
	b := &l.beliefs[l.best]
	return b.used(l.way) / b.capacity
}

// Headroom returns the share of the order that is believed to be free, 0 to 1.
func (l *Ledger) Headroom(now time.Time) float64 { return min(max(1-l.Utilisation(now), 0), 1) }

// LedgerStat is a snapshot of a [Ledger].
type LedgerStat struct {
	TokensPerSecond float64       // bought, in burned-down tokens
	Window          time.Duration // believed
	Used            float64       // burned-down tokens in the window, running calls as Google is believed to count them
	Capacity        float64       // TokensPerSecond times Window
	Guess           float64       // how Google is believed to count a running call, as a multiple of the caller's estimate
	ServedCount     int64         // calls settled
	RefusedCount    int64         // calls refused
}

// Stat returns what is believed of the order now.
func (l *Ledger) Stat(now time.Time) LedgerStat {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	b := &l.beliefs[l.best]
	return LedgerStat{
		TokensPerSecond: l.rate,
		Window:          time.Duration(b.buckets) * l.bucket,
		Used:            b.used(l.way) / millis,
		Capacity:        b.capacity / millis,
		Guess:           b.views[l.way].guess,
		ServedCount:     l.served,
		RefusedCount:    l.refused,
	}
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

func thousandths(tokens float64) int64 {
	if !(tokens > 0) {
		return 0
	}
	return int64(min(tokens, mostTokens) * millis)
}
