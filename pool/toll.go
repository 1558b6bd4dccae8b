package pool

import (
	"math"
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
	// tollMemory is over how many calls the share is reckoned.
	tollMemory = 16
)

// toll is the share of calls that met contention lately at an endpoint. The zero toll is none. A call
// counts once it is sent, and counts as answered until it is refused: refusals come at once, and
// answers take as long as they take.
type toll struct {
	bits atomic.Uint64 // how many calls were sent, and refused, as two float32; old ones fade
}

func (t *toll) load() (old uint64, sent, refused float32) {
	old = t.bits.Load()
	return old, math.Float32frombits(uint32(old >> 32)), math.Float32frombits(uint32(old))
}

// store keeps the counts, unless another call has changed them: its news is as good.
func (t *toll) store(old uint64, sent, refused float32) {
	t.bits.CompareAndSwap(old, uint64(math.Float32bits(sent))<<32|uint64(math.Float32bits(refused)))
}

// sent notes that a call is sent.
func (t *toll) sent() {
	const fades = 1 - 1.0/tollMemory
	old, sent, refused := t.load()
	switch refused *= fades; {
	case old == 0:
	case refused < 1.0/(1<<20):
		t.store(old, 0, 0)
	default:
		t.store(old, sent*fades+1, refused)
	}
}

// refused notes that a call which was sent met contention.
func (t *toll) refused() {
	old, sent, refused := t.load()
	if old == 0 { // no call did
		sent = tollMemory
	}
	t.store(old, sent, min(refused+1, sent))
}

// passes reports whether a call that drew a number between 0 and 1 is sent.
func (t *toll) passes(drawn float64) bool {
	old, sent, refused := t.load()
	return old == 0 || drawn < max(float64(1-refused/sent)/tollShare, tollLeast)
}

// tolls reports whether the cheaper tiers are to be tried once more before a tier: it is one of
// priority, which could take the call at once, and contention is what keeps the call from a standard
// one. It notes in the request's need that such contention is braved.
func tolls(t *trial, plan *plan, tier int) bool {
	if !plan.laddered || plan.tiers[tier].candidates[0].Traffic != TrafficPriority {
		return false
	}
	if !slices.ContainsFunc(plan.all, func(c *candidate) bool { return contested(c, t.at) }) ||
		!slices.ContainsFunc(plan.tiers[tier].candidates, preview{t}.open) {
		return false
	}
	ties := &t.r.state.need.ties
	ties.dearer, ties.drawn = true, t.pool.clock.dice.float64()
	return true
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
