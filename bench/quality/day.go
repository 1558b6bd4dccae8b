package main

import (
	"math"
	"time"
	_ "time/tzdata" // the day of quotas is California's

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// rpd is the day's quota of the one project.
const rpd = 400

// dayQuota is a quota of the day over three days in California, of which the middle one begins or
// ends summer time, offered half as much again. The pool knows the quota if known is set.
func dayQuota(year int, month time.Month, middle int, known bool) func(draw) *trial {
	return func(d draw) *trial {
		pacific, err := time.LoadLocation("America/Los_Angeles")
		if err != nil {
			panic(err) // cannot be: the zone is compiled in
		}
		var midnights []time.Time
		for i := -1; i <= 2; i++ {
			midnights = append(midnights, time.Date(year, month, middle+i, 0, 0, 0, 0, pacific))
		}
		length := midnights[3].Sub(midnights[0])
		limit := geminitest.Limit{RPD: rpd, Paid: d.seed%2 == 0} // the free tier lies about when the day ends
		tr := &trial{start: midnights[0], baselines: everyBaseline}
		tr.google = google(d.seed, geminitest.Project{ID: "only", Keys: []string{"key"}, Limits: []geminitest.Limit{limit}})
		tr.pool.Projects = []pool.Project{{Name: "only", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key")}}}
		if known {
			tr.pool.Projects[0].Limits = []pool.Limit{{RPD: rpd}}
		}
		tr.doors = []door{{key: "key"}}
		tr.calls = arrivals{rate: 1.5 * rpd / (24 * 60 * 60), to: length, burst: d.burst, sizes: chat}.draw(d.rng(1))
		tr.oracle = func() []result { return make([]result, len(tr.calls)) }
		tr.judge = func(got, oracle []result) outcome {
			o := common(tr.calls, got, oracle, span{0, length})
			o[goodput], o[waitP50], o[waitP99] = math.NaN(), math.NaN(), math.NaN()
			o[dayUsed], o[probes] = 1, 0
			for i := range 3 {
				today := span{midnights[i].Sub(midnights[0]), midnights[i+1].Sub(midnights[0])}
				refused := 0.0
				for _, r := range got {
					for _, no := range r.refused {
						if today.has(no.at) {
							refused++
						}
					}
				}
				if !known { // the first one tells that the day is used up
					refused = max(refused-1, 0)
				}
				o[dayUsed] = min(o[dayUsed], servedIn(got, today)/rpd)
				o[probes] = max(o[probes], refused)
			}
			return o
		}
		return tr
	}
}
