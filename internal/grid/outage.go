package grid

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// outage is a model that is broken in every project, with a stand-in that is well. The settings are
// the defaults.
type outage struct {
	fault    string
	answer   answer
	make     func(name string) pool.Project
	stream   bool
	deadline time.Duration
	well     time.Duration // before it breaks
	silent   bool
}

// fallbackAfter is the default of router.Config.
const fallbackAfter = time.Second

// outages are those by quick failures.
func outages() []Case {
	return everyOutage("outage", []outage{
		{fault: "503", answer: refused(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later.")},
		{fault: "reset"},
	}, 0)
}

// silences are those by silence, of a model that was used before and of one that never was.
func silences() []Case {
	kinds := []outage{
		{fault: "silence", answer: answer{silent: true}, silent: true},
		{fault: "stall after headers", answer: answer{status: http.StatusOK, stalls: true}, silent: true},
	}
	return append(everyOutage("outage by silence", kinds, time.Minute), everyOutage("outage by silence", kinds, 0)...)
}

func everyOutage(group string, kinds []outage, well time.Duration) (all []Case) {
	for _, o := range kinds {
		for _, backend := range []place{{name: "gemini", a: keyed}, {name: "vertex", a: located("global")}} {
			for _, stream := range []bool{false, true} {
				for _, deadline := range []time.Duration{2 * time.Second, 5 * time.Second, 0} {
					o.make, o.stream, o.deadline, o.well = backend.a, stream, deadline, well
					name := fmt.Sprintf("%s/%s/%s/%s/%s/%s", group, o.fault, backend.name, choose(stream, "stream", "unary"),
						choose(deadline > 0, deadline.String(), "no deadline"), choose(well > 0, "after a good minute", "from the start"))
					all = append(all, Case{Group: group, Name: name, run: o.run})
				}
			}
		}
	}
	return all
}

// suspicion is how long silence is not suspected.
func (s outage) suspicion() time.Duration {
	if s.well > 0 {
		return 4 * usualP95
	}
	const most = 10 * time.Second
	if s.deadline == 0 {
		return most
	}
	return min(s.deadline/2, most)
}

func (s outage) run(t *testing.T) Outcome {
	t.Helper()
	breaks := func(q *query) *answer {
		if q.model != model || q.at < s.well {
			return nil
		}
		a := s.answer
		a.events = q.stream
		return &a
	}
	before := int(s.well / between)
	var calls []*call
	var o Outcome
	cfg := router.Config{Fallbacks: []router.Fallback{{Model: model, To: []string{standIn}}}}
	settings := setup{projects: []pool.Project{s.make("a"), s.make("b")}, cfg: cfg, rule: breaks}
	seen := settings.play(t, func(w *world) {
		calls = line(before+callCount, between, func(c *call) {
			c.deadline, c.stream, c.dialect = s.deadline, s.stream, w.router.Backend()
		})
		w.offer(calls)
	})
	calls = calls[before:]
	o = judge(calls)
	most := fallbackAfter + s.suspicion()
	if !s.silent {
		most = 1500 * time.Millisecond
		o.wantFailed(calls[time.Second/between:], 0)
	}
	o.wantf(o.P95 < most, "p95 is %s, want under %v", Short(o.P95), most)
	o.Leaks = seen.found()
	return o
}
