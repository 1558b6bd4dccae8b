package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// TestStatusShowsWhatRestsAndWhy lets an order fill, a location fail, a model be missing and a key
// die, and compares what is shown.
func TestStatusShowsWhatRestsAndWhy(t *testing.T) {
	const file = `
[router]
max_wait = "0s"

[breaker]
failures = 1

[[project]]
name      = "prod"
backend   = "vertex"
keys      = ["env:PROD_KEY"]
locations = ["global", "europe-west4"]

[[project.provisioned]]
model    = "gemini-2.5-flash"
location = "europe-west4"
gsus     = 1

[[project]]
name     = "spare"
backend  = "vertex"
keys     = ["env:SPARE_KEY_1", "env:SPARE_KEY_2"]
priority = 1

[[project.limits]]
rpm = 1_000
`
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Parse("test", []byte(file), config.WithEnv(func(name string) (string, bool) { return "the-" + name, true }))
		if err != nil {
			t.Fatal(err)
		}
		google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
			{ID: "prod", Keys: []string{"the-PROD_KEY"}}, {ID: "spare", Keys: []string{"the-SPARE_KEY_1", "the-SPARE_KEY_2"}},
		}})
		google.Keep(geminitest.Match{Project: "prod", Location: "europe-west4", Traffic: "dedicated"}, geminitest.ProvisionedFull())
		google.Keep(geminitest.Match{Project: "prod", Location: "europe-west4", Traffic: "shared"}, geminitest.Unavailable())
		google.Keep(geminitest.Match{Project: "prod", Location: "global"}, geminitest.PublisherModelMissing("prod", "global", "gemini-2.5-flash"))
		google.Revoke("the-SPARE_KEY_1")
		r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		for range 3 {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
				"/v1beta1/projects/any/locations/global/publishers/google/models/gemini-2.5-flash:generateContent", strings.NewReader(hello))
			resp, err := r.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			time.Sleep(time.Millisecond)
		}
		s := snapshotOf(r)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "the-") {
			t.Errorf("a key is shown: %s", text)
		}
		var read snapshot // as the command has it
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		var printed strings.Builder
		read.print(&printed, "http://127.0.0.1:8080", view{})
		got := regexp.MustCompile(`2000-01-01 00:0\d:\d\dZ`).ReplaceAllString(printed.String(), "(time)") // cooldowns end at random within bounds
		golden := filepath.Join("testdata", "status.want")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestStatusSaysThatItFoundNoSidecar(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"something else":      http.NotFound,
		"a page for anything": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<p>Welcome")) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(h)
			defer server.Close()
			if code, text := transcript(t.Context(), "status", server.URL); code != statusFailed || !strings.Contains(text, "is not a sidecar") {
				t.Error(text)
			}
		})
	}
}

func TestStatusOfAnotherServerFails(t *testing.T) {
	for _, body := range []string{`{}`, `{"status":"ok"}`, `null`, `hello`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		status, text := transcript(t.Context(), "status", server.URL)
		server.Close()
		if status != statusFailed || !strings.Contains(text, "is not a sidecar") {
			t.Errorf("%s: the status is %d, and the text %s", body, status, text)
		}
	}
}

// TestStatusSaysOfAFullOrderWhatItsCallersAreTold: an order is full before all of it is used.
func TestStatusSaysOfAFullOrderWhatItsCallersAreTold(t *testing.T) {
	at := time.Date(2026, 11, 26, 6, 3, 40, 0, time.UTC)
	for why, want := range map[string]string{
		"": "ready",
		"provisioned order full until 2026-11-26T06:05:38.305Z": "provisioned order full until 2026-11-26 06:05:38Z",
		"the call is larger than the provisioned order":         "the call is larger than the provisioned order",
	} {
		e := endpointSnapshot{reasonSnapshot: reasonSnapshot{Why: why}, Order: &orderSnapshot{Used: 98, Capacity: 100}}
		if got := e.notes(at); got[0] != want || len(got) != 2 {
			t.Errorf("%q: status says %q", why, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Parse("test", []byte(`
[router]
max_wait  = "0s"
locations = ["europe-west4"]

[[project]]
name      = "prod"
backend   = "vertex"
keys      = ["env:PROD_KEY"]
locations = ["europe-west4"]
models    = ["gemini-3.5-flash"]

[[project.provisioned]]
model    = "gemini-3.5-flash"
location = "europe-west4"
gsus     = 1
`), config.WithEnv(func(string) (string, bool) { return "the-key", true }))
		if err != nil {
			t.Fatal(err)
		}
		google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{
			ID: "prod", Keys: []string{"the-key"}, Orders: []geminitest.Order{{Model: "gemini-3.5-flash", Location: "europe-west4", GSUs: 100}},
		}}})
		r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		path := "http://x/v1beta1/projects/any/locations/global/publishers/google/models/gemini-3.5-flash:generateContent"
		body := `{"contents":[{"role":"user","parts":[{"text":"` + strings.Repeat("word ", 5000) + `"}]}]}`
		for range 100 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Vertex-Ai-Llm-Request-Type", "dedicated")
			resp, err := r.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusTooManyRequests {
				break
			}
		}
		order := snapshotOf(r).Endpoints[0]
		if got := order.notes(time.Now())[0]; order.Order == nil || !strings.HasPrefix(got, "provisioned_full, provisioned order full until ") {
			t.Errorf("callers are refused, and status says %q", got)
		}
	})
}

// TestStatusShowsNoKeyAsReadyWhileItsProjectIsOut: no call goes out with it.
func TestStatusShowsNoKeyAsReadyWhileItsProjectIsOut(t *testing.T) {
	s := snapshot{Projects: []projectSnapshot{{Name: "p", Cooldown: &cooldownSnapshot{Class: "billing"}, Keys: []keySnapshot{{Key: "key-1"}}}}}
	var printed strings.Builder
	s.print(&printed, "", view{})
	if text := printed.String(); strings.Contains(text, "ready") || !strings.Contains(text, "key-1  out with its project") {
		t.Error(text)
	}
}
