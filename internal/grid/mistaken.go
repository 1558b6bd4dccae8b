package grid

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// muddle is a caller who makes mistakes of one kind while another makes none.
type muddle struct {
	kind     string
	make     func(name string) pool.Project
	projects int
	wait     time.Duration
}

const wrongCalls = 1000

func mistaken() (all []Case) {
	for _, kind := range []string{"method", "version", "path", "file", "tool", "body"} {
		for i := range 2 * 2 * 2 {
			m := muddle{kind: kind, make: keyed, projects: 1 + i&1}
			backend := "gemini"
			if i&2 != 0 {
				m.make, backend = located("global"), "vertex"
			}
			m.wait = []time.Duration{0, 10 * time.Second}[i>>2]
			name := fmt.Sprintf("wrong caller/%s/%s/%d projects/max_wait %v", kind, backend, m.projects, m.wait)
			all = append(all, Case{Group: "wrong caller: " + kind, Name: name, run: m.run})
		}
	}
	return all
}

// run plays the good calls alone, and then beside the wrong ones.
func (m muddle) run(t *testing.T) Outcome {
	t.Helper()
	alone, _ := m.play(t, 0)
	good, seen := m.play(t, wrongCalls)
	before, o := judge(alone), judge(good)
	o.wantFailed(good, 0)
	o.wantf(float64(o.P95) <= 1.1*float64(before.P95), "p95 is %s, and %s without the wrong calls", Short(o.P95), Short(before.P95))
	o.Leaks = seen.found()
	return o
}

// play returns the good calls of a world with so many wrong ones.
func (m muddle) play(t *testing.T, wrong int) ([]*call, *watch) {
	t.Helper()
	var projects []pool.Project
	for i := range m.projects {
		projects = append(projects, m.make(string(rune('a'+i))))
	}
	var good []*call
	cfg := router.Config{MaxWait: wait(m.wait)}
	rule := func(q *query) *answer {
		if q.call.mistake == nil {
			return nil
		}
		return &q.call.mistake.answer
	}
	seen := setup{projects: projects, cfg: cfg, rule: rule}.play(t, func(w *world) {
		dialect := w.router.Backend()
		good = line(callCount, between, func(c *call) { c.deadline, c.dialect = 30*time.Second, dialect })
		kinds := mistakes(m.kind, dialect)
		bad := line(wrong, callCount*between/wrongCalls, func(c *call) {
			c.deadline, c.dialect = 30*time.Second, dialect
			c.errs(&kinds[c.n%len(kinds)])
		})
		w.offer(merge(good, bad))
	})
	return good, seen
}

// errs makes it a wrong call. One in three is the same as the one before.
func (c *call) errs(m *mistake) {
	c.mistake, c.get = m, m.get
	if c.path = m.path; c.path != "" && !strings.HasPrefix(c.path, "/") {
		c.path = pathTo(c.dialect, "") + c.path
	}
	text := fmt.Sprintf("Why dam %d?", c.n)
	if c.n%3 == 0 {
		text = "Why dams?"
	}
	c.body = prompt(text, m.more)
	if m.whole != "" {
		c.body = m.whole
	}
}

// merge puts two lines of calls in the order of their times.
func merge(a, b []*call) []*call {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b *call) int { return cmp.Compare(a.at, b.at) })
	return all
}
