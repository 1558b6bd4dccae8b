package quota

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknownModel is wrapped by the error of [NewLedger] for a model whose throughput the built-in
// table does not have.
var ErrUnknownModel = errors.New("quota: no Provisioned Throughput known for the model")

// book is what a [Ledger] and a [SharedLedger] have in common.
type book struct {
	mind
	rate     float64
	burndown Burndown
	lesson   int64 // counts refusals learned from: those of calls that left together teach once
	served   int64
	refused  int64
}

func newBook(o Order) (book, error) {
	m, known := RowOf(o.Model)
	switch {
	case o.GSUs < 0 || !(o.TokensPerSecond >= 0) || o.TokensPerSecond > mostTokens || o.Window < 0:
		return book{}, fmt.Errorf("quota: order for model %q: a number is negative or too large", o.Model)
	case o.TokensPerSecond == 0 && !known:
		return book{}, fmt.Errorf("%w %q: set tokens_per_second to the throughput that was bought", ErrUnknownModel, o.Model)
	case o.TokensPerSecond == 0 && o.GSUs == 0:
		return book{}, fmt.Errorf("quota: order for model %q: set gsus, or tokens_per_second", o.Model)
	}
	rate, gsus := o.TokensPerSecond, o.GSUs
	if rate == 0 {
		rate = float64(gsus) * m.TokensPerSecond
	}
	if gsus == 0 && known {
		gsus = max(int(rate/m.TokensPerSecond+0.5), 1)
	}
	shortest, longest := WindowRange(o.Model, gsus)
	if o.Window > 0 {
		shortest, longest = o.Window, o.Window
	}
	var own Burndown
	if o.Burndown != nil {
		own = *o.Burndown
	}
	return book{rate: rate, burndown: own.over(m.Burndown).complete(), mind: newMind(rate, shortest, longest)}, nil
}

// settle ends a call that was served, at its real cost.
func (b *book) settle(h *Hold, cost Cost) charge {
	change := h.charge.settled(cost)
	b.add(h.bucket, change)
	b.served++
	b.learnServed(h, cost.Output)
	return change
}

// release ends a call that is not charged.
func (b *book) release(h *Hold) charge {
	change := h.charge.ended(0)
	b.add(h.bucket, change)
	return change
}

// fresh reports whether the refusal of a call teaches, and counts the lesson.
func (b *book) fresh(h *Hold) bool {
	if h.lesson != b.lesson {
		return false
	}
	b.lesson++
	return true
}

// refuse learns from a call that was refused.
func (b *book) refuse(h *Hold, fresh bool) {
	b.refused++
	b.learnRefused(h, fresh)
}

// used returns the share of the order that is believed to be used in its window.
func (b *book) used() float64 {
	best := &b.beliefs[b.best]
	return best.used(b.way) / best.capacity
}

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

func (b *book) stat() LedgerStat {
	best := &b.beliefs[b.best]
	return LedgerStat{
		TokensPerSecond: b.rate,
		Window:          time.Duration(best.buckets) * b.bucket,
		Used:            best.used(b.way) / millis,
		Capacity:        best.capacity / millis,
		Guess:           best.views[b.way].guess,
		ServedCount:     b.served,
		RefusedCount:    b.refused,
	}
}
