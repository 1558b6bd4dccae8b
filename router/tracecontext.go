package router

import (
	"net/http"
	"slices"
	"strings"
)

// Headers that carry the context of a trace, as net/http spells them: of W3C, and of the other
// propagators of OpenTelemetry. Sources: https://www.w3.org/TR/trace-context/,
// https://www.w3.org/TR/baggage/, https://opentelemetry.io/docs/specs/otel/context/api-propagators/,
// https://cloud.google.com/trace/docs/trace-context.
var (
	contextHeaders = []string{
		"Traceparent", "Tracestate", "Baggage", "B3", "X-Cloud-Trace-Context", "Uber-Trace-Id",
		"X-Amzn-Trace-Id", "Grpc-Trace-Bin",
	}
	contextPrefixes = []string{"X-B3-", "Uberctx-", "Ot-Tracer-", "X-Ot-", "X-Datadog-", "Ot-Baggage-"}
)

// carriesContext reports whether a header says which trace a request belongs to. It names the
// caller's systems, and baggage may name users: it is the program that decides whether Google gets
// to know, by [Trace].Header.
func carriesContext(canonical string) bool {
	return slices.Contains(contextHeaders, canonical) ||
		slices.ContainsFunc(contextPrefixes, func(p string) bool { return strings.HasPrefix(canonical, p) })
}

// header lets the trace set headers of a request to Google.
func (t *callTrace) header(h http.Header) {
	if t.trace == nil || t.trace.Header == nil {
		return
	}
	own := make(http.Header) // what h has belongs to the caller's request
	t.trace.Header(t.ctx, own)
	for name, values := range own {
		if name = http.CanonicalHeaderKey(name); carriesContext(name) || travels(name) {
			h[name] = values
		}
	}
}
