package pool

import "slices"

// pickNext takes turns. In round r of the tier, a candidate with the share w of the greatest weight
// is passed over unless r×w crosses a whole number: over many rounds each gets its share, evenly
// spread. While none is ready no turn is taken: those who ask in vain would upset the shares.
func pickNext(t *tier, ready func(*candidate) bool) *candidate {
	if !slices.ContainsFunc(t.candidates, ready) {
		return nil
	}
	return pickTurn(t, func() uint64 { return t.turn.Add(1) - 1 }, ready)
}

// pickTurn is pickNext with turns from elsewhere.
func pickTurn(t *tier, next func() uint64, ready func(*candidate) bool) *candidate {
	n := uint64(len(t.candidates))
	for tries := uint64(0); tries < n; {
		turn := next()
		c := t.candidates[turn%n]
		round := float64(turn / n)
		w := c.Weight / t.heaviest
		if w < 1 && int64((round+1)*w) == int64(round*w) {
			continue
		}
		if ready(c) {
			return c
		}
		tries++
	}
	return nil
}
