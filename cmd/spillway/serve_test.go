package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

// lockedBuilder is where a running command writes while a test reads.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServe runs "spillway serve" on a file, with more arguments, and returns its address. end
// stops it and returns its exit status.
func startServe(t *testing.T, file string, args ...string) (url string, stderr *lockedBuilder, end func() int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	stderr = &lockedBuilder{}
	go func() {
		ended <- run(ctx, append([]string{"serve", path, "--drain", "5s"}, args...), writer, stderr)
		_ = writer.Close()
	}()
	line := firstLines(reader, 1)
	if url = regexp.MustCompile(`http://\S+`).FindString(line); url == "" {
		t.Fatalf("it printed %q, and on standard error %s", line, stderr)
	}
	return url, stderr, sync.OnceValue(func() int {
		stop()
		return <-ended
	})
}

func TestServeIsABaseURLForAnSDK(t *testing.T) {
	for _, backend := range []string{"gemini", "vertex"} {
		t.Run(backend, func(t *testing.T) {
			google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
				{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
			}})
			t.Setenv("MAIN_KEY", "main-key")
			t.Setenv("SPARE_KEY", "spare-key")
			file := strings.ReplaceAll(twoProjects, `"gemini"`, `"`+backend+`"`)
			file = strings.ReplaceAll(file, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys")
			url, stderr, end := startServe(t, file, "--listen", "127.0.0.1:0")

			cc := &genai.ClientConfig{
				Backend: genai.BackendGeminiAPI, APIKey: "any", HTTPOptions: genai.HTTPOptions{BaseURL: url}, HTTPClient: new(http.Client),
			}
			if backend == "vertex" {
				cc.Backend, cc.APIKey, cc.Project, cc.Location = genai.BackendVertexAI, "", "any", "global"
			}
			client, err := genai.NewClient(t.Context(), cc)
			if err != nil {
				t.Fatal(err)
			}
			const model = "gemini-2.5-flash"
			first, err := client.Models.GenerateContent(t.Context(), model, genai.Text("Hello"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := first.SDKHTTPResponse.Headers.Get("Spillway-Endpoint"); first.Text() == "" || got != "main/global/on_demand" {
				t.Errorf("%q from %s", first.Text(), got)
			}
			google.Revoke("main-key")
			var streamed strings.Builder
			for piece, err := range client.Models.GenerateContentStream(t.Context(), model, genai.Text("Hello"), nil) {
				if err != nil {
					t.Fatal(err)
				}
				streamed.WriteString(piece.Text())
			}
			if streamed.String() != first.Text() {
				t.Errorf("the stream says %q, the answer before %q", &streamed, first.Text())
			}
			google.Revoke("spare-key")
			_, err = client.Models.CountTokens(t.Context(), model, genai.Text("Hello"), nil)
			var refused genai.APIError
			if !errors.As(err, &refused) || refused.Code < 400 {
				t.Errorf("without a key left the error is %v", err)
			}

			code, table := transcript(t.Context(), "status", url)
			if code != 0 || strings.Count(table, "key_revoked") != 4 || // both keys, and so both endpoints
				!strings.Contains(table, "spare/global/on_demand") || !strings.Contains(table, "1 ok, 1 key_dead\n") {
				t.Errorf("status: %s", table)
			}
			if code := end(); code != 0 {
				t.Errorf("serve ended with %d: %s", code, stderr)
			}
			for _, said := range []string{table, stderr.String()} {
				if strings.Contains(said, "main-key") || strings.Contains(said, "spare-key") {
					t.Errorf("a key is shown: %s", said)
				}
			}
			if code, _ := transcript(t.Context(), "status", url); code != statusFailed {
				t.Errorf("the status of a sidecar that has ended has exit status %d", code)
			}
		})
	}
}

func TestServeWarnsOfAnAddressThatOthersCanReach(t *testing.T) {
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	const open = "[serve]\nopen = true\n"
	for listen, want := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		_, stderr, end := startServe(t, open+twoProjects, "--listen", listen)
		if code := end(); code != 0 || strings.Contains(stderr.String(), "everyone who can reach this address") != want {
			t.Errorf("--listen %s ended with %d: %s", listen, code, stderr)
		}
	}
}

func TestServeNeedsATokenWhereOthersCanReachIt(t *testing.T) {
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	path := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(path, []byte(twoProjects), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := transcript(t.Context(), "serve", path, "--listen", "0.0.0.0:0")
	if code != statusFailed || !strings.Contains(said, "0.0.0.0:0: other machines can reach the address, and clients need no token; write [[serve.token]]") {
		t.Errorf("it ended with %d: %s", code, said)
	}
}
