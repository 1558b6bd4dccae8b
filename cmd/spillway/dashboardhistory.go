package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const (
	// sampleEvery is how often counts are taken for the page's plots, which show keptSamples of them:
	// half an hour.
	sampleEvery = 10 * time.Second
	keptSamples = 180
	// mostSampled is how many names a sample tells apart, and mostPlotted how many the page gets. The
	// rest is one sum, so that a thousand misspelt models are neither kept nor sent.
	mostSampled = 32
	mostPlotted = 8
)

// others is the name of the sum of the rest. No model or lane has it.
const others = ""

// history is what became of calls in the last half hour. Its zero value is empty.
type history struct {
	mu      sync.Mutex
	samples []sample            // the oldest first
	before  map[countKey]uint64 // the router's counts at the last sample
	count   int                 // samples taken since the start
}

// sample is what was counted between two moments.
type sample struct {
	at time.Time // the end
	counts
}

// counts are sums, by name. A lane is a project and a traffic.
type counts struct {
	served  map[string]uint64 // by lane
	turned  map[string]uint64 // by lane: attempts that Google refused or failed
	calls   map[string]uint64 // by model
	refused map[string]uint64 // by model: calls that got no endpoint
}

// countKey names a count of the router's. It counts from the start or, if the router has forgotten
// the model meanwhile, from the model's return.
type countKey struct{ model, method, endpoint, what string }

// run takes samples until ctx ends.
func (h *history) run(ctx context.Context, stat func() pool.Stat) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.add(stat())
		}
	}
}

// add takes a sample.
func (h *history) add(s pool.Stat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := make(map[countKey]uint64, len(h.before))
	since := func(k countKey, count int64) uint64 {
		is := uint64(max(count, 0))
		now[k] = is
		if was := h.before[k]; was <= is {
			return is - was
		}
		return is
	}
	sum := counts{map[string]uint64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		lane := laneOf(e.Endpoint)
		for class, n := range e.AttemptCounts {
			made := since(countKey{e.Model, e.Method, e.Endpoint, string(class)}, n)
			switch class {
			case pool.ClassOK:
				increase(sum.served, lane, made)
			case pool.ClassCallerFault, pool.ClassCancelled: // nobody's refusal
			default:
				increase(sum.turned, lane, made)
			}
		}
	}
	for i := range s.Models {
		m := &s.Models[i]
		name := visible(title(m.Model, m.Method), "")
		increase(sum.calls, name, since(countKey{m.Model, m.Method, "", "calls"}, m.CallCount))
		increase(sum.refused, name, since(countKey{m.Model, m.Method, "", "refused"}, m.RefusedCount))
	}
	sum = counts{limited(sum.served), limited(sum.turned), limited(sum.calls), limited(sum.refused)}
	h.before = now
	h.count++
	if len(h.samples) == keptSamples {
		h.samples = slices.Delete(h.samples, 0, 1)
	}
	h.samples = append(h.samples, sample{s.At, sum})
}

// taken returns how many samples were taken since the start.
func (h *history) taken() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// laneOf returns the project and the traffic of an endpoint, "project/location/traffic".
func laneOf(endpoint string) string {
	project, rest, _ := strings.Cut(endpoint, "/")
	return visible(project+" "+strings.ReplaceAll(rest[strings.LastIndexByte(rest, '/')+1:], "_", " "), "")
}

func increase(sums map[string]uint64, name string, n uint64) {
	if n > 0 {
		sums[name] += n
	}
}

// limited returns the largest counts, and the sum of the rest.
func limited(sums map[string]uint64) map[string]uint64 {
	if len(sums) <= mostSampled {
		return sums
	}
	few := make(map[string]uint64, mostSampled+1)
	for i, name := range largest(sums) {
		if i < mostSampled {
			few[name] = sums[name]
		} else {
			few[others] += sums[name]
		}
	}
	return few
}

// largest returns the names of counts, the largest first.
func largest[N int64 | uint64](sums map[string]N) []string {
	return slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
		return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b))
	})
}

// historySnapshot is the history as the page gets it. All counts are of the same samples.
type historySnapshot struct {
	Every   int         `json:"every"` // seconds between two samples
	At      []time.Time `json:"at"`    // the samples' ends, the oldest first
	Served  []series    `json:"served"`
	Turned  []series    `json:"turned"`
	Calls   []series    `json:"calls"`
	Refused []series    `json:"refused"`
}

// series are counts of one name. A name is "" for all others.
type series struct {
	Name   string   `json:"name"`
	Counts []uint64 `json:"counts"`
}

// snapshot returns the history. It shares nothing with h.
func (h *history) snapshot() historySnapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := historySnapshot{Every: int(sampleEvery / time.Second), At: make([]time.Time, len(h.samples))}
	for i := range h.samples {
		s.At[i] = h.samples[i].at.UTC()
	}
	s.Served = h.series(func(c *counts) map[string]uint64 { return c.served })
	s.Turned = h.series(func(c *counts) map[string]uint64 { return c.turned })
	s.Calls = h.series(func(c *counts) map[string]uint64 { return c.calls })
	s.Refused = h.series(func(c *counts) map[string]uint64 { return c.refused })
	return s
}

// series returns the series of the names with the largest sums, and of the others last. mu is held.
func (h *history) series(of func(*counts) map[string]uint64) []series {
	sums := map[string]uint64{}
	for i := range h.samples {
		for name, n := range of(&h.samples[i].counts) {
			sums[name] += n
		}
	}
	rest := sums[others] > 0
	delete(sums, others)
	names := largest(sums)
	if len(names) > mostPlotted {
		names, rest = names[:mostPlotted], true
	}
	all := make([]series, 0, mostPlotted+1)
	index := make(map[string]int, len(names))
	for i, name := range names {
		index[name] = i
		all = append(all, series{name, make([]uint64, len(h.samples))})
	}
	if rest {
		all = append(all, series{others, make([]uint64, len(h.samples))})
	}
	for at := range h.samples {
		for name, n := range of(&h.samples[at].counts) {
			i, ok := index[name]
			if !ok {
				i = len(names)
			}
			all[i].Counts[at] += n
		}
	}
	return all
}
