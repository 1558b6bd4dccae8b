package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spillway-go/spillway/internal/plain"
)

// WriteText writes the report as tables for people.
func (r *Report) WriteText(w io.Writer) error {
	if r.All.Calls == 0 {
		_, err := fmt.Fprintf(w, "no calls%s\n", r.dropped())
		return err
	}
	groups := r.Groups()
	if len(groups) > 1 {
		groups = append(groups, r.All)
	}
	what := strings.ToUpper(string(r.By))
	counts := table{{what, "CALLS", "SERVED", "REFUSED", "FAILED", "CANCELLED", "ATTEMPTS", "429"}}
	times := table{{what, "WAITED p50", "p95", "FIRST BYTE p50", "p95", "LATENCY p50", "p95", "p99"}}
	tokens := table{{what, "TOKENS: INPUT", "CACHED", "TOOL USE", "OUTPUT", "THOUGHTS"}}
	words := table{{what, "SERVED BY", "FAILED ATTEMPTS"}}
	for _, g := range groups {
		counts.row(g.Name, plain.Number(g.Calls), plain.Number(g.Served), plain.Number(g.Refused), plain.Number(g.Failed), plain.Number(g.Cancelled),
			plain.Number(g.Attempts), plain.Number(g.TooMany))
		times.row(g.Name, g.waited.show(0.5), g.waited.show(0.95), g.firstByte.show(0.5), g.firstByte.show(0.95),
			g.latency.show(0.5), g.latency.show(0.95), g.latency.show(0.99))
		t := &g.Tokens
		tokens.row(g.Name, plain.Number(t.Input), plain.Number(t.Cached), plain.Number(t.ToolUse), plain.Number(t.Output), plain.Number(t.Thoughts))
		words.row(g.Name, g.servedBy(), g.failed())
	}
	_, err := fmt.Fprintf(w, "%s from %s to %s%s\n\n%s\n%s\n%s\n%s", plain.Plural(r.All.Calls, "call"), plain.Instant(r.From), plain.Instant(r.To),
		r.dropped(), counts.aligned(true), times.aligned(true), tokens.aligned(true), words.aligned(false))
	return err
}

// dropped says how many calls are missing, as the end of a sentence.
func (r *Report) dropped() string {
	if r.Dropped == 0 {
		return ""
	}
	return "; " + plain.Number(r.Dropped) + " more were dropped from the log"
}

// servedBy returns the parts that each traffic has of the calls that were served.
func (g *Group) servedBy() string {
	var parts []string
	for _, s := range shares(g.traffic) {
		parts = append(parts, fmt.Sprintf("%s %.0f %%", s.name, 100*float64(s.count)/float64(g.Served)))
	}
	return strings.Join(parts, ", ")
}

// failed returns the failed attempts by class.
func (g *Group) failed() string {
	var parts []string
	for _, s := range shares(g.failures) {
		parts = append(parts, s.name+" "+plain.Number(s.count))
	}
	return strings.Join(parts, ", ")
}

// show returns a quantile for people, with no more digits than are known.
func (d *digest) show(part float64) string {
	switch ms := d.quantile(part); {
	case d.count == 0:
		return "-"
	case ms < 1000:
		return fmt.Sprintf("%.0fms", ms)
	case ms < 10_000:
		return fmt.Sprintf("%.2fs", ms/1000)
	case ms < 100_000:
		return fmt.Sprintf("%.1fs", ms/1000)
	default:
		return fmt.Sprintf("%.0fs", ms/1000)
	}
}

// table is rows of columns.
type table [][]string

func (t *table) row(columns ...string) { *t = append(*t, columns) }

// aligned returns the table with its columns aligned; of numbers, all but the first to the right.
func (t table) aligned(numbers bool) string {
	width := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if numbers && i > 0 {
				line.WriteString(space + cell)
			} else {
				line.WriteString(cell + space)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
