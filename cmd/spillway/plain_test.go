package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Names and messages come from a sidecar, a file and Google. None of them may move the cursor of
// the terminal, or turn its text around.
func TestNothingThatIsPrintedMovesACursor(t *testing.T) {
	const evil = "x\x1b[2J\u009b31m\u202ey\rz"
	cooling := &cooldownSnapshot{Class: evil, Quota: evil, Message: evil}
	s := snapshot{
		Backend: evil, Store: &storeSnapshot{Member: evil, Lag: evil, Problem: evil, Answers: true},
		Projects: []projectSnapshot{{Name: evil, Backend: evil, Cooldown: cooling, Keys: []keySnapshot{{evil, cooling}}}},
		Endpoints: []endpointSnapshot{{
			Model: evil, Endpoint: evil, Cooldown: cooling, Breaker: &breakerSnapshot{State: evil}, Limits: []limitSnapshot{{Name: evil}},
		}},
	}
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s)
	}))
	defer sidecar.Close()
	file := filepath.Join(t.TempDir(), "file.toml")
	text := "[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"k-1234\"]\nmodels = [\"*\"]\n[models]\n\"a\\u001b[2J\\u009b\\u202e\" = \"b\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"status", sidecar.URL}, {"check", file}, {"check", file, evil}, {evil}, {"help", evil}, {"status", evil}} {
		var out bytes.Buffer
		run(t.Context(), args, &out, &out)
		if strings.ContainsAny(out.String(), "\x1b\u009b\u202e\r") {
			t.Errorf("%q prints %q", args[0], out.String())
		}
		if out.Len() == 0 {
			t.Errorf("%q prints nothing", args[0])
		}
	}
}
