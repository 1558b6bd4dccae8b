package spillway_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// canned answers everything at once with the same answer: what is measured over it is the client's
// side alone.
type canned struct{}

var cannedAnswer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + strings.Repeat("A dam keeps what you bought and lets the rest over the spillway. ", 30) + `"}]},` +
	`"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":14,"totalTokenCount":21},"modelVersion":"gemini-2.5-flash"}`

// cannedHeader is what Google's front end puts on an answer.
var cannedHeader = http.Header{
	"Content-Type":           {"application/json; charset=UTF-8"},
	"Vary":                   {"Origin", "X-Origin", "Referer"},
	"Date":                   {"Sun, 22 Nov 2026 05:03:00 GMT"},
	"Server":                 {"scaffolding on HTTPServer2"},
	"X-Xss-Protection":       {"0"},
	"X-Frame-Options":        {"SAMEORIGIN"},
	"X-Content-Type-Options": {"nosniff"},
	"Server-Timing":          {"gfet4t7; dur=734"},
	"Alt-Svc":                {`h3=":443"; ma=2592000,h3-29=":443"; ma=2592000`},
}

func (canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", ProtoMajor: 2, Request: req,
		Header:        cannedHeader.Clone(),
		ContentLength: int64(len(cannedAnswer)), Body: io.NopCloser(strings.NewReader(cannedAnswer)),
	}, nil
}

// pair is the bare SDK and the routed one, over the same transport.
func pair(tb testing.TB) (bare, routed func()) {
	tb.Helper()
	ctx := context.Background()
	sdk, err := genai.NewClient(ctx, &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "key", HTTPClient: &http.Client{Transport: canned{}}})
	if err != nil {
		tb.Fatal(err)
	}
	var projects []pool.Project
	for _, name := range []string{"a", "b", "c", "d"} {
		projects = append(projects, pool.Project{
			Name: name, Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("key-of-" + name)},
			Limits: []pool.Limit{{RPM: 1e9, TPM: 1e12}},
		})
	}
	client, err := spillway.New(ctx, &config.Config{Pool: pool.Config{Projects: projects}}, router.WithTransport(canned{}))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	call := func(c *genai.Client) func() {
		return func() {
			if _, err := c.Models.GenerateContent(ctx, "gemini-2.5-flash", genai.Text(strings.Repeat("What is a spillway? ", 50)), nil); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return call(sdk), call(client.Client)
}

// BenchmarkOverhead makes a call with the bare SDK and one through the router in turn, over the
// same in-memory transport, and reports the ratio of the median times and what the router allocates
// more. What it reports for an operation is both calls together.
func BenchmarkOverhead(b *testing.B) {
	bare, routed := pair(b)
	more := testing.AllocsPerRun(100, routed) - testing.AllocsPerRun(100, bare)
	var bareTimes, routedTimes []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		t0 := time.Now()
		bare()
		t1 := time.Now()
		routed()
		t2 := time.Now()
		bareTimes, routedTimes = append(bareTimes, t1.Sub(t0)), append(routedTimes, t2.Sub(t1))
	}
	slices.Sort(bareTimes)
	slices.Sort(routedTimes)
	bareMedian, routedMedian := bareTimes[len(bareTimes)/2], routedTimes[len(routedTimes)/2]
	b.ReportMetric(float64(bareMedian.Nanoseconds()), "bare-ns")
	b.ReportMetric(float64(routedMedian.Nanoseconds()), "routed-ns")
	b.ReportMetric(float64(routedMedian)/float64(bareMedian), "ratio")
	b.ReportMetric(more, "more-allocs")
}

// TestRouterAllocatesLittle holds the allocations that the router adds to a call of the SDK's.
func TestRouterAllocatesLittle(t *testing.T) {
	bare, routed := pair(t)
	if more := testing.AllocsPerRun(200, routed) - testing.AllocsPerRun(200, bare); more > 45 {
		t.Errorf("a routed call allocates %.0f times more than the bare SDK's, want at most 45", more)
	}
}
