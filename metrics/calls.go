package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway-go/spillway/internal/observed"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Upper bounds of histograms, in seconds. A call takes from milliseconds, for one that is refused,
// to minutes, for one that thinks.
var (
	callBuckets = []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640}
	waitBuckets = []float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80}
)

// calls counts what a router's trace tells.
type calls struct {
	outcomes, labelOutcomes, labelTokens *prometheus.CounterVec
	duration, firstByte, waits           *prometheus.HistogramVec

	models, methods *observed.Names
}

func newCalls() calls {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, []string{"model"})
	}
	return calls{
		outcomes:      counter("calls_total", "Calls by their outcome.", "model", "method", "outcome"),
		labelOutcomes: counter("label_calls_total", "Calls by who made them.", "label", "outcome"),
		labelTokens:   counter("label_tokens_total", "Tokens by who made the calls.", "label", "traffic", "kind"),
		duration:      histogram("call_duration_seconds", "Time from a call to the end of its response.", callBuckets),
		firstByte:     histogram("first_byte_seconds", "Time from a call to the first content of its response.", callBuckets),
		waits:         histogram("wait_seconds", "Time that a call waited for endpoints, all attempts together.", waitBuckets),
		models:        observed.Models(),
		methods:       observed.Methods(),
	}
}

// all returns every metric.
func (c *calls) all() []prometheus.Collector {
	return []prometheus.Collector{c.outcomes, c.labelOutcomes, c.labelTokens, c.duration, c.firstByte, c.waits}
}

// call is what is kept of one call until it ends.
type call struct {
	method, label string
	began         time.Time
	waited        time.Duration
	firstByte     time.Time
	class         pool.Class // of the last attempt
}

type callKey struct{}

// callOf returns the call that ctx belongs to; nil if it is one that the router makes for another.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// trace returns what counts calls.
func (c *calls) trace() *router.Trace {
	return &router.Trace{
		CallStart: func(ctx context.Context, s router.CallStart) context.Context {
			var made *call
			if ctx.Value(callKey{}) == nil {
				made = &call{method: s.Method, label: s.Label, began: s.At}
			}
			return context.WithValue(ctx, callKey{}, made)
		},
		WaitEnd: func(ctx context.Context, w router.WaitEnd) {
			if one := callOf(ctx); one != nil {
				one.waited += w.At.Sub(w.Began)
			}
		},
		AttemptEnd: func(ctx context.Context, a router.AttemptEnd) {
			if one := callOf(ctx); one != nil {
				one.class, one.firstByte = a.Outcome.Class, a.FirstByte
				c.countTokens(one.label, &a)
			}
		},
		CallEnd: func(ctx context.Context, e router.CallEnd) {
			if one := callOf(ctx); one != nil {
				c.count(one, &e)
			}
		},
	}
}

// countTokens counts the tokens of an attempt for its label.
func (c *calls) countTokens(label string, a *router.AttemptEnd) {
	if !a.Outcome.Counted {
		return
	}
	u := &a.Outcome.Usage
	t := pool.TokenCounts{
		Input: u.Input, Cached: u.Cached, Output: u.Output + u.OutputImage + u.OutputAudio, Thoughts: a.Outcome.Thoughts,
	}
	for _, k := range kindsOf(t) {
		if k.tokens > 0 {
			c.labelTokens.WithLabelValues(observed.Text(label), observed.Traffic(a.Traffic), k.name).Add(float64(k.tokens))
		}
	}
}

// count counts a call that has ended.
func (c *calls) count(one *call, e *router.CallEnd) {
	outcome := observed.OutcomeOf(e, one.class)
	ok := outcome == observed.OK
	model, method := c.models.Of(observed.Text(e.Model), ok), c.methods.Of(observed.Text(one.method), ok)
	c.outcomes.WithLabelValues(model, method, string(outcome)).Inc()
	c.labelOutcomes.WithLabelValues(observed.Text(one.label), string(outcome)).Inc()
	c.duration.WithLabelValues(model).Observe(e.At.Sub(one.began).Seconds())
	c.waits.WithLabelValues(model).Observe(one.waited.Seconds())
	if ok && !one.firstByte.IsZero() {
		c.firstByte.WithLabelValues(model).Observe(one.firstByte.Sub(one.began).Seconds())
	}
}
