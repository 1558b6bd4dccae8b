//go:build unix

package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeOutlivesWhoReadsItsOutput ends the readers of the call log and of the log while calls come.
func TestServeOutlivesWhoReadsItsOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spillway.toml")
	text := `
[router]
max_wait = "0s"

[log]
calls = "stdout"

[[project]]
name     = "nowhere"
backend  = "gemini"
keys     = ["env:MAIN_KEY"]
base_url = "http://127.0.0.1:1"
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	command := exec.CommandContext(ctx, os.Args[0], "serve", file, "--listen", "127.0.0.1:0")
	command.Env = append(os.Environ(), "SPILLWAY_TEST_COMMAND=1", "MAIN_KEY=a-key")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(stderr); address == "" && lines.Scan(); {
		address = regexp.MustCompile(`http://127[0-9.:]+`).FindString(lines.Text())
	}
	_, _ = stdout.Close(), stderr.Close()
	for range 3 { // the first ones are written while the others come
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1beta/models/gemini-3.5-flash:generateContent", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("it does not serve any more: %v", err)
		}
		_ = resp.Body.Close()
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
