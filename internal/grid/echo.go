package grid

import (
	"fmt"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// echo is a pool of one project, so that every answer of Google reaches a caller. It gives back the
// credential of each request.
type echo struct {
	fault  *fault
	make   func(name string) pool.Project
	stream bool
}

func canaries() (all []Case) {
	for _, f := range faults() {
		for i := range 4 {
			e := echo{fault: f, make: keyed, stream: i&1 == 1}
			backend := "gemini"
			if i&2 != 0 {
				e.make, backend = located("global"), "vertex"
			}
			name := fmt.Sprintf("echo/%s/%s/%s", f.name, backend, choose(e.stream, "stream", "unary"))
			all = append(all, Case{Group: "echo", Name: name, run: e.run})
		}
	}
	return all
}

func (e echo) run(t *testing.T) Outcome {
	t.Helper()
	var calls []*call
	breaks := func(q *query) *answer { return e.fault.answerOf(q, q.call.n) }
	s := setup{projects: []pool.Project{e.make("a")}, cfg: router.Config{MaxWait: -1}, rule: breaks, state: true}
	seen := s.play(t, func(w *world) {
		const n = 20
		calls = line(n, 7*time.Second, func(c *call) {
			c.deadline, c.stream, c.dialect = 2*time.Second, e.stream, w.router.Backend()
			c.body = prompt("Why dams?", search)
		})
		w.offer(calls)
	})
	o := Outcome{Calls: len(calls)}
	o.Leaks = seen.found()
	return o
}
