package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/discover"
)

// discoveryOfFile is what discover prints of a file, and of facts about each of its projects.
func discoveryOfFile(t *testing.T, file string, facts ...discover.Facts) (text string, cfg *config.Config, all []discoveredProject) {
	t.Helper()
	cfg, err := config.Parse("file", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range cfg.Pool.Projects {
		all = append(all, discoveredProject{Project: p, facts: facts[i], at: time.Date(2026, 12, 10, 0, 0, 0, 0, time.UTC)})
	}
	f := discoverFlags{file: "file"}
	return f.toml(cfg, all) + f.differences(all), cfg, all
}

const prodFile = `
[[project]]
name = "prod"
backend = "vertex"
credentials = "none"
`

func TestDiscoverPrintsNoOrderThatCheckRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		orders []discover.Order
		used   int
		says   string
	}{
		{"a model without a row", []discover.Order{{Model: "gemini-9-neon", Location: "us", GSUs: 3}}, 0, "throughput"},
		{"a zone", []discover.Order{{Model: "gemini-3.5-flash", Location: "us-central1-a", GSUs: 3}}, 0, "not a location"},
		{"two versions of a model", []discover.Order{
			{Model: "gemini-3.5-flash", Location: "us", GSUs: 3}, {Model: "gemini-3.5-flash-001", Location: "us", GSUs: 3},
		}, 1, ""},
		{"a huge rate", []discover.Order{{Model: "gemini-3.5-flash", Location: "us", GSUs: math.MaxInt32, TokensPerSecond: 1e12}}, 1, ""},
	} {
		text, _, _ := discoveryOfFile(t, prodFile, discover.Facts{Orders: test.orders})
		got, err := config.Parse("printed", []byte(text))
		if err != nil {
			t.Errorf("%s: %v\n%s", test.name, err, text)
			continue
		}
		if n := len(got.Pool.Projects[0].Provisioned); n != test.used || !strings.Contains(text, test.says) {
			t.Errorf("%s: %d orders hold\n%s", test.name, n, text)
		}
	}
}

// What a project does not take is no part of its file.
func TestDiscoverPrintsNothingOfModelsThatTheProjectDoesNotTake(t *testing.T) {
	text, _, _ := discoveryOfFile(t, prodFile+"models = [\"gemini-3.5-*\", \"gemini-2.0-flash-001\"]\n", discover.Facts{
		Orders: []discover.Order{{Model: "gemini-3.1-pro", Location: "us", GSUs: 3}, {Model: "gemini-2.0-flash", Location: "us", GSUs: 1}},
		Limits: []discover.Limit{{Model: "gemini-3.1-pro", RPM: 3}, {Model: "gemini-3.5-flash", RPM: 4}, {Model: "gemini-2.0-flash", RPM: 5}},
	})
	got, err := config.Parse("printed", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p := got.Pool.Projects[0]
	if len(p.Provisioned) != 1 || len(p.Limits) != 2 || strings.Contains(text, "gemini-3.1-pro rpm") || !strings.Contains(text, "# This order is not used: its model is none of the project's") {
		t.Errorf("%d orders, %d limits:\n%s", len(p.Provisioned), len(p.Limits), text)
	}
}

func TestDiscoverPrintsNoOrderOutsideTheFence(t *testing.T) {
	facts := discover.Facts{Orders: []discover.Order{{Model: "gemini-3.5-flash", Location: "us", GSUs: 3}}}
	text, cfg, all := discoveryOfFile(t, "[router]\nlocations = [\"eu\", \"global\"]\n"+prodFile, facts)
	got, err := config.Parse("printed", []byte(text))
	if err != nil || len(got.Pool.Projects[0].Provisioned) > 0 || !strings.Contains(text, "outside the locations of the pool") {
		t.Errorf("%v\n%s", err, text)
	}
	if !strings.Contains(text, "only its [[project]] tables") {
		t.Errorf("a fence that is not printed gets lost where this takes the file's place:\n%s", text)
	}
	if f := (&discoverFlags{file: "file"}).data(cfg, all); !strings.Contains(f.TOML, "outside the locations") {
		t.Errorf("--json: %s", f.TOML)
	}
}

func TestDiscoverOfSeveralProjectsPrintsAFile(t *testing.T) {
	cfg := projectsOf([]string{"acme-a", "acme-b", "example.com:acme", "acme-a"})
	var all []discoveredProject
	for _, p := range cfg.Pool.Projects {
		all = append(all, discoveredProject{Project: p, facts: discover.Facts{Limits: []discover.Limit{{Model: "gemini-3.5-flash", RPM: 3}}}})
	}
	text := tomlOf(cfg, all)
	for line := range strings.SplitSeq(text, "\n") {
		if variable, ok := strings.CutPrefix(line, `keys = ["env:`); ok {
			t.Setenv(strings.TrimSuffix(variable, `"]`), "key-of-"+variable)
		}
	}
	got, err := config.Parse("printed", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if n := len(got.Pool.Projects); n != 6 {
		t.Errorf("%d projects of three, through two back ends each:\n%s", n, text)
	}
}

func TestDiscoverNamesAVariableForEachKey(t *testing.T) {
	text, _, _ := discoveryOfFile(t, `
[[project]]
name = "a-b"
backend = "gemini"
keys = ["key-number-one"]
[[project]]
name = "a_b"
backend = "gemini"
keys = ["key-number-two"]
[[project]]
name = "A.b"
backend = "gemini"
keys = ["key-number-three"]
`, discover.Facts{}, discover.Facts{}, discover.Facts{})
	seen := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		if key, ok := strings.CutPrefix(line, "keys = "); ok {
			if seen[key] {
				t.Errorf("two keys are in one variable:\n%s", text)
			}
			seen[key] = true
		}
	}
	if len(seen) != 3 || strings.Contains(text, "key-number") {
		t.Errorf("printed\n%s", text)
	}
}

func TestDiscoverTellsEachDifference(t *testing.T) {
	text, _, _ := discoveryOfFile(t, prodFile+`
[[project.provisioned]]
model = "gemini-3.5-flash"
location = "us"
tokens_per_second = 6_000
[[project.provisioned]]
model = "gemini-3.1-flash-lite"
location = "us"
gsus = 3
[[project.limits]]
model = "gemini-embedding-001"
rpm = 50
tpm = 7
[[project.limits]]
model = "gemini-gone-*"
rpm = 50
`, discover.Facts{
		Orders: []discover.Order{
			{Model: "gemini-3.5-flash", Location: "us", GSUs: 10, TokensPerSecond: 6_750}, {Model: "gemini-3.1-flash-lite", Location: "us", GSUs: 3, TokensPerSecond: 12_090},
		},
		Limits: []discover.Limit{{Model: "gemini-embedding-001", RPM: 50}},
	})
	for _, want := range []string{
		"# ~ prod: the order for gemini-3.5-flash in us has 6,000 tokens per second in the file, and 6,750 at Google",
		"# - prod: gemini-embedding-001 tpm 7",
		"# - prod: gemini-gone-* rpm 50",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is not told:\n%s", want, text)
		}
	}
	if strings.Contains(text, "~ prod: the order for gemini-3.1-flash-lite") || strings.Contains(text, "- prod: gemini-embedding-001 rpm") {
		t.Errorf("what is the same is told:\n%s", text)
	}
}

func TestDiscoverKeepsAnOddTextOfTheFile(t *testing.T) {
	t.Setenv("GEMINI_API_KEY", "a-key")
	for _, glob := range []string{`gemini-"quoted"`, `gemini-\\`, "gemini-größe", "gemini-\u2028", "gemini-\u0085x", "gemini-<&>"} {
		file := "[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"env:GEMINI_API_KEY\"]\nmodels = [" + tomlString(glob) + "]\n"
		cfg, err := config.Parse("file", []byte(file))
		if err != nil {
			t.Errorf("%q: %v", glob, err)
			continue
		}
		p := cfg.Pool.Projects[0]
		got, err := config.Parse("printed", []byte(tomlOf(cfg, []discoveredProject{{Project: p}})))
		if err != nil || got.Pool.Projects[0].Models[0] != p.Models[0] {
			t.Errorf("%q: %v", glob, err)
		}
	}
}

func TestDiscoverShowsNoCredentialOfAFile(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "acme", Keys: []string{"the-key"}, Tokens: []string{"lower-case-secret"}}}})
	t.Setenv("THE_TOKEN", "lower-case-secret")
	echo := `{"error": {"code": 403, "message": "no lower-case-secret", "details": [{"reason": "SERVICE_DISABLED", "metadata": {"consumer": "projects/lower-case-secret"}}]}}`
	google.Keep(geminitest.Match{Backend: "cloud"}, geminitest.Answer{Status: 403, Body: []byte(echo)})
	file := filepath.Join(t.TempDir(), "spillway.toml")
	text := "[[project]]\nname = \"acme\"\nbackend = \"vertex\"\ncredentials = \"env:THE_TOKEN\"\nbase_url = \"" + google.URL + "\"\ndiscover = true\ndiscover_url = \"" + google.URL + "\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"discover", file}, {"discover", file, "--json"}} {
		var stdout, stderr strings.Builder
		run(t.Context(), args, &stdout, &stderr)
		if all := stdout.String() + stderr.String(); strings.Contains(all, "lower-case-secret") || !strings.Contains(all, "gcloud services enable") {
			t.Errorf("%q:\n%s", args, all)
		}
	}
}

func TestDiscoverPrintsJSONWhateverThereIs(t *testing.T) {
	_, cfg, all := discoveryOfFile(t, prodFile, discover.Facts{})
	text, err := json.Marshal((&discoverFlags{file: "file"}).data(cfg, all))
	if err != nil || !strings.Contains(string(text), `"limits":null`) || !strings.Contains(string(text), `"differences":[]`) {
		t.Errorf("%v %s", err, text)
	}
}

// Of orders that follow each other Google shows the one in force.
func TestDiscoverComparesTheOrderInForce(t *testing.T) {
	file := `
[[project]]
name = "prod"
backend = "vertex"
credentials = "none"
locations = ["eu"]
` + lines("5", "until = 2026-12-01") + lines("10", "from = 2026-12-01\nuntil = 2027-01-01") + lines("15", "from = 2027-01-01")
	shows := func(gsus ...int) discover.Facts {
		f := discover.Facts{Limits: []discover.Limit{}, Orders: []discover.Order{}}
		for _, n := range gsus {
			f.Orders = append(f.Orders, discover.Order{Model: "gemini-3.5-flash", Location: "eu", GSUs: n, TokensPerSecond: float64(n) * 675})
		}
		return f
	}
	only := func(text, keep string) string {
		before, after, _ := strings.Cut(text, lines("10", "from = 2026-12-01\nuntil = 2027-01-01"))
		_, after, _ = strings.Cut(after, lines("15", "from = 2027-01-01"))
		return before + keep + after
	}
	ended := "ended at 2026-12-01 00:00:00Z in the file, and has 5 GSUs at Google"
	for _, tt := range []struct {
		name, file string
		facts      discover.Facts
		want       string
	}{
		{"as in the file", file, shows(10), "file has what Google shows"},
		{"the order before", file, shows(5), "has 10 GSUs in the file, and 5 at Google"},
		{"none", file, shows(), "- prod: order for gemini-3.5-flash in eu\n"},
		{"none, as by the calendar", only(file, ""), shows(), "file has what Google shows"},
		{"one that has ended", only(file, ""), shows(5), ended},
		{"one that is yet to come", only(file, lines("15", "from = 2027-01-01")), shows(5), "begins in 22d, at 2027-01-01 00:00:00Z in the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, _, _ := discoveryOfFile(t, tt.file, tt.facts)
			_, about, _ := strings.Cut(text, "# Beside")
			if about == "" {
				about = text
			}
			if !strings.Contains(about, tt.want) || strings.Count(about, "prod: ") > 1 && strings.Contains(text, "# Beside") {
				t.Errorf("printed %s", text)
			}
			if _, err := config.Parse("printed", []byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

func lines(gsus, times string) string {
	return "[[project.provisioned]]\nmodel = \"gemini-3.5-flash\"\nlocation = \"eu\"\ngsus = " + gsus + "\n" + times + "\n"
}
