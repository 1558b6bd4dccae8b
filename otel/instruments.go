package otel

import (
	"context"

	api "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/router"
)

// Bounds of histograms that the conventions advise. Source:
// https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md.
var (
	durationBounds = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBounds    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// instruments record the metrics of calls.
type instruments struct {
	duration, firstChunk, waits metric.Float64Histogram
	tokens                      metric.Int64Histogram
	calls, attempts             metric.Int64Counter

	models, methods *observed.Names
}

func newInstruments(m metric.Meter) *instruments {
	i := &instruments{models: observed.Models(), methods: observed.Methods()}
	seconds := func(name, what string) metric.Float64Histogram {
		made, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what),
			metric.WithExplicitBucketBoundaries(durationBounds...))
		report(err)
		return made
	}
	counter := func(name, unit, what string) metric.Int64Counter {
		made, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		report(err)
		return made
	}
	i.duration = seconds("gen_ai.client.operation.duration", "GenAI operation duration.")
	i.firstChunk = seconds("gen_ai.client.operation.time_to_first_chunk", "Time to receive the first chunk.")
	i.waits = seconds("spillway.wait.duration", "Time that a call waited for endpoints, all attempts together.")
	var err error
	i.tokens, err = m.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"),
		metric.WithDescription("Number of input and output tokens used."), metric.WithExplicitBucketBoundaries(tokenBounds...))
	report(err)
	i.calls = counter("spillway.calls", "{call}", "Calls by their outcome.")
	i.attempts = counter("spillway.attempts", "{request}", "Requests to Google by what their answers mean.")
	return i
}

// report tells of an instrument that could not be made. The API gives one that does nothing.
func report(err error) {
	if err != nil {
		api.Handle(err)
	}
}

// attempt records one request to Google.
func (i *instruments) attempt(ctx context.Context, a *router.AttemptEnd) {
	i.attempts.Add(ctx, 1, metric.WithAttributes(append(endpoint(a.Endpoint),
		attribute.String("gen_ai.request.model", i.models.Of(observed.Text(a.Model), a.Outcome.Class == "ok")),
		attribute.String("spillway.class", string(a.Outcome.Class)))...))
}

// call records a call that has ended.
func (i *instruments) call(ctx context.Context, c *call, e *router.CallEnd, outcome observed.Outcome) {
	ok := outcome == observed.OK
	model := attribute.String("gen_ai.request.model", i.models.Of(observed.Text(e.Model), ok))
	counted := []attribute.KeyValue{model, attribute.String("spillway.outcome", string(outcome))}
	if e.Cache != "" {
		counted = append(counted, attribute.String("spillway.cache", string(e.Cache)))
	}
	i.calls.Add(ctx, 1, metric.WithAttributes(counted...))
	i.waits.Record(ctx, c.waited.Seconds(), metric.WithAttributes(model))
	common := []attribute.KeyValue{model, attribute.String("gen_ai.operation.name", i.methods.Of(operation(c.start.Method), ok))}
	if at := c.last.Endpoint; at != nil {
		common = append(common, server(at)...)
	}
	if ok {
		common = append(common, attribute.String("gen_ai.response.model", i.models.Of(c.responseModel(e), true)))
	} else {
		common = append(common, attribute.String("error.type", c.failure(e, outcome)))
	}
	set := metric.WithAttributeSet(attribute.NewSet(common...))
	i.duration.Record(ctx, e.At.Sub(e.Began).Seconds(), set)
	if !ok {
		return
	}
	if c.start.Stream && !c.last.FirstByte.IsZero() {
		i.firstChunk.Record(ctx, c.last.FirstByte.Sub(e.Began).Seconds(), set)
	}
	if o := &c.last.Outcome; o.Counted {
		i.usage(ctx, common, "input", o.Usage.Input)
		i.usage(ctx, common, "output", output(o))
	}
}

// usage records the tokens of one type.
func (i *instruments) usage(ctx context.Context, common []attribute.KeyValue, kind string, n int64) {
	i.tokens.Record(ctx, n, metric.WithAttributes(common...), metric.WithAttributes(attribute.String("gen_ai.token.type", kind)))
}
