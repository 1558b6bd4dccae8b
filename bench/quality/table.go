package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// columns are the measures that every row shows; the rest is shown where it was measured.
var columns = []measure{goodput, wasted, attempts, waitP50, waitP99}

// print writes the table: for every scenario the router's row, with a verdict, and those of the
// baselines. Figures are medians of the seeds, with the worst seed in brackets.
func (r *report) print(w io.Writer) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "SCENARIO\tPOLICY\tGOODPUT/ORACLE\t429 PER SUCCESS\tATTEMPTS\tWAIT P50\tWAIT P99\tOTHER\tVERDICT")
	for _, row := range r.rows {
		name := row.scenario.name
		if row.policy != routerName {
			name = ""
		}
		cells := []string{name, row.policy}
		for _, m := range columns {
			cells = append(cells, row.cell(m))
		}
		var other []string
		for m := range measures {
			if slices.Contains(columns, m) || len(known(m, row.outcomes)) == 0 {
				continue
			}
			other = append(other, m.String()+" "+row.cell(m))
		}
		cells = append(cells, strings.Join(other, ", "), row.verdict())
		fmt.Fprintln(tab, strings.Join(cells, "\t"))
	}
	_ = tab.Flush()
}

func (w row) cell(m measure) string {
	middle := median(m, w.outcomes)
	if math.IsNaN(middle) {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", m.text(middle), m.text(worst(m, w.outcomes)))
}

// text is a value with its unit.
func (m measure) text(v float64) string {
	switch m {
	case waitP50, waitP99, recovery, reset:
		return fmt.Sprintf("%.2f s", v)
	case refusedByPT, spilled:
		return fmt.Sprintf("%.2f %%", 100*v)
	case probes, broken, dead, probesAtOnce, operations:
		return fmt.Sprintf("%.0f", v)
	case attempts:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

func (w row) verdict() string {
	if w.policy != routerName {
		return ""
	}
	missed := w.misses()
	if len(missed) == 0 {
		return "holds"
	}
	var words []string
	for _, f := range missed {
		sign := "<="
		if f.more() {
			sign = ">="
		}
		words = append(words, fmt.Sprintf("%s %s %s", f.measure, sign, f.text(f.limit)))
	}
	return "MISSES " + strings.Join(words, ", ")
}
