package quota

import (
	"testing"
	"time"
)

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
		"an unknown name": `{"models": [{"price": "x"}]}`,
		"a model's date":  `{"models": [{"model": "x", "read": "yesterday"}]}`,
		"a window's date": `{"windows": [{"steps": []}]}`,
		"nothing of text": `{"models": []}`,
	} {
		if table, err := readTable([]byte(file)); err == nil {
			t.Errorf("%s: read as %+v", name, table)
		}
	}
}
