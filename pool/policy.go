package pool

// Policy says how the pool chooses among the ready endpoints of one tier.
type Policy string

const (
	// PolicyLeastLoaded draws two endpoints at random, by weight, and takes the one with fewer
	// tokens in flight per unit of headroom. The default.
	PolicyLeastLoaded Policy = "least_loaded"
	// PolicyRoundRobin takes the endpoints in turn, by weight.
	PolicyRoundRobin Policy = "round_robin"
	// PolicyRandom takes an endpoint at random, by weight.
	PolicyRandom Policy = "random"
	// PolicyFirst takes the first endpoint of a tier that is ready. It is for calls that make what
	// can only be used together with what was made there before, and no setting.
	PolicyFirst Policy = "first"
)

// pick chooses a candidate of the tier that may and can take the call now, as far as can be seen
// without reserving anything. Nil means that it found none, not that there is none.
func (t *trial) pick(tier *tier) *candidate {
	switch t.r.Policy {
	case PolicyFirst:
		return pickFirst(tier, t.ready)
	case PolicyRoundRobin:
		return pickNext(tier, t.ready)
	case PolicyRandom:
		return pickRandom(tier, t.ready)
	default:
		load := func(c *candidate) float64 { return c.loadAt(t.now) }
		return pickLeastLoaded(tier, t.home(tier), t.ready, load)
	}
}
