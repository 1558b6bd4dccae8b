package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// planJSON runs a plan that prints JSON.
func planJSON[T any](t *testing.T, args ...string) (v T) {
	t.Helper()
	var stdout, stderr strings.Builder
	if status := run(t.Context(), append([]string{"plan", "--json"}, args...), &stdout, &stderr); status != 0 {
		t.Fatalf("the status is %d: %s", status, stderr.String())
	}
	if err := json.Unmarshal([]byte(stdout.String()), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPlanReadsEveryKindOfLog(t *testing.T) {
	want := planJSON[planned](t, "testdata/demand.jsonl", "--gsus", "20")
	text, err := os.ReadFile("testdata/demand.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// Rotated and compressed.
	lines := bytes.SplitAfter(text, []byte("\n"))
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(bytes.Join(lines[:200], nil))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"calls.jsonl": bytes.Join(lines[200:], nil), "calls.jsonl.1.gz": packed.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := planJSON[planned](t, filepath.Join(dir, "calls.jsonl"), "--gsus", "20")
	if got.Calls != want.Calls || got.Filled != want.Filled || got.Seconds != want.Seconds {
		t.Errorf("a log in two files has %d calls, %d filled, %v s; want %d, %d, %v", got.Calls, got.Filled, got.Seconds, want.Calls, want.Filled, want.Seconds)
	}
}

func TestPlanWithinAPool(t *testing.T) {
	t.Setenv("SPARE_KEY_1", "the-first-key")
	t.Setenv("SPARE_KEY_2", "the-second-key")
	p := planJSON[plannedPool](t, "testdata/demand.jsonl", "--pool", "testdata/planpool.toml")
	served := p.Served["studio-1/global/on_demand"] + p.Served["studio-2/global/on_demand"]
	if p.Refused == 0 || served+p.Refused != p.Calls || p.Waited == 0 || p.Longest > 5000 || p.Median > p.P95 {
		t.Errorf("%+v", p)
	}
	if len(p.Causes) != 1 || p.Causes[0].Cause != "own_limit" || p.Limits[0].Limit != "rpm of gemini-3.5-flash" || p.Limits[0].Allowed != 120 {
		t.Errorf("causes %+v, limits %+v", p.Causes, p.Limits)
	}
	status, text := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--pool", "testdata/planpool.toml")
	if status != 0 || !strings.Contains(text, "the bottleneck is rpm of gemini-3.5-flash") || strings.Contains(text, "the-first-key") {
		t.Errorf("status %d:\n%s", status, text)
	}
}

// drawn is what a test reads of a drawing.
type drawn struct {
	Rects []struct {
		Class  string  `xml:"class,attr"`
		X      float64 `xml:"x,attr"`
		Width  float64 `xml:"width,attr"`
		Height float64 `xml:"height,attr"`
	} `xml:"rect"`
	Texts []struct {
		X    float64 `xml:"x,attr"`
		Y    float64 `xml:"y,attr"`
		Text string  `xml:",chardata"`
	} `xml:"text"`
}

func TestPlanDraws(t *testing.T) {
	for sizes, labels := range map[string]int{"20-22": 3, "10-49": 13} {
		file := filepath.Join(t.TempDir(), "plan.svg")
		planJSON[planned](t, "testdata/demand.jsonl", "--gsus", sizes, "--svg", file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d drawn
		if err := xml.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		// The text is light where the reader's browser is dark, whatever page is behind it.
		if first := d.Rects[0]; first.Class != "back" || first.Width != 900 || first.Height != 480 || !bytes.Contains(text, []byte("dark){.back{")) {
			t.Errorf("%s: the background is %+v", sizes, first)
		}
		percents, ends := 0, map[float64]float64{}
		for _, x := range d.Texts {
			if x.X < ends[x.Y] || x.X > 880 {
				t.Errorf("%s: %q at %v, %v overlaps the one before or the edge", sizes, x.Text, x.X, x.Y)
			}
			if strings.HasSuffix(x.Text, " %") {
				percents, ends[x.Y] = percents+1, x.X+50
			}
		}
		if percents != labels {
			t.Errorf("%s: %d bars have labels, want %d", sizes, percents, labels)
		}
	}
}

// What a plan prints is a file that check takes.
func TestThePlansTOMLIsTaken(t *testing.T) {
	for _, args := range [][]string{
		{"testdata/demand.jsonl", "--gsus", "45"},
		{"--rpm", "30", "--input", "100", "--output", "10", "--model", "gemini-9-ultra", "--tokens-per-second", "500", "--burndown", "cached=0.1,output=6"},
	} {
		p := planJSON[planned](t, args...)
		file := filepath.Join(t.TempDir(), "spillway.toml")
		text := "[[project]]\nname = \"prod\"\nbackend = \"vertex\"\ncredentials = \"none\"\n" + p.TOML
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, out := transcript(t.Context(), "check", file, p.Model); status != 0 || p.TOML == "" {
			t.Errorf("%s\n%s", text, out)
		}
	}
}

func TestRangesOfGSUs(t *testing.T) {
	type result struct {
		From, To int
		OK       bool
	}
	for text, want := range map[string]result{
		"": {0, 0, true}, "5": {5, 5, true}, "3-10": {3, 10, true}, "0": {}, "-3": {}, "3-": {}, "10-3": {}, "1-100": {}, "x": {}, "99999999999999999999": {},
	} {
		from, to, wrong := rangeOf(text)
		if diff := cmp.Diff(want, result{from, to, wrong == ""}); diff != "" {
			t.Errorf("%q: -want +got:\n%s", text, diff)
		}
	}
}

// The calls of a log are made at their own times, when an order may be over or yet to come.
func TestPlanSaysWhichOrdersServeNoneOfTheCalls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pool.toml")
	text := `
[[project]]
name = "prod"
backend = "vertex"
credentials = "none"
` + lines("5", "until = 2001-01-01") + lines("8", "from = 2001-01-01\nuntil = 2101-01-01") + lines("9", "from = 2101-01-01")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, got := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--pool", file)
	for _, want := range []string{
		"project prod: the order of gemini-3.5-flash in eu serves none of the calls: it ended at 2001-01-01 00:00:00Z, and they begin at 20",
		"project prod: the order of gemini-3.5-flash in eu serves none of the calls: it begins at 2101-01-01 00:00:00Z, and they end at 20",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("printed %s, want once %q", got, want)
		}
	}
}
