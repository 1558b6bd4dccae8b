package spillway_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const flash = "gemini-2.5-flash"

// written writes a file for Open.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const vertexFile = `
[[project]]
name       = "prod"
backend    = "vertex"
project_id = "acme-prod"
keys       = ["env:TEST_KEY_1", "env:TEST_KEY_2"]
locations  = ["global", "europe-west4"]

[[project.provisioned]]
model    = "gemini-2.5-flash"
location = "europe-west4"
gsus     = 50
`

const geminiFile = `
[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:TEST_KEY_1", "env:TEST_KEY_2"]
`

// googleOf is an emulator with one project, which has the keys that setKeys sets.
func googleOf(id string, orders ...geminitest.Order) *geminitest.Emulator {
	p := geminitest.Project{ID: id, Keys: []string{"the-first-key", "the-second-key"}, Orders: orders}
	return geminitest.New(geminitest.Config{Projects: []geminitest.Project{p}})
}

// opened is a client by this file, over the emulator.
func opened(t *testing.T, file string, google *geminitest.Emulator) *spillway.Client {
	t.Helper()
	client, err := spillway.Open(t.Context(), written(t, file), router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func setKeys(t *testing.T) {
	t.Helper()
	t.Setenv("TEST_KEY_1", "the-first-key")
	t.Setenv("TEST_KEY_2", "the-second-key")
}

func TestOpenedClientIsTheSDKsAndRouted(t *testing.T) {
	// What the SDK would find in the environment must not matter.
	t.Setenv("GOOGLE_API_KEY", "a-key-that-is-not-the-pool's")
	t.Setenv("GOOGLE_CLOUD_PROJECT", "elsewhere")
	t.Setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
	t.Setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("GOOGLE_VERTEX_BASE_URL", "http://127.0.0.1:1")
	for _, tt := range []struct {
		name, file, project, vertex string
		backend                     genai.Backend
		endpoint, served            string
	}{
		{"gemini", geminiFile, "studio", "true", genai.BackendGeminiAPI, "studio/global/on_demand", ""},
		{"vertex", vertexFile, "acme-prod", "false", genai.BackendVertexAI, "prod/europe-west4/provisioned", "PROVISIONED_THROUGHPUT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GOOGLE_GENAI_USE_VERTEXAI", tt.vertex) // the other one
			setKeys(t)
			google := googleOf(tt.project, geminitest.Order{Model: flash, Location: "europe-west4", GSUs: 50})
			client := opened(t, tt.file, google)
			if got := client.ClientConfig().Backend; got != tt.backend {
				t.Errorf("the client speaks to %s, want %s", got, tt.backend)
			}

			resp, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.SDKHTTPResponse.Headers.Get("Spillway-Endpoint"); got != tt.endpoint || resp.Text() == "" {
				t.Errorf("%s answered %q, want a text from %s", got, resp.Text(), tt.endpoint)
			}
			google.Revoke("the-first-key") // the second takes over
			var text strings.Builder
			for piece, err := range client.Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), nil) {
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString(piece.Text())
			}
			if text.Len() == 0 {
				t.Error("the stream is empty")
			}
			for _, r := range google.Requests() {
				if r.Project != tt.project || r.KeyInURL || !strings.HasSuffix(r.Host, "googleapis.com") {
					t.Errorf("asked %s of project %q, key in URL: %t", r.Host, r.Project, r.KeyInURL)
				}
			}
			if n := google.Count(geminitest.Match{Served: tt.served}); tt.served != "" && n != 2 {
				t.Errorf("the order served %d calls, want 2", n)
			}
		})
	}
}

// TestClientConfigMakesARoutedClient is what an agent framework does that takes the SDK's config.
func TestClientConfigMakesARoutedClient(t *testing.T) {
	for name, file := range map[string]string{"gemini": geminiFile, "vertex": vertexFile} {
		t.Run(name, func(t *testing.T) {
			setKeys(t)
			for _, variable := range []string{ // all of which the SDK would follow
				"GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL",
			} {
				t.Setenv(variable, "http://elsewhere.invalid")
			}
			id := map[string]string{"gemini": "studio", "vertex": "acme-prod"}[name]
			google := googleOf(id)
			client := opened(t, file, google)
			cfg := client.ClientConfig()
			own, err := genai.NewClient(t.Context(), &cfg)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := own.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.SDKHTTPResponse.Headers.Get("Spillway-Endpoint") == "" {
				t.Error("the answer came past the router")
			}
		})
	}
}

func TestOpenReportsEveryMistakeWithItsLine(t *testing.T) {
	t.Setenv("TEST_KEY_1", "the-first-key")
	t.Setenv("TEST_KEY_2", "") // as good as not there
	path := written(t, `[router]
max_wait = 10

[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:TEST_KEY_1", "env:TEST_KEY_2", "env:A_VARIABLE_THAT_IS_NOT_SET"]
locatons = ["global"]
`)
	client, err := spillway.Open(t.Context(), path)
	if client != nil || err == nil {
		t.Fatalf("Open gave %v, %v", client, err)
	}
	for _, want := range []string{
		path + ":2: max_wait", path + ":7: keys[1]", "TEST_KEY_2", path + ":7: keys[2]", "A_VARIABLE_THAT_IS_NOT_SET", path + ":8: ", "locations",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "the-first-key") {
		t.Error("the error shows a key")
	}
	var all config.Errors
	if !errors.As(err, &all) || len(all) != 4 {
		t.Errorf("the error is %T with %d mistakes, want config.Errors with 4", err, len(all))
	}
}

func TestOpenNeedsAFile(t *testing.T) {
	_, err := spillway.Open(t.Context(), filepath.Join(t.TempDir(), "none.toml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v, want one of os.ErrNotExist", err)
	}
}

func TestNewRefusesWhatMakesNoPool(t *testing.T) {
	secret := pool.NewSecret("the-first-key")
	for _, tt := range []struct {
		name string
		cfg  *config.Config
		want string
	}{
		{"nil", nil, "no config"},
		{"no project", &config.Config{}, "no project"},
		{"a key twice", &config.Config{Pool: pool.Config{Projects: []pool.Project{
			{Name: "a", Backend: pool.BackendGemini, Keys: []pool.Secret{secret}},
			{Name: "b", Backend: pool.BackendGemini, Keys: []pool.Secret{secret}},
		}}}, `project "b" is a key of project "a"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, err := spillway.New(t.Context(), tt.cfg)
			if client != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New gave %v, %v, want an error with %q", client, err, tt.want)
			}
			if strings.Contains(err.Error(), "the-first-key") {
				t.Error("the error shows a key")
			}
		})
	}
}

func TestNothingOfAClientShowsAKey(t *testing.T) {
	setKeys(t)
	google := googleOf("studio")
	google.Keep(geminitest.Match{Key: "the-first-key"}, geminitest.KeySuspended("the-first-key")) // Google repeats the key
	google.Keep(geminitest.Match{Key: "the-second-key"}, geminitest.KeySuspended("the-second-key"))
	client := opened(t, geminiFile, google)
	_, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil)
	if err == nil {
		t.Fatal("a pool of suspended keys answers")
	}
	for what, shown := range map[string]any{
		"the error": err, "Stat": client.Router.Stat(), "ClientConfig": client.ClientConfig(), "the client": client,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			if text := fmt.Sprintf(verb, shown); strings.Contains(text, "the-first-key") || strings.Contains(text, "the-second-key") {
				t.Errorf("%s shows a key with %s", what, verb)
			}
		}
	}
}

func TestClosedClientAnswersNothing(t *testing.T) {
	setKeys(t)
	google := googleOf("studio")
	client := opened(t, geminiFile, google)
	for range 2 {
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil); !errors.Is(err, router.ErrClosed) {
		t.Errorf("a call after Close ended with %v, want router.ErrClosed", err)
	}
}

// A file that changes while calls run: the state goes on, the warnings are said again, and mistakes
// change nothing.
func TestReloadPutsAChangedFileInForce(t *testing.T) {
	setKeys(t)
	google := googleOf("studio")
	dir := t.TempDir()
	path := filepath.Join(dir, "spillway.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	limited := func(rpd int, more string) string {
		return fmt.Sprintf("%s%s\n[[project.limits]]\nrpd = %d\n", geminiFile, more, rpd)
	}
	write("[router]\nstate = \"spillway.state\"\nmax_wait = \"0s\"\n" + limited(2, ""))
	var log strings.Builder
	client, err := spillway.Open(t.Context(), path, router.WithTransport(google), router.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		_, err := client.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), nil)
		return err
	}
	reload := func() error {
		cfg, err := config.Load(path)
		if err != nil {
			return err
		}
		return client.Reload(cfg)
	}
	if err := errors.Join(ask(), ask()); err != nil {
		t.Fatal(err)
	}
	if _, ok := router.Exhausted(ask()); !ok {
		t.Error("a third call is served, though two a day are declared")
	}

	write("[router]\nstate = \"spillway.state\"\nmax_wait = \"0s\"\n" + limited(3, "# a key in the file\n") + "\n[[project]]\nname = \"written\"\nbackend = \"gemini\"\nmodels = [\"other-*\"]\nkeys = [\"AIzaSyCanaryCanaryCanaryCanaryCanary000\"]\n")
	if err := reload(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("after one more a day is declared: %v", err)
	}
	if _, ok := router.Exhausted(ask()); !ok {
		t.Error("a fourth call is served: the reload has forgotten the day")
	}
	if !strings.Contains(log.String(), "config") || strings.Contains(log.String(), "Canary") {
		t.Errorf("of the key in the file the log says\n%s", &log)
	}

	write("[router]\nbackend = \"vertex\"\n" + geminiFile)
	if err := reload(); err == nil || !strings.Contains(err.Error(), `write backend = "gemini"`) {
		t.Errorf("another dialect: %v", err)
	}
	if err := client.Reload(nil); err == nil {
		t.Error("no configuration is taken for one")
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "spillway.state")); err != nil {
		t.Errorf("the state file does not lie beside the configuration: %v", err)
	}
}
