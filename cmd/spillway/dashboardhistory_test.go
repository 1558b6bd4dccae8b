package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

// counted returns the state of a router that has one endpoint for a model.
func counted(model, endpoint string, calls, refused int64, attempts map[pool.Class]int64) pool.Stat {
	return pool.Stat{
		At:        time.Now(),
		Models:    []pool.ModelStat{{Model: model, CallCount: calls, RefusedCount: refused}},
		Endpoints: []pool.EndpointStat{{Reason: pool.Reason{Endpoint: endpoint}, Model: model, AttemptCounts: attempts}},
	}
}

func TestHistoryCountsBetweenSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h history
		h.add(counted("flash", "main/eu/on_demand", 4, 1, map[pool.Class]int64{pool.ClassOK: 3, pool.ClassMinuteQuota: 2}))
		h.add(counted("flash", "main/eu/on_demand", 9, 1, map[pool.Class]int64{
			pool.ClassOK: 8, pool.ClassMinuteQuota: 2, pool.ClassContention: 1, pool.ClassCallerFault: 5, pool.ClassCancelled: 7,
		}))
		// The router has forgotten the model, and counts from its return.
		h.add(counted("flash", "main/eu/on_demand", 2, 2, map[pool.Class]int64{pool.ClassOK: 1}))
		h.add(counted("flash", "main/eu/on_demand", 2, 2, map[pool.Class]int64{pool.ClassOK: 1}))
		got, at := h.snapshot(), time.Now().UTC()
		want := historySnapshot{
			Every: 10, At: []time.Time{at, at, at, at},
			Served:  []series{{"main on demand", []uint64{3, 5, 1, 0}}},
			Turned:  []series{{"main on demand", []uint64{2, 1, 0, 0}}},
			Calls:   []series{{"flash", []uint64{4, 5, 2, 0}}},
			Refused: []series{{"flash", []uint64{1, 0, 1, 0}}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the history is (-want +got):\n%s", diff)
		}
	})
}

func TestHistoryKeepsHalfAnHourAndFewNames(t *testing.T) {
	var h history
	var total uint64
	for i := range keptSamples + 20 {
		var s pool.Stat
		s.At = time.Unix(int64(10*i), 0)
		for m := range 1000 { // other models each time
			s.Models = append(s.Models, pool.ModelStat{Model: fmt.Sprintf("model-%d-%d", i, m), CallCount: 1})
		}
		s.Models = append(s.Models, pool.ModelStat{Model: "most", CallCount: int64(100 * i)})
		h.add(s)
	}
	for i := range h.samples {
		if n := len(h.samples[i].calls); n > mostSampled+1 {
			t.Fatalf("sample %d has %d names", i, n)
		}
		for _, n := range h.samples[i].calls {
			total += n
		}
	}
	s := h.snapshot()
	if len(s.At) != keptSamples || !s.At[0].Equal(time.Unix(200, 0)) || len(s.Calls) != mostPlotted+1 || s.Calls[0].Name != "most" || s.Calls[mostPlotted].Name != others {
		t.Fatalf("it has %d samples from %s on, and %d series", len(s.At), s.At[0], len(s.Calls))
	}
	var plotted uint64
	for _, one := range s.Calls {
		for _, n := range one.Counts {
			plotted += n
		}
	}
	if want := uint64(keptSamples * 1100); plotted != total || total != want {
		t.Errorf("the plots have %d calls of %d, want %d", plotted, total, want)
	}
	if h.taken() != keptSamples+20 || len(h.before) != 2002 {
		t.Errorf("%d samples were taken, and %d counts are kept", h.taken(), len(h.before))
	}
}

// A page shows what a model or a project is called, whatever that is.
func TestHistoryWritesControlCharactersOut(t *testing.T) {
	var h history
	h.add(counted("fl\x1b[2Jash", "ma\u202ein/eu/on_demand", 1, 0, map[pool.Class]int64{pool.ClassOK: 1}))
	if s := h.snapshot(); s.Calls[0].Name != `fl\x1b[2Jash` || s.Served[0].Name != `ma\u202ein on demand` {
		t.Errorf("the names are %q and %q", s.Calls[0].Name, s.Served[0].Name)
	}
}
