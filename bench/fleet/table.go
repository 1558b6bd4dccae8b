package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what a row measured.
type result struct {
	err error

	served, allowed int
	exhausted       int            // calls that the pool refused honestly
	cut             int            // calls that broke off with a replica that was killed
	failed          map[string]int // calls, by what was wrong
	refused         int            // by Google, with 429
	dead            int            // requests with a key that was dead
	p50, p99        time.Duration
	most, after     float64 // of the limit, in any 60 s
	ops             float64
	lost, back      []int         // lines, by replica
	right           time.Duration // until the fleet was right again
	slots           time.Duration // until a killed replica's slots were in use again
	peak            int           // of the slow calls
	keys            int           // that were read
	leaks           []string
	also            []string // what else was wrong
}

// The figures that all rows have to hold.
const (
	mostWasted = 0.001           // Google's 429s for each call served, if nothing is unknown
	mostUnsure = 0.02            // if something is
	rightAgain = 5 * time.Second // after a fault
	slotsBack  = 3 * time.Second // after a replica was killed
	deadCalls  = 3               // requests of the fleet with a key that has died
)

// missed returns the figures that a result misses.
func (w *row) missed(r *result) (missed []string) {
	miss := func(is bool, format string, values ...any) {
		if is {
			missed = append(missed, fmt.Sprintf(format, values...))
		}
	}
	if r.err != nil {
		return []string{r.err.Error()}
	}
	wasted := mostUnsure
	if w.most == certain {
		wasted = mostWasted
	}
	miss(float64(r.served) < w.served*float64(r.allowed), "served less than %.2f", w.served)
	miss(float64(r.refused) > wasted*float64(r.served), "more than %.3f 429s for each call", wasted)
	for _, why := range slices.Sorted(maps.Keys(r.failed)) {
		miss(true, "%d failed: %s", r.failed[why], why)
	}
	miss(r.most > w.most, "more than %.2f of a limit in 60 s", w.most)
	miss(r.after > 1, "not counted right again: %.3f of a limit in 60 s", r.after)
	lost := func(lines []int) bool {
		return slices.Max(lines) > 1 || sum(lines) != w.lost
	}
	miss(lost(r.lost) || lost(r.back), "lines: lost the store %v, back %v, want one of each in %d replicas", r.lost, r.back, w.lost)
	miss(r.right > rightAgain, "right again only after %s", r.right.Round(time.Millisecond))
	miss(r.slots > slotsBack, "slots came back only after %s", r.slots.Round(time.Millisecond))
	miss(r.dead > deadCalls, "%d requests with a dead key", r.dead)
	miss(len(r.leaks) > 0 || r.keys == 0, "of %d keys was read: %s", r.keys, strings.Join(r.leaks, ", "))
	return append(missed, r.also...)
}

// printTable prints the rows and reports whether all met their figures.
func printTable(out io.Writer, rows []row, results []result) (met bool) {
	met = true
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "row\tserved\t429s\tfailed\tp50\tp99\tmost\tafter\tops\tlost\tback\tright in\t\t")
	var remarks []string
	for i := range rows {
		w, r := &rows[i], &results[i]
		missed := w.missed(r)
		verdict := "met"
		if len(missed) > 0 {
			met, verdict = false, "missed"
		}
		fmt.Fprintf(table, "%s\t%.3f\t%.4f\t%d\t%s\t%s\t%.3f\t%.3f\t%.0f\t%d\t%d\t%s\t%s\t\n",
			w.name, ratio(r.served, r.allowed), ratio(r.refused, r.served), sum(slices.Collect(maps.Values(r.failed))),
			r.p50.Round(time.Millisecond), r.p99.Round(time.Millisecond), r.most, r.after, r.ops, sum(r.lost), sum(r.back),
			r.right.Round(10*time.Millisecond), verdict)
		remarks = append(remarks, w.remarks(r, missed)...)
	}
	_ = table.Flush()
	if len(remarks) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(remarks, "\n"))
	}
	return met
}

// remarks returns what the columns have no room for.
func (w *row) remarks(r *result, missed []string) (lines []string) {
	for _, m := range missed {
		lines = append(lines, w.name+": missed: "+m)
	}
	if r.slots > 0 {
		lines = append(lines, fmt.Sprintf("%s: its slots were in use again after %s; at most %d of %d at once; %d calls broke off with it",
			w.name, r.slots.Round(10*time.Millisecond), r.peak, slots, r.cut))
	}
	if r.dead > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d requests with it", w.name, r.dead))
	}
	return lines
}

func sum(n []int) (total int) {
	for _, k := range n {
		total += k
	}
	return total
}

func ratio(a, b int) float64 { return float64(a) / float64(max(b, 1)) }
