package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/pace"
)

// serveProcess starts a sidecar in a process of its own, and returns its URL and what kills it.
func serveProcess(t *testing.T, file, listen string) (url string, kill func()) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "serve", file, "--listen", listen)
	command.Env = append(os.Environ(), "SPILLWAY_TEST_COMMAND=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if url = regexp.MustCompile(`http://\S+`).FindString(firstLines(out, 1)); url == "" {
		t.Fatal("the sidecar says no address")
	}
	return url, func() {
		_ = command.Process.Kill() // SIGKILL
		_ = command.Wait()
	}
}

// TestPaceGoesOnWhileItsSidecarIsKilled kills the sidecar in the middle of a run, and starts it again.
func TestPaceGoesOnWhileItsSidecarIsKilled(t *testing.T) {
	const n = 300
	google := geminitest.NewServer(t, geminitest.Config{
		Log: -1, Latency: geminitest.Latency{FirstToken: 20 * time.Millisecond}, Projects: []geminitest.Project{{ID: "main", Keys: []string{"main-key"}}},
	})
	t.Setenv("MAIN_KEY", "main-key")
	dir := t.TempDir()
	file, out := filepath.Join(dir, "spillway.toml"), filepath.Join(dir, "out.jsonl")
	text := "[[project]]\nname = \"main\"\nbackend = \"gemini\"\nkeys = [\"env:MAIN_KEY\"]\nbase_url = \"" + google.URL + "\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	url, kill := serveProcess(t, file, "127.0.0.1:0")
	type end struct {
		code int
		said string
	}
	ended := make(chan end, 1)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	go func() {
		code, said := transcript(ctx, "pace", paceRequests(t, n), "--out", out, "--url", url, "--json", "--share", "1", "--parallel", "8")
		ended <- end{code, said}
	}()
	for written := 0; written < n/3; time.Sleep(time.Millisecond) {
		lines, _ := os.ReadFile(out) // it is there after a moment
		if written = bytes.Count(lines, []byte("\n")); ctx.Err() != nil {
			t.Fatal("nothing is written")
		}
	}
	kill()
	_, kill = serveProcess(t, file, strings.TrimPrefix(url, "http://"))
	defer kill()
	e := <-ended
	var sum pace.Summary
	if i := strings.IndexByte(e.said, '{'); i < 0 || json.NewDecoder(strings.NewReader(e.said[i:])).Decode(&sum) != nil {
		t.Fatalf("it printed %s", e.said)
	}
	lines, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if e.code != statusOK || sum.Served != n || sum.Retries["502"] == 0 || bytes.Count(lines, []byte("\n")) != n {
		t.Errorf("status %d, %d lines, %+v", e.code, bytes.Count(lines, []byte("\n")), sum)
	}
	if requests := google.Count(geminitest.Match{Project: "main"}); requests < n || requests > n+8 {
		t.Errorf("Google got %d requests for %d lines, of which 8 were under way at the kill", requests, n)
	}
}
