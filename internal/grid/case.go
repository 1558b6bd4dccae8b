package grid

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Case is a cell of the grid, or one setting of another scenario.
type Case struct {
	Group string // the fault of a cell, or the scenario
	Name  string
	run   func(t *testing.T) Outcome
}

// Run plays the case in bubbles of its own.
func (c Case) Run(t *testing.T) Outcome {
	t.Helper()
	return c.run(t)
}

// Outcome is what a case came to. Of the requests only those after the first ten seconds count, and
// of A's those that met the fault.
type Outcome struct {
	Calls, Failed int
	Requests, ToA int
	P50, P95      time.Duration // a call that failed took for ever
	Broken        []string      // the bounds that do not hold
	Leaks         []string      // the places where a credential was
}

// FailedShare is the share of the calls that failed.
func (o Outcome) FailedShare() float64 { return share(o.Failed, o.Calls) }

// ShareToA is the share of the requests that went to A in vain.
func (o Outcome) ShareToA() float64 { return share(o.ToA, o.Requests) }

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// All returns every case, in the order of the table.
func All() []Case {
	var all []Case
	for _, scenario := range []func() []Case{
		cells, outages, silences, mistaken, flickers, signatures, canaries, fences,
	} {
		all = append(all, scenario()...)
	}
	return all
}

// Twentieth returns a fixed twentieth of each group, and at least one case of it.
func Twentieth() []Case {
	var groups []string
	of := map[string][]Case{}
	for _, c := range All() {
		if of[c.Group] == nil {
			groups = append(groups, c.Group)
		}
		of[c.Group] = append(of[c.Group], c)
	}
	rng := rand.New(rand.NewPCG(20, 20))
	var chosen []Case
	for _, g := range groups {
		cases := of[g]
		rng.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		chosen = append(chosen, cases[:(len(cases)+19)/20]...)
	}
	return chosen
}
