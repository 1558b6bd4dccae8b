package demand

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Rates are calls as someone states them, without a log.
type Rates struct {
	Model string
	RPM   float64 // calls a minute, in the mean
	// Input, Cached and Output are tokens of a call, in the mean. Cached is a part of Input.
	Input, Cached, Output float64
	// Peak is how many times the mean the busiest minute has. Zero and 1 mean that all are alike.
	Peak float64
	// Length is for how long; the rate rises from its least to the peak in the middle, and falls.
	Length time.Duration
	Start  time.Time
	Seed   uint64
}

// Sizes of calls differ: their logarithms are normal, with this deviation. It is that of the calls
// with which package quota is tested.
const spread = 0.8

// Calls returns calls at those rates. They come one by one, by chance: as those of many users do, who
// do not know of each other. The same Rates make the same calls.
func (r Rates) Calls() []Call {
	rng := rand.New(rand.NewPCG(r.Seed, 1))
	shape := shapeOf(r.Peak)
	most := r.RPM / 60 * max(r.Peak, 1)
	if !(most > 0) {
		return nil
	}
	var calls []Call
	for at := 0.0; ; {
		at += rng.ExpFloat64() / most
		if at >= r.Length.Seconds() {
			return calls
		}
		if rng.Float64() >= shape(at/r.Length.Seconds()) {
			continue
		}
		u := quota.Usage{Input: size(rng, r.Input), Output: size(rng, r.Output)}
		u.Cached = int64(float64(u.Input) * r.Cached / max(r.Input, 1))
		calls = append(calls, Call{
			At: r.Start.Add(time.Duration(at * float64(time.Second))), Model: r.Model, Usage: u, Took: Took(u),
		})
	}
}

// Took is how long a call takes of which a log does not say it: a second, and one more for each 150
// tokens of output.
func Took(u quota.Usage) time.Duration {
	return time.Second + time.Duration(float64(u.Output+u.OutputImage+u.OutputAudio)/150*float64(time.Second))
}

// size draws a number of tokens of that mean.
func size(rng *rand.Rand, mean float64) int64 {
	if !(mean > 0) {
		return 0
	}
	return max(int64(mean*math.Exp(spread*rng.NormFloat64()-spread*spread/2)+0.5), 1)
}

// shapeOf returns the rate at each part of the time, as a share of the rate at the peak: a wave
// ((1-cos)/2)^k, whose peak is as many times its mean as is wanted.
func shapeOf(peak float64) func(part float64) float64 {
	if !(peak > 1) {
		return func(float64) float64 { return 1 }
	}
	// The mean of the wave falls as k grows.
	mean := func(k float64) float64 {
		a, _ := math.Lgamma(k + 0.5)
		b, _ := math.Lgamma(k + 1)
		return math.Exp(a-b) / math.Sqrt(math.Pi)
	}
	low, high := 0.0, 1.0
	for mean(high)*peak > 1 && high < 1e6 {
		high *= 2
	}
	for range 60 {
		if k := (low + high) / 2; mean(k)*peak > 1 {
			low = k
		} else {
			high = k
		}
	}
	return func(part float64) float64 { return math.Pow((1-math.Cos(2*math.Pi*part))/2, high) }
}
