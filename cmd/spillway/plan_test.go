package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestAnInterruptedPlanSaysSoOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"testdata/demand.jsonl"}, {"testdata/demand.jsonl", "--pool", "testdata/any.toml"},
		{"--rpm", "6000", "--input", "100", "--output", "1", "--model", "gemini-3.5-flash"},
	} {
		if status, text := transcript(ctx, append([]string{"plan"}, args...)...); status != 1 || !strings.HasSuffix(text, "\n-- stderr --\nspillway plan: it was interrupted\n-- status 1 --\n") {
			t.Errorf("status %d:\n%s", status, text)
		}
	}
}

func TestADrawingThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	status, text := transcript(t.Context(), "plan", "--rpm", "100000", "--input", "1000", "--output", "100", "--model", "gemini-3.5-flash", "--svg", filepath.Join(dir, "none", "x.svg"))
	if took := time.Since(began); status != 1 || !strings.Contains(text, "no such file") || took > 2*time.Second {
		t.Errorf("after %v, status %d:\n%s", took, status, text)
	}
	// What was drawn before stays if there is no answer, and no empty file is left.
	old, missing := filepath.Join(dir, "old.svg"), filepath.Join(dir, "new.svg")
	if err := os.WriteFile(old, []byte(strings.Repeat("old", 1<<16)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{old, missing} {
		if status, text := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--model", "gemini-9-ultra", "--svg", file); status != 1 {
			t.Errorf("status %d:\n%s", status, text)
		}
	}
	if text, err := os.ReadFile(old); err != nil || !bytes.HasPrefix(text, []byte("old")) {
		t.Errorf("what was there is lost: %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("there is a file without a drawing")
	}
	planJSON[planned](t, "testdata/demand.jsonl", "--gsus", "20", "--svg", old)
	if text, err := os.ReadFile(old); err != nil || bytes.Contains(text, []byte("old")) || xml.Unmarshal(text, new(drawn)) != nil {
		t.Errorf("the drawing is not all that is in the file: %v", err)
	}
	if status, text := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--gsus", "20", "--svg", "/dev/full"); status != 1 || !strings.Contains(text, "dollars") || !strings.Contains(text, "no space left") {
		t.Errorf("the answer is lost with the drawing, status %d:\n%s", status, text)
	}
}

func TestALocationThatIsMisspelt(t *testing.T) {
	for location, want := range map[string]struct {
		status int
		text   string
	}{
		"europe-wst4":  {0, "warning: --location europe-wst4 is no location that is known; did you mean europe-west4?\n"},
		"mars-north1":  {0, "warning: --location mars-north1 is no location that is known; check its spelling\n"},
		"europe-west4": {0, "-- stderr --\n-- status"},
		"Europe West":  {2, `spillway plan: --location: "Europe West" is no location of Vertex AI; write "global", "us", "eu" or a region such as "europe-west4"; see`},
		"":             {2, `--location: "" is no location of Vertex AI`},
	} {
		status, text := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--gsus", "20", "--location", location)
		if status != want.status || strings.Count(text, want.text) != 1 {
			t.Errorf("%q: status %d, want %d and %q:\n%s", location, status, want.status, want.text, text)
		}
	}
}

func TestFlagsThatDoNothingAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--pool", "testdata/planpool.toml", "--gsus", "3"}, {"--pool", "testdata/planpool.toml", "--location", "eu"},
		{"--pool", "testdata/planpool.toml", "--spill", "2"}, {"--input", "5"}, {"--peak", "2"}, {"--for", "2h"},
	} {
		status, text := transcript(t.Context(), append([]string{"plan", "testdata/demand.jsonl"}, args...)...)
		if status != 2 || !strings.Contains(text, "spillway plan: "+args[len(args)-2]+" is for ") {
			t.Errorf("%v: status %d:\n%s", args, status, text)
		}
	}
}

func TestCallsOfOneMomentHaveTheirOwnCost(t *testing.T) {
	line, err := os.ReadFile("testdata/demand.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	file := filepath.Join(t.TempDir(), "calls.jsonl")
	if err := os.WriteFile(file, bytes.Repeat(append(line, '\n'), 50), 0o600); err != nil {
		t.Fatal(err)
	}
	// Each has 1,018 tokens of input, at 1.5 dollars a million, and 804 of output, at 9.
	status, text := transcript(t.Context(), "plan", file)
	want := "by the token these calls cost 0.44 dollars (prices of 2026-11-26); they are of less than a minute, which says nothing of 30 days\n"
	if status != 0 || !strings.Contains(text, want) || strings.Contains(text, "- dollars") {
		t.Errorf("status %d:\n%s", status, text)
	}
	if p := planJSON[planned](t, file, "--gsus", "1-3"); p.OnDemand != nil || p.Once == nil || math.Abs(*p.Once-0.438) > 0.001 {
		t.Errorf("%+v", p)
	}
}

// A name with a star is of the log and of what was rotated from it, which is read once.
func TestRotatedLogsAreReadOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/demand.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"calls.jsonl": nil, "calls.jsonl.1": text, "calls.jsonl.2.gz": packed.Bytes()[:packed.Len()-100]}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The newest is empty yet, and one is being compressed now.
	p := planJSON[planned](t, filepath.Join(dir, "calls.jsonl"), filepath.Join(dir, "calls.jsonl.1"), filepath.Join(dir, "calls.jsonl.2.gz"), "--gsus", "20")
	if p.Calls <= 469 || p.Calls >= 2*469 || len(p.Left) == 0 || !p.Left[len(p.Left)-1].Broken || !strings.Contains(p.Left[len(p.Left)-1].Why, "unexpected EOF") {
		t.Errorf("%d calls, %+v", p.Calls, p.Left)
	}
}

func TestPlanWithinAPoolWithFallbacks(t *testing.T) {
	t.Setenv("SPARE_KEY_1", "the-first-key")
	file := filepath.Join(t.TempDir(), "spillway.toml")
	text := `[router]
max_wait = "5s"
[[fallback]]
model = "gemini-3.5-flash"
to = ["gemini-3.5-flash-lite"]
[[project]]
name = "studio"
backend = "gemini"
keys = ["env:SPARE_KEY_1"]
[[project.limits]]
model = "gemini-3.5-flash"
rpm = 60
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := planJSON[plannedPool](t, "testdata/demand.jsonl", "--pool", file)
	if p.Refused > 0 || len(p.Fallbacks) != 1 || p.Fallbacks[0].Model != "gemini-3.5-flash" || p.Fallbacks[0].By != "gemini-3.5-flash-lite" || p.Fallbacks[0].Calls < 200 {
		t.Errorf("%+v", p)
	}
	status, out := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--pool", file)
	if status != 0 || !strings.Contains(out, "FALLBACK FOR      SERVED BY              CALLS\ngemini-3.5-flash  gemini-3.5-flash-lite  ") {
		t.Errorf("status %d:\n%s", status, out)
	}
}

// The calendar of orders goes by the time of the calls.
func TestAnOrderThatIsNotInForceInTheLogIsTold(t *testing.T) {
	for key, want := range map[string]string{
		"from = 2027-01-01T00:00:00Z": "begins on 2027-01-01 00:00:00Z", "until = 2026-11-01T00:00:00Z": "has ended on 2026-11-01 00:00:00Z",
		"from = 2026-11-01T00:00:00Z": "",
	} {
		file := filepath.Join(t.TempDir(), "spillway.toml")
		text := "[[project]]\nname = \"prod\"\nbackend = \"vertex\"\ncredentials = \"none\"\n" +
			"[[project.provisioned]]\nmodel = \"gemini-3.5-flash\"\nlocation = \"global\"\ngsus = 40\n" + key + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := planJSON[plannedPool](t, "testdata/demand.jsonl", "--pool", file)
		notes := strings.Join(p.OutOfForce, "\n")
		ordered := p.Served["prod/global/provisioned"] > 0
		if want == "" && (notes != "" || !ordered) || want != "" && (!strings.HasSuffix(notes, want) || ordered) {
			t.Errorf("%s: %q, %v", key, notes, p.Served)
		}
		if status, out := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--pool", file); status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d:\n%s", status, out)
		}
	}
}

// Replicas that share a store have all of a limit together, those without have the part that is written.
func TestAPlanKnowsWhichPartOfALimitThePoolHas(t *testing.T) {
	t.Setenv("STUDIO_KEY", "the-key")
	const project = "[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"env:STUDIO_KEY\"]\n"
	for _, tt := range []struct {
		head, tail string
		allowed    float64
	}{
		{"", "", 1000},
		{"[store]\nshare = \"1/8\"\n", "", 125},
		{"[store]\nredis = \"redis://127.0.0.1:1\"\nshare = \"1/8\"\n", "", 1000},
		{"", "discover = true\nproject_id = \"acme\"\n", 1000},
	} {
		file := filepath.Join(t.TempDir(), "spillway.toml")
		if err := os.WriteFile(file, []byte(tt.head+project+tt.tail+"[[project.limits]]\nrpm = 1_000\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p := planJSON[plannedPool](t, "testdata/demand.jsonl", "--pool", file)
		if b := p.Limits[0]; b.Allowed != tt.allowed || (p.Refused > 0) != (b.Asked > b.Allowed) || (len(p.Undiscovered) > 0) != (tt.tail != "") {
			t.Errorf("%s%s: %d refused, %+v", tt.head, tt.tail, p.Refused, b)
		}
		_, out := transcript(t.Context(), "plan", "testdata/demand.jsonl", "--pool", file)
		if strings.Contains(out, "nothing is asked of Google here: of studio only") != (tt.tail != "") {
			t.Errorf("%s:\n%s", tt.tail, out)
		}
	}
}

func TestCallsForOtherModelsAreTold(t *testing.T) {
	text, err := os.ReadFile("testdata/demand.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i := range lines[:30] {
		lines[i] = bytes.Replace(lines[i], []byte("gemini-3.5-flash"), []byte("gemini-3.1-flash-lite"), 1)
	}
	file := filepath.Join(t.TempDir(), "calls.jsonl")
	if err := os.WriteFile(file, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := planJSON[planned](t, file, "--gsus", "20"); p.Calls != 439 || len(p.Others) != 1 || p.Others["gemini-3.1-flash-lite"] != 30 {
		t.Errorf("%+v", p)
	}
	want := "30 calls for other models left out, each of which --model plans for: gemini-3.1-flash-lite\n"
	if status, out := transcript(t.Context(), "plan", file, "--gsus", "20"); status != 0 || !strings.Contains(out, want) {
		t.Errorf("status %d:\n%s", status, out)
	}
	// So they are where the most frequent model is one that nobody knows.
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(all, []byte("gemini-3.5-flash"), []byte("gemini-9-ultra")), 0o600); err != nil {
		t.Fatal(err)
	}
	want = "; the log has calls for gemini-3.1-flash-lite, which --model plans for\n"
	if status, out := transcript(t.Context(), "plan", file); status != 1 || !strings.Contains(out, want) {
		t.Errorf("status %d:\n%s", status, out)
	}
	// In a pool all of them count.
	t.Setenv("SPARE_KEY_1", "the-first-key")
	t.Setenv("SPARE_KEY_2", "the-second-key")
	if p := planJSON[plannedPool](t, file, "--pool", "testdata/planpool.toml"); p.Calls != 469 {
		t.Errorf("%+v", p)
	}
}

// The same question has the same bytes for an answer, however many processors there are, and whatever
// the order of the log.
func TestAPlanPrintsTheSameBytes(t *testing.T) {
	t.Setenv("SPARE_KEY_1", "the-first-key")
	t.Setenv("SPARE_KEY_2", "the-second-key")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	text, err := os.ReadFile("testdata/demand.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	slices.Reverse(lines)
	file := filepath.Join(t.TempDir(), "calls.jsonl")
	if err := os.WriteFile(file, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"--json"}, {"--pool", "testdata/planpool.toml"}} {
		var first string
		for _, processors := range []int{1, 2, 7} {
			runtime.GOMAXPROCS(processors)
			for _, log := range []string{"testdata/demand.jsonl", file} {
				status, out := transcript(t.Context(), append([]string{"plan", log}, args...)...)
				_, out, _ = strings.Cut(out, "\n") // the command
				if first == "" {
					first = out
				}
				if status != 0 || out != first {
					t.Errorf("%v, %d processors, %s: another answer:\n%s\n%s", args, processors, log, first, out)
				}
			}
		}
	}
}

// What a call costs of an order is not what it has tokens: output may count six times.
func TestAPlanForAnUnknownModelNeedsItsBurndown(t *testing.T) {
	args := []string{"plan", "--rpm", "30", "--input", "100", "--output", "10", "--model", "gemini-9-ultra", "--tokens-per-second", "500"}
	if status, out := transcript(t.Context(), args...); status != 1 || !strings.Contains(out, "state --tokens-per-second and --burndown") {
		t.Errorf("without --burndown it ends with %d:\n%s", status, out)
	}
	if status, out := transcript(t.Context(), append(args, "--burndown", "output=6")...); status != 0 {
		t.Errorf("with both it ends with %d:\n%s", status, out)
	}
}
