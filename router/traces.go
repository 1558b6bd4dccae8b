package router

import (
	"context"
	"log/slog"
	"runtime/debug"
)

// tracing is who hears of the router's calls.
type tracing struct {
	trace  *Trace // nil: nobody
	labels labels // that are told apart
}

// joinTraces returns a Trace that calls the functions of all of them, in order; nil if there are
// none.
func joinTraces(all []*Trace) *Trace {
	if len(all) == 0 {
		return nil
	}
	joined := guarded(all[0])
	for _, t := range all[1:] {
		t = guarded(t)
		joined = &Trace{
			CallStart:    joinStarts(joined.CallStart, t.CallStart),
			WaitEnd:      join(joined.WaitEnd, t.WaitEnd),
			AttemptStart: join(joined.AttemptStart, t.AttemptStart),
			Header:       join(joined.Header, t.Header),
			AttemptEnd:   join(joined.AttemptEnd, t.AttemptEnd),
			CallEnd:      join(joined.CallEnd, t.CallEnd),
		}
	}
	return joined
}

// guarded returns a Trace whose functions may panic: that must take neither the call along nor its lease.
func guarded(t *Trace) *Trace {
	g := &Trace{
		WaitEnd: guard(t.WaitEnd), AttemptStart: guard(t.AttemptStart), Header: guard(t.Header),
		AttemptEnd: guard(t.AttemptEnd), CallEnd: guard(t.CallEnd),
	}
	if t.CallStart != nil {
		g.CallStart = func(ctx context.Context, c CallStart) context.Context {
			defer panics()
			return t.CallStart(ctx, c)
		}
	}
	return g
}

// guard returns a function that does not panic; nil for nil.
func guard[T any](f func(context.Context, T)) func(context.Context, T) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, v T) {
		defer panics()
		f(ctx, v)
	}
}

// panics, deferred, reports a panic of a function of a Trace, as the pool does that of an observer.
func panics() {
	if p := recover(); p != nil {
		slog.Error("router: a function of a Trace panics", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	}
}

// join returns a function that calls a, then b. Either may be nil.
func join[T any](a, b func(context.Context, T)) func(context.Context, T) {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(ctx context.Context, v T) {
		a(ctx, v)
		b(ctx, v)
	}
}

// joinStarts is join for the functions that return a context: b gets the one of a.
func joinStarts(a, b func(context.Context, CallStart) context.Context) func(context.Context, CallStart) context.Context {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(ctx context.Context, c CallStart) context.Context {
		if made := a(ctx, c); made != nil {
			ctx = made
		}
		if made := b(ctx, c); made != nil {
			ctx = made
		}
		return ctx
	}
}
