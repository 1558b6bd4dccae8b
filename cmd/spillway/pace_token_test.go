package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
)

// TestPaceSaysWhereItsTokenBelongs, which is not in a header, as the sidecar says to its callers.
func TestPaceSaysWhereItsTokenBelongs(t *testing.T) {
	google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-key"}}, {ID: "spare", Keys: []string{"spare-key"}},
	}})
	t.Setenv("MAIN_KEY", "main-key")
	t.Setenv("SPARE_KEY", "spare-key")
	t.Setenv("TEAM_TOKEN", "the-token-of-the-team")
	file := strings.ReplaceAll(twoProjects, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys") +
		"\n[[serve.token]]\nname = \"team\"\ntoken = \"env:TEAM_TOKEN\"\n"
	url, _, end := startServe(t, file, "--listen", "127.0.0.1:0")
	defer end()
	args := []string{"pace", paceRequests(t, 2), "--out", filepath.Join(t.TempDir(), "responses.jsonl"), "--url", url, "--share", "1"}
	if status, out := transcript(t.Context(), args...); status != statusFailed || !strings.Contains(out, "SPILLWAY_TOKEN in the environment") {
		t.Errorf("without a token it ends with %d:\n%s", status, out)
	}
	t.Setenv(clientTokenVariable, "the-token-of-the-team")
	if status, out := transcript(t.Context(), append(args, "--retry-failed")...); status != statusOK || strings.Contains(out, clientTokenVariable) {
		t.Errorf("with its token it ends with %d:\n%s", status, out)
	}
}
