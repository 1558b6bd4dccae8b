package main

import (
	"fmt"
	"slices"
	"strconv"
)

// newFleetPlot draws refusals per call served over the number of replicas, of a fleet that shares a
// store and of the baselines. It returns nil if the rows of a fleet of known quotas are not all
// there.
func newFleetPlot(rows []row) *plot {
	sizes := fleetSizes()
	p := &plot{
		title:  "Known quotas of ten projects, offered half as much again: what Google refused",
		across: "replicas", upon: "429s per call served",
	}
	for i, n := range sizes {
		p.ticks = append(p.ticks, tick{(float64(i) + 0.5) / float64(len(sizes)), strconv.Itoa(n)})
	}
	for _, c := range []curve{
		{name: fleetBaselines[0].name, colour: red, width: 2},
		{name: fleetBaselines[1].name, colour: grey, width: 2},
		{name: routerName, colour: blue, width: 2.5},
	} {
		for _, n := range sizes {
			i := slices.IndexFunc(rows, func(w row) bool {
				return w.policy == c.name && w.scenario.name == fmt.Sprintf("fleet-known-tpm-%d", n)
			})
			if i < 0 {
				return nil
			}
			c.values = append(c.values, median(wasted, rows[i].outcomes))
		}
		if c.name == routerName {
			c.name = "Spillway over a store"
		}
		c.marked = true
		p.curves = append(p.curves, c)
	}
	return p
}
