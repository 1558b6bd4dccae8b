package plan

import (
	"math"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/quota"
)

// sieve finds quickly, without a pool, about how many GSUs calls need. The pool has the last word.
type sieve struct {
	buy    *Buy
	calls  []demand.Call
	cost   func(quota.Usage) float64
	perGSU float64
	total  float64
}

func newSieve(b *Buy, calls []demand.Call) (*sieve, error) {
	perGSU, cost, err := b.rates()
	if err != nil {
		return nil, err
	}
	s := &sieve{buy: b, calls: calls, cost: cost, perGSU: perGSU}
	for i := range calls {
		s.total += cost(calls[i].Usage)
	}
	return s, nil
}

// spill is the part of the tokens that the shortest window of so many GSUs has no room for, if Google
// knew what each call will cost.
func (s *sieve) spill(gsus int) float64 {
	shortest, _ := quota.WindowRange(s.buy.Model, gsus)
	w := window{length: shortest, most: s.perGSU * float64(gsus) * shortest.Seconds()}
	served := 0.0
	for i := range s.calls {
		if tokens := s.cost(s.calls[i].Usage); tokens > 0 {
			if _, ok := w.admit(s.calls[i].At, tokens); ok {
				served += tokens
			}
		}
	}
	if s.total == 0 {
		return 0
	}
	return 1 - served/s.total
}

// mostGSUs bounds what is looked for: no order has a hundredth of it.
const mostGSUs = 1 << 20

// least returns about the fewest GSUs that spill no more than a part.
func (s *sieve) least(spill float64) int {
	high := 1
	for high < mostGSUs && s.spill(high) > spill {
		high *= 2
	}
	low := high / 2 // spills more
	for high-low > 1 {
		if middle := (low + high) / 2; s.spill(middle) > spill {
			low = middle
		} else {
			high = middle
		}
	}
	// A few GSUs less may have a longer window, in which more fits.
	for _, fewer := range [...]int{49, 3} {
		if fewer < high && s.spill(fewer) <= spill {
			high = fewer
		}
	}
	return high
}

// busiest returns the calls that follow each other in which most is asked for: at most so many.
func (s *sieve) busiest(most int) []demand.Call {
	if len(s.calls) <= most {
		return s.calls
	}
	best, shortest := 0, math.Inf(1)
	for i := 0; i+most <= len(s.calls); i += most / 8 {
		if length := s.calls[i+most-1].At.Sub(s.calls[i].At).Seconds(); length < shortest {
			best, shortest = i, length
		}
	}
	return s.calls[best : best+most]
}
