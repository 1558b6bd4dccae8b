package grid

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// world is a router over a google, within a bubble.
type world struct {
	google   *google
	router   *router.Router
	start    time.Time
	canaries *watch
}

// setup is what a world is made of.
type setup struct {
	projects  []pool.Project
	locations []string // that may be used; nil: all
	cfg       router.Config
	rule      rule
	state     bool // keep a state file
}

// play makes a world in a bubble of its own, and looks for canaries in its log, state and status
// once f has returned.
func (s setup) play(t *testing.T, f func(w *world)) *watch {
	t.Helper()
	seen := &watch{}
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if s.state {
			s.cfg.State = filepath.Join(t.TempDir(), "state")
		}
		w := &world{start: time.Now(), canaries: seen}
		w.google = &google{start: w.start, rule: s.rule}
		r, err := router.New(pool.Config{Projects: s.projects, Locations: s.locations}, s.cfg, router.WithTransport(w.google), router.WithLogger(logger))
		if err != nil {
			t.Fatal(err)
		}
		w.router = r
		f(w)
		status, err := json.Marshal(any(r.Stat()))
		if err != nil {
			t.Fatal(err)
		}
		seen.look("status", string(status))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		seen.look("log", log.String())
		if s.state {
			saved, err := os.ReadFile(s.cfg.State)
			if err != nil {
				t.Fatal(err)
			}
			seen.look("state", string(saved))
		}
	})
	return seen
}

// wait is a time to wait as router.Config wants it, where zero means the default.
func wait(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
