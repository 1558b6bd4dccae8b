package router

import (
	"context"
	"net/http/httptrace"
	"net/textproto"
)

// traced returns a context whose httptrace.ClientTrace, if the caller has set one, sees no
// credential: neither those that are sent nor those that an informational response echoes.
// [httputil.ReverseProxy] sets one to pass such responses on.
func (e *exit) traced(ctx context.Context) context.Context {
	if httptrace.ContextClientTrace(ctx) == nil {
		return ctx
	}
	return scrubbedTrace{ctx, e}
}

// scrubbedTrace is a context with another ClientTrace.
type scrubbedTrace struct {
	context.Context //nolint:containedctx // it is one

	exit *exit
}

// Value returns the value of the context for key. The key of a ClientTrace is private to its
// package, so its type tells it.
func (c scrubbedTrace) Value(key any) any {
	v := c.Context.Value(key)
	if t, ok := v.(*httptrace.ClientTrace); ok && t != nil {
		return c.exit.trace(*t)
	}
	return v
}

// trace returns a trace whose functions get no credentials.
func (e *exit) trace(t httptrace.ClientTrace) *httptrace.ClientTrace {
	if wrote := t.WroteHeaderField; wrote != nil {
		t.WroteHeaderField = func(name string, values []string) {
			h := map[string][]string{name: values}
			scrubHeader(e.scrubber(), h)
			wrote(name, h[name])
		}
	}
	if got := t.Got1xxResponse; got != nil {
		t.Got1xxResponse = func(code int, header textproto.MIMEHeader) error {
			scrubHeader(e.scrubber(), header)
			return got(code, header)
		}
	}
	return &t
}
