package router_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/router"
)

// contextHeaders are what callers and their proxies send of a trace.
var contextHeaders = []string{
	"traceparent", "tracestate", "baggage", "b3", "X-B3-TraceId", "X-B3-Sampled", "X-Cloud-Trace-Context",
	"uber-trace-id", "uberctx-user", "X-Amzn-Trace-Id", "grpc-trace-bin", "ot-tracer-traceid", "ot-baggage-user",
	"x-datadog-trace-id",
}

func TestTraceContextGoesOutOnlyIfTheTraceSetsIt(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	type key struct{}
	sets := &router.Trace{
		CallStart: func(ctx context.Context, _ router.CallStart) context.Context {
			return context.WithValue(ctx, key{}, parent)
		},
		Header: func(ctx context.Context, h http.Header) {
			value, _ := ctx.Value(key{}).(string)
			h["traceparent"] = []string{value} // not as net/http spells it
			for _, ours := range []string{"X-Goog-Api-Key", "Authorization", "Spillway-Label", "Content-Length", "Host"} {
				h.Set(ours, "the trace's")
			}
		},
	}
	also := &router.Trace{Header: func(_ context.Context, h http.Header) { h.Set("X-Also", "too") }}
	for _, tt := range []struct {
		name   string
		traces []*router.Trace
		want   map[string]string
	}{
		{"without a trace", nil, map[string]string{"X-Mine": "stays"}},
		{"a trace without Header", []*router.Trace{{}}, map[string]string{"X-Mine": "stays"}},
		{"two traces with it", []*router.Trace{sets, also}, map[string]string{"X-Mine": "stays", "Traceparent": parent, "X-Also": "too"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := make(map[string]string)
				google := transport(func(q *http.Request) (*http.Response, error) {
					for name, values := range q.Header {
						sent[name] = strings.Join(values, ", ")
					}
					return answerOf(http.StatusOK, okBody), nil
				})
				opts := []router.Option{router.WithTransport(google)}
				for _, trace := range tt.traces {
					opts = append(opts, router.WithTrace(trace))
				}
				r := newRouter(t, poolOf(keyed("a", "k-a")), router.Config{}, opts...)
				req := gen(t.Context(), genPath, `{}`)
				for _, name := range contextHeaders {
					req.Header.Set(name, "the caller's")
				}
				req.Header.Set("X-Mine", "stays")
				before := req.Header.Clone()
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				want := maps.Clone(tt.want)
				want["X-Goog-Api-Key"] = "k-a"
				if !maps.Equal(sent, want) {
					t.Errorf("sent %v\nwant %v", sent, want)
				}
				if !maps.EqualFunc(before, req.Header, slices.Equal) {
					t.Errorf("the caller's header is now %v", req.Header)
				}
			})
		})
	}
}
