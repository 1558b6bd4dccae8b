package quota

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A release may update rows.json alone, so that the file has to prove itself.
func TestRowsAreWhole(t *testing.T) {
	for _, fault := range rowFaults(rowsJSON, time.Now()) {
		t.Error(fault)
	}
}

// rowFaults says what is wrong with a file of rows.
func rowFaults(file []byte, now time.Time) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	f, err := parseTable(file)
	if err != nil {
		return append(all, err.Error())
	}
	if _, err := readTable(file); err != nil {
		add("%v", err)
	}
	if len(f.Models) < 10 || len(f.Windows) == 0 {
		add("there are %d models and %d lists of windows: is the file whole?", len(f.Models), len(f.Windows))
	}
	seen := map[string]bool{}
	origin := func(what string, o origin) {
		if seen[what] {
			add("there are two rows for %s: keep the newer one", what)
		}
		seen[what] = true
		if fault := originFault(o.Read, o.Source, now); fault != "" {
			add("%s: %s", what, fault)
		}
	}
	for _, m := range f.Models {
		origin("the model "+m.Model, m.origin)
		if m.Model == "" || strings.ToLower(m.Model) != m.Model || strings.ContainsAny(m.Model, " *@/") {
			add("%q is not the id of a model", m.Model)
		}
		if !(m.TokensPerSecond > 0 && m.TokensPerSecond < 1e6) {
			add("the model %s has %v tokens_per_second for a GSU", m.Model, m.TokensPerSecond)
		}
		b := m.Burndown
		for _, rate := range []float64{
			b.Input, b.InputAudio, b.InputImage, b.Cached, b.CachedAudio, b.Output, b.OutputImage, b.OutputAudio,
			b.LongInput, b.LongInputAudio, b.LongCached, b.LongCachedAudio, b.LongOutput,
		} {
			if !(rate >= 0 && rate <= 1000) {
				add("the model %s has a rate of %v", m.Model, rate)
			}
		}
		if b.Input == 0 || b.Output == 0 || b.Cached > b.Input {
			add("the model %s has the rates %+v: input and output are needed, and cached is not dearer", m.Model, b)
		}
	}
	for _, w := range f.Windows {
		origin("the windows of "+w.Model, w.origin)
		larger := 1 << 30
		for _, s := range w.Steps {
			if s.GSUs >= larger || s.Shortest <= 0 || s.Longest < s.Shortest || s.Longest > 3600 {
				add("windows of %q: the step %+v follows one of %d GSUs", w.Model, s, larger)
			}
			larger = s.GSUs
		}
		if larger != 1 {
			add("windows of %q begin at %d GSUs, want 1", w.Model, larger)
		}
	}
	return all
}

func originFault(day, source string, now time.Time) string {
	read, err := time.Parse(time.DateOnly, day)
	if err != nil || read.Year() < 2026 || read.After(now.AddDate(0, 0, 1)) {
		return fmt.Sprintf("it was read on %q, want the day on which the page was read", day)
	}
	u, err := url.Parse(source)
	google := err == nil && (u.Host == "ai.google.dev" || u.Host == "google.com" || strings.HasSuffix(u.Host, ".google.com"))
	if !google || u.Scheme != "https" || u.User != nil || len(u.Path) < 2 {
		return fmt.Sprintf("it was read at %q, want a page of Google's", source)
	}
	return ""
}

// What a hasty hand does to rows.json is refused, and the message says what it was.
func TestSloppyRowsAreRefused(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	row := `{"model": "gemini-3.5-flash", "tokens_per_second": 675,
     "burndown": {"input": 1, "cached": 0.1, "output": 6},
     "read": "2026-11-22", "source": "https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/supported-models"}`
	if strings.Count(string(rowsJSON), row) != 1 {
		t.Fatal("the row that is to be edited is not in rows.json")
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"an unknown field", `"burndown"`, `"price": 5, "burndown"`, `unknown field "price"`},
		{"a day from which it holds", `"burndown"`, `"from": "2026-12-01", "burndown"`, `unknown field "from"`},
		{"an unknown rate", `"output"`, `"outptu"`, `unknown field "outptu"`},
		{"no date", `"read": "2026-11-22", `, ``, `the model gemini-3.5-flash: it was read on ""`},
		{"a date that is none", `2026-11-22`, `2026-11-31`, "gemini-3.5-flash"},
		{"a date to come", `2026-11-22`, `2036-11-22`, `it was read on "2036-11-22"`},
		{"no source", `, "source": "https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/supported-models"`, ``, `it was read at ""`},
		{"a source that is not Google's", `cloud.google.com`, `evilgoogle.com`, "want a page of Google's"},
		{"in clear text", `https`, `http`, "want a page of Google's"},
		{"a negative throughput", `675`, `-675`, "-675 tokens_per_second"},
		{"no throughput", `"tokens_per_second": 675,`, ``, "0 tokens_per_second"},
		{"a throughput of another unit", `675`, `675000000`, "6.75e+08 tokens_per_second"},
		{"a negative rate", `"output": 6`, `"output": -6`, "a rate of -6"},
		{"no rate of output", `, "output": 6`, ``, "input and output are needed"},
		{"a word for a number", `675`, `"675"`, "tokens_per_second"},
		{"no model", `"model": "gemini-3.5-flash", `, ``, `"" is not the id of a model`},
		{"the model of another row", `gemini-3.5-flash`, `gemini-3.6-flash`, "two rows for the model gemini-3.6-flash"},
		{"a name for people", `gemini-3.5-flash`, `Gemini 3.5 Flash`, "is not the id of a model"},
		{"a comma too many", `675,`, `675,,`, "invalid character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(row, tt.old) {
				t.Fatalf("the row has no %s", tt.old)
			}
			edited := strings.Replace(string(rowsJSON), row, strings.Replace(row, tt.old, tt.new, 1), 1)
			faults := strings.Join(rowFaults([]byte(edited), now), "\n")
			if !strings.Contains(faults, tt.want) {
				t.Errorf("the faults are %q, want %q", faults, tt.want)
			}
		})
	}
	for name, file := range map[string]string{
		"cut off": string(rowsJSON[:len(rowsJSON)/2]), "something behind it": string(rowsJSON) + "{}", "empty": `{}`, "no row": `{"models": [], "windows": []}`,
	} {
		if faults := rowFaults([]byte(file), now); len(faults) == 0 {
			t.Errorf("%s: no fault is found", name)
		}
	}
}
