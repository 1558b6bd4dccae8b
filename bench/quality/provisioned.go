package main

import (
	"math"
	"strings"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// The order's table row for the model: tokens a second of a GSU, and what a token of output costs.
const (
	perGSU     = 2_690.0
	outputRate = 9.0
)

// burned is what a call takes from an order.
func (c *call) burned() float64 { return float64(c.prompt) + outputRate*float64(c.output) }

// enforcement is the documented range of windows for so many GSUs, evenly covered by the seeds.
func enforcement(d draw, gsus int) time.Duration {
	low, high := 40.0, 120.0
	switch {
	case gsus >= 50:
		low, high = 1, 5
	case gsus > 3:
		low, high = 5, 30
	}
	return time.Duration((low + d.spread()*(high-low)) * float64(time.Second)).Round(100 * time.Millisecond)
}

// orders are Provisioned Throughput orders of so many GSUs each, in regions of their own, with
// pay-as-you-go of the first one's region behind them, offered a multiple of the throughput of all.
// A share of the calls say how long their answers may be.
func orders(count, gsus int, load float64, length time.Duration, bounded float64) func(draw) *trial {
	return func(d draw) *trial {
		length := d.scaled(length)
		tr := &trial{length: length, sizes: chat, baselines: []baseline{{"round robin, 60 s cooldown", through(roundRobin)}}}
		theirs := geminitest.Project{ID: "only", Keys: []string{"key"}}
		ours := pool.Project{
			Name: "only", Backend: pool.BackendVertex, Keys: []pool.Secret{pool.NewSecret("key")}, Locations: []string{"global"},
		}
		for i := range count {
			// Each order has a window of its own, half the range away from the other's.
			at := d
			at.seed += uint64(i) * d.of / 2
			theirs.Orders = append(theirs.Orders, geminitest.Order{Model: model, Location: regions[i], GSUs: gsus, Window: enforcement(at, gsus)})
			ours.Provisioned = append(ours.Provisioned, pool.Order{Model: model, Location: regions[i], GSUs: gsus})
			tr.doors = append(tr.doors, door{key: "key", project: "only", location: regions[i], dedicated: true})
		}
		tr.doors = append(tr.doors, door{key: "key", project: "only", location: "global"})
		tr.google = google(d.seed, theirs)
		tr.pool.Projects = []pool.Project{ours}
		rate := load * perGSU * float64(gsus*count) / (chat.meanPrompt() + outputRate*chat.meanOutput())
		tr.calls = arrivals{rate: rate, to: length, burst: d.burst, sizes: chat}.draw(d.rng(1))
		for i, rng := 0, d.rng(2); i < len(tr.calls); i++ {
			tr.calls[i].bounded = rng.Float64() < bounded
		}
		tr.judge = func(got, first []result) outcome {
			o := common(tr.calls, got, first, span{0, length})
			o[goodput], o[late] = math.Inf(1), math.Inf(1)
			all, last := span{0, length}, span{length - length/4, length}
			for _, location := range regions[:count] { // the order that does worst
				o[goodput] = min(o[goodput], tr.used(got, location, all)/tr.used(first, location, all))
				o[late] = min(o[late], tr.used(got, location, last)/tr.used(first, location, last))
			}
			refused, n := 0.0, float64(len(tr.calls))
			for _, r := range got {
				for _, no := range r.refused {
					if strings.HasSuffix(no.where, "dedicated") {
						refused++
					}
				}
			}
			o[refusedByPT] = refused / n
			o[spilled] = (onDemand(got) - onDemand(first)) / n
			return o
		}
		return tr
	}
}

// used is what an order has served in a span, in burned-down tokens.
func (tr *trial) used(results []result, location string, in span) (tokens float64) {
	for i, r := range results {
		if r.served && in.has(r.sent) && r.where == location+"/dedicated" {
			tokens += tr.calls[i].burned()
		}
	}
	return tokens
}

// onDemand counts the calls that no order served.
func onDemand(results []result) (n float64) {
	for _, r := range results {
		if r.served && strings.HasSuffix(r.where, "shared") {
			n++
		}
	}
	return n
}
