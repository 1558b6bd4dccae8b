package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAFileThatTheEmulatorIsAboutToWriteIsWaitedFor: the help says `spillway emulate > FILE &`.
func TestAFileThatTheEmulatorIsAboutToWriteIsWaitedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() {
		written <- os.WriteFile(file, []byte("[[project]]\nname = \"a\"\nbackend = \"gemini\"\nkeys = [\"a-key\"]\n"), 0o600)
	})
	status, text := transcript(t.Context(), "check", file, "gemini-3.5-flash")
	if err := <-written; err != nil || status != statusOK {
		t.Errorf("%v; the status is %d: %s", err, status, text)
	}
}

func TestAnEmptyFileOfBeforeIsAMistakeAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spillway.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Minute)
	if err := os.Chtimes(file, before, before); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if status, text := transcript(t.Context(), "check", file); status != statusFailed || !strings.Contains(text, "no project") {
		t.Errorf("the status is %d: %s", status, text)
	}
	if d := time.Since(began); d >= fileSoon {
		t.Errorf("it took %s", d)
	}
}
