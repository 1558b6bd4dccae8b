package main

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// experiment is a choice of scenarios, each of which is run for several seeds.
type experiment struct {
	scenarios     []scenario
	seeds         uint64
	baselineSeeds uint64
	burst         float64
	length        float64
}

// router is the name of the policy that all of this is about.
const routerName = "spillway"

// row is what one policy came to in one scenario, over the seeds.
type row struct {
	scenario scenario
	policy   string
	outcomes []outcome
}

// report is what an experiment found.
type report struct {
	rows      []row
	plot      *plot // of the first seed of plotted
	fleetPlot *plot
}

// plotted is the scenario of which the first seed is drawn.
const plotted = "hidden"

// run plays every scenario with every seed. Trials run side by side, each in a bubble of its own.
func (e *experiment) run(t *testing.T) *report {
	t.Helper()
	var mu sync.Mutex
	found := map[[2]string][]outcome{}
	r := &report{}
	note := func(s scenario, policy string, o outcome) {
		mu.Lock()
		defer mu.Unlock()
		key := [2]string{s.name, policy}
		found[key] = append(found[key], o)
	}
	t.Run("trials", func(t *testing.T) {
		for _, s := range e.scenarios {
			for seed := uint64(1); seed <= e.seeds; seed++ {
				t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
					t.Parallel()
					tr := s.trial(draw{seed: seed, of: e.seeds, burst: e.burst, length: e.length})
					if tr == nil {
						return
					}
					oracle := tr.reference(t)
					got := tr.play(t, spillway)
					note(s, routerName, tr.outcome(got, oracle))
					if s.name == plotted && seed == 1 {
						r.plot = newPlot("Three locations, hidden capacity that moves, offered twice as much", tr.calls, got.results, oracle, tr.length)
					}
					if seed > e.baselineSeeds {
						return
					}
					for _, b := range tr.baselines {
						note(s, b.name, tr.outcome(tr.play(t, b.policy), oracle))
					}
				})
			}
		}
	})
	for _, s := range e.scenarios {
		outcomes := found[[2]string{s.name, routerName}]
		if outcomes == nil {
			continue // no trials
		}
		r.rows = append(r.rows, row{s, routerName, outcomes})
		for _, b := range slices.Concat(everyBaseline, fleetBaselines) {
			if outcomes := found[[2]string{s.name, b.name}]; outcomes != nil {
				r.rows = append(r.rows, row{s, b.name, outcomes})
			}
		}
	}
	r.fleetPlot = newFleetPlot(r.rows)
	return r
}

// missed reports whether the router misses a figure.
func (r *report) missed() bool {
	for _, w := range r.rows {
		if len(w.misses()) > 0 {
			return true
		}
	}
	return false
}

// misses are the figures that the router does not reach: in the median, or always.
func (w row) misses() (missed []figure) {
	if w.policy != routerName {
		return nil
	}
	for _, f := range w.scenario.figures {
		v := median(f.measure, w.outcomes)
		if f.always() {
			v = worst(f.measure, w.outcomes)
		}
		if !f.holds(v) {
			missed = append(missed, f)
		}
	}
	return missed
}
