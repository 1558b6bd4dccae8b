package breaker

import (
	"sync/atomic"
	"time"
)

// Permit is the leave to make one call. End it with exactly one of Success, Failure and Ignore: of
// several, the first wins, also between goroutines. The zero Permit does nothing.
//
// It is a value so that a call costs no allocation. Keep it in one place: a copy made before the
// end ends separately.
type Permit struct {
	b          *Breaker
	generation uint64
	probe      uint64 // 0: not a probe
	ended      uint32 //nolint:modernize // an atomic.Uint32 must not be copied, and a permit is handed over by value
}

// Probe reports whether the call is the breaker's probe, which keeps others from probing.
func (p *Permit) Probe() bool { return p.probe != 0 }

// end reports whether this is the end of p, the first one.
func (p *Permit) end() bool {
	return p.b != nil && atomic.CompareAndSwapUint32(&p.ended, 0, 1)
}

// Success says that the call showed the back end to be well. It takes no lock while the breaker is
// closed and the call before it did not fail. If the state changed since the permit was given, the
// result is dropped: it tells of an earlier time.
func (p *Permit) Success(now time.Time) {
	if !p.end() || p.b.generation.Load() != p.generation {
		return
	}
	if p.b.ready.Load() == always && !p.b.failing.Load() {
		p.b.ring.add(p.b.instant(now), false)
		return
	}
	p.b.record(p.generation, now, nil)
}

// Failure says that the call failed for a reason that is the back end's. If the state changed since
// the permit was given, the result is dropped.
func (p *Permit) Failure(now time.Time) {
	if p.end() {
		p.b.record(p.generation, now, errFailed)
	}
}

// Ignore says that the call tells nothing about the health of the back end: its caller cancelled
// it, the request was at fault, a quota was full. It counts nowhere; if the call was the probe,
// another may be made at once.
func (p *Permit) Ignore(now time.Time) {
	if p.end() && p.probe != 0 {
		p.b.release(p.generation, p.probe, now)
	}
}
