package plan

import (
	"math"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
)

// Change is what would become of the calls if something were otherwise.
type Change struct {
	What string // in words
	// GSUs is the order that is looked at, Before and Spill the part of the tokens that spills with it,
	// as things are and with the change. Needs is about the fewest GSUs that would do; zero if that is
	// not known.
	GSUs          int
	Before, Spill float64
	Needs         int
}

const (
	wait       = 5 * time.Second
	moreCached = 0.5  // of the prompt
	shorter    = 0.75 // of the response
	mostLabels = 3
)

// changes looks at what would change the answer for an order of so many GSUs: one smaller than what is
// recommended, with which something spills.
func (a *Answer) changes(m *maker, s *sieve, recommended int) ([]Change, error) {
	gsus := max(recommended*3/4, 1)
	calls := s.busiest(mostCalls)
	before, err := m.worst(calls, gsus, 0)
	if err != nil {
		return nil, err
	}
	needs := float64(recommended) / float64(s.least(a.Spill)) // what the pool needs, beside the sieve
	var all []Change
	look := func(what string, calls []demand.Call, wait time.Duration) error {
		spill, err := m.worst(calls, gsus, wait)
		if err != nil {
			return err
		}
		c := Change{What: what, GSUs: gsus, Before: before, Spill: spill}
		if other, err := newSieve(&a.Buy, calls); err == nil && wait == 0 && a.Recommended > 0 {
			c.Needs = int(math.Ceil(needs * float64(other.least(a.Spill))))
		}
		all = append(all, c)
		return nil
	}
	if err := look("calls wait up to "+wait.String()+" for the order", calls, wait); err != nil {
		return nil, err
	}
	labels := (&demand.Log{Calls: calls}).Labels()
	for _, l := range labels[:min(len(labels), mostLabels)] {
		others := slices.DeleteFunc(slices.Clone(calls), func(c demand.Call) bool { return c.Label == l.Name })
		if len(others) == 0 {
			continue
		}
		if err := look("the label "+l.Name+" moves to batch or flex, at half the price", others, 0); err != nil {
			return nil, err
		}
	}
	for _, c := range [...]struct {
		what           string
		cached, output float64
	}{{"half of each prompt is cached", moreCached, 1}, {"responses are a quarter shorter", 0, shorter}} {
		changed := slices.Clone(calls)
		for i := range changed {
			changed[i].Usage = cheaper(changed[i].Usage, c.cached, c.output)
		}
		if err := look(c.what, changed, 0); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// worst is the part of the tokens that spills with the worse window.
func (m *maker) worst(calls []demand.Call, gsus int, wait time.Duration) (float64, error) {
	var tallies [2]*Tally
	var jobs []func() error
	for i, w := range windows(m.q.Model, gsus) {
		m.of.Add(int64(len(calls)))
		jobs = append(jobs, func() (err error) {
			tallies[i], err = m.tally(calls, gsus, w, wait)
			return err
		})
	}
	if err := m.all(jobs); err != nil {
		return 0, err
	}
	spill := 0.0
	for _, t := range tallies {
		if t != nil {
			spill = max(spill, t.Spill())
		}
	}
	return spill, nil
}
