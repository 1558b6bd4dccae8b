package pool

// draws is how many candidates pickRandom draws that are not ready before it gives up.
const draws = 4

// pickRandom draws by weight: it keeps a candidate drawn evenly with the probability of its share
// of the greatest weight.
func pickRandom(t *tier, ready func(*candidate) bool) *candidate {
	n := len(t.candidates)
	for tries := 0; tries < draws; {
		c := t.candidates[t.dice.intN(n)]
		if w := c.Weight / t.heaviest; w < 1 && t.dice.float64() >= w {
			continue // not a try: it was not this one's turn
		}
		if ready(c) {
			return c
		}
		tries++
	}
	return nil
}
