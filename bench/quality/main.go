// Command quality measures how well the router routes: beside an oracle that knows every hidden
// quota, window and capacity, and beside what programs do without a router.
//
//	go -C bench run ./quality [-seeds 10] [-baseline-seeds 2] [-scenario regexp] [-quick] [-burst 0.3] [-svg quality.svg]
//
// It prints a table, writes a plot of one scenario, and fails if the median of the seeds misses a
// figure. Time is virtual: the router is the real one, over the emulator of package geminitest, in
// bubbles of testing/synctest. A seed fixes the world and the calls; the router's own draws are not
// seeded, so that figures differ a little from run to run.
//
// In the table, goodput is calls served, or tokens of an order used, as a share of what the
// scenario's oracle makes of the same calls:
//
//   - known, learned: projects with the same quotas in fixed minutes, a line of calls that is served first come first served, none of
//     which waits for more than 10 s. Measured after the first two minutes (learned: the first).
//   - hidden: the same line before the same capacity. Measured after the first ten seconds.
//   - order: asking the order first on every call, and going on demand where it refuses; measured from the first call on, in tokens.
//     With two orders, the one that does worse counts.
//   - day, reset: no oracle; what is left of the day's quota, and the time after a minute's, speak for themselves.
//
// Refusals are counted from the first call on, whatever the scenario. The wait of a call is the
// time that it spent in the router and in attempts that failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func main() {
	var e experiment
	flag.Uint64Var(&e.seeds, "seeds", 10, "seeds of each scenario")
	flag.Uint64Var(&e.baselineSeeds, "baseline-seeds", 2, "seeds for which the baselines run, too")
	pattern := flag.String("scenario", "", "only scenarios whose name matches this regular expression")
	quick := flag.Bool("quick", false, "2 seeds, shorter trials, no plot")
	flag.Float64Var(&e.burst, "burst", 0, "share of the calls that comes within one second of every ten; 0: Poisson arrivals")
	svg := flag.String("svg", "quality.svg", "file for the plot; empty: none")
	testing.Init() // synctest.Test wants a *testing.T, and testing.Main, which makes one, its flags
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(),
			"usage: go -C bench run ./quality [-seeds N] [-baseline-seeds N] [-scenario REGEXP] [-quick] [-burst SHARE] [-svg FILE]")
	}
	flag.Parse()
	e.length = 1
	if *quick {
		e.seeds, e.baselineSeeds, e.length = 2, 1, 0.5
		*svg = "" // the plot that is kept is that of a whole trial
	}
	only, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "quality: -scenario:", err)
		os.Exit(2)
	}
	for _, s := range scenarios() {
		if only.MatchString(s.name) {
			e.scenarios = append(e.scenarios, s)
		}
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "quality", F: func(t *testing.T) {
			report := e.run(t)
			report.print(os.Stdout)
			if report.plot != nil && *svg != "" {
				if err := os.WriteFile(filepath.Clean(*svg), report.plot.svg(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if report.missed() {
				t.Fail()
			}
		},
	}}, nil, nil)
}
