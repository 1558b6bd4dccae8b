package store

import (
	"sync"
	"time"
)

// Fault is what is wrong with a [Memory], or with the way of one [Replica] to it. The zero Fault is
// none. Calls that are under way feel a change at once.
type Fault struct {
	// Err fails every call at once and ends every subscription, as a store that is gone. A call that
	// is under way may have had its effect.
	Err error
	// WriteErr fails every call but Lookup and Subscribe, and the call has no effect then, as of a
	// store that may only be read.
	WriteErr error
	// Hangs holds up every call and all facts, as a store that is paused. A call ends with its ctx, or
	// goes on when the fault is over: it has its effect late.
	Hangs bool
	// LosesReplies lets every call have its effect, but end only with its ctx. Subscriptions that have
	// begun go on.
	LosesReplies bool
	// Delay is added to the latency of every call.
	Delay time.Duration
}

// faults is a Fault that may be changed at any time.
type faults struct {
	mu      sync.Mutex
	fault   Fault
	changed chan struct{} // closed at the next change
}

func newFaults() *faults {
	return &faults{changed: make(chan struct{})}
}

func (f *faults) set(to Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = to
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *faults) get() (Fault, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault, f.changed
}

// and returns the fault of a way that has both.
func (f Fault) and(other Fault) Fault {
	if f.Err == nil {
		f.Err = other.Err
	}
	if f.WriteErr == nil {
		f.WriteErr = other.WriteErr
	}
	f.Hangs = f.Hangs || other.Hangs
	f.LosesReplies = f.LosesReplies || other.LosesReplies
	f.Delay += other.Delay
	return f
}
