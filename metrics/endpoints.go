package metrics

import (
	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/pool"
)

// The metrics of endpoints as they stand for one model.
var (
	attempts     = counter("attempts_total", "Requests to Google by what their answers mean.", endpointLabels("class")...)
	tokens       = counter("tokens_total", "Tokens that Google counted, each under one kind.", endpointLabels("kind")...)
	inFlight     = gauge("calls_in_flight", "Calls under way.", endpointLabels()...)
	ready        = gauge("endpoint_ready", "Whether a call of the usual size could go there now.", endpointLabels()...)
	breakerState = gauge("breaker_state", "Circuit breaker: 0 closed, 1 half open, 2 open.", endpointLabels()...)
	breakerOpens = counter("breaker_opens_total", "How often the circuit breaker opened.", endpointLabels()...)
	downgraded   = counter("downgraded_total", "Good answers of another service tier than the endpoint's.", endpointLabels()...)
	pace         = gauge("pace_requests_per_second", "Pace that hidden capacity allows.", endpointLabels()...)
)

func endpointLabels(more ...string) []string {
	return append([]string{"project", "location", "traffic", "model", "method"}, more...)
}

// states are the values of breakerState.
var states = map[breaker.State]float64{breaker.StateClosed: 0, breaker.StateHalfOpen: 1, breaker.StateOpen: 2}

func (s snapshot) endpoints() {
	type series struct {
		observed.Place
		model, method string
	}
	seen := make(map[series]bool, len(s.stat.Endpoints))
	for i := range s.stat.Endpoints {
		e := &s.stat.Endpoints[i]
		of := series{observed.PlaceOf(e.Endpoint), observed.Text(e.Model), observed.Account(e.Method)}
		if seen[of] { // one name twice would fail the whole scrape
			continue
		}
		seen[of] = true
		send := func(m metric, v float64, more ...string) {
			s.send(m, v, append([]string{of.Project, of.Location, of.Traffic, of.model, of.method}, more...)...)
		}
		for class, n := range e.AttemptCounts {
			send(attempts, float64(n), string(class))
		}
		for _, k := range kindsOf(e.TokenCounts) {
			if k.tokens > 0 {
				send(tokens, float64(k.tokens), k.name)
			}
		}
		send(inFlight, float64(e.Calls))
		send(ready, truth(e.Why == ""))
		send(breakerState, states[e.Breaker.State])
		send(breakerOpens, float64(e.Breaker.OpenCount))
		if e.DowngradedCount > 0 {
			send(downgraded, float64(e.DowngradedCount))
		}
		if e.Pacing != nil && e.Pacing.Limited {
			send(pace, e.Pacing.Rate)
		}
	}
}

// kind is a kind of tokens.
type kind struct {
	name   string
	tokens int64
}

// kindsOf returns tokens by kind, each token under one.
func kindsOf(t pool.TokenCounts) [4]kind {
	return [...]kind{
		{"input", t.Input - t.Cached}, {"cached", t.Cached}, {"output", t.Output - t.Thoughts}, {"thoughts", t.Thoughts},
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
