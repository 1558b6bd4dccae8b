// Command quality measures how well the router routes: beside an oracle that knows every hidden
// quota, window and capacity, and beside what programs do without a router.
//
//	go -C bench run ./quality [-seeds 10] [-baseline-seeds 2] [-scenario regexp] [-quick] [-burst 0.3] [-svg quality.svg] [-fleet-svg fleet.svg]
//
// It prints a table, writes a plot of one scenario and one of fleets, and fails if the median of the
// seeds misses a figure. Figures that are laws have to hold in the worst seed: the most in a minute,
// requests with a dead key, errors. Time is virtual: the router is the real one, over the emulator of package geminitest, in
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
// The rows that begin with "fleet-" have 1 to 64 replicas of the router (their name ends in how
// many) that share a store.Memory, 1 ms or 20 ms away. Each call goes to one of them at random.
// They have half as many seeds, those of 64 replicas a quarter. With -quick, rows of 16 and 64
// replicas 20 ms away are left out. -scenario '^fleet-' runs these rows alone, -scenario '^[^f]'
// those of one router. They are compared with replicas without a store, and with replicas that have
// their part of each limit.
//
//   - fleet-known, -known-tpm, -skewed, -clocks: known quotas, as above. Skewed: a fifth of the replicas gets four fifths of the calls.
//     Clocks: those of half the replicas are 30 s off.
//   - fleet-learned, -order, -hidden: as above; the hidden capacity stays, and a refusal takes 30 ms or 200 ms.
//   - fleet-dead: one key of ten is revoked.
//   - fleet-rpm5: beside one router.
//   - fleet-gone, -half, -flushed, -killed, -restart, -scaled: known quotas, and from minute 3 to 4 the store is gone, or it is for half of the
//     replicas; at minute 3 its content is lost, or a quarter of the replicas is; or within that minute all are replaced, or half leave and
//     twice as many join.
//
// The most in 60 s counts what reached Google for one project, refused or not, as a share of its
// quota. Operations are those of the store, asks of windows one by one.
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
	quick := flag.Bool("quick", false, "2 seeds, shorter trials, no plots")
	flag.Float64Var(&e.burst, "burst", 0, "share of the calls that comes within one second of every ten; 0: Poisson arrivals")
	svg := flag.String("svg", "quality.svg", "file for the plot; empty: none")
	fleetSVG := flag.String("fleet-svg", "fleet.svg", "file for the plot of fleets; empty: none")
	testing.Init() // synctest.Test wants a *testing.T, and testing.Main, which makes one, its flags
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(),
			"usage: go -C bench run ./quality [-seeds N] [-baseline-seeds N] [-scenario REGEXP] [-quick] [-burst SHARE] [-svg FILE] [-fleet-svg FILE]")
	}
	flag.Parse()
	e.length = 1
	if *quick {
		e.seeds, e.baselineSeeds, e.length = 2, 1, 0.5
		*svg, *fleetSVG = "", "" // the plots that are kept are those of whole trials
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
			report.plot.write(t, *svg)
			report.fleetPlot.write(t, *fleetSVG)
			if report.missed() {
				t.Fail()
			}
		},
	}}, nil, nil)
}

// write writes the picture to a file, if there are both.
func (p *plot) write(t *testing.T, file string) {
	t.Helper()
	if p == nil || file == "" {
		return
	}
	if err := os.WriteFile(filepath.Clean(file), p.svg(), 0o644); err != nil {
		t.Fatal(err)
	}
}
