package pool

// pickLeastLoaded draws two candidates and takes the one with fewer tokens in flight per unit of
// headroom: nearly as even as looking at all of them, at the price of two, and without a herd that
// follows the best one. home, if it is not nil, is the first of the two: the candidate that further
// turns of the call will prefer, which is as good as drawn, because each conversation begins in its
// own way.
func pickLeastLoaded(t *tier, home *candidate, ready func(*candidate) bool, load func(*candidate) float64) *candidate {
	a := home
	if a == nil {
		a = pickRandom(t, ready)
	}
	b := pickRandom(t, ready)
	if a == b && a != nil && len(t.candidates) > 1 {
		b = pickRandom(t, ready)
	}
	switch {
	case a == nil:
		return b
	case b == nil || a == b:
		return a
	case load(b) < load(a):
		return b
	default:
		return a
	}
}
