package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/calls"
)

// summary is a group for programs. Durations are in milliseconds.
type summary struct {
	Name string `json:"name"`

	Calls       int64            `json:"calls"`
	Served      int64            `json:"served"`
	Refused     int64            `json:"refused"`
	Failed      int64            `json:"failed"`
	Cancelled   int64            `json:"cancelled"`
	Attempts    int64            `json:"attempts"`
	TooMany     int64            `json:"attempts_429"`
	Lookups     int64            `json:"lookups"`
	Failures    map[string]int64 `json:"failed_attempts"`
	Traffic     map[string]int64 `json:"served_by"`
	Tokens      calls.Tokens     `json:"tokens"`
	WaitedMS    quantiles        `json:"waited_ms"`
	FirstByteMS quantiles        `json:"first_byte_ms"`
	LatencyMS   quantiles        `json:"latency_ms"`
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

func (d *digest) quantiles() quantiles {
	return quantiles{d.quantile(0.5), d.quantile(0.95), d.quantile(0.99)}
}

func (g *Group) summary() summary {
	return summary{
		Name:  g.Name,
		Calls: g.Calls, Served: g.Served, Refused: g.Refused, Failed: g.Failed, Cancelled: g.Cancelled,
		Attempts: g.Attempts, TooMany: g.TooMany, Lookups: g.Lookups,
		Failures: g.failures, Traffic: g.traffic, Tokens: g.Tokens,
		WaitedMS: g.waited.quantiles(), FirstByteMS: g.firstByte.quantiles(), LatencyMS: g.latency.quantiles(),
	}
}

// WriteJSON writes the report as an object.
func (r *Report) WriteJSON(w io.Writer) error {
	all := struct {
		By      By         `json:"by"`
		From    calls.Time `json:"from,omitzero"`
		To      calls.Time `json:"to,omitzero"`
		Dropped int64      `json:"dropped"`
		Broken  int64      `json:"broken_lines"`
		All     summary    `json:"all"`
		Groups  []summary  `json:"groups"`
	}{
		By: r.By, From: calls.Time{Time: r.From}, To: calls.Time{Time: r.To}, Dropped: r.Dropped, Broken: r.Broken,
		All: r.All.summary(), Groups: []summary{},
	}
	for _, g := range r.Groups() {
		all.Groups = append(all.Groups, g.summary())
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// columns are those of CSV, after the group's name.
var columns = []struct {
	name  string
	value func(s *summary) string
}{
	{"calls", func(s *summary) string { return whole(s.Calls) }},
	{"served", func(s *summary) string { return whole(s.Served) }},
	{"refused", func(s *summary) string { return whole(s.Refused) }},
	{"failed", func(s *summary) string { return whole(s.Failed) }},
	{"cancelled", func(s *summary) string { return whole(s.Cancelled) }},
	{"attempts", func(s *summary) string { return whole(s.Attempts) }},
	{"attempts_429", func(s *summary) string { return whole(s.TooMany) }},
	{"lookups", func(s *summary) string { return whole(s.Lookups) }},
	{"waited_p50_ms", func(s *summary) string { return decimal(s.WaitedMS.P50) }},
	{"waited_p95_ms", func(s *summary) string { return decimal(s.WaitedMS.P95) }},
	{"first_byte_p50_ms", func(s *summary) string { return decimal(s.FirstByteMS.P50) }},
	{"first_byte_p95_ms", func(s *summary) string { return decimal(s.FirstByteMS.P95) }},
	{"latency_p50_ms", func(s *summary) string { return decimal(s.LatencyMS.P50) }},
	{"latency_p95_ms", func(s *summary) string { return decimal(s.LatencyMS.P95) }},
	{"latency_p99_ms", func(s *summary) string { return decimal(s.LatencyMS.P99) }},
	{"input_tokens", func(s *summary) string { return whole(s.Tokens.Input) }},
	{"cached_tokens", func(s *summary) string { return whole(s.Tokens.Cached) }},
	{"tool_use_tokens", func(s *summary) string { return whole(s.Tokens.ToolUse) }},
	{"output_tokens", func(s *summary) string { return whole(s.Tokens.Output) }},
	{"thoughts_tokens", func(s *summary) string { return whole(s.Tokens.Thoughts) }},
	{"served_by", func(s *summary) string { return pairs(s.Traffic) }},
	{"failed_attempts", func(s *summary) string { return pairs(s.Failures) }},
}

// WriteCSV writes a row for each group, below a row with the names of the columns.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	row := []string{string(r.By)}
	for _, c := range columns {
		row = append(row, c.name)
	}
	_ = out.Write(row) // Error returns what is wrong with any of them
	for _, g := range r.Groups() {
		s := g.summary()
		row = append(row[:0], inert(s.Name))
		for _, c := range columns {
			row = append(row, inert(c.value(&s)))
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// inert makes a cell that spreadsheets take for text: callers choose labels, and could choose a
// formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// pairs returns counts in one cell: "minute_quota=12;key_dead=1".
func pairs(counts map[string]int64) string {
	var all []string
	for _, s := range shares(counts) {
		all = append(all, fmt.Sprintf("%s=%d", s.name, s.count))
	}
	return strings.Join(all, ";")
}
