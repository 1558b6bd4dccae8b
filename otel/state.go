package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// state are the metrics of a router's state.
type state struct {
	queue, cooldowns                         metric.Int64ObservableGauge
	exhausted, rerouted, retries, notRetried metric.Int64ObservableCounter
	spilled, bypassed                        metric.Int64ObservableCounter
	limitUtilisation, orderUtilisation       metric.Float64ObservableGauge
	cache                                    caches
}

// Observe tells OpenTelemetry of the state of a router whenever its reader collects, until stop is
// called. A nil provider is the global one. It returns the error of the provider.
func Observe(mp metric.MeterProvider, r *router.Router) (stop func() error, err error) {
	m := meter(mp)
	s, err := newState(m)
	if err != nil {
		return nil, err
	}
	registered, err := m.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		stat := r.Stat()
		s.whole(to, &stat)
		s.limits(to, &stat)
		s.orders(to, &stat)
		s.cache.observe(to, stat.Caches)
		return nil
	}, append(s.cache.all(), s.queue, s.cooldowns, s.exhausted, s.rerouted, s.retries, s.notRetried, s.spilled, s.bypassed,
		s.limitUtilisation, s.orderUtilisation)...)
	if err != nil {
		return nil, err
	}
	return registered.Unregister, nil
}

func newState(m metric.Meter) (*state, error) {
	var problems []error
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		made, err := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		problems = append(problems, err)
		return made
	}
	ratio := func(name, what string) metric.Float64ObservableGauge {
		made, err := m.Float64ObservableGauge(name, metric.WithUnit("1"), metric.WithDescription(what))
		problems = append(problems, err)
		return made
	}
	counter := func(name, unit, what string) metric.Int64ObservableCounter {
		made, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		problems = append(problems, err)
		return made
	}
	s := &state{
		queue:            gauge("spillway.queue.length", "{call}", "Calls that wait for an endpoint now."),
		cooldowns:        gauge("spillway.cooldowns", "1", "What is on cooldown."),
		exhausted:        counter("spillway.exhausted", "{call}", "How often a call asked for an endpoint and got none."),
		rerouted:         counter("spillway.rerouted", "{request}", "Answers of other models than the one that was asked for."),
		retries:          counter("spillway.retries", "{request}", "Retries after a fault that the retry budget granted."),
		notRetried:       counter("spillway.retries.refused", "{request}", "Retries after a fault that the retry budget refused."),
		spilled:          counter("spillway.order.spilled_tokens", "{token}", "Tokens served on demand that a larger order would have taken."),
		bypassed:         counter("spillway.order.bypassed", "{call}", "Calls for the order that were served on demand."),
		limitUtilisation: ratio("spillway.limit.utilization", "Share of a limit that is used."),
		orderUtilisation: ratio("spillway.order.utilization", "Share of an order that is used."),
		cache: caches{
			hits:    counter("spillway.cache.hits", "{call}", "Calls that the response cache served."),
			misses:  counter("spillway.cache.misses", "{call}", "Calls of the response cache that made a request."),
			entries: gauge("spillway.cache.entries", "{response}", "Responses that are kept."),
			bytes:   gauge("spillway.cache.size", "By", "Memory of the responses that are kept."),
			limit:   gauge("spillway.cache.limit", "By", "Bound of that memory."),
		},
	}
	return s, errors.Join(problems...)
}

func attributes(kv ...string) metric.MeasurementOption {
	all := make([]attribute.KeyValue, 0, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		all = append(all, attribute.String(kv[i], observed.Text(kv[i+1])))
	}
	return metric.WithAttributes(all...)
}

func (s *state) whole(to metric.Observer, stat *router.Stat) {
	for i := range stat.Models {
		m := &stat.Models[i]
		of := attributes("gen_ai.request.model", m.Model, "spillway.method", observed.Account(m.Method))
		to.ObserveInt64(s.queue, m.Waiting, of)
		to.ObserveInt64(s.exhausted, m.ExhaustedCount, of)
		to.ObserveInt64(s.rerouted, m.ReroutedCount, of)
	}
	for subject, c := range stat.Cooldowns {
		to.ObserveInt64(s.cooldowns, 1, attributes("spillway.subject", subject, "spillway.class", string(c.Class)))
	}
	to.ObserveInt64(s.retries, stat.RetryCount)
	to.ObserveInt64(s.notRetried, stat.RetryRefusedCount)
}

// limits tells of each project's limits. Its locations share them: the value is the same.
func (s *state) limits(to metric.Observer, stat *router.Stat) {
	for i := range stat.Endpoints {
		e := &stat.Endpoints[i]
		if e.Quota == nil {
			continue
		}
		for name, d := range map[string]quota.Dimension{
			"rpm": e.Quota.Requests, "tpm": e.Quota.Tokens, "rpd": e.Quota.Day, "concurrency": e.Quota.Concurrency,
		} {
			if d.Limit > 0 {
				to.ObserveFloat64(s.limitUtilisation, float64(d.Used)/float64(d.Limit), attributes(
					"spillway.project", observed.PlaceOf(e.Endpoint).Project, "gen_ai.request.model", e.Model,
					"spillway.method", observed.Account(e.Method), "spillway.limit", name))
			}
		}
	}
}

// orders tells of each order once, whatever versions of its model were asked for: two values of a
// counter would be added up.
func (s *state) orders(to metric.Observer, stat *router.Stat) {
	seen := make(map[[2]string]bool)
	for i := range stat.Endpoints {
		e := &stat.Endpoints[i]
		id := [2]string{e.Endpoint, e.OrderModel}
		if e.Order == nil || seen[id] {
			continue
		}
		seen[id] = true
		at := observed.PlaceOf(e.Endpoint)
		of := attributes("spillway.project", at.Project, "spillway.location", at.Location, "gen_ai.request.model", e.OrderModel)
		if e.Order.Capacity > 0 && !e.OrderOut {
			to.ObserveFloat64(s.orderUtilisation, e.Order.Used/e.Order.Capacity, of)
		}
		to.ObserveInt64(s.spilled, e.SpilledTokenCount, of)
		to.ObserveInt64(s.bypassed, e.BypassedCount, of)
	}
}
