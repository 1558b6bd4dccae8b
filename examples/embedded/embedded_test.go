package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

const file = `
[router]
max_wait = "0s"

[[project]]
name    = "studio"
backend = "gemini"
keys    = ["env:KEY_1", "env:KEY_2"]
`

// newHandler returns the service's handler over an emulator.
func newHandler(t *testing.T) (http.Handler, *geminitest.Emulator) {
	t.Helper()
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "studio", Keys: []string{"a-key", "another-key"}}}})
	keys := map[string]string{"KEY_1": "a-key", "KEY_2": "another-key"}
	cfg, err := config.Parse("spillway.toml", []byte(file), config.WithEnv(func(name string) (string, bool) {
		key, ok := keys[name]
		return key, ok
	}))
	if err != nil {
		t.Fatal(err)
	}
	client, err := spillway.New(t.Context(), cfg, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return handler(client), google
}

func TestHandlerAnswersQuestions(t *testing.T) {
	h, google := newHandler(t)
	google.Revoke("a-key") // which nobody notices
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ask", strings.NewReader("How high is the dam?")))
	if w.Code != http.StatusOK || w.Body.Len() == 0 {
		t.Errorf("the answer is %d %q, want 200 and text", w.Code, w.Body)
	}
}

func TestHandlerPassesRefusalsOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer geminitest.Answer
		want   int
	}{
		{"a wrong request", geminitest.InvalidArgument("The question makes no sense."), http.StatusBadRequest},
		{"quota gone everywhere", geminitest.DayQuota("gemini-3.5-flash", 20, 0), http.StatusTooManyRequests},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, google := newHandler(t)
			google.Keep(geminitest.Match{}, tt.answer)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ask", strings.NewReader("Why?")))
			if w.Code != tt.want || strings.Contains(w.Body.String(), "a-key") {
				t.Errorf("the answer is %d %q, want %d and no key", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestServeEndsWellWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KEY_1", "a-key")
	t.Setenv("KEY_2", "another-key")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := serve(ctx, path, "127.0.0.1:0"); err != nil {
		t.Errorf("serve ended with %v", err)
	}
}

func TestServeRefusesABrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(path, []byte("[router]\npolcy = \"random\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := serve(t.Context(), path, "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "spillway.toml:2: ") {
		t.Errorf("serve ended with %v, want the line of the mistake", err)
	}
}
