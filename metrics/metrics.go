// Package metrics shows a router's state and calls as metrics of Prometheus.
//
// Metrics follow one router. They take what happens to calls from its trace, and everything else
// from a snapshot of the router, [router.Router.Stat], at each scrape:
//
//	m := metrics.New()
//	client, err := spillway.Open(ctx, "spillway.toml", router.WithTrace(m.Trace()))
//	prometheus.MustRegister(m.Collector(client.Router))
//
// Programs with more than one router wrap the registerer, see [prometheus.WrapRegistererWith].
//
// # Metrics
//
// All names begin with spillway_. Counters end in _total and count from the start of the router.
// Those of calls:
//
//	calls_total               by model, method and outcome: ok, refused (429, or another answer of
//	                          Google's while all keys and projects are out), caller_fault (another
//	                          4xx, or 504 by only-if-cached), error (5xx, none, or cut off) or
//	                          cancelled
//	label_calls_total         by label and outcome
//	label_tokens_total        by label, the traffic that served them, and kind
//	call_duration_seconds     until the response was read, by model
//	first_byte_seconds        until its first content, by model
//	wait_seconds              for endpoints, all attempts of a call together, by model
//
// Those of endpoints have the labels project, location, traffic (provisioned, on_demand or, at another
// service tier, on_demand_priority or on_demand_flex), model and method, which is "generate" for all
// methods that generate content:
//
//	attempts_total            by class, see [pool.Class]
//	tokens_total              by kind: input (not cached), cached, output (not thoughts), thoughts
//	calls_in_flight
//	endpoint_ready            1 if a call of the usual size could go there now
//	breaker_state             0 closed, 1 half open, 2 open
//	breaker_opens_total
//	downgraded_total          good answers of another service tier than the endpoint's
//	pace_requests_per_second  while Vertex AI's hidden capacity limits the endpoint
//
// Those of models, by model and method:
//
//	queued_calls              that wait for an endpoint now
//	exhausted_total           how often a call asked for an endpoint and got none
//	rerouted_attempts_total   answers of other models
//	rerouted_info             1, by served: the last of these
//
// Those of limits, by project, model, method and limit (rpm, tpm, rpd, concurrency), and of
// Provisioned Throughput orders, by project, location and model:
//
//	limit, limit_used, limit_used_ratio
//	order_capacity_tokens     in the enforcement window, at the order's burndown rates
//	order_used_tokens, order_used_ratio
//	                          these three are absent while the order is not in force
//	order_served_total        calls
//	order_refused_total       calls that the order refused
//	order_bypassed_total      calls that were sent for the order and served on demand
//	order_failed_total        answers with 5XX, by purchase: below or above what was bought
//	order_spilled_tokens_total
//	                          tokens served on demand that a larger order would have taken
//
// Those of the response cache, by the model and the namespace of each [[cache]] (or "" for calls that
// ask for it themselves). A hit counts in calls_total as well, and has no tokens and no attempt:
//
//	cache_hits_total, cache_misses_total
//	cache_entries, cache_bytes, cache_limit_bytes
//
// Those of the whole:
//
//	cooldown_active           1, by kind and subject of what is on cooldown, and class
//	cooldown_remaining_seconds
//	                          until it ends by itself; absent where only a probe ends it
//	retries_total, retries_refused_total
//	                          that the retry budget granted and refused
//	retry_budget              retries that it allows now
//	lookups_total             searches for the owner of a resource
//	store_up, store_members, store_lapsed_members, store_lag_seconds
//	                          with a store that replicas share
//	build_info                1, by version and goversion
//
// Labels are bounded. Model names are at most 1,000 models that have answered, or have limits or an
// order, and 100 others. Calls for further ones count as "other"; their endpoints show nothing. A key shows as a hash, and
// no other text of callers' shows but their labels, of which the router tells 1,000 apart.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway-go/spillway/router"
)

// Metrics are the metrics of one router. Create them with [New]. They are safe for concurrent use.
type Metrics struct{ calls calls }

// New returns metrics of which nothing has been counted.
func New() *Metrics { return &Metrics{newCalls()} }

// Trace returns what counts calls, for [router.WithTrace]. It makes no call wait, and costs about a
// microsecond a call. Calls that the router makes for others, to search and to list, do not count.
func (m *Metrics) Trace() *router.Trace { return m.calls.trace() }

// Collector returns the collector to register. It takes a snapshot of the router at each scrape,
// which holds up no call. A scrape takes about 0.1 ms for each endpoint of each model, so a second
// for 10,000 of them. A router that is closed can still be scraped.
func (m *Metrics) Collector(r *router.Router) prometheus.Collector {
	return collector{&m.calls, r.Stat}
}

// collector shows what was counted of calls, and the state of a router.
type collector struct {
	calls *calls
	stat  func() router.Stat
}

// Describe implements [prometheus.Collector].
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, vec := range c.calls.all() {
		vec.Describe(to)
	}
	for _, m := range described {
		to <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, vec := range c.calls.all() {
		vec.Collect(to)
	}
	stat := c.stat()
	bound(&stat, c.calls.models)
	snapshot{&stat, to}.collect()
}
