package grid

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// flicker is a fault of one request in fifty: of A's, or of everybody's.
type flicker struct {
	fault  string
	answer answer
	place  place
	wait   time.Duration
	stream bool
	of     string // project; empty: all
}

const (
	flickerShare    = 0.02
	flickerCalls    = 3000
	flickerDeadline = time.Second
)

func flickers() (all []Case) {
	kinds := []flicker{
		{fault: "503", answer: refused(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later.")},
		{fault: "reset"},
		{fault: "error before content", answer: answer{
			status: http.StatusOK, body: errorBody(http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable."),
		}},
	}
	both := []place{{name: "gemini", a: keyed}, {name: "vertex", a: located("global")}}
	for _, f := range kinds {
		for i := range 2 * 3 * 2 * 2 {
			f.stream, f.of = i&1 == 1, choose(i&2 == 0, "a", "")
			f.place = both[i>>2&1]
			f.wait = []time.Duration{0, time.Second, 10 * time.Second}[i>>3]
			name := fmt.Sprintf("flicker/%s of %s/%s/max_wait %v/%s", f.fault, choose(f.of == "a", "A", "everybody"), f.place.name,
				f.wait, choose(f.stream, "stream", "unary"))
			all = append(all, Case{Group: "flicker of " + choose(f.of == "a", "A", "everybody"), Name: name, run: f.run})
		}
	}
	return all
}

// breaks fails after the time that an answer takes to begin.
func (f flicker) breaks(q *query) *answer {
	if f.of != "" && q.project != f.of || q.draw(2).Float64() >= flickerShare {
		return nil
	}
	a := f.answer
	a.after = q.usual()
	if a.events = q.stream; q.stream && a.status == http.StatusOK {
		a.body = "data: " + a.body + "\r\n\r\n"
	}
	q.call.fault(a.after)
	return &a
}

func (f flicker) run(t *testing.T) Outcome {
	t.Helper()
	var calls []*call
	cfg := router.Config{MaxWait: wait(f.wait)}
	projects := []pool.Project{f.place.a("a"), f.place.a("b")}
	seen := setup{projects: projects, cfg: cfg, rule: f.breaks}.play(t, func(w *world) {
		calls = line(flickerCalls, between, func(c *call) {
			c.deadline, c.stream, c.dialect = flickerDeadline, f.stream, w.router.Backend()
			c.body = prompt(fmt.Sprintf("Why dam %d?", c.n), "")
		})
		w.offer(calls)
	})
	o := judge(calls)
	o.wantFailed(calls, map[bool]float64{true: 0, false: 0.001}[f.of == "a"])
	var added []time.Duration
	for _, c := range calls {
		if c.faults > 0 && c.failed == "" {
			added = append(added, c.took-c.faults-c.sound)
		}
	}
	o.wantf(len(added) > 0, "no call met the fault and was served")
	const most = 20 * time.Millisecond
	extra := quantile(added, 0.5)
	o.wantf(extra < most, "a fault adds %s in the median beyond its attempt, want under %v", Short(extra), most)
	o.Leaks = seen.found()
	return o
}
