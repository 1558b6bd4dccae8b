package main

import (
	"fmt"
	"math"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// The quota of a project in the scenarios of minutes: at the mean size of a prompt both limits are
// about as far away, and the heavy tail of the sizes makes now this one and now that one hold.
const (
	projects = 10
	rpm      = 60
	tpm      = 180_000
)

// A tenth of the callers make almost half of the calls.
var tenCallers = []float64{0.46, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06}

// byBoth and byRequests are the limits of each project.
var (
	byBoth     = geminitest.Limit{RPM: rpm, TPM: tpm, Paid: true}
	byRequests = geminitest.Limit{RPM: rpm, Paid: true}
)

// minuteQuotas are ten projects of the Developer API with a quota of the minute, which the pool
// knows if known is set, at a multiple of what they take.
func minuteQuotas(limit geminitest.Limit, known bool, load float64) func(draw) *trial {
	return minuteQuotasOf(projects, limit, known, load, 10*time.Minute)
}

// minuteQuotasOf are as many projects with their limits, for a time after the first minutes.
func minuteQuotasOf(projects int, limit geminitest.Limit, known bool, load float64, length time.Duration) func(draw) *trial {
	perSecond := float64(projects*limit.RPM) / 60
	return func(d draw) *trial {
		tr := &trial{baselines: everyBaseline}
		var theirs []geminitest.Project
		for i := range projects {
			name, key := fmt.Sprintf("project-%d", i), fmt.Sprintf("key-%d", i)
			theirs = append(theirs, geminitest.Project{ID: name, Keys: []string{key}, Limits: []geminitest.Limit{limit}})
			p := pool.Project{Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret(key)}}
			if known {
				p.Limits = []pool.Limit{{RPM: int64(limit.RPM), TPM: int64(limit.TPM)}}
			}
			tr.pool.Projects = append(tr.pool.Projects, p)
			tr.doors = append(tr.doors, door{key: key})
		}
		tr.google = google(d.seed, theirs...)
		warm := 2 * time.Minute
		if !known {
			warm = time.Minute
		}
		length := warm + d.scaled(length)
		tr.calls = arrivals{rate: load * perSecond, to: length, burst: d.burst, callers: tenCallers, sizes: chat}.draw(d.rng(1))
		tr.oracle = func() []result { return fixedWindows(d.rng(2), tr.calls, projects, limit) }
		tr.judge = func(got, oracle []result) outcome { return common(tr.calls, got, oracle, span{warm, length}) }
		return tr
	}
}

// resetAfterExhaustion is one project whose minute is used up at one blow. Calls keep coming; from
// the moment on at which the first of the used-up requests is 60 s old, one may be served, and is
// waiting.
func resetAfterExhaustion(d draw) *trial {
	const (
		cycle = 4 * time.Minute
		calm  = 20 * time.Second // from the burst until calls come again
	)
	rng := d.rng(1)
	cycles := int(max(math.Round(8*d.length), 2))
	tr := &trial{baselines: everyBaseline}
	var streams [][]call
	for i := range cycles {
		at := time.Duration(i) * cycle
		streams = append(streams,
			arrivals{rate: 3 * rpm / 0.5, from: at, to: at + 500*time.Millisecond, sizes: chat}.draw(rng)[:rpm],
			arrivals{rate: 3, from: at + calm, to: at + 90*time.Second, sizes: chat}.draw(rng))
	}
	tr.calls = byTime(streams...)
	limit := geminitest.Limit{RPM: rpm, Paid: true}
	tr.google = google(d.seed, geminitest.Project{ID: "only", Keys: []string{"key"}, Limits: []geminitest.Limit{limit}})
	tr.pool.Projects = []pool.Project{{
		Name: "only", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key")}, Limits: []pool.Limit{{RPM: rpm}},
	}}
	tr.doors = []door{{key: "key"}}
	tr.oracle = func() []result { return fixedWindows(d.rng(2), tr.calls, 1, limit) }
	tr.judge = func(got, oracle []result) outcome {
		o := common(tr.calls, got, oracle, span{0, math.MaxInt64})
		o[goodput], o[waitP50], o[waitP99] = math.NaN(), math.NaN(), math.NaN()
		o[reset] = 0
		for i := range cycles {
			at := time.Duration(i) * cycle
			first, next := at+cycle, at+cycle
			for _, r := range got {
				if !r.served {
					continue
				}
				if r.sent >= at && r.sent < first {
					first = r.sent
				}
				if r.sent >= at+calm && r.sent < next {
					next = r.sent
				}
			}
			o[reset] = max(o[reset], (next - first - time.Minute).Seconds())
		}
		return o
	}
	return tr
}
