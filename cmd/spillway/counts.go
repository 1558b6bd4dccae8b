package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// modelSnapshot is what became of the calls for one model since the sidecar started.
type modelSnapshot struct {
	Model   string `json:"model"`
	Method  string `json:"method,omitempty"` // absent: it generates
	Calls   int64  `json:"calls"`
	Refused int64  `json:"refused"` // that got no endpoint in time
	Waits   int64  `json:"waits"`   // for an endpoint
	Waited  string `json:"waited"`  // all of them together
	Waiting int64  `json:"waiting"` // calls, now
}

func modelsOf(stats []pool.ModelStat) []modelSnapshot {
	models := make([]modelSnapshot, len(stats))
	for i, m := range stats {
		models[i] = modelSnapshot{
			m.Model, m.Method, m.CallCount, m.RefusedCount, m.WaitCount, m.WaitDuration.Round(time.Millisecond).String(), m.Waiting,
		}
	}
	return models
}

// attemptsOf returns how many attempts at an endpoint ended in which class.
func attemptsOf(counts map[pool.Class]int64) map[string]int64 {
	if len(counts) == 0 {
		return nil
	}
	attempts := make(map[string]int64, len(counts))
	for class, n := range counts {
		attempts[string(class)] = n
	}
	return attempts
}

// counts lists what became of calls and attempts since the start, a row a line.
func (s snapshot) counts() string {
	var b strings.Builder
	writef(&b, "SINCE THE START\tCALLS\tREFUSED\tWAITS\tWAITING NOW\tATTEMPTS\n")
	for _, m := range s.Models {
		writef(&b, "%s\t%s\t%s\t%s\t%s\t\n", title(m.Model, m.Method), plain.Number(m.Calls), plain.Number(m.Refused),
			plain.Number(m.Waits), plain.Number(m.Waiting))
		for _, e := range s.Endpoints {
			if e.Model == m.Model && e.Method == m.Method && len(e.Attempts) > 0 {
				writef(&b, "  %s\t\t\t\t\t%s\n", e.Endpoint, tally(e.Attempts))
			}
		}
	}
	return b.String()
}

// tally lists counts, good ones first, then the most frequent: "1,203 ok, 17 contention".
func tally(counts map[string]int64) string {
	classes := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, class := range classes {
		classes[i] = plain.Number(counts[class]) + " " + class
	}
	return strings.Join(classes, ", ")
}

func rank(class string) int {
	if class == string(pool.ClassOK) {
		return 0
	}
	return 1
}
