package pool

import (
	"math"
	"sync"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Calls that waited together become free to go together: when a burst leaves the window of a
// minute, or a cooldown ends. Sent at once they would be a burst again. Google asks for traffic
// that is smooth over the minute, and names spikes of seconds and sharp increases as reasons for
// refusals (https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429, read on
// 2026-11-22). So a queue drains in slots.
const (
	// drainRate is how fast, as a multiple of what the limits allow in the mean. What a minute
	// allows is spread over 30 s, and a queue still becomes shorter while calls keep coming as fast
	// as the limits allow.
	drainRate = 2
	// drainBurst calls go at once, so that a short queue notices nothing.
	drainBurst = 10
	// drainStart is how many calls a second begin where a cooldown has ended and no limit is known.
	// It doubles every second: an endpoint that still refuses has refused few, and one that takes
	// everything gets it soon.
	drainStart = 20
	// drainFree is how long that takes: at 20,000 a second nothing needs to wait for a slot.
	drainFree = 10 * time.Second
)

// drain gives the calls that waited slots at one project for one model. The zero value gives slots
// at once.
type drain struct {
	mu   sync.Mutex
	next [2]time.Time // the slots given add up to here; [0]: to all calls, [1]: to those that are not batch
}

// nextSlot returns the moment, from now on, at which a call that waited should go, if slots are gap
// apart. Slots that batch calls took delay only batch calls.
func (d *drain) nextSlot(now time.Time, gap time.Duration, batch bool) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.next[1]
	if batch {
		next = d.next[0]
	}
	slot := next.Add(-(drainBurst - 1) * gap)
	if slot.Before(now) {
		return now
	}
	return slot
}

// takeSlot notes that a call that waited goes now: the next slot is so much later.
func (d *drain) takeSlot(now time.Time, gap time.Duration, batch bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.next {
		if batch && i == 1 {
			break
		}
		if d.next[i].Before(now) {
			d.next[i] = now
		}
		d.next[i] = d.next[i].Add(gap)
	}
}

// drainGap returns how far apart the slots of such calls are. late is how long ago the last
// cooldown ended; negative if there was none.
func drainGap(l quota.Limits, tokens int64, late time.Duration) time.Duration {
	if l.RPM == 0 && l.TPM == 0 {
		if late < 0 || late >= drainFree {
			return 0
		}
		return time.Duration(float64(time.Second) / drainStart * math.Exp2(-late.Seconds()))
	}
	share := 0.0 // of what a minute allows
	if l.RPM > 0 {
		share = 1 / float64(l.RPM)
	}
	if l.TPM > 0 {
		share = max(share, min(float64(tokens)/float64(l.TPM), 1))
	}
	return time.Duration(float64(time.Minute) / drainRate * share)
}

// drain returns what gives slots at the candidate, and the gap between them; nil if none are
// needed: orders, and capacity that is paced, see to it themselves.
func (c *candidate) drain(at int64, n *need) (*drain, time.Duration) {
	e := c.shared.entry.Load()
	if n.Unmetered || c.order != nil || e == nil {
		return nil, 0
	}
	if pacer := c.pacer(); pacer != nil && pacer.Limited() {
		return nil, 0
	}
	late := time.Duration(-1)
	ended := max(c.backend.cool.Ended(at), c.whole.cool.Ended(at), e.cool.Ended(at), c.keys.ended(at),
		c.plan.pool.pauses.held.Load().ended(c, at, n))
	if ended > 0 {
		late = time.Duration(at - ended)
	}
	return &e.limits.drain, drainGap(c.limitsInForce(), n.Input, late)
}
