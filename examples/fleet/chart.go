package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/geminitest"
)

// The endpoints, with the mark of one call that each served.
const (
	north = "north/global/on_demand"
	south = "south/global/on_demand"

	northMark = "█"
	southMark = "▓"
)

// chart prints the story, line by line.
type chart struct {
	out     io.Writer
	refused int    // Google's responses 429 so far
	state   string // of the store, as the replicas see it
}

func (c *chart) printf(format string, values ...any) { _, _ = fmt.Fprintf(c.out, format, values...) }

func (c *chart) head(engine string) {
	c.printf("The store is %s.\n  %s %s, 120 calls a minute\n  %s %s, 900 calls a minute\n\n        a    b    c  429s\n",
		engine, northMark, north, southMark, south)
}

// remark prints what happens now.
func (c *chart) remark(second int, text string) { c.printf("%02ds   %s\n", second, text) }

// second draws the calls of one second, by replica and by endpoint, and prints what has become of
// the store.
func (c *chart) second(second int, f *fleet) {
	served := f.tally.take()
	refused := f.google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests)
	c.printf("%02ds  %3d  %3d  %3d  %4d  %s%s\n", second, served["a"], served["b"], served["c"], refused-c.refused,
		strings.Repeat(northMark, served[north]), strings.Repeat(southMark, served[south]))
	c.refused = refused
	if state := stateOf(f); state != c.state {
		c.printf("                         %s\n", state)
		c.state = state
	}
}

// stateOf says what the replicas know of the store.
func stateOf(f *fleet) string {
	members, away, learning := 0, 0, 0
	for _, r := range f.list() {
		s := r.client.Router.Stat().Store
		members = max(members, s.Members)
		switch {
		case !s.Answers:
			away++
		case !s.In:
			learning++
		}
	}
	switch {
	case away > 0:
		return fmt.Sprintf("store: does not answer %d of %d replicas", away, len(f.list()))
	case learning > 0:
		return "store: answers, and learns what all have used"
	}
	return fmt.Sprintf("store: knows what its %d members have used", members)
}

// summary prints the result: for the callers by their own counts, for Google by the emulator's.
func (c *chart) summary(f *fleet) {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	count := f.tally.counts
	c.printf("\n%d calls: %d answered, %d failed\n", f.tally.calls+len(f.tally.errors), f.tally.calls, len(f.tally.errors))
	c.printf("  %s %s  %3d of the 120 that it allows in a minute\n", northMark, north, count[north])
	c.printf("  %s %s  %3d\n", southMark, south, count[south])
	c.printf("%d requests to Google for them. Refused were:\n", f.google.Count(geminitest.Match{}))
	c.printf("  %4d with 429\n", f.google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests))
	c.printf("  %4d with 400, for the revoked key, of three replicas\n", f.google.CountStatus(geminitest.Match{}, http.StatusBadRequest))
}
