// Command grid breaks projects in every way, at every place, under every kind of call, and measures
// what callers see of it.
//
//	go -C bench run ./grid [-only regexp] [-twentieth] [-failing]
//
// It prints a line for each case and the bounds that do not hold, then a table by fault and
// scenario, and fails if a bound does not hold. Time is virtual: the router is the real one, in
// bubbles of testing/synctest, over an emulator of the least.
//
// In a cell of the grid, project A has the fault and project B is well. Calls come five a second for
// two minutes. "to A" is the share of the requests after the first ten seconds that went to A and
// met the fault. A call that failed took for ever.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/spillway-go/spillway/internal/grid"
)

func main() {
	pattern := flag.String("only", "", "only cases whose name matches this regular expression")
	twentieth := flag.Bool("twentieth", false, "only the twentieth that go test plays")
	failing := flag.Bool("failing", false, "print only the cases that break a bound")
	testing.Init() // synctest.Test wants a *testing.T, and testing.Main, which makes one, its flags
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: go -C bench run ./grid [-only REGEXP] [-twentieth] [-failing]")
	}
	flag.Parse()
	only, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, "grid: -only:", err)
		os.Exit(2)
	}
	all := grid.All()
	if *twentieth {
		all = grid.Twentieth()
	}
	var cases []grid.Case
	for _, c := range all {
		if only.MatchString(c.Name) {
			cases = append(cases, c)
		}
	}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "grid", F: func(t *testing.T) {
			p := newPrinter(os.Stdout, cases)
			p.onlyFailing = *failing
			run(t, cases, p.print)
			if !p.table() {
				t.Fail()
			}
		},
	}}, nil, nil)
}

// run plays the cases in their order, one on each processor at a time.
func run(t *testing.T, cases []grid.Case, done func(grid.Case, grid.Outcome)) {
	t.Helper()
	var next atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(worker), func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1) - 1; i < int64(len(cases)); i = next.Add(1) - 1 {
					c := cases[i]
					t.Run(c.Name, func(t *testing.T) { done(c, c.Run(t)) })
				}
			})
		}
	})
}
