package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// fleet is how the calls of a trial are spread over replicas, and over what these share.
type fleet struct {
	replicas int
	latency  time.Duration // of the store
	skewed   bool          // four calls in five go to a fifth of the replicas
	clocks   time.Duration // by which every second replica's clock is wrong: half of these are ahead, half behind
}

// wrong is how far the clock of a replica is ahead.
func (f *fleet) wrong(replica int) time.Duration {
	return []time.Duration{0, f.clocks, 0, -f.clocks}[replica%4]
}

// seeds is how many of so many seeds the fleet is run for. Many replicas take long: with a store far
// away they have none if there are few.
func (f *fleet) seeds(of uint64) uint64 {
	switch {
	case f.replicas >= 16 && f.latency == slowStore:
		return of / 4
	case f.replicas > 16:
		return (of + 3) / 4
	default:
		return (of + 1) / 2
	}
}

// replicated lets a fleet have the calls of a trial. Beside what the trial measures, it measures what
// projects were sent in a minute. The baselines have no store, and nothing that happens to one.
func replicated(make func(d draw) *trial, f fleet) func(draw) *trial {
	return func(d draw) *trial {
		if d.of = f.seeds(d.of); d.seed > d.of {
			return nil
		}
		tr := make(d)
		tr.fleet = &f
		if tr.baselines != nil {
			tr.baselines = fleetBaselines
		}
		if f.clocks != 0 || f.latency != nearStore {
			tr.baselines = nil
		}
		judge := tr.judge
		tr.judge = func(got, oracle []result) outcome {
			o := judge(got, oracle)
			o[broken] = 0
			for _, r := range got {
				if r.broken {
					o[broken]++
				}
			}
			if limits := tr.pool.Projects[0].Limits; limits != nil && limits[0].RPM > 0 {
				o[most] = mostInAMinute(got, math.MinInt64) / float64(limits[0].RPM)
			}
			return o
		}
		return tr
	}
}

// mostInAMinute is the most requests that reached one project in any 60 s that begin after a time,
// whether Google served them or not.
func mostInAMinute(got []result, after time.Duration) float64 {
	sent := map[string][]time.Duration{}
	note := func(key string, at time.Duration) {
		if at >= after {
			sent[key] = append(sent[key], at)
		}
	}
	for _, r := range got {
		if r.served {
			note(r.key, r.sent)
		}
		for _, f := range r.refused {
			note(f.key, f.at)
		}
	}
	most := 0
	for _, at := range sent {
		slices.Sort(at)
		from := 0
		for i := range at {
			for at[from] <= at[i]-time.Minute {
				from++
			}
			most = max(most, i-from+1)
		}
	}
	return float64(most)
}

// How far away the store is.
const (
	nearStore = time.Millisecond
	slowStore = 20 * time.Millisecond
)

// fleetSizes are how many replicas the rows have.
func fleetSizes() []int { return []int{1, 4, 16, 64} }

// fleetScenarios are the rows of fleets.
func fleetScenarios() (all []scenario) {
	for _, latency := range []time.Duration{nearStore, slowStore} {
		for _, n := range fleetSizes() {
			f := fleet{replicas: n, latency: latency}
			all = append(all, steadyRows(f)...)
			all = append(all, troubledRows(f)...)
		}
		few := fleet{replicas: 10, latency: latency}
		all = append(all, few.row("rpm5", "one project of 5 RPM, 1.5×", lowQuota, figure{goodput, 0.98}, figure{wasted, 0}, figure{most, 1}))
	}
	return all
}

// row is a scenario of the fleet.
func (f fleet) row(name, about string, trial func(draw) *trial, figures ...figure) scenario {
	full := fmt.Sprintf("fleet-%s-%d", name, f.replicas)
	if f.latency == slowStore {
		full += "-20ms"
	}
	return scenario{
		name: full, about: fmt.Sprintf("%s, %d replicas, a store %v away", about, f.replicas, f.latency), figures: append(figures, figure{broken, 0}),
		trial: replicated(trial, f),
	}
}

// steadyRows are the scenarios of a fleet to which nothing happens.
func steadyRows(f fleet) []scenario {
	known := []figure{{goodput, 0.99}, {wasted, 0.001}, {most, 1}, {operations, 500}}
	skewed := f
	skewed.skewed = true
	wrong := f
	wrong.clocks = 30 * time.Second
	rows := []scenario{
		f.row("known", "known RPM of 10 projects, 1.5×", minuteQuotas(byRequests, true, 1.5), known...),
		f.row("known-tpm", "known RPM and TPM", minuteQuotas(byBoth, true, 1.5), figure{goodput, 0.98}, figure{wasted, 0.005}, figure{most, 1}),
		f.row("learned", "unknown RPM and TPM, 1.2×", minuteQuotas(byBoth, false, 1.2), figure{goodput, 0.95}, figure{wasted, 0.02}),
	}
	for _, o := range []struct {
		gsus         int
		length       time.Duration
		used, atMost float64
	}{{1, time.Hour, 0.98, 0.012}, {10, 20 * time.Minute, 0.98, 0.01}, {100, 10 * time.Minute, 0.96, 0.011}} {
		rows = append(rows, f.row(fmt.Sprintf("order-%d", o.gsus), fmt.Sprintf("one order of %d GSU, 2×", o.gsus),
			orders(1, o.gsus, 2, o.length, 0), figure{goodput, o.used}, figure{refusedByPT, o.atMost}))
	}
	rows = append(rows,
		f.row("hidden-30ms", "hidden capacity, 2×, refusals after 30 ms", steadyCapacity(30*time.Millisecond), figure{goodput, 0.975}, figure{wasted, 0.10}),
		f.row("hidden-200ms", "the same, after 200 ms", steadyCapacity(200*time.Millisecond), figure{goodput, 0.96}, figure{wasted, 0.15}),
		f.row("dead", "a key of 10 dies", deadKey, figure{dead, 3}, figure{probesAtOnce, 1}))
	if f.replicas > 1 {
		rows = append(rows,
			skewed.row("skewed", "known RPM, 80 % of the calls at 20 % of the replicas", minuteQuotas(byRequests, true, 1.5), known...),
			wrong.row("clocks", "known RPM, clocks 30 s off", minuteQuotas(byRequests, true, 1.5),
				figure{goodput, 0.99}, figure{wasted, 0.001}, figure{most, 1.05}))
	}
	return rows
}

// lowQuota is one project that takes five requests a minute, beside one router.
func lowQuota(d draw) *trial {
	tr := minuteQuotasOf(1, geminitest.Limit{RPM: 5, Paid: true}, true, 1.5, time.Hour)(d)
	tr.oracle, tr.beside = nil, oneRouter
	return tr
}
