package main

import (
	"math"
	"slices"
	"time"
)

// measure is one thing that the experiment finds out about a run.
type measure int

const (
	goodput  measure = iota // calls served, or tokens of an order used, as a share of the oracle's
	wasted                  // refusals per call served
	attempts                // requests per call served
	waitP50                 // seconds that a call that was served spent elsewhere than in the attempt that served it
	waitP99
	jain         // fairness: of the shares of their calls that callers were served
	recovery     // seconds from a step up in capacity until 85 % of the oracle's rate
	late         // the share of the last quarter's goodput
	refusedByPT  // refusals by orders, as a share of the calls
	spilled      // calls that an order did not get although asking it first would have had them served, as a share of the calls
	dayUsed      // of the worst day: calls served as a share of the day's quota
	probes       // of the worst day: refusals after the first
	reset        // seconds from the end of a minute's quota until the next call is served
	most         // requests that one project was sent in any 60 s, of its quota of the minute
	mostAfter    // the same, from a minute after a fault on
	during       // calls served while a fault lasted, of what the quotas take in that time
	after        // calls served after it, of what the quotas take in that time
	broken       // calls that ended in an error that is neither an answer nor a 429
	dead         // requests with a dead key, until they are probes
	probesAtOnce // most probes of it in any ten seconds
	operations   // of the store, a second
	measures
)

// outcome is what one run came to. What was not measured is NaN.
type outcome [measures]float64

// more says that a measure is better when it is greater.
func (m measure) more() bool {
	return m == goodput || m == jain || m == late || m == dayUsed || m == during || m == after
}

// always says that the worst seed has to reach a figure, and not the median.
func (m measure) always() bool {
	return m == most || m == mostAfter || m == broken || m == dead
}

func (m measure) String() string {
	return [...]string{
		"goodput", "wasted", "attempts", "wait p50", "wait p99", "Jain", "85 % after step up", "last quarter", "refused by order", "spilled needlessly",
		"day used", "probes", "serving again",
		"most in 60 s", "most after", "during", "after", "errors", "with a dead key", "probes at once", "operations/s",
	}[m]
}

// figure is what a measure has to be.
type figure struct {
	measure
	limit float64
}

func (f figure) holds(v float64) bool {
	if f.more() {
		return v >= f.limit
	}
	return v <= f.limit
}

// nothing is an outcome of which nothing is known.
func nothing() outcome {
	var o outcome
	for i := range o {
		o[i] = math.NaN()
	}
	return o
}

// span is a part of the experiment.
type span struct{ from, to time.Duration }

func (s span) has(t time.Duration) bool { return s.from <= t && t < s.to }

// servedIn counts calls whose serving began within the span.
func servedIn(results []result, in span) float64 {
	n := 0.0
	for _, r := range results {
		if r.served && in.has(r.sent) {
			n++
		}
	}
	return n
}

// common measures what is asked of every run: goodput within the span, waste over all of it.
func common(calls []call, got, oracle []result, in span) outcome {
	o := nothing()
	o[goodput] = servedIn(got, in) / servedIn(oracle, in)
	var served, refused, tried float64
	var waits []float64
	for _, r := range got {
		refused += float64(len(r.refused))
		tried += float64(r.attempts)
		if !r.served {
			continue
		}
		served++
		if in.has(r.sent) {
			waits = append(waits, (r.took - r.own).Seconds())
		}
	}
	o[wasted], o[attempts] = refused/served, tried/served
	o[waitP50], o[waitP99] = quantile(waits, 0.5), quantile(waits, 0.99)
	o[jain] = fairness(calls, got, in)
	return o
}

// fairness is Jain's index over callers of the share of their calls that was served: 1 if all are
// treated alike.
func fairness(calls []call, got []result, in span) float64 {
	offered, served := map[int]float64{}, map[int]float64{}
	for i, c := range calls {
		if in.has(c.at) {
			offered[c.caller]++
			if got[i].served {
				served[c.caller]++
			}
		}
	}
	if len(offered) < 2 {
		return math.NaN()
	}
	var sum, squares float64
	for caller, n := range offered {
		share := served[caller] / n
		sum += share
		squares += share * share
	}
	return sum * sum / (float64(len(offered)) * squares)
}

// recoveries is the mean time, after each moment at which capacity rose by half or more, until
// within one second 85 % of what the oracle served in it was served. A rise that ends before is
// left out, unless it lasted ten seconds.
func recoveries(got, oracle []result, rises []span) float64 {
	const look, window, longest = 250 * time.Millisecond, time.Second, 10 * time.Second
	var sum, n float64
	for _, rise := range rises {
		found := false
		for end := rise.from + window; end <= rise.to && !found; end += look {
			in := span{end - window, end}
			if servedIn(got, in) >= 0.85*servedIn(oracle, in) {
				sum, n, found = sum+(end-window-rise.from).Seconds(), n+1, true
			}
		}
		if !found && rise.to-rise.from >= longest {
			sum, n = sum+(rise.to-rise.from).Seconds(), n+1
		}
	}
	return sum / n
}

// quantile returns the smallest value that so large a share does not exceed.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// median and worst of what several seeds came to.
func median(m measure, outcomes []outcome) float64 { return quantile(known(m, outcomes), 0.4999) }

func worst(m measure, outcomes []outcome) float64 {
	values := known(m, outcomes)
	switch {
	case len(values) == 0:
		return math.NaN()
	case m.more():
		return slices.Min(values)
	default:
		return slices.Max(values)
	}
}

func known(m measure, outcomes []outcome) []float64 {
	var values []float64
	for _, o := range outcomes {
		if !math.IsNaN(o[m]) {
			values = append(values, o[m])
		}
	}
	return values
}
