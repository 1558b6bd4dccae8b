package pool

import (
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/spelling"
)

// ladder checks the steps of a project.
func (f *faults) ladder(at string, c *Config, p *Project) {
	within := c.fenced(*p)
	f.steps(at, "on_demand", p.OnDemand, &within)
	f.steps(at, "batch_on_demand", p.BatchOnDemand, &within)
}

// steps checks the service tiers below one key. within is the project with the locations that it has.
func (f *faults) steps(at, key string, tiers []string, within *Project) {
	last := -1
	var known []string
	for _, s := range steps {
		known = append(known, s.tier)
	}
	for j, tier := range tiers {
		field, what := index(at+"."+key, j), index(key, j)
		i := slices.Index(known, tier)
		switch {
		case i < 0:
			f.add(field, what+" is none of Google's service tiers", meantTier(tier, known))
			return
		case slices.Contains(tiers[:j], tier):
			f.add(field, what+" is listed already", "write each service tier once")
			return
		case i < last:
			f.add(field, what+" is cheaper than the one before it",
				"write the service tiers from the cheapest to the dearest: "+strings.Join(known, ", "))
			return
		}
		last = i
	}
	if last >= 0 && len(within.Locations) > 0 && !within.sellsAny(tiers) {
		f.add(at+"."+key, "no location of the project has "+strings.Join(tiers, " or "),
			`add "standard", or the location "global", which has all; priority is in "us" and "eu" too`)
	}
}

// meantTier says which service tier a word likely means.
func meantTier(word string, known []string) string {
	if near, ok := spelling.Nearest(word, known); ok {
		return "did you mean \"" + near + "\"?"
	}
	return `write "` + strings.Join(known, `", "`) + `", or some of them`
}

// sellsAny reports whether one of the project's locations has one of the service tiers.
func (p *Project) sellsAny(tiers []string) bool {
	return slices.ContainsFunc(p.Locations, func(location string) bool {
		return slices.ContainsFunc(steps[:], func(s step) bool {
			return slices.Contains(tiers, s.tier) && p.Backend.sells(s.traffic, location)
		})
	})
}
