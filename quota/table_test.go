package quota

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A release may update rows.json alone, so that the file has to prove itself.
func TestRowsAreWhole(t *testing.T) {
	var f tableFile
	if err := json.Unmarshal(rowsJSON, &f); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	once := func(what string) {
		if seen[what] {
			t.Errorf("there are two rows for %s", what)
		}
		seen[what] = true
	}
	for _, m := range f.Models {
		once("the model " + m.Model)
		originIsWhole(t, m.Model, m.origin)
		if m.Model == "" || strings.ToLower(m.Model) != m.Model || !(m.TokensPerSecond > 0) {
			t.Errorf("%q at %v tokens a second is no row", m.Model, m.TokensPerSecond)
		}
		b := m.Burndown
		for _, rate := range []float64{
			b.Input, b.InputAudio, b.InputImage, b.Cached, b.CachedAudio, b.Output, b.OutputImage, b.OutputAudio,
			b.LongInput, b.LongInputAudio, b.LongCached, b.LongCachedAudio, b.LongOutput,
		} {
			if rate < 0 || rate > 1000 {
				t.Errorf("%s has a rate of %v", m.Model, rate)
			}
		}
		if b.Input == 0 || b.Output == 0 || b.Cached > b.Input {
			t.Errorf("%s has the rates %+v", m.Model, b)
		}
	}
	for _, w := range f.Windows {
		once("the windows of " + w.Model)
		originIsWhole(t, "windows of "+w.Model, w.origin)
		larger := 1 << 30
		for _, s := range w.Steps {
			if s.GSUs >= larger || s.Shortest <= 0 || s.Longest < s.Shortest {
				t.Errorf("windows of %q: the step %+v follows one of %d GSUs", w.Model, s, larger)
			}
			larger = s.GSUs
		}
		if larger != 1 {
			t.Errorf("windows of %q begin at %d GSUs, want 1", w.Model, larger)
		}
	}
}

func originIsWhole(t *testing.T, what string, o origin) {
	t.Helper()
	read, err := time.Parse(time.DateOnly, o.Read)
	if err != nil || read.Year() < 2026 {
		t.Errorf("%s was read on %q", what, o.Read)
	}
	u, err := url.Parse(o.Source)
	if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, "google.com") {
		t.Errorf("%s was read at %q, want a page of Google's", what, o.Source)
	}
}

func TestRowOfAModel(t *testing.T) {
	r, ok := RowOf("gemini-2.5-flash-preview-09-2025")
	want := Burndown{Input: 1, InputAudio: 4, Cached: 0.1, Output: 9}
	if !ok || r.Model != "gemini-2.5-flash" || r.TokensPerSecond != 2690 || r.Burndown != want || r.Read.IsZero() || r.Source == "" {
		t.Errorf("the row is %+v (%v)", r, ok)
	}
	if r, ok := RowOf("gemini-9-ultra"); ok || r != (Row{}) {
		t.Errorf("a model without a row has %+v", r)
	}
}

func TestDocumentedWindows(t *testing.T) {
	for _, test := range []struct {
		model             string
		gsus              int
		shortest, longest time.Duration
	}{
		{"gemini-2.5-flash", 1, 40 * time.Second, 120 * time.Second},
		{"gemini-2.5-flash", 3, 40 * time.Second, 120 * time.Second},
		{"gemini-2.5-flash", 4, 5 * time.Second, 30 * time.Second},
		{"gemini-2.5-flash", 50, time.Second, 5 * time.Second},
		{"gemini-2.5-flash", 0, time.Second, 120 * time.Second},
		{"gemini-3.1-flash-image-preview", 13, 100 * time.Second, 100 * time.Second},
		{"gemini-3-pro-image", 0, time.Second, 120 * time.Second},
		{"gemini-2.5-flash-image", 3, 40 * time.Second, 40 * time.Second},
		{"gemini-2.5-flash-image", 10, 5 * time.Second, 30 * time.Second},
		{"never-heard-of", 7, 5 * time.Second, 30 * time.Second},
	} {
		shortest, longest := WindowRange(test.model, test.gsus)
		if shortest != test.shortest || longest != test.longest {
			t.Errorf("%d GSUs of %s: %v to %v, want %v to %v", test.gsus, test.model, shortest, longest, test.shortest, test.longest)
		}
	}
}

func TestBrokenTablesAreRefused(t *testing.T) {
	for name, file := range map[string]string{
		"not JSON":        "model = 1",
		"an unknown name": `{"models": [{"modle": "x"}]}`,
		"a model's date":  `{"models": [{"model": "x", "read": "yesterday"}]}`,
		"a window's date": `{"windows": [{"steps": []}]}`,
		"nothing of text": `{"models": []}`,
	} {
		if table, err := readTable([]byte(file)); err == nil {
			t.Errorf("%s: read as %+v", name, table)
		}
	}
}
