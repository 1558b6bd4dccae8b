package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

func TestServeShowsMetrics(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
	}})
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	file := strings.ReplaceAll(twoProjects, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys")
	url, stderr, end := startServe(t, file, "--listen", "127.0.0.1:0")
	do := func(method, path, body string, headers ...string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(page)
	}
	if status, page := do(http.MethodPost, generatePath, hello, "Spillway-Label", "team-a"); status != http.StatusOK {
		t.Fatalf("a call got %d: %s", status, page)
	}
	for _, path := range []string{"/metrics", "/spillway/metrics"} {
		status, page := do(http.MethodGet, path, "")
		for _, want := range []string{
			`spillway_calls_total{method="generateContent",model="gemini-2.5-flash",outcome="ok"} 1`,
			`spillway_label_calls_total{label="team-a",outcome="ok"} 1`,
			`spillway_attempts_total{class="ok",location="global",method="generate",model="gemini-2.5-flash",project="main",traffic="on_demand"} 1`,
			"go_goroutines", "process_start_time_seconds",
		} {
			if status != http.StatusOK || !strings.Contains(page, want) {
				t.Errorf("GET %s: %d, without %s", path, status, want)
			}
		}
		if strings.Contains(page, "-key") {
			t.Error("a key shows")
		}
	}
	if status, _ := do(http.MethodPost, "/metrics", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %d, want 405", status)
	}
	if status, _ := do(http.MethodGet, "/metrics", "", "Origin", "https://elsewhere.example"); status != http.StatusForbidden {
		t.Errorf("a page of another origin gets %d, want 403", status)
	}
	if status := end(); status != 0 {
		t.Errorf("exit status %d: %s", status, stderr)
	}
}
