package plan

import "github.com/spillway-go/spillway/internal/demand"

// search looks for the fewest GSUs that spill no more than a part.
type search struct {
	m     *maker
	calls []demand.Call
	most  float64 // of the tokens, that may spill
	known map[int]*Size
}

// suffices reports whether so many GSUs spill no more.
func (s *search) suffices(gsus int) (bool, error) {
	if s.known[gsus] == nil {
		sizes, err := s.m.make(s.calls, []int{gsus})
		if err != nil {
			return false, err
		}
		s.known[gsus] = &sizes[0]
	}
	return enough(gsus, s.known[gsus].Spill(), s.most), nil
}

// least returns the fewest GSUs that suffice. The mean load needs low of them; high is a guess. An
// order has a shorter window from 4 and from 50 GSUs on, so that fewer may do what some more do not.
func (s *search) least(low, high int) (int, error) {
	for {
		ok, err := s.suffices(high)
		if err != nil {
			return 0, err
		}
		if ok || high >= mostGSUs {
			break
		}
		low, high = high+1, high+max(high/6, 1)
	}
	for low < high {
		middle := (low + high) / 2
		ok, err := s.suffices(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			high = middle
		} else {
			low = middle + 1
		}
	}
	for _, fewer := range longest {
		if fewer >= high {
			continue
		}
		ok, err := s.suffices(fewer)
		if err != nil {
			return 0, err
		}
		if ok {
			high = fewer
		}
	}
	return high, nil
}
