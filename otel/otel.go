// Package otel tells a program's OpenTelemetry of the calls and the state of a router, by the
// conventions for generative AI. It uses OpenTelemetry's API alone: the program's own SDK decides
// what is kept, sampled and sent.
//
//	client, err := spillway.Open(ctx, "spillway.toml", router.WithTrace(otel.Trace(tp, mp)))
//	stop, err := otel.Observe(mp, client.Router)
//
// # Spans
//
// Each call has a span "{operation} {model}" of kind client, a child of the span in the call's
// context, with gen_ai.operation.name, gen_ai.provider.name, gen_ai.request.model,
// gen_ai.request.stream, gen_ai.response.model, gen_ai.response.time_to_first_chunk,
// gen_ai.usage.…, server.address, server.port, http.response.status_code and error.type, and with
// spillway.call.id (the response's header Spillway-Call), spillway.label, spillway.priority,
// spillway.attempts, spillway.wait.duration, spillway.outcome and, where there is a response cache for
// the call, spillway.cache, which is hit, miss or off. Each request to Google is a span
// "spillway.attempt" below it, with spillway.endpoint, spillway.project, spillway.location,
// spillway.traffic, spillway.attempt.number and spillway.class, see [pool.Class], and with
// spillway.served_by where other traffic than the endpoint's served it. An event
// "spillway.no_endpoint" says that none could be had. Requests that the router makes to search and
// to list are calls below the call that needs them.
//
// Prompts, responses and Google's messages are in no span. Keys never are.
//
// # Metrics
//
//	gen_ai.client.operation.duration             s
//	gen_ai.client.operation.time_to_first_chunk  s, of streams
//	gen_ai.client.token.usage                    {token}, by gen_ai.token.type
//	spillway.calls                               by model, outcome and what a response cache did
//	spillway.attempts                            by endpoint, model and class
//	spillway.wait.duration                       s, of a call for endpoints, all attempts together
//
// and, by [Observe]:
//
//	spillway.queue.length                        calls that wait now, by model
//	spillway.exhausted                           calls that got no endpoint, by model
//	spillway.rerouted                            answers of other models, by model
//	spillway.cooldowns                           1 for each subject on cooldown, by class
//	spillway.limit.utilization                   by project, model and limit
//	spillway.order.utilization                   by project, location and model
//	spillway.order.spilled_tokens                that a larger order would have taken
//	spillway.order.bypassed                      calls for the order that were served on demand
//	spillway.retries, spillway.retries.refused
//	spillway.cache.hits, spillway.cache.misses   calls, by the model and the namespace of a cache
//	spillway.cache.entries                       responses that are kept
//	spillway.cache.size, spillway.cache.limit    bytes that they take, and may take
//
// The router sees streams in pieces of its own, so there is no time per output chunk. Names of
// models are bounded: 1,000 that have answered and 100 that have not, then "other".
//
// The conventions are in development, and may change here with them. Source:
// https://github.com/open-telemetry/semantic-conventions-genai.
package otel

import (
	"context"
	"net/http"

	api "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spillway-go/spillway/router"
)

// scope names what makes the spans and metrics.
const scope = "github.com/spillway-go/spillway/otel"

// Option changes what [Trace] returns.
type Option interface{ apply(t *tracer) }

type optionFunc func(*tracer)

func (f optionFunc) apply(t *tracer) { f(t) }

// WithPropagator sends the context of each attempt's span to Google, in the headers that p writes,
// such as those of [propagation.TraceContext]. Absent or nil, no context goes out, also none that
// the caller's request has. Google's servers do not continue it; a proxy of your own may.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return optionFunc(func(t *tracer) { t.propagator = p })
}

// Trace returns what tells OpenTelemetry of each call, for [router.WithTrace]. A nil provider is the
// global one. Problems with a provider are told to OpenTelemetry's error handler, and leave out
// what they concern. It makes no call wait.
func Trace(tp trace.TracerProvider, mp metric.MeterProvider, opts ...Option) *router.Trace {
	if tp == nil {
		tp = api.GetTracerProvider()
	}
	t := &tracer{spans: tp.Tracer(scope), instruments: newInstruments(meter(mp))}
	for _, o := range opts {
		o.apply(t)
	}
	made := &router.Trace{
		CallStart: t.callStart, WaitEnd: t.waitEnd, AttemptStart: t.attemptStart, AttemptEnd: t.attemptEnd, CallEnd: t.callEnd,
	}
	if t.propagator != nil {
		made.Header = func(ctx context.Context, h http.Header) {
			if c := callOf(ctx); c != nil && c.attempt != nil {
				t.propagator.Inject(trace.ContextWithSpan(ctx, c.attempt), propagation.HeaderCarrier(h))
			}
		}
	}
	return made
}

// meter returns the meter of a provider, or of the global one.
func meter(mp metric.MeterProvider) metric.Meter {
	if mp == nil {
		mp = api.GetMeterProvider()
	}
	return mp.Meter(scope)
}
