package router

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// tokenLog tells once when there are no access tokens for a project for a while, and once when they
// are back. Such a failure passes, puts nothing on cooldown, and would be told by nobody else.
type tokenLog struct {
	log *slog.Logger

	some    atomic.Bool // of missing is not empty: what every call looks at
	mu      sync.Mutex
	missing map[string]bool // by project
}

// failed notes that there was no token for a project.
func (t *tokenLog) failed(project string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.missing[project] {
		return
	}
	if t.missing == nil {
		t.missing = make(map[string]bool)
	}
	t.missing[project] = true
	t.some.Store(true)
	t.log.Warn("spillway: no access token for now; calls try again, and go elsewhere meanwhile",
		slog.String("project", project), slog.String("error", shortened(err.Error())))
}

// had notes that there was a token for a project.
func (t *tokenLog) had(project string) {
	if !t.some.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.missing[project] {
		return
	}
	delete(t.missing, project)
	t.some.Store(len(t.missing) > 0)
	t.log.Info("spillway: access tokens are back", slog.String("project", project))
}

// shortened bounds the text of another program in the log.
func shortened(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
