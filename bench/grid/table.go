package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spillway-go/spillway/internal/grid"
)

// printer prints what the cases came to, and sums it up.
type printer struct {
	onlyFailing bool
	groups      []string // in the order of the table

	mu   sync.Mutex
	to   io.Writer
	sums map[string]*sum
}

func newPrinter(to io.Writer, cases []grid.Case) *printer {
	p := &printer{to: to, sums: map[string]*sum{}}
	for _, c := range cases {
		if p.sums[c.Group] == nil {
			p.groups = append(p.groups, c.Group)
			p.sums[c.Group] = &sum{}
		}
	}
	return p
}

// sum is what the cases of a group came to.
type sum struct {
	cases, broken int     // of the cases, those that break a bound
	leaks         int     // and those in which a credential was where none may be
	failed, toA   float64 // the worst shares
	p95           time.Duration
}

// print prints a case.
func (p *printer) print(c grid.Case, o grid.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	verdict, fails := "ok  ", len(o.Broken)+len(o.Leaks) > 0
	if fails {
		verdict = "FAIL"
	}
	if fails || !p.onlyFailing {
		_, _ = fmt.Fprintf(p.to, "%s %s: %d of %d failed, %d of %d to A, p50 %s, p95 %s\n",
			verdict, c.Name, o.Failed, o.Calls, o.ToA, o.Requests, grid.Short(o.P50), grid.Short(o.P95))
	}
	for _, b := range o.Broken {
		_, _ = fmt.Fprintf(p.to, "     %s\n", strings.ReplaceAll(b, "\n", " "))
	}
	for _, l := range o.Leaks {
		_, _ = fmt.Fprintf(p.to, "     a credential in %s\n", strings.ReplaceAll(l, "\n", " "))
	}
	p.sums[c.Group].add(o)
}

func (s *sum) add(o grid.Outcome) {
	s.cases++
	s.failed, s.toA, s.p95 = max(s.failed, o.FailedShare()), max(s.toA, o.ShareToA()), max(s.p95, o.P95)
	if len(o.Broken) > 0 {
		s.broken++
	}
	if len(o.Leaks) > 0 {
		s.leaks++
	}
}

// table prints a row for each group and reports whether every case is as it should be.
func (p *printer) table() bool {
	cases, broken, leaks := 0, 0, 0
	_, _ = fmt.Fprintln(p.to)
	w := tabwriter.NewWriter(p.to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "fault or scenario\tcases\tbroken\tleaking\tworst failed\tworst to A\tworst p95")
	for _, g := range p.groups {
		s := p.sums[g]
		cases, broken, leaks = cases+s.cases, broken+s.broken, leaks+s.leaks
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f %%\t%.1f %%\t%s\n", g, s.cases, s.broken, s.leaks, 100*s.failed, 100*s.toA, grid.Short(s.p95))
	}
	_ = w.Flush()
	_, _ = fmt.Fprintf(p.to, "%d cases, %d of them break a bound, %d show a credential\n", cases, broken, leaks)
	return broken+leaks == 0
}
