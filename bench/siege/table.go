package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// result is what a row measured.
type result struct {
	err           error
	met           *report
	memory        int64
	failed        map[string]int // calls of the others, by what was wrong
	alone, beside time.Duration
	unready       time.Time // when the sidecar said first that it is not ready, where it ends
}

func (r *result) fail(why string, n int) {
	if r.failed == nil {
		r.failed = make(map[string]int)
	}
	r.failed[why] += n
}

// The figures that all rows have to hold.
const (
	mostMemory = 512 << 20
	mostSlower = 1.5
	noise      = 500 * time.Microsecond
)

// missed returns the figures that a result misses.
func (w *row) missed(r *result) (missed []string) {
	if r.err != nil {
		return []string{r.err.Error()}
	}
	miss := func(is bool, format string, values ...any) {
		if is {
			missed = append(missed, fmt.Sprintf(format, values...))
		}
	}
	miss(r.memory > mostMemory && !w.roomy, "more than %d MB", mostMemory>>20)
	miss(!w.ends && r.beside > max(time.Duration(mostSlower*float64(r.alone)), r.alone+noise), "others' p95 is %.1f times as long", float64(r.beside)/float64(r.alone))
	for _, why := range slices.Sorted(maps.Keys(r.failed)) {
		miss(true, "%d of the others' calls failed: %s", r.failed[why], why)
	}
	for _, why := range slices.Sorted(maps.Keys(r.met.Wrong)) {
		miss(true, "%d times: %s", r.met.Wrong[why], why)
	}
	miss(w.ends && (r.unready.IsZero() || !r.unready.Before(r.met.Refused)), "not ready at %s, and refuses connections at %s",
		r.unready.Format(time.StampMilli), r.met.Refused.Format(time.StampMilli))
	miss(r.met.Clients < w.least, "%d clients, want %d", r.met.Clients, w.least)
	return missed
}

const columns = "%-34s %8s %8s %7s %9s %9s  %s\n"

func printHead(out io.Writer) {
	fmt.Fprintf(out, columns, "row", "clients", "memory", "failed", "alone", "beside", "")
}

// printRow prints a row and reports whether it met its figures.
func printRow(out io.Writer, w row, r *result) (met bool) {
	missed, verdict, failed := w.missed(r), "met", 0
	if len(missed) > 0 {
		verdict = "missed"
	}
	for _, n := range r.failed {
		failed += n
	}
	if r.met == nil {
		r.met = newReport()
	}
	fmt.Fprintf(out, columns, w.name, fmt.Sprint(r.met.Clients), fmt.Sprintf("%d MB", r.memory>>20), fmt.Sprint(failed),
		r.alone.Round(10*time.Microsecond), r.beside.Round(10*time.Microsecond), verdict)
	for _, m := range missed {
		fmt.Fprintf(out, "    missed: %s\n", m)
	}
	for _, what := range slices.Sorted(maps.Keys(r.met.Saw)) {
		fmt.Fprintf(out, "    %d: %s\n", r.met.Saw[what], what)
	}
	return len(missed) == 0
}
