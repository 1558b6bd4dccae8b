package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

var regions = []string{"europe-west4", "us-central1", "asia-northeast1"}

// moving draws a capacity that nobody tells: between 4 and 64 requests a second, each octave as
// likely as the next, drawn anew every 20 to 60 seconds; one time in ten there is none at all.
func moving(rng *rand.Rand, location string, rejectedCost float64, length time.Duration) geminitest.Capacity {
	draw := func() float64 {
		if rng.Float64() < 0.1 {
			return 0
		}
		return 4 * math.Pow(16, rng.Float64())
	}
	c := geminitest.Capacity{Location: location, Requests: draw(), RejectedCost: rejectedCost}
	for at := time.Duration(0); at < length; {
		at += 20*time.Second + time.Duration(rng.Int64N(int64(40*time.Second)))
		c.Steps = append(c.Steps, geminitest.Step{At: at, Requests: draw()})
	}
	return c
}

// steadyCapacity is three locations whose hidden capacity stays, offered twice what they take.
// Refusals take so long.
func steadyCapacity(refusal time.Duration) func(draw) *trial {
	return func(d draw) *trial {
		const length, warm = 10 * time.Minute, 10 * time.Second
		var pools []geminitest.Capacity
		for i, location := range regions {
			pools = append(pools, geminitest.Capacity{Location: location, Requests: []float64{10, 20, 30}[i]})
		}
		tr := hiddenQuotas(d, d.rng(1), pools, d.scaled(length))
		tr.refusal = refusal
		tr.judge = func(got, oracle []result) outcome { return common(tr.calls, got, oracle, span{warm, tr.length}) }
		return tr
	}
}

// hiddenQuotas are one project's locations with a capacity, offered twice of what that is in the
// mean.
func hiddenQuotas(d draw, rng *rand.Rand, pools []geminitest.Capacity, length time.Duration) *trial {
	tr := &trial{length: length, baselines: everyBaseline}
	tr.google = google(d.seed, geminitest.Project{ID: "only", Keys: []string{"key"}})
	tr.google.Capacity = pools
	for _, p := range pools {
		tr.doors = append(tr.doors, door{key: "key", project: "only", location: p.Location})
	}
	tr.calls = arrivals{
		rate: 2 * meanCapacity(pools, length), to: length, burst: d.burst, callers: tenCallers, sizes: small,
	}.draw(rng)
	tr.pool.Projects = []pool.Project{{
		Name: "only", Backend: pool.BackendVertex, Keys: []pool.Secret{pool.NewSecret("key")}, Locations: regions,
	}}
	tr.oracle = func() []result { return hiddenCapacity(tr.calls, pools) }
	return tr
}

// movingCapacity is three locations whose capacity is hidden and moves, offered twice what they
// take in the mean.
func movingCapacity(rejectedCost float64) func(draw) *trial {
	return func(d draw) *trial {
		const warm = 10 * time.Second
		length := d.scaled(4 * time.Minute)
		rng := d.rng(1)
		var pools []geminitest.Capacity
		for _, location := range regions {
			pools = append(pools, moving(rng, location, rejectedCost, length))
		}
		tr := hiddenQuotas(d, rng, pools, length)
		rises := risesOf(tr.google.Capacity, span{warm, length})
		tr.judge = func(got, oracle []result) outcome {
			o := common(tr.calls, got, oracle, span{warm, length})
			o[recovery] = recoveries(got, oracle, rises)
			last := span{length - length/4, length}
			o[late] = servedIn(got, last) / servedIn(oracle, last)
			return o
		}
		return tr
	}
}

// small calls: what counts here is how many there are.
var small = sizes{prompt: 200, promptSigma: 0.5, output: 200, outputSigma: 0.8}

// meanCapacity is what all pools together take a second, in the mean over the trial.
func meanCapacity(pools []geminitest.Capacity, length time.Duration) (perSecond float64) {
	for _, p := range pools {
		for at := time.Duration(0); at < length; at += time.Second {
			perSecond += capacityAt(p, at) / length.Seconds()
		}
	}
	return perSecond
}

// risesOf finds the moments at which all the capacity together rises by half or more, each until
// the next change.
func risesOf(pools []geminitest.Capacity, in span) []span {
	total := func(at time.Duration) (sum float64) {
		for _, p := range pools {
			sum += capacityAt(p, at)
		}
		return sum
	}
	var rises []span
	for _, p := range pools {
		for _, s := range p.Steps {
			if !in.has(s.At) || total(s.At) < 1.5*total(s.At-1) {
				continue
			}
			end := in.to
			for _, q := range pools {
				for _, next := range q.Steps {
					if next.At > s.At && next.At < end {
						end = next.At
					}
				}
			}
			rises = append(rises, span{s.At, end})
		}
	}
	return rises
}
