package router

import (
	"math/rand/v2"

	"github.com/spillway-go/spillway/pool"
)

// draws is how often a policy that draws at random draws in vain before every candidate is looked at in turn.
const draws = 4

// pick chooses a candidate of the tier that may and can take the call now, as far as can be seen without reserving anything; nil if
// it found none, which does not mean that there is none. Calls with an affinity are not for policies, see leaseAffine.
func (s *session) pick(t *pool.Tier) *pool.Candidate {
	switch {
	case s.belongs:
		return s.pickFirst(t)
	case s.cfg.Policy == RoundRobin:
		return s.pickNext(t)
	case s.cfg.Policy == Random:
		return s.pickRandom(t)
	default:
		return s.pickLeastLoaded(t)
	}
}

// pickFirst takes the first that is ready: what is made without an affinity is made in one place as long as it is ready, for one call can
// only use what lives in one.
func (s *session) pickFirst(t *pool.Tier) *pool.Candidate {
	for _, c := range t.Candidates {
		if s.ready(c) {
			return c
		}
	}
	return nil
}

// pickLeastLoaded draws two candidates and takes the one with fewer tokens in flight per unit of headroom: nearly as even as looking at
// all of them, at the price of two, and without the herd that follows the one best. The first of the two is, for what may begin a
// conversation, the one that its further turns will prefer: as good as drawn, where each conversation begins in its own way.
func (s *session) pickLeastLoaded(t *pool.Tier) *pool.Candidate {
	a := s.pickHome(t)
	if a == nil {
		a = s.pickRandom(t)
	}
	b := s.pickRandom(t)
	if a == b && a != nil && len(t.Candidates) > 1 {
		b = s.pickRandom(t)
	}
	switch {
	case a == nil:
		return b
	case b == nil || a == b:
		return a
	case b.Load(s.now) < a.Load(s.now):
		return b
	default:
		return a
	}
}

// pickRandom draws by weight: a candidate drawn evenly is kept with the probability of its share of the greatest weight.
func (s *session) pickRandom(t *pool.Tier) *pool.Candidate {
	n := len(t.Candidates)
	for tries := 0; tries < draws; {
		c := t.Candidates[rand.IntN(n)]
		if w := c.Weight() / t.MaxWeight(); w < 1 && rand.Float64() >= w {
			continue // not a try: it was not this one's turn
		}
		if s.ready(c) {
			return c
		}
		tries++
	}
	return nil
}

// pickNext takes turns. In round r of the tier, a candidate with the share w of the greatest weight is passed over unless r×w crosses a
// whole number, so that over many rounds each gets its share, evenly spread.
func (s *session) pickNext(t *pool.Tier) *pool.Candidate {
	n := uint64(len(t.Candidates))
	for tries := 0; tries < int(n); {
		turn := t.Turn()
		c := t.Candidates[turn%n]
		round := float64(turn / n)
		w := c.Weight() / t.MaxWeight()
		if w < 1 && int64((round+1)*w) == int64(round*w) {
			continue
		}
		if s.ready(c) {
			return c
		}
		tries++
	}
	return nil
}
