package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/report"
)

// TestReportReadsEachFileOnce names a log together with one that was rotated, and the standard input.
func TestReportReadsEachFileOnce(t *testing.T) {
	line := func(id string) string {
		return `{"id":"` + id + `","time":"2026-11-26T10:53:00.000Z","outcome":"served"}` + "\n"
	}
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	for name, text := range map[string]string{path: line("1"), path + ".1": line("2") + line("3"), path + ".bak": line("4")} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		files []string
		want  int64
	}{
		{[]string{path}, 3},
		{[]string{path, path + ".1", path}, 3},
		{[]string{path + ".1"}, 2},
		{[]string{path + ".bak"}, 1},
		{[]string{"-"}, 1},
		{[]string{"-", path}, 4},
	} {
		r := report.New(report.ByModel, time.Time{})
		if err := readLogs(t.Context(), r, tt.files, time.Time{}, strings.NewReader(line("5"))); err != nil || r.All.Calls != tt.want {
			t.Errorf("%q have %d calls (error %v), want %d", tt.files, r.All.Calls, err, tt.want)
		}
	}
}

// TestReportShowsNoControlCharacters: labels and models are callers' words.
func TestReportShowsNoControlCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	const line = `{"id":"1","time":"2026-11-26T10:53:00.000Z","outcome":"served","label":"\u001b[31mred\u202e"}` + "\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"--json", "--csv", "--since=0s"} {
		status, text := transcript(t.Context(), "report", path, "--by", "label", format)
		if status != statusOK || strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "red") {
			t.Errorf("%s: %d %q", format, status, text)
		}
	}
}

// A rotated file that is damaged, or is being compressed now, keeps nobody from the rest.
func TestReportHasWhatAnUnreadableFileHasNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	const line = `{"id":"1","time":"2026-11-26T10:53:00.000Z","outcome":"served"}` + "\n"
	for name, text := range map[string]string{path: line, path + ".2.gz": "\x1f\x8b\x08"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status, text := transcript(t.Context(), "report", path)
	if status != statusFailed || !strings.Contains(text, "calls.jsonl.2.gz: unexpected EOF") || !strings.Contains(text, "\n1 call from ") {
		t.Errorf("%d %s", status, text)
	}
}
