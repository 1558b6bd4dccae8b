package grid

import (
	"fmt"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// place is where the two projects are, and how clients speak.
type place struct {
	name string
	a, b func(name string) pool.Project
}

// places are both back ends, with B at the same place and at another.
func places() []place {
	global, us, eu := located("global"), located("us-central1"), located("europe-west4")
	return []place{
		{"gemini", keyed, keyed},
		{"gemini, B on vertex", keyed, global},
		{"vertex", global, global},
		{"vertex, two regions", us, eu},
		{"vertex, A global", global, eu}, // which is preferred
		{"vertex, B on gemini", global, keyed},
	}
}

// cell is a cell of the grid.
type cell struct {
	fault    *fault
	place    place
	last     bool // A comes after B in the file
	wait     time.Duration
	stream   bool
	differ   bool // the prompts
	deadline time.Duration
	variant  int // of the answer
	state    bool
}

// cells is the grid.
func cells() (all []Case) {
	n := 0
	for _, f := range faults() {
		for i := range 6 * 2 * 3 * 2 * 2 * 2 {
			c := &cell{fault: f}
			digit := func(of int) int { d := i % of; i /= of; return d }
			c.deadline = []time.Duration{2 * time.Second, 30 * time.Second}[digit(2)]
			c.differ, c.stream = digit(2) == 1, digit(2) == 1
			c.wait = []time.Duration{0, time.Second, 10 * time.Second}[digit(3)]
			c.last = digit(2) == 1
			c.place = places()[digit(6)]
			n++
			c.variant = int(uint32(n) * 2654435761 >> 16)
			c.state = c.variant%16 == 0 // files take long
			all = append(all, Case{Group: f.name, Name: c.name(), run: c.run})
		}
	}
	return all
}

func choose(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func (c *cell) name() string {
	return fmt.Sprintf("%s/%s/A %s/max_wait %v/%s/%s prompts/%v", c.fault.name, c.place.name, choose(c.last, "last", "first"), c.wait,
		choose(c.stream, "stream", "unary"), choose(c.differ, "differing", "equal"), c.deadline)
}

// projects are A and B in the order of the file.
func (c *cell) projects() []pool.Project {
	a, b := c.place.a("a"), c.place.b("b")
	if c.last {
		return []pool.Project{b, a}
	}
	return []pool.Project{a, b}
}

func (c *cell) breaks(q *query) *answer {
	if q.project != "a" || c.fault.answers(q.backend) == nil || c.fault.tool && !usesTool(q) {
		return nil
	}
	return c.fault.answerOf(q, c.variant)
}

func (c *cell) calls(dialect pool.Backend) []*call {
	return line(callCount, between, func(k *call) {
		k.deadline, k.stream, k.dialect = c.deadline, c.stream, dialect
		text, more := "Why dams?", ""
		if c.differ {
			text = fmt.Sprintf("Why dam %d?", k.n)
		}
		if c.fault.tool && k.n%2 == 0 {
			more = search
		}
		k.body = prompt(text, more)
	})
}

// run plays the cell.
func (c *cell) run(t *testing.T) Outcome {
	var calls []*call
	var o Outcome
	s := setup{projects: c.projects(), cfg: router.Config{MaxWait: wait(c.wait)}, rule: c.breaks, state: c.state}
	seen := s.play(t, func(w *world) {
		calls = c.calls(w.router.Backend())
		w.offer(calls)
		o = judge(calls)
		o.Requests, o.ToA = w.google.requests, w.google.toA
		c.bounds(&o, calls, w.google.wellA)
	})
	o.Leaks = seen.found()
	return o
}

// bounds are what the cell has to hold.
func (c *cell) bounds(o *Outcome, calls []*call, wellA int) {
	most := 0.005
	if c.fault.stall && c.deadline == 2*time.Second {
		most = 0.02
	}
	o.wantFailed(calls, most)
	a := c.place.a("a")
	if rare := c.fault.atLeast(a.Backend); rare > 0 {
		most := int((callCount*between-warmUp)/rare) + 1
		o.wantf(o.ToA <= most, "%d requests to A after %v, want at most %d: one in %v", o.ToA, warmUp, most, rare)
	} else {
		o.wantf(o.ShareToA() <= 0.05, "%d of %d requests to A after %v, want at most 5 %%", o.ToA, o.Requests, warmUp)
	}
	if c.fault.tool && c.place.name != "vertex, B on gemini" && c.place.name != "gemini, B on vertex" {
		plain := (callCount - int(warmUp/between)) / 2
		o.wantf(wellA*10 >= plain, "A served %d of the %d calls without a tool, want a tenth or more", wellA, plain)
	}
}

// search is the tool of which the quota is used up.
const search = `,"tools":[{"googleSearch":{}}]`
