package pool

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
)

// Where contention keeps a call from the standard tier, and priority would take it at once, the call
// is better sent to standard all the same: to be refused costs it a moment, and priority costs money.
// So it passes cooldown and pace, as long as enough of such calls are answered.
const (
	// tollShare is the share of answers below which only some calls do so, and tollLeast the share of
	// calls that do so at least.
	tollShare = 0.25
	tollLeast = 0.05
	// tollMemory is over how many answers the share is reckoned.
	tollMemory = 16
)

// toll is the share of calls that met contention lately at an endpoint. The zero toll is none.
type toll struct{ bits atomic.Uint64 }

// refused and answered note how a call ended.
func (t *toll) refused()  { t.move(1) }
func (t *toll) answered() { t.move(0) }

func (t *toll) move(to float64) {
	old := t.bits.Load()
	share := math.Float64frombits(old)
	if share == to {
		return
	}
	if share += (to - share) / tollMemory; share < 1.0/(1<<20) {
		share = 0
	}
	t.bits.CompareAndSwap(old, math.Float64bits(share)) // another call's answer is as good
}

// passes reports whether a call that drew a number between 0 and 1 is sent.
func (t *toll) passes(drawn float64) bool {
	answered := 1 - math.Float64frombits(t.bits.Load())
	return drawn < max(answered/tollShare, tollLeast)
}

// climbable notes in the request's need whether it may go to priority at once, at some endpoint, while
// a standard one is contended.
func climbable(t *trial) {
	n, plan := &t.r.state.need, t.r.state.plan
	n.ties.dearer = false
	if !plan.laddered || !slices.ContainsFunc(plan.all, func(c *candidate) bool { return contested(c, t.at) }) {
		return
	}
	for _, c := range plan.all {
		if c.Traffic != TrafficPriority || !t.ready(c) {
			continue
		}
		if o := c.opens(t.now, t.at, n); o.wake() <= t.at {
			n.ties.dearer, n.ties.drawn = true, rand.Float64()
			return
		}
	}
}

// contested reports whether contention may keep calls from a standard endpoint.
func contested(c *candidate, at int64) bool {
	if c.Traffic != TrafficOnDemand {
		return false
	}
	p := c.pacer()
	return p != nil && (p.Limited() || contended(c.own.entry.Load(), at))
}

// braves reports whether a call with this need goes to the endpoint although that met contention.
func braves(c *candidate, n *need) bool {
	if !n.ties.dearer || c.Traffic != TrafficOnDemand {
		return false
	}
	p := c.pacer()
	return p != nil && p.toll.passes(n.ties.drawn)
}

// contended reports whether contention is all that the entry is on cooldown for.
func contended(e *entry, at int64) bool { return Class(e.cool.Class(at)) == ClassContention }
