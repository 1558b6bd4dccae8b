package router_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// TestAnOrdersServerErrorsAreEvidence sees an order fail below its purchase while the caller is
// served elsewhere: the attempt is kept with what Google sent to find it by, and no credential.
func TestAnOrdersServerErrorsAreEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("v", "global")
		p.order(flash, "global", 10)
		google := googleOf(setup{}.google, p)
		failing := transport(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("X-Vertex-Ai-Llm-Request-Type") != "dedicated" {
				return google.RoundTrip(req)
			}
			time.Sleep(70 * time.Millisecond)
			return answerOf(503, `{"error":{"code":503,"status":"UNAVAILABLE","message":"The service is currently unavailable.",`+
				`"details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"0xabc"}]}}`,
				"X-Request-Id", "req-1", "X-Cloud-Trace-Context", "trace\x01/token-of-v", "X-Goog-Request-Id", "g-1", "Server", "ESF",
			), nil
		})
		start := time.Now()
		r := newRouter(t, poolOf(p), router.Config{}, router.WithTransport(failing))
		resp, err := ask(context.Background(), clientOver(t, pool.BackendVertex, r), flash)
		if err != nil || endpoint(resp) != "v/global/on_demand" {
			t.Fatalf("served by %v, %v", resp, err)
		}
		faults := r.OrderFaults()["order:v/global/"+flash]
		if len(faults) != 1 || faults[0].Use <= 0 || faults[0].Use > 0.1 {
			t.Fatalf("kept is %+v", faults)
		}
		want := quota.Fault{
			At: start.Add(70 * time.Millisecond), Latency: 70 * time.Millisecond, Status: 503, Model: flash, Use: faults[0].Use,
			IDs: []string{"requestId=0xabc", "x-cloud-trace-context=trace/[redacted]", "x-goog-request-id=g-1", "x-request-id=req-1"},
		}
		if diff := cmp.Diff(want, faults[0]); diff != "" {
			t.Errorf("kept is (-want +got):\n%s", diff)
		}
		for _, e := range r.Stat().Endpoints {
			if e.Order != nil && e.Faults.BelowCount != 1 || e.Order == nil && e.Faults != (quota.FaultStat{}) {
				t.Errorf("%s counts %+v", e.Endpoint, e.Faults)
			}
		}
	})
}

// An error inside a stream that had begun well is kept as such.
func TestAnErrorInsideAnOrdersStreamIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("v", "global")
		p.order(flash, "global", 10)
		failing := transport(func(*http.Request) (*http.Response, error) {
			return answerOf(200, "data: "+okBody+"\r\n\r\ndata: {\"error\":{\"code\":500,\"status\":\"INTERNAL\",\"message\":\"Internal error\"}}\r\n\r\n",
				"Content-Type", "text/event-stream", "X-Request-Id", "req-2"), nil
		})
		r := newRouter(t, poolOf(p), router.Config{}, router.WithTransport(failing))
		req, err := toVertex(context.Background(), ":streamGenerateContent?alt=sse")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		_, _ = io.Copy(&b, resp.Body)
		faults := r.OrderFaults()["order:v/global/"+flash]
		if len(faults) != 1 || !faults[0].Inside || faults[0].Status != 500 || !cmp.Equal(faults[0].IDs, []string{"x-request-id=req-2"}) {
			t.Errorf("kept is %+v after %q", faults, b.String())
		}
	})
}
