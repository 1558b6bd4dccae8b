package calls

import (
	"context"
	"strings"
	"time"

	"github.com/spillway-go/spillway/router"
)

// Sink receives the record of each call when the call has ended, from the goroutine that ends it.
// Add must return soon. It may be called concurrently.
type Sink interface{ Add(r *Record) }

// Trace returns the functions of a trace that gives the record of each call to the sinks, for
// [router.WithTrace]. Searches for resources and pages of lists are not calls of their own: they
// count in Lookups of the call that needs them.
func Trace(sinks ...Sink) *router.Trace {
	r := &recorder{sinks: sinks}
	return &router.Trace{CallStart: r.start, WaitEnd: r.waited, AttemptEnd: r.attempted, CallEnd: r.ended}
}

// recorder makes records.
type recorder struct {
	sinks []Sink
	look  lookout
}

// callKey is the key of a call in its context: several recorders may hear of one call.
type callKey struct{ *recorder }

// nested is the value of a context of calls that another call makes.
type nested struct{ outer *call }

func (r *recorder) start(ctx context.Context, s router.CallStart) context.Context {
	switch in := ctx.Value(callKey{r}).(type) {
	case *call:
		return context.WithValue(ctx, callKey{r}, nested{in})
	case nested:
		return ctx
	}
	priority := router.PriorityInteractive
	if s.Priority == router.PriorityBatch {
		priority = router.PriorityBatch
	}
	c := &call{}
	c.record = Record{ID: s.ID, Time: Time{s.At}, Request: Request{
		// They may be parts of a long text, which the record must not keep.
		Model: strings.Clone(s.Model), Method: strings.Clone(s.Method),
		Stream: s.Stream, Label: s.Label, Priority: priority,
	}}
	c.record.Attempts = c.room[:0]
	return context.WithValue(ctx, callKey{r}, c)
}

// of returns the call that a context belongs to; nil if that is one which another call makes.
func (r *recorder) of(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{r}).(*call)
	return c
}

func (r *recorder) waited(ctx context.Context, w router.WaitEnd) {
	if c := r.of(ctx); c != nil {
		c.wait(w, &r.look)
	}
}

func (r *recorder) attempted(ctx context.Context, a router.AttemptEnd) {
	if c := r.of(ctx); c != nil {
		c.attempt(&a)
	}
}

func (r *recorder) ended(ctx context.Context, e router.CallEnd) {
	switch c := ctx.Value(callKey{r}).(type) {
	case nested:
		c.outer.lookup(&e)
	case *call:
		record := c.end(&e)
		for _, s := range r.sinks {
			s.Add(record)
		}
	}
}

// since is ms of the time from one moment to another, zero if there is none.
func since(from, to time.Time) float64 {
	if to.IsZero() {
		return 0
	}
	return ms(to.Sub(from))
}
