package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// probeFile writes a file and returns its path.
func probeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const probedFile = `
[[project]]
name     = "studio"
backend  = "gemini"
keys     = ["env:MAIN_KEY", "env:SPARE_KEY"]
base_url = "BASE"
models   = ["gemini-3.5-flash", "gemini-embedding-001"]

[[project]]
name        = "prod"
backend     = "vertex"
keys        = ["env:PROD_KEY"]
locations   = ["global", "europe-west4"]
models      = ["gemini-3.5-flash", "gemini-3.1-pro-preview"]
base_url    = "BASE"
`

// newProbedGoogle returns an emulator with the projects of probedFile, whose keys are in the
// environment, and the file.
func newProbedGoogle(t *testing.T) (google *geminitest.Server, file string) {
	t.Helper()
	google = geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "studio", Keys: []string{"the-main-key", "the-spare-key"}}, {ID: "prod", Keys: []string{"the-prod-key"}},
	}})
	t.Setenv("MAIN_KEY", "the-main-key")
	t.Setenv("SPARE_KEY", "the-spare-key")
	t.Setenv("PROD_KEY", "the-prod-key")
	return google, probeFile(t, strings.ReplaceAll(probedFile, "BASE", google.URL))
}

func TestCheckProbesEachKeyLocationAndModelForFree(t *testing.T) {
	google, file := newProbedGoogle(t)
	code, said := transcript(t.Context(), "check", file, "--probe")
	if code != statusOK || strings.Count(said, "ready, in ") != 6 {
		t.Errorf("it ends with %d and says\n%s", code, said)
	}
	counts := map[string]int{}
	for _, req := range google.Requests() {
		if req.Method != "countTokens" {
			t.Errorf("it calls %s", req.Method)
		}
		counts[req.Project+" "+req.Location+" "+req.Model]++
	}
	for what, want := range map[string]int{
		"studio  gemini-3.5-flash": 2, "prod global gemini-3.5-flash": 1, "prod europe-west4 gemini-3.5-flash": 1,
		"prod global gemini-3.1-pro-preview": 1, "prod europe-west4 gemini-3.1-pro-preview": 1,
	} {
		if counts[what] != want {
			t.Errorf("%s is probed %d times, want %d of %v", what, counts[what], want, counts)
		}
	}
}

func TestCheckProbeSaysWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(google *geminitest.Server)
		wrong int      // probes of 6
		want  []string // in what is said
	}{
		"a revoked key": {func(g *geminitest.Server) { g.Revoke("the-spare-key") }, 1, []string{"key_revoked", "API key not valid", "Make a new key"}},
		"no server":     {func(g *geminitest.Server) { g.Close() }, 6, []string{"failed: ", "refused"}},
		"no billing": {func(g *geminitest.Server) {
			g.Keep(geminitest.Match{Project: "prod"}, geminitest.BillingDisabled("prod"))
		}, 4, []string{"Google says: ", "to do: "}},
		"the API is off": {func(g *geminitest.Server) {
			g.Keep(geminitest.Match{Project: "prod"}, geminitest.ServiceDisabled("prod"))
		}, 4, []string{"api_off", "to do: "}},
		"a location without the model": {func(g *geminitest.Server) {
			g.Keep(geminitest.Match{Location: "europe-west4", Model: "gemini-3.1-pro-preview"},
				geminitest.PublisherModelMissing("prod", "europe-west4", "gemini-3.1-pro-preview"))
		}, 1, []string{"location_lacks_model", "was not found", "to do: "}},
		"a page of a proxy": {func(g *geminitest.Server) {
			g.Keep(geminitest.Match{Project: "studio"}, geminitest.Page(http.StatusForbidden))
		}, 2, []string{"failed: "}},
		"silence": {func(g *geminitest.Server) {
			g.Keep(geminitest.Match{Project: "studio"}, geminitest.Stall())
		}, 2, []string{"failed: no response within 500ms"}},
		"an evil message": {func(g *geminitest.Server) {
			g.Keep(geminitest.Match{Key: "the-main-key"}, geminitest.InvalidArgument("the-main-key \x1b[2J\u202e is wrong"))
		}, 1, []string{"caller_fault", "is wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			google, file := newProbedGoogle(t)
			tt.spoil(google)
			code, said := transcript(t.Context(), "check", file, "--probe", "--timeout", "500ms")
			if code != statusFailed || strings.Count(said, "ready, in ") != 6-tt.wrong {
				t.Errorf("it ends with %d and says\n%s", code, said)
			}
			for _, want := range tt.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is missing in\n%s", want, said)
				}
			}
			if strings.ContainsAny(said, "\x1b\u202e") || strings.Contains(said, "the-main-key") || strings.Contains(said, "the-spare-key") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

func TestCheckProbeOfCredentialsThatAreNotThere(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "prod", Tokens: []string{"the-token"}}}})
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	t.Setenv("TOKEN", "the-token")
	t.Setenv("STALE", "the-stale-token")
	for credentials, want := range map[string]string{"adc": "gcloud auth application-default login", "env:STALE": "invalid authentication credentials", "env:TOKEN": "ready"} {
		file := probeFile(t, "[[project]]\nname = \"prod\"\nbackend = \"vertex\"\ncredentials = \""+credentials+"\"\nbase_url = \""+google.URL+"\"\n")
		code, said := transcript(t.Context(), "check", file, "--probe")
		if (code == statusOK) != (credentials == "env:TOKEN") || !strings.Contains(said, want) || strings.Contains(said, "the-token") || strings.Contains(said, "the-stale-token") {
			t.Errorf("%s: it ends with %d and says\n%s", credentials, code, said)
		}
	}
}

func TestCheckProbeDoesNotBlameAFileForAModelThatItDoesNotName(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"a-key"}}}})
	google.Keep(geminitest.Match{}, geminitest.ModelMissing(probeModel, "countTokens"))
	file := probeFile(t, "[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"a-key\"]\nbase_url = \""+google.URL+"\"\n")
	if code, said := transcript(t.Context(), "check", file, "--probe"); code != statusOK || !strings.Contains(said, "ready") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
	if code, said := transcript(t.Context(), "check", file, "--probe", probeModel); code != statusFailed || !strings.Contains(said, "model_missing") {
		t.Errorf("named, it ends with %d and says %s", code, said)
	}
}

func TestCheckProbesAFewAtATime(t *testing.T) {
	var underWay, most atomic.Int64
	together := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n := underWay.Add(1)
		defer underWay.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == probesAtOnce {
			close(together)
		}
		select {
		case <-together:
		case <-req.Context().Done():
		}
		_, _ = w.Write([]byte(`{"totalTokens":1}`))
	}))
	defer server.Close()
	file := probeFile(t, "[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"k1\", \"k2\", \"k3\", \"k4\"]\nbase_url = \""+server.URL+"\"\n")
	if code, said := transcript(t.Context(), "check", file, "--probe"); code != statusOK || most.Load() != probesAtOnce {
		t.Errorf("it ends with %d, with %d calls at once, and says %s", code, most.Load(), said)
	}
}

func TestCheckAsJSON(t *testing.T) {
	google, file := newProbedGoogle(t)
	google.Revoke("the-spare-key")
	read := func(want int, args ...string) (c checked) {
		t.Helper()
		var out, problems strings.Builder
		if code := run(t.Context(), append([]string{"check", "--json"}, args...), &out, &problems); code != want || problems.Len() > 0 {
			t.Errorf("%v ends with %d and says %s", args, code, &problems)
		}
		if err := json.Unmarshal([]byte(out.String()), &c); err != nil || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v prints %s: %v", args, &out, err)
		}
		return c
	}
	c := read(statusOK, file)
	if !c.OK || c.Backend != "gemini" || len(c.Projects) != 2 || len(c.Models) != 3 || len(c.Models[1].Tiers) == 0 || c.Probes != nil {
		t.Errorf("a good file: %+v", c)
	}
	c = read(statusFailed, file, "--probe")
	failed := 0
	for _, p := range c.Probes {
		if !p.OK {
			failed++
			if p.Problem == nil || p.Problem.Class != "key_dead" || p.Key == "" {
				t.Errorf("%+v", p)
			}
		}
	}
	if c.OK || failed != 1 || len(c.Probes) != 6 {
		t.Errorf("with a dead key: %+v", c)
	}
	if c := read(statusFailed, file, "gemni-3.5-flash"); c.OK || len(c.Problems) != 2 {
		t.Errorf("of a misspelt model: %+v", c)
	}
	t.Setenv("SPARE_KEY_1", "a-key")
	if c := read(statusFailed, "testdata/broken.toml"); c.OK || len(c.Problems) < 2 || c.Problems[0].Line == 0 || c.Problems[0].Fix == "" {
		t.Errorf("a broken file: %+v", c)
	}
}

func TestCheckProbesTheStore(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"a-key"}}}})
	file := probeFile(t, "[store]\nredis = \"env:REDIS_URL\"\n[[project]]\nname = \"studio\"\nbackend = \"gemini\"\nkeys = [\"a-key\"]\nbase_url = \""+google.URL+"\"\n")
	t.Setenv("REDIS_URL", "redis://user:the-password@127.0.0.1:1/0")
	code, said := transcript(t.Context(), "check", file, "--probe", "--timeout", "300ms")
	if code != statusFailed || !strings.Contains(said, "store 127.0.0.1:1: it does not answer: ") || strings.Contains(said, "the-password") {
		t.Errorf("without a server it ends with %d and says %s", code, said)
	}
	t.Setenv("REDIS_URL", startRedis(t))
	code, said = transcript(t.Context(), "check", file, "--probe")
	if code != statusOK || !strings.Contains(said, ": it answers in ") || !strings.Contains(said, "s, 0 members") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
}
