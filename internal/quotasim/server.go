package quotasim

import (
	"math"
	"math/rand/v2"
)

// server is Google's side of a Provisioned Throughput order as its documentation describes it: a
// rolling window, an estimate on admission, the real cost in its place afterwards. It is exact
// where the ledger counts in buckets, and estimates in its own way.
type server struct {
	rate   float64                 // tokens a second
	window func(t float64) float64 // seconds, at a time in seconds
	output float64                 // its estimate of a call's output, in burned-down tokens
	noise  float64                 // sigma by which that differs from call to call
	recent float64                 // of how many answers that is the running mean; 0: it is fixed
	rng    *rand.Rand

	charges []charge
	gone    int // how many of them have left the window
	used    float64
	last    float64 // the last window
}

type charge struct{ at, cost float64 }

// ask admits a call and returns its number, or refuses it.
func (s *server) ask(t, prompt float64) (int, bool) {
	w := s.window(t)
	if w > s.last { // what had left may be inside again
		for s.gone > 0 && s.charges[s.gone-1].at > t-w {
			s.gone--
			s.used += s.charges[s.gone].cost
		}
	}
	s.last = w
	for s.gone < len(s.charges) && s.charges[s.gone].at <= t-w {
		s.used -= s.charges[s.gone].cost
		s.gone++
	}
	estimate := prompt + s.output*math.Exp(s.noise*s.rng.NormFloat64())
	if s.used+estimate > s.rate*w {
		return 0, false
	}
	s.used += estimate
	s.charges = append(s.charges, charge{t, estimate})
	return len(s.charges) - 1, true
}

// done puts the real cost, so much of it for output, in the place of the estimate.
func (s *server) done(call int, cost, output float64) {
	if s.recent > 0 {
		s.output += (output - s.output) / s.recent
	}
	if call >= s.gone {
		s.used += cost - s.charges[call].cost
	}
	s.charges[call].cost = cost
}
