package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// fetch gets a path of a sidecar.
func fetch(t *testing.T, address string) (status int, body string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// servedWith starts a sidecar over an emulator, with more lines in its file, and returns a function
// that makes a call and returns its id.
func servedWith(t *testing.T, more string) (url string, ask func() string, end func() int, folder string) {
	t.Helper()
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"CANARY-main"}}, {ID: "spare", Keys: []string{"CANARY-spare"}},
	}})
	t.Setenv("MAIN_KEY", "CANARY-main")
	t.Setenv("SPARE_KEY", "CANARY-spare")
	google.Revoke("CANARY-main")
	folder = t.TempDir()
	file := strings.ReplaceAll(twoProjects, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys") +
		strings.ReplaceAll(more, "FOLDER", filepath.ToSlash(folder))
	url, _, end = startServe(t, file, "--listen", "127.0.0.1:0")
	return url, func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+generatePath, strings.NewReader(hello))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Spillway-Label", "team-a")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.Header.Get("Spillway-Call")
	}, end, folder
}

func TestSidecarTellsOfItsLastCallsAndLogsThem(t *testing.T) {
	url, ask, end, folder := servedWith(t, "\n[log]\ncalls = \"FOLDER/calls.jsonl\"\n")
	first, second := ask(), ask()
	status, body, _ := fetch(t, url+callsPath+"?id="+first)
	var r calls.Record
	if err := json.Unmarshal([]byte(body), &r); status != http.StatusOK || err != nil {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if r.ID != first || r.Label != "team-a" || len(r.Attempts) != 2 || r.Attempts[0].Class != "key_dead" || r.Project != "spare" {
		t.Errorf("the record is %s", body)
	}
	_, last, _ := fetch(t, url+callsPath+"?last=5")
	var both []calls.Record
	if err := json.Unmarshal([]byte(last), &both); err != nil || len(both) != 2 || both[0].ID != first || both[1].ID != second {
		t.Errorf("the last calls are %s (error %v), want %s and %s", last, err, first, second)
	}
	if _, one, _ := fetch(t, url+callsPath+"?last=1"); !strings.Contains(one, second) || strings.Contains(one, first) {
		t.Errorf("the last call is %s, want %s", one, second)
	}
	for query, want := range map[string]int{
		"?id=0000000000000000": http.StatusNotFound, "": http.StatusBadRequest, "?last=0": http.StatusBadRequest,
		"?last=many": http.StatusBadRequest, "?id=1&last=1": http.StatusBadRequest,
	} {
		if status, body, _ := fetch(t, url+callsPath+query); status != want || !strings.Contains(body, `"message":"spillway: `) {
			t.Errorf("%s gets %d, want %d: %s", query, status, want, body)
		}
	}
	if code := end(); code != statusOK {
		t.Errorf("serve ended with %d", code)
	}
	logged, err := os.ReadFile(filepath.Join(folder, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(logged)), "\n")
	if len(lines) != 2 || lines[0] != strings.TrimSpace(body) || !strings.Contains(lines[1], second) {
		t.Errorf("the log has %s, want both calls, the first one as %s", logged, body)
	}
	if all := body + last + string(logged); strings.Contains(all, "CANARY") || strings.Contains(all, "Hello") {
		t.Errorf("a key or a prompt is shown: %s", all)
	}
}

// TestStandardOutputHasNothingButCalls reads all of it as JSON.
func TestStandardOutputHasNothingButCalls(t *testing.T) {
	var out, problems lockedBuilder
	cfg := config.Log{Calls: calls.Stdout, Format: config.LogJSON}
	log := newLogging(&cfg, &problems)
	sinks, end := openCalls(&cfg, &out, log.log)
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), "127.0.0.1:0", config.Serve{}, log.log)
	s.first = &config.Config{Log: cfg}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.listenAndServe(ended, &config.Serve{Admin: config.Admin{Off: true}}, 0, &out); err != nil {
		t.Error(err)
	}
	sinks[0].Add(&calls.Record{ID: "1"})
	if err := end(); err != nil {
		t.Error(err)
	}
	var r calls.Record
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil || r.ID != "1" {
		t.Errorf("the standard output has %q: %v", out.String(), err)
	}
	var said struct{ Msg, Address string }
	if err := json.Unmarshal([]byte(firstLines(strings.NewReader(problems.String()), 1)), &said); err != nil || said.Msg != "clients are served" || said.Address == "" {
		t.Errorf("it logs %q: %v", problems.String(), err)
	}
}

func TestLogLevelFollowsAReloadAndTheRestIsTold(t *testing.T) {
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	read := func(lines string) *config.Config {
		t.Helper()
		cfg, err := config.Parse("test", []byte("[log]\n"+lines+"\n"+twoProjects))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	var said strings.Builder
	first := read(`level = "error"`)
	log := newLogging(&first.Log, &said)
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, config.Serve{}, log.log)
	s.first, s.level = first, log.level
	for _, tt := range []struct {
		lines       string
		debug, told bool
	}{
		{`level = "debug"`, true, false},
		{"", false, false},
		{`format = "json"`, false, true},
		{`calls = "other.jsonl"`, false, true},
		{"max_files = 3", false, true},
	} {
		said.Reset()
		if err := s.reload(read(tt.lines)); err != nil {
			t.Fatal(err)
		}
		if debug := log.log.Enabled(t.Context(), slog.LevelDebug); debug != tt.debug || strings.Contains(said.String(), "[log] has changed") != tt.told {
			t.Errorf("after %q debug is %v, and it said %q", tt.lines, debug, &said)
		}
	}
}

// TestCallsAreNotForEveryone asks under another host's name, and as a page of a browser.
func TestCallsAreNotForEveryone(t *testing.T) {
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, config.Serve{}, slog.New(slog.DiscardHandler))
	s.calls.Add(&calls.Record{ID: "1"})
	for _, tt := range []struct {
		host, origin string
		want         int
	}{
		{"localhost", "", http.StatusOK},
		{"evil.example", "", http.StatusForbidden},
		{"localhost", "https://evil.example", http.StatusForbidden},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+tt.host+callsPath+"?id=1", nil)
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, req); w.Code != tt.want {
			t.Errorf("%+v gets %d", tt, w.Code)
		}
	}
}
