// Package demand knows what calls are made: from logs of calls, as several programs write them, or
// from rates that someone states.
package demand

import (
	"cmp"
	"slices"
	"strings"
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
	// Skipped counts entries that are no calls with tokens: calls that failed, other methods, other
	// providers. Broken counts those that cannot be read.
	Skipped, Broken int
	// Filled counts calls that were refused: they are taken to have the tokens that calls for their
	// model have in the mean.
	Filled int
	// Left is why entries were skipped or cannot be read, in the order of the log.
	Left []Left
}

// Left is some entries of a log that count for nothing, all for one reason.
type Left struct {
	Why     string
	Broken  bool // they cannot be read
	Entries int
	File    string // where the first of them is; empty if the log is one file
	Line    int    // where it begins there; zero if that is not known
}

// MostCalls bounds the calls of a log, and of stated rates: each takes about 150 bytes, and twice as
// much while they are read.
const MostCalls = 10_000_000

const tooMany = "beyond the first 10,000,000 calls"

// leave counts entries that count for nothing, and returns all of their kind. It is new if they are
// the first.
func (l *Log) leave(left Left) (kind *Left, isNew bool) {
	if left.Broken {
		l.Broken += left.Entries
	} else {
		l.Skipped += left.Entries
	}
	for i := range l.Left {
		if known := &l.Left[i]; known.Why == left.Why && known.Broken == left.Broken {
			known.Entries += left.Entries
			return known, false
		}
	}
	l.Left = append(l.Left, left)
	return &l.Left[len(l.Left)-1], true
}

// Add adds what another log says, which is in a file of that name. After the last one, call Sort.
func (l *Log) Add(other *Log, file string) {
	switch {
	case l.Format == "":
		l.Format = other.Format
	case other.Format != "" && !slices.Contains(strings.Split(l.Format, formatsJoin), other.Format):
		l.Format += formatsJoin + other.Format
	}
	if len(l.Calls) == 0 {
		l.Calls = other.Calls
	} else {
		fit := min(len(other.Calls), MostCalls-len(l.Calls))
		l.Calls = append(l.Calls, other.Calls[:fit]...)
		if over := len(other.Calls) - fit; over > 0 {
			l.leave(Left{Why: tooMany, Entries: over, File: file})
		}
	}
	l.Filled += other.Filled
	for _, left := range other.Left {
		left.File = file
		l.leave(left)
	}
}

// formatsJoin is between the names of formats.
const formatsJoin = " and "

// Sort brings the calls into the order of time. Those of one moment have an order, too, that is not
// the log's: exports of a table have none.
func (l *Log) Sort() {
	slices.SortStableFunc(l.Calls, func(a, b Call) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		switch {
		case b.Batch && !a.Batch:
			return -1
		case a.Batch && !b.Batch:
			return 1
		}
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Usage.Input, b.Usage.Input),
			cmp.Compare(a.Usage.Output, b.Usage.Output), cmp.Compare(a.Usage.Cached, b.Usage.Cached), cmp.Compare(a.Took, b.Took))
	})
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

// Only returns the calls for a model, which are to be read only.
func (l *Log) Only(model string) []Call {
	if !slices.ContainsFunc(l.Calls, func(c Call) bool { return c.Model != model }) {
		return l.Calls
	}
	return slices.DeleteFunc(slices.Clone(l.Calls), func(c Call) bool { return c.Model != model })
}
