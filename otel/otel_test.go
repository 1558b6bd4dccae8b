package otel_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/otel"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const flash = "gemini-3.5-flash"

// bed is a router over an emulator, and an SDK that keeps what it is told.
type bed struct {
	*geminitest.Emulator

	router   *router.Router
	exporter *tracetest.InMemoryExporter
	reader   *sdkmetric.ManualReader
	spans    *sdktrace.TracerProvider
}

func newBed(t *testing.T, opts ...otel.Option) *bed {
	t.Helper()
	b := &bed{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	b.spans = sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.exporter))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))
	b.Emulator = geminitest.New(geminitest.Config{
		Projects: []geminitest.Project{
			{ID: "studio", Keys: []string{"k-studio-canary"}},
			{ID: "acme", Keys: []string{"k-acme-canary"}, Orders: []geminitest.Order{{
				Model: flash, Location: "eu", TokensPerSecond: 500, Window: 30 * time.Second,
			}}},
		},
		Latency: geminitest.Latency{FirstToken: 2 * time.Second, PerToken: 100 * time.Millisecond}, Output: 20,
		Reroutes: []geminitest.Reroute{{Model: "gemini-2.5-flash", To: "gemini-3.5-flash-lite"}},
	})
	p := pool.Config{Projects: []pool.Project{
		{
			Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-studio-canary")},
			Limits: []pool.Limit{{RPM: 10}},
		},
		{
			Name: "prod", ProjectID: "acme", Backend: pool.BackendVertex, Locations: []string{"eu"}, Priority: 1,
			Keys:        []pool.Secret{pool.NewSecret("k-acme-canary")},
			Provisioned: []pool.Order{{Model: flash, Location: "eu", TokensPerSecond: 500, Window: 30 * time.Second}},
		},
	}}
	r, err := router.New(p, router.Config{}, router.WithTransport(b.Emulator), router.WithTrace(otel.Trace(b.spans, meters, opts...)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	b.router = r
	if _, err := otel.Observe(meters, r); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) call(ctx context.Context, t *testing.T, method, path string, headers ...string) {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = `{"contents":[{"role":"user","parts":[{"text":"What is a spillway, canary?"}]}]}`
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://generativelanguage.googleapis.com/v1beta/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.router.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// shown returns the spans as lines, a child indented below its parent. Values in skip are left out.
func (b *bed) shown(skip ...attribute.Key) []string {
	spans := b.exporter.GetSpans()
	var lines []string
	var show func(parent trace.SpanID, indent string)
	show = func(parent trace.SpanID, indent string) {
		for _, s := range spans {
			if s.Parent.SpanID() != parent {
				continue
			}
			var all []string
			for _, a := range s.Attributes {
				if !slices.Contains(skip, a.Key) {
					all = append(all, string(a.Key)+"="+a.Value.String())
				}
			}
			sort.Strings(all)
			status := ""
			if s.Status.Code == codes.Error {
				status = " ERROR " + s.Status.Description
			}
			lines = append(lines, fmt.Sprintf("%s%s %s %v%s", indent, s.Name, s.SpanKind, s.EndTime.Sub(s.StartTime), status))
			for _, a := range all {
				lines = append(lines, indent+"  "+a)
			}
			for _, e := range s.Events {
				lines = append(lines, fmt.Sprintf("%s  %s after %v", indent, e.Name, e.Time.Sub(s.StartTime)))
			}
			show(s.SpanContext.SpanID(), indent+"    ")
		}
	}
	show(trace.SpanID{}, "")
	return lines
}

func TestACallIsASpanWithOneForEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.Script(geminitest.Match{}, geminitest.ProvisionedFull())
		b.call(t.Context(), t, http.MethodPost, "models/"+flash+":streamGenerateContent?alt=sse", "Spillway-Label", "team-a")
		got := b.shown("spillway.call.id", "spillway.wait.duration")
		want := []string{
			"generate_content gemini-3.5-flash client 4s",
			"  gen_ai.operation.name=generate_content",
			"  gen_ai.provider.name=gcp.gemini",
			"  gen_ai.request.model=gemini-3.5-flash",
			"  gen_ai.request.stream=true",
			"  gen_ai.response.model=gemini-3.5-flash",
			"  gen_ai.response.time_to_first_chunk=2.7",
			"  gen_ai.usage.cache_read.input_tokens=0",
			"  gen_ai.usage.input_tokens=7",
			"  gen_ai.usage.output_tokens=20",
			"  gen_ai.usage.reasoning.output_tokens=0",
			"  http.response.status_code=200",
			"  server.address=generativelanguage.googleapis.com",
			"  server.port=443",
			"  spillway.attempts=2",
			"  spillway.label=team-a",
			"  spillway.outcome=ok",
			"  spillway.priority=interactive",
			"    spillway.attempt client 0s ERROR provisioned_full",
			"      error.type=provisioned_full",
			"      gen_ai.provider.name=gcp.vertex_ai",
			"      gen_ai.request.model=gemini-3.5-flash",
			"      http.response.status_code=429",
			"      server.address=aiplatform.eu.rep.googleapis.com",
			"      server.port=443",
			"      spillway.attempt.number=1",
			"      spillway.class=provisioned_full",
			"      spillway.endpoint=prod/eu/provisioned",
			"      spillway.location=eu",
			"      spillway.project=prod",
			"      spillway.traffic=provisioned",
			"      spillway.first_byte after 0s",
			"    spillway.attempt client 4s",
			"      gen_ai.provider.name=gcp.gemini",
			"      gen_ai.request.model=gemini-3.5-flash",
			"      http.response.status_code=200",
			"      server.address=generativelanguage.googleapis.com",
			"      server.port=443",
			"      spillway.attempt.number=2",
			"      spillway.class=ok",
			"      spillway.endpoint=studio/global/on_demand",
			"      spillway.location=global",
			"      spillway.project=studio",
			"      spillway.traffic=on_demand",
			"      spillway.first_byte after 2.7s",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		checkNoCanary(t, fmt.Sprintf("%+v", b.exporter.GetSpans()))
	})
}

func checkNoCanary(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "canary") {
		t.Errorf("a key or a prompt shows: %s", text)
	}
}

func TestSpansOfCallsThatFail(t *testing.T) {
	for _, tt := range []struct {
		name    string
		do      func(t *testing.T, b *bed)
		want    string // of the call's span
		outcome string
	}{
		{"refused by the pool", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.MinuteQuota("gemini-3.6-flash", 10, 30*time.Second))
			b.call(t.Context(), t, http.MethodPost, "models/gemini-3.6-flash:generateContent", "Spillway-Locations", "global", "Spillway-Max-Wait", "0s")
		}, "minute_quota", "refused"},
		{"refused without an attempt", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.MinuteQuota("gemini-3.6-flash", 10, 30*time.Second))
			for range 2 {
				b.call(t.Context(), t, http.MethodPost, "models/gemini-3.6-flash:generateContent", "Spillway-Locations", "global", "Spillway-Max-Wait", "0s")
			}
		}, "429", "refused"},
		{"a wrong request", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.InvalidArgument("canary"))
			b.call(t.Context(), t, http.MethodPost, "models/"+flash+":generateContent")
		}, "caller_fault", "caller_fault"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				tt.do(t, b)
				spans := b.exporter.GetSpans()
				last := spans[len(spans)-1] // a call's span ends after those of its attempts
				got := map[attribute.Key]string{}
				for _, a := range last.Attributes {
					got[a.Key] = a.Value.String()
				}
				if last.Status.Code != codes.Error || got["error.type"] != tt.want || got["spillway.outcome"] != tt.outcome {
					t.Errorf("%s: %v, %v, want error.type %s and outcome %s", last.Name, last.Status, got, tt.want, tt.outcome)
				}
				checkNoCanary(t, fmt.Sprintf("%+v", spans))
			})
		})
	}
}

func TestAHitOfTheResponseCacheIsASpanWithoutAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		for range 2 {
			b.call(t.Context(), t, http.MethodPost, "models/"+flash+":countTokens", "Spillway-Cache", "10m")
		}
		text := strings.Join(b.shown(), "\n")
		if strings.Count(text, "spillway.cache=hit") != 1 || strings.Count(text, "spillway.cache=miss") != 1 || strings.Count(text, "spillway.attempt ") != 1 {
			t.Errorf("the spans are\n%s", text)
		}
		calls := "gen_ai.request.model=" + flash + ",spillway.cache=%s,spillway.outcome=ok"
		want := map[string]float64{fmt.Sprintf(calls, "hit"): 1, fmt.Sprintf(calls, "miss"): 1}
		if diff := cmp.Diff(want, b.points(t, "spillway.calls")); diff != "" {
			t.Error(diff)
		}
		of := "gen_ai.request.model=,spillway.namespace="
		for name, want := range map[string]float64{
			"spillway.cache.hits": 1, "spillway.cache.misses": 1, "spillway.cache.entries": 1, "spillway.cache.limit": 64 << 20,
		} {
			if diff := cmp.Diff(map[string]float64{of: want}, b.points(t, name)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if size := b.points(t, "spillway.cache.size")[of]; size <= 0 || size > 10_000 {
			t.Errorf("a count of tokens takes %v bytes", size)
		}
	})
}

func TestSpansBelongToTheCallersTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		ctx, outer := b.spans.Tracer("test").Start(t.Context(), "outer")
		b.call(ctx, t, http.MethodGet, "files")
		outer.End()
		lines := b.shown()
		var names []string
		for _, l := range lines {
			if !strings.Contains(l, "=") && !strings.Contains(l, " after ") {
				names = append(names, strings.TrimRight(l, "0123456789smµn. "))
			}
		}
		want := []string{
			"outer internal", "    files.list client", "        files.list client", "            spillway.attempt client",
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if n := len(b.exporter.GetSpans()); n < 4 {
			t.Errorf("%d spans", n)
		}
	})
}

func TestTraceContextGoesToGoogleOnlyIfAsked(t *testing.T) {
	for _, asked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var opts []otel.Option
			if asked {
				opts = append(opts, otel.WithPropagator(propagation.TraceContext{}))
			}
			b := newBed(t, opts...)
			b.call(t.Context(), t, http.MethodPost, "models/"+flash+":generateContent", "traceparent", "the-callers")
			sent := b.Requests()[0].Header.Get("Traceparent")
			want := ""
			for _, s := range b.exporter.GetSpans() {
				if asked && s.Name == "spillway.attempt" {
					want = fmt.Sprintf("00-%s-%s-01", s.SpanContext.TraceID(), s.SpanContext.SpanID())
				}
			}
			if sent != want {
				t.Errorf("asked for: %v; Google gets %q, want %q", asked, sent, want)
			}
		})
	}
}

// points returns every point that the reader has of a metric, by its attributes: the value, or the
// sum of a histogram.
func (b *bed) points(t *testing.T, name string) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := b.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	points := map[string]float64{}
	add := func(set attribute.Set, v float64) {
		points[set.Encoded(attribute.DefaultEncoder())] = v
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Sum)
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Sum))
				}
			default:
				t.Fatalf("%s has data of type %T", name, data)
			}
		}
	}
	return points
}

func TestMetricsOfCallsAndState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.Script(geminitest.Match{}, geminitest.ProvisionedFull())
		b.call(t.Context(), t, http.MethodPost, "models/"+flash+":streamGenerateContent?alt=sse")
		b.call(t.Context(), t, http.MethodPost, "models/gemini-2.5-flash:generateContent")
		b.Script(geminitest.Match{Project: "studio"}, geminitest.KeyExpired())
		b.call(t.Context(), t, http.MethodPost, "models/gemini-3.6-flash:generateContent", "Spillway-Locations", "global", "Spillway-Max-Wait", "0s")

		gemini := "gen_ai.provider.name=gcp.gemini,gen_ai.request.model=%s,gen_ai.response.model=%s%s,server.address=generativelanguage.googleapis.com,server.port=443"
		ok := func(model, by, token string) string {
			return "gen_ai.operation.name=generate_content," + fmt.Sprintf(gemini, model, by, token)
		}
		refused := "error.type=key_dead,gen_ai.operation.name=generate_content,gen_ai.provider.name=gcp.gemini,gen_ai.request.model=gemini-3.6-flash," +
			"server.address=generativelanguage.googleapis.com,server.port=443"
		at := func(class, model, place string) string {
			return "gen_ai.request.model=" + model + ",spillway.class=" + class + "," + place
		}
		studio := "spillway.endpoint=studio/global/on_demand,spillway.location=global,spillway.project=studio,spillway.traffic=on_demand"
		order := "spillway.endpoint=prod/eu/provisioned,spillway.location=eu,spillway.project=prod,spillway.traffic=provisioned"
		lite := "gemini-3.5-flash-lite"
		for name, want := range map[string]map[string]float64{
			"gen_ai.client.operation.duration":            {ok(flash, flash, ""): 4, ok("gemini-2.5-flash", lite, ""): 4},
			"gen_ai.client.operation.time_to_first_chunk": {ok(flash, flash, ""): 2.7},
			"gen_ai.client.token.usage": {
				ok(flash, flash, ",gen_ai.token.type=input"): 7, ok(flash, flash, ",gen_ai.token.type=output"): 20,
				ok("gemini-2.5-flash", lite, ",gen_ai.token.type=input"): 7, ok("gemini-2.5-flash", lite, ",gen_ai.token.type=output"): 20,
			},
			"spillway.calls": {
				"gen_ai.request.model=" + flash + ",spillway.outcome=ok": 1, "gen_ai.request.model=gemini-2.5-flash,spillway.outcome=ok": 1,
			},
			"spillway.attempts": {
				at("provisioned_full", flash, order): 1, at("ok", flash, studio): 1, at("ok", "gemini-2.5-flash", studio): 1,
				at("key_dead", "gemini-3.6-flash", studio): 1,
			},
			"spillway.rerouted": {
				"gen_ai.request.model=gemini-2.5-flash,spillway.method=generate": 1, "gen_ai.request.model=" + flash + ",spillway.method=generate": 0,
				"gen_ai.request.model=gemini-3.6-flash,spillway.method=generate": 0, "gen_ai.request.model=" + lite + ",spillway.method=generate": 0,
			},
			"spillway.order.utilization": {"gen_ai.request.model=" + flash + ",spillway.location=eu,spillway.project=prod": 0},
			"spillway.order.bypassed":    {"gen_ai.request.model=" + flash + ",spillway.location=eu,spillway.project=prod": 0},
			"spillway.retries":           {"": 0},
		} {
			got := b.points(t, name)
			maps.DeleteFunc(got, func(of string, _ float64) bool { // the third call is looked at below
				return strings.Contains(of, "error.type") || strings.Contains(of, "3.6-flash,spillway.outcome")
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if took, ok := b.points(t, "gen_ai.client.operation.duration")[refused]; !ok || took != 0 {
			t.Errorf("the refused call took %v s (%v), want 0", took, ok)
		}
		if n := len(b.points(t, "spillway.cooldowns")); n != 1 {
			t.Errorf("%d things are on cooldown, want 1, the key: %v", n, b.points(t, "spillway.cooldowns"))
		}
		spilled := b.points(t, "spillway.order.spilled_tokens")
		for of, v := range spilled {
			if v <= 26 { // the tokens, of which those of the response burn down faster
				t.Errorf("%v tokens were spilled: %s", v, of)
			}
		}
		if limits := b.points(t, "spillway.limit.utilization"); len(limits) != 4 || len(spilled) != 1 {
			t.Errorf("limits %v, spilled %v", limits, spilled)
		}
		for _, name := range []string{"spillway.attempts", "spillway.cooldowns"} {
			checkNoCanary(t, fmt.Sprint(b.points(t, name)))
		}
	})
}
