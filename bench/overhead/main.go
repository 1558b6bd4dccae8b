// Command overhead measures what the router costs: beside the bare SDK over the same transport in
// memory, and by itself where calls are refused, wait, or use a model for the first time.
//
//	go -C bench run ./overhead [-seconds 2] [-rounds 5] [-row regexp]
//
// It uses the public API alone, so that the same program measures one commit and the next. It needs
// a Unix, for the processor time.
//
// The first table compares. A row makes a call with the bare SDK and the same call through the
// router in turn, for so many seconds, and shows the medians, their ratio, and what one call
// allocates. The transport answers at once, so that the ratio is that of the client's side alone.
//
// The second table has what the SDK has no counterpart for. Its times are processor time of the
// whole process, garbage collection included, for one call, and the median of so many rounds.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"testing"
	"text/tabwriter"
	"time"
)

// effort is how long and how often the program measures.
type effort struct {
	each   time.Duration // for one row of the first table
	rounds int           // of one row of the second
}

func main() {
	seconds := flag.Float64("seconds", 2, "time for each row that compares")
	rounds := flag.Int("rounds", 5, "rounds of each row that does not")
	pattern := flag.String("row", "", "only rows whose name matches this regular expression")
	testing.Init() // synctest.Test wants a *testing.T, and testing.Main, which makes one, its flags
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(),
			"usage: go -C bench run ./overhead [-seconds N] [-rounds N] [-row REGEXP]")
	}
	flag.Parse()
	only, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "overhead: -row:", err)
		os.Exit(2)
	}
	e := effort{each: time.Duration(*seconds * float64(time.Second)), rounds: max(*rounds, 1)}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "overhead", F: func(t *testing.T) {
			printCompared(t, e, only)
			printAlone(t, e, only)
		},
	}}, nil, nil)
}

func printCompared(t *testing.T, e effort, only *regexp.Regexp) {
	t.Helper()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "call\tbare µs\trouted µs\tratio\tbare allocs\tmore allocs\tbare KB\tmore KB")
	for _, c := range comparisons {
		if !only.MatchString(c.name) {
			continue
		}
		bare, routed := c.run(t, e.each)
		_, _ = fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.3f\t%.0f\t%.0f\t%.1f\t%.1f\n", c.name,
			bare.micros, routed.micros, routed.micros/bare.micros,
			bare.allocs, routed.allocs-bare.allocs, bare.kilobytes, routed.kilobytes-bare.kilobytes)
	}
	_ = w.Flush()
}

func printAlone(t *testing.T, e effort, only *regexp.Regexp) {
	t.Helper()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nby itself\tvalue\tunit")
	for _, a := range []struct {
		name string
		run  func(t *testing.T, e effort) []figure
	}{
		{"cooldown", cooldown},
		{"memory", memory},
		{"fairness", fairness},
	} {
		if !only.MatchString(a.name) {
			continue
		}
		for _, f := range a.run(t, e) {
			_, _ = fmt.Fprintf(w, "%s: %s\t%s\t%s\n", a.name, f.name, f.value, f.unit)
		}
	}
	_ = w.Flush()
}

// figure is a row of the second table.
type figure struct{ name, value, unit string }
