package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func someSnapshot() snapshot {
	dead := &cooldownSnapshot{Class: "key_dead"}
	return snapshot{
		At: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), Backend: "gemini",
		Projects: []projectSnapshot{{Name: "a", Keys: []keySnapshot{{"key-1", dead}, {"key-2", nil}}}},
		Endpoints: []endpointSnapshot{
			{Model: "gemini-3.5-flash", Endpoint: "a/global/on_demand", Attempts: map[string]int64{"ok": 1203, "contention": 17, "overloaded": 20}},
			{Model: "gemini-3.1-pro-preview", Endpoint: "a/global/on_demand", reasonSnapshot: reasonSnapshot{Why: "day_quota"}},
		},
		Models: []modelSnapshot{{Model: "gemini-3.1-pro-preview", Calls: 4, Refused: 3}, {Model: "gemini-3.5-flash", Calls: 1240, Waits: 5}},
	}
}

func TestStatusOfOneModel(t *testing.T) {
	server := httptest.NewServer(respondWith(someSnapshot()))
	defer server.Close()
	code, said := transcript(t.Context(), "status", server.URL, "--model", "models/gemini-3.5-flash")
	if code != statusOK || strings.Contains(said, "gemini-3.1") || !strings.Contains(said, "1,203 ok, 20 overloaded, 17 contention\n") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
	code, said = transcript(t.Context(), "status", server.URL, "--model", "gemini-3.5-flsh")
	if code != statusFailed || !strings.Contains(said, "no call for gemini-3.5-flsh was made yet; did you mean gemini-3.5-flash?") {
		t.Errorf("it ends with %d and says %s", code, said)
	}
}

func TestStatusAsJSONIsTheSidecarsSnapshot(t *testing.T) {
	want := someSnapshot()
	server := httptest.NewServer(respondWith(want))
	defer server.Close()
	var out, problems strings.Builder
	code := run(t.Context(), []string{"status", "--json", server.URL}, &out, &problems)
	text, err := json.Marshal(want)
	if code != statusOK || err != nil || out.String() != string(text)+"\n" {
		t.Errorf("it ends with %d, prints %s%s\nwant %s", code, &out, &problems, text)
	}
}

func TestStatusQuietSaysWhetherSomethingServes(t *testing.T) {
	full := someSnapshot()
	full.Endpoints[0].Why = "limit reached until 2026-11-26T00:00:01Z"
	fresh := someSnapshot()
	fresh.Endpoints, fresh.Models = nil, nil
	dead := someSnapshot()
	dead.Endpoints, dead.Projects[0].Keys = nil, dead.Projects[0].Keys[:1]
	resting := someSnapshot()
	resting.Endpoints, resting.Projects[0].Cooldown = nil, &cooldownSnapshot{Class: "billing"}
	for name, tt := range map[string]struct {
		s     snapshot
		model string
		want  int
	}{
		"an endpoint is ready":              {someSnapshot(), "", statusOK},
		"the model's endpoint is ready":     {someSnapshot(), "gemini-3.5-flash", statusOK},
		"the model's endpoint is not ready": {someSnapshot(), "gemini-3.1-pro-preview", statusFailed},
		"the model was not called yet":      {someSnapshot(), "gemini-4-neon", statusOK},
		"no endpoint is ready":              {full, "", statusFailed},
		"nothing was called yet":            {fresh, "", statusOK},
		"the only key is dead":              {dead, "", statusFailed},
		"the project is on cooldown":        {resting, "", statusFailed},
		"another server":                    {snapshot{}, "", statusFailed},
	} {
		server := httptest.NewServer(respondWith(tt.s))
		args := []string{"status", "--quiet", server.URL}
		if tt.model != "" {
			args = append(args, "--model", tt.model)
		}
		var out strings.Builder
		if code := run(t.Context(), args, &out, &out); code != tt.want || out.Len() > 0 {
			t.Errorf("%s: it ends with %d, want %d, and prints %q", name, code, tt.want, &out)
		}
		server.Close()
	}
}
