// Package demand knows what calls are made: from logs of calls, as several programs write them, or
// from rates that someone states.
package demand

import (
	"cmp"
	"slices"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Call is one call of a program, whatever served it.
type Call struct {
	At    time.Time     // when it was made
	Took  time.Duration // until the whole response was there; zero if that is not known
	Model string
	Label string // who made it; may be empty
	Batch bool
	Usage quota.Usage
}

// Log is what a log says.
type Log struct {
	Format string // what wrote it, in words
	Calls  []Call // in the order of time
	// Skipped counts lines that are no calls with tokens: calls that failed, other methods, other
	// providers. Broken counts those that cannot be read.
	Skipped, Broken int
	// Filled counts calls that were refused: they are taken to have the tokens that calls for their
	// model have in the mean.
	Filled int
}

// sort brings the calls into the order of time.
func (l *Log) sort() {
	slices.SortStableFunc(l.Calls, func(a, b Call) int { return a.At.Compare(b.At) })
}

// Span returns when the first call was made, and how long it is until the last one.
func (l *Log) Span() (first time.Time, length time.Duration) {
	if len(l.Calls) == 0 {
		return time.Time{}, 0
	}
	first = l.Calls[0].At
	return first, l.Calls[len(l.Calls)-1].At.Sub(first)
}

// Share is a part of the calls that have something in common.
type Share struct {
	Name  string
	Calls int
}

// Models returns the models that were called, the most frequent first.
func (l *Log) Models() []Share { return shares(l.Calls, func(c *Call) string { return c.Model }) }

// Labels returns who made calls, the most frequent first. Calls without a label count for none.
func (l *Log) Labels() []Share { return shares(l.Calls, func(c *Call) string { return c.Label }) }

func shares(calls []Call, name func(*Call) string) []Share {
	counts := make(map[string]int)
	for i := range calls {
		counts[name(&calls[i])]++
	}
	delete(counts, "")
	all := make([]Share, 0, len(counts))
	for n, calls := range counts {
		all = append(all, Share{n, calls})
	}
	slices.SortFunc(all, func(a, b Share) int { return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Name, b.Name)) })
	return all
}

// Only returns the calls for a model.
func (l *Log) Only(model string) []Call {
	return slices.DeleteFunc(slices.Clone(l.Calls), func(c Call) bool { return c.Model != model })
}
