package breaker

import (
	"sync/atomic"
	"time"
)

// slots is the number of steps in a window. A result counts for at least slots-1 steps and for at
// most slots.
const slots = 30

// ring counts calls by the step of time in which they completed, not in which they began: results
// of calls that outlast the window count like any other. Each slot is one word, so that adding to
// it needs no lock. It holds, from the low end, failures, calls, and the number of the step that
// both belong to.
type ring struct {
	width time.Duration
	slots [slots]atomic.Uint64
}

const (
	countBits = 18
	countMask = 1<<countBits - 1
	stepMask  = 1<<(64-2*countBits) - 1 // at a second a step it comes round after eight years
)

// step numbers the steps of time from far in the past, so that there is no negative one.
func (r *ring) step(at instant) uint64 {
	return (uint64(at) ^ 1<<63) / uint64(r.width)
}

// add counts a call that completed at at. It replaces whatever older step the slot
// held. A slot that is full (some 260,000 calls in one step) is halved, which keeps its ratio.
func (r *ring) add(at instant, failed bool) {
	step := r.step(at)
	slot := &r.slots[step%slots]
	for {
		old := slot.Load()
		calls, failures := old>>countBits&countMask, old&countMask
		switch {
		case old>>(2*countBits) != step&stepMask:
			calls, failures = 0, 0
		case calls == countMask:
			calls, failures = calls/2, failures/2
		}
		calls++
		if failed {
			failures++
		}
		word := (step&stepMask)<<(2*countBits) | calls<<countBits | failures
		if slot.CompareAndSwap(old, word) {
			return
		}
	}
}

// sum returns the counts of the window that ends at at. Steps just ahead of at count too: another
// goroutine may have read the clock a little later and got here first.
func (r *ring) sum(at instant) (calls, failures int) {
	step := r.step(at)
	for i := range r.slots {
		word := r.slots[i].Load()
		if (step-word>>(2*countBits)+slots)&stepMask < 2*slots {
			calls += int(word >> countBits & countMask)
			failures += int(word & countMask)
		}
	}
	return calls, failures
}

func (r *ring) clear() {
	for i := range r.slots {
		r.slots[i].Store(0)
	}
}
