package pool

// pickFirst takes the first candidate that is ready.
func pickFirst(t *tier, ready func(*candidate) bool) *candidate {
	for _, c := range t.candidates {
		if ready(c) {
			return c
		}
	}
	return nil
}
