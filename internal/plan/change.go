package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/price"
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
	// ByToken is what all calls cost by the token with the change, and WithOrder what they cost with an
	// order of what they need, and what has moved by the token.
	ByToken, WithOrder Money
}

const (
	wait       = 5 * time.Second
	moreCached = 0.5  // of the prompt
	shorter    = 0.75 // of the response
	mostLabels = 3
)

// change is something that might be otherwise.
type change struct {
	what string
	wait time.Duration
	// of says what becomes of a call: it is left alone or changed, or moves to another tier.
	of func(c *demand.Call) (to price.Tier)
}

// possible are the changes to look at, for calls with some labels, the most frequent first.
func (a *Answer) possible(labels []demand.Share) []change {
	all := []change{{"calls wait up to " + wait.String() + " for the order", wait, func(*demand.Call) price.Tier { return price.Standard }}}
	for _, l := range labels[:min(len(labels), mostLabels)] {
		for _, s := range a.sales() {
			what := "the label " + l.Name + " moves to " + s.names
			if s.factor > 0 {
				what += fmt.Sprintf(", at %.4g × the price", s.factor)
			}
			all = append(all, change{what, 0, func(c *demand.Call) price.Tier {
				if c.Label == l.Name {
					return s.tier
				}
				return price.Standard
			}})
		}
	}
	for _, c := range [...]struct {
		what           string
		cached, output float64
	}{{"half of each prompt is cached", moreCached, 1}, {"responses are a quarter shorter", 0, shorter}} {
		all = append(all, change{c.what, 0, func(call *demand.Call) price.Tier {
			call.Usage = cheaper(call.Usage, c.cached, c.output)
			return price.Standard
		}})
	}
	return all
}

// stay returns the changed calls that still are for the order.
func (c *change) stay(calls []demand.Call) []demand.Call {
	left := make([]demand.Call, 0, len(calls))
	for _, call := range calls {
		if c.of(&call) == price.Standard {
			left = append(left, call)
		}
	}
	return left
}

// costs fills in what the calls cost with a change: all by the token, and with the order that they
// need then.
func (a *Answer) costs(c *change, to *Change) {
	moved := make(map[price.Tier]bool)
	part := func(tier price.Tier) Money {
		return a.byToken(tier, func(yield func(demand.Call) bool) {
			for call := range a.all {
				at := c.of(&call)
				if moved[at] = true; at == tier && !yield(call) {
					return
				}
			}
		})
	}
	stays, leaves := part(price.Standard), Money{0, true}
	for tier := range moved {
		if tier != price.Standard {
			leaves = leaves.plus(part(tier))
		}
	}
	to.ByToken = stays.plus(leaves)
	if to.Needs > 0 {
		to.WithOrder = a.bought(to.Needs).plus(leaves)
	}
}

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
	for _, c := range a.possible((&demand.Log{Calls: calls}).Labels()) {
		left := c.stay(calls)
		if len(left) == 0 {
			continue
		}
		spill, err := m.worst(left, gsus, c.wait)
		if err != nil {
			return nil, err
		}
		one := Change{What: c.what, GSUs: gsus, Before: before, Spill: spill}
		if other, err := newSieve(&a.Buy, left); err == nil && c.wait == 0 && a.Recommended > 0 {
			one.Needs = int(math.Ceil(needs * float64(other.least(a.Spill))))
		}
		a.costs(&c, &one)
		all = append(all, one)
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
