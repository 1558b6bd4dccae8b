package otel

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// tracer makes the spans of calls, and records their metrics.
type tracer struct {
	spans       trace.Tracer
	instruments *instruments
	propagator  propagation.TextMapPropagator
}

// call is what is kept of one call until it ends.
type call struct {
	span, attempt trace.Span
	start         router.CallStart
	nested        bool // the router makes it for another
	waited        time.Duration
	last          router.AttemptEnd
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// operations are the names that the conventions have for methods. Others keep Google's name.
var operations = map[string]string{
	"generateContent": "generate_content", "streamGenerateContent": "generate_content", "bidiGenerateContent": "generate_content",
	"embedContent": "embeddings", "batchEmbedContents": "embeddings",
	"openai.chat": "chat", "openai.embeddings": "embeddings",
}

// operation names what a call does.
func operation(method string) string {
	if name := operations[method]; name != "" {
		return name
	}
	if method == "" {
		return "call"
	}
	return observed.Text(method)
}

// providers are the conventions' names of the back ends.
var providers = map[pool.Backend]string{pool.BackendGemini: "gcp.gemini", pool.BackendVertex: "gcp.vertex_ai"}

func (t *tracer) callStart(ctx context.Context, s router.CallStart) context.Context {
	op, model := operation(s.Method), observed.Text(s.Model)
	attributes := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", op), attribute.String("spillway.call.id", s.ID),
		attribute.String("spillway.priority", string(s.Priority)),
	}
	if model != "" {
		attributes = append(attributes, attribute.String("gen_ai.request.model", model))
	}
	if s.Stream {
		attributes = append(attributes, attribute.Bool("gen_ai.request.stream", true))
	}
	if s.Label != "" {
		attributes = append(attributes, attribute.String("spillway.label", observed.Text(s.Label)))
	}
	c := &call{start: s, nested: callOf(ctx) != nil}
	ctx, c.span = t.spans.Start(ctx, strings.TrimSuffix(op+" "+model, " "), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(s.At), trace.WithAttributes(attributes...))
	return context.WithValue(ctx, callKey{}, c)
}

func (t *tracer) waitEnd(ctx context.Context, w router.WaitEnd) {
	c := callOf(ctx)
	c.waited += w.At.Sub(w.Began)
	if w.Endpoint == nil {
		c.span.AddEvent("spillway.no_endpoint", trace.WithTimestamp(w.At))
	}
}

func (t *tracer) attemptStart(ctx context.Context, a router.AttemptStart) {
	c := callOf(ctx)
	attributes := append(server(a.Endpoint),
		attribute.String("gen_ai.request.model", observed.Text(a.Model)), attribute.Int("spillway.attempt.number", a.Number))
	_, c.attempt = t.spans.Start(ctx, "spillway.attempt", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(a.At), trace.WithAttributes(append(attributes, endpoint(a.Endpoint)...)...))
}

func (t *tracer) attemptEnd(ctx context.Context, a router.AttemptEnd) {
	c := callOf(ctx)
	c.last = a
	class := string(a.Outcome.Class)
	c.attempt.SetAttributes(attribute.String("spillway.class", class))
	if a.Outcome.Class == pool.ClassOK && a.Traffic != string(a.Endpoint.Traffic) {
		c.attempt.SetAttributes(attribute.String("spillway.served_by", observed.Traffic(a.Traffic)))
	}
	if a.Status > 0 {
		c.attempt.SetAttributes(attribute.Int("http.response.status_code", a.Status))
	}
	if !a.FirstByte.IsZero() {
		c.attempt.AddEvent("spillway.first_byte", trace.WithTimestamp(a.FirstByte))
	}
	if a.Outcome.Class != pool.ClassOK {
		c.attempt.SetAttributes(attribute.String("error.type", class))
		c.attempt.SetStatus(codes.Error, class)
	}
	c.attempt.End(trace.WithTimestamp(a.Ended))
	t.instruments.attempt(ctx, &a)
}

func (t *tracer) callEnd(ctx context.Context, e router.CallEnd) {
	c := callOf(ctx)
	outcome := observed.OutcomeOf(&e, c.last.Outcome.Class)
	attributes := []attribute.KeyValue{
		attribute.Int("spillway.attempts", e.Attempts), attribute.Float64("spillway.wait.duration", c.waited.Seconds()),
		attribute.String("spillway.outcome", string(outcome)),
	}
	if e.Status > 0 {
		attributes = append(attributes, attribute.Int("http.response.status_code", e.Status))
	}
	if at := c.last.Endpoint; at != nil {
		attributes = append(attributes, server(at)...)
	}
	if e.Cache != "" {
		attributes = append(attributes, attribute.String("spillway.cache", string(e.Cache)))
	}
	if outcome == observed.OK {
		attributes = append(attributes, c.answered(&e)...)
	} else {
		kind := c.failure(&e, outcome)
		attributes = append(attributes, attribute.String("error.type", kind))
		c.span.SetStatus(codes.Error, kind)
	}
	c.span.SetAttributes(attributes...)
	c.span.End(trace.WithTimestamp(e.At))
	if !c.nested {
		t.instruments.call(ctx, c, &e, outcome)
	}
}

// failure is the conventions' error.type: the class of the last attempt, where that is what the
// caller got, else the status, else the outcome.
func (c *call) failure(e *router.CallEnd, outcome observed.Outcome) string {
	switch class := c.last.Outcome.Class; {
	case class != "" && class != pool.ClassOK && c.last.Status == e.Status:
		return string(class)
	case e.Status >= http.StatusBadRequest:
		return strconv.Itoa(e.Status)
	default:
		return string(outcome)
	}
}

// answered is what a good response says of itself.
func (c *call) answered(e *router.CallEnd) []attribute.KeyValue {
	o := &c.last.Outcome
	attributes := []attribute.KeyValue{}
	if model := c.responseModel(e); model != "" {
		attributes = append(attributes, attribute.String("gen_ai.response.model", model))
	}
	if c.start.Stream && !c.last.FirstByte.IsZero() {
		attributes = append(attributes, attribute.Float64("gen_ai.response.time_to_first_chunk", c.last.FirstByte.Sub(e.Began).Seconds()))
	}
	if o.Counted {
		attributes = append(attributes,
			attribute.Int64("gen_ai.usage.input_tokens", o.Usage.Input),
			attribute.Int64("gen_ai.usage.cache_read.input_tokens", o.Usage.Cached),
			attribute.Int64("gen_ai.usage.output_tokens", output(o)),
			attribute.Int64("gen_ai.usage.reasoning.output_tokens", o.Thoughts))
	}
	return attributes
}

// responseModel is the model that answered.
func (c *call) responseModel(e *router.CallEnd) string {
	served := c.last.Outcome.Served
	if served == "" {
		served = e.Model
	}
	return observed.Text(served[strings.LastIndexByte(served, '/')+1:])
}

// output is all that was written, thoughts included.
func output(o *pool.Outcome) int64 { return o.Usage.Output + o.Usage.OutputImage + o.Usage.OutputAudio }

// server says which of Google's servers an endpoint is at, in the conventions' words.
func server(at *pool.Endpoint) []attribute.KeyValue {
	host, port := at.Host, 443
	if at.BaseURL != nil && at.BaseURL.Scheme == "http" {
		port = 80
	}
	if name, number, err := net.SplitHostPort(at.Host); err == nil {
		host = name
		if n, err := strconv.Atoi(number); err == nil {
			port = n
		}
	}
	return []attribute.KeyValue{
		attribute.String("gen_ai.provider.name", providers[at.Backend]),
		attribute.String("server.address", host), attribute.Int("server.port", port),
	}
}

// endpoint says which endpoint it is, in the router's words.
func endpoint(at *pool.Endpoint) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("spillway.endpoint", observed.Text(at.Name)), attribute.String("spillway.project", observed.Text(at.Project)),
		attribute.String("spillway.location", at.Location), attribute.String("spillway.traffic", string(at.Traffic)),
	}
}
