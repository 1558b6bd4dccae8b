package metrics

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// What became of a call, for its caller.
const (
	outcomeOK          = "ok"
	outcomeRefused     = "refused"
	outcomeCallerFault = "caller_fault"
	outcomeError       = "error"
	outcomeCancelled   = "cancelled"
)

// Most names that have series of their own. Methods are those of Google's that callers write into
// paths.
const (
	mostModels, mostDoubtfulModels   = 1000, 100
	mostMethods, mostDoubtfulMethods = 100, 20
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

	models, methods *bounded
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
		models:        &bounded{mostGood: mostModels, mostDoubtful: mostDoubtfulModels},
		methods:       &bounded{mostGood: mostMethods, mostDoubtful: mostDoubtfulMethods},
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
			c.labelTokens.WithLabelValues(value(label), string(a.Endpoint.Traffic), k.name).Add(float64(k.tokens))
		}
	}
}

// count counts a call that has ended.
func (c *calls) count(one *call, e *router.CallEnd) {
	outcome := outcomeOf(e, one.class)
	ok := outcome == outcomeOK
	model, method := c.models.of(value(e.Model), ok), c.methods.of(value(one.method), ok)
	c.outcomes.WithLabelValues(model, method, outcome).Inc()
	c.labelOutcomes.WithLabelValues(value(one.label), outcome).Inc()
	c.duration.WithLabelValues(model).Observe(e.At.Sub(one.began).Seconds())
	c.waits.WithLabelValues(model).Observe(one.waited.Seconds())
	if ok && !one.firstByte.IsZero() {
		c.firstByte.WithLabelValues(model).Observe(one.firstByte.Sub(one.began).Seconds())
	}
}

// outcomeOf returns what became of a call. last is the class of its last attempt.
func outcomeOf(e *router.CallEnd, last pool.Class) string {
	switch {
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded):
		return outcomeCancelled
	case e.Err != nil, e.Status >= http.StatusInternalServerError:
		return outcomeError
	case e.Status == http.StatusTooManyRequests:
		return outcomeRefused
	case e.Status >= http.StatusBadRequest:
		return outcomeCallerFault
	case last == pool.ClassCancelled:
		return outcomeCancelled
	case last != "" && last != pool.ClassOK: // its stream broke off
		return outcomeError
	default:
		return outcomeOK
	}
}
