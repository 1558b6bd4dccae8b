package discover_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/discover"
)

// hosts answers requests by their host, and leaves all others to the emulator.
type hosts struct {
	http.RoundTripper

	answer map[string]func(*http.Request) (*http.Response, error)
}

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	if answer := h.answer[r.URL.Host]; answer != nil {
		return answer(r)
	}
	return h.RoundTripper.RoundTrip(r)
}

// hang answers nothing.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// says answers with a status and a body.
func says(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

const (
	quotaHost      = "cloudquotas.googleapis.com"
	usageHost      = "serviceusage.googleapis.com"
	monitoringHost = "monitoring.googleapis.com"
	billingHost    = "cloudbilling.googleapis.com"
	developerHost  = "generativelanguage.googleapis.com"
	vertexHost     = "aiplatform.googleapis.com"
)

func TestAnAPIThatHangsCostsNothingOfTheOthers(t *testing.T) {
	for _, vertex := range []bool{false, true} {
		for _, hung := range [][]string{{developerHost, vertexHost}, {billingHost, monitoringHost}, {quotaHost}, {developerHost, vertexHost, billingHost, monitoringHost, quotaHost}} {
			inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
				s.Vertex, s.Locations = vertex, []string{"global"}
				h := hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){}}
				for _, host := range hung {
					h.answer[host] = hang
				}
				s.Transport = h
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				began := time.Now()
				f := discover.Read(ctx, s)
				if took := time.Since(began); len(f.Limits) != 2 || took > 65*time.Second {
					t.Errorf("vertex %v, %v hang: limits %v after %v", vertex, hung, f.Limits, took)
				}
			})
		}
	}
}

func TestAValueThatCannotBeReadCostsNoOtherValue(t *testing.T) {
	entry := func(model, value string) string {
		return `{"dimensions": {"model": "` + model + `"}, "details": {"value": ` + value + `}}`
	}
	quotas := func(entries ...string) string {
		return `{"quotaInfos": [{"metric": "generate_content_free_tier_requests", "refreshInterval": "minute", "dimensionsInfos": [` +
			strings.Join(entries, ",") + `]}]}`
	}
	for _, odd := range []string{
		entry("gemini-odd", `"ten"`), entry("gemini-odd", `"18446744073709551615"`), entry("gemini-odd", `{}`), entry("gemini-odd", `[3]`),
		entry("gemini-odd", `null`), entry("gemini-odd", `1e400`), entry("gemini-odd", `"-1"`), entry("gemini-odd", `"NaN"`), `null`, `7`,
		`{"dimensions": {"model": 4}, "details": {"value": "3"}}`, `{"dimensions": [], "details": {"value": "3"}}`,
		`{"dimensions": {"model": "gemini-odd"}, "details": 5}`, entry("AIzaSyA0123456789abcdefghijklmnopqrstuv", `"4"`),
	} {
		inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
			s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){
				quotaHost: says(200, quotas(odd, entry("gemini-good", `"12"`), entry("gemini-float", "1.5e3"))),
			}}
			f := discover.Read(t.Context(), s)
			same(t, odd, f.Limits, []discover.Limit{{Model: "gemini-float", RPM: 1_500}, {Model: "gemini-good", RPM: 12}})
		})
	}
}

func TestAMetricWithAWordThatIsNotKnownLimitsNothing(t *testing.T) {
	for _, metric := range []string{
		"generate_content_paid_tier_maps_grounding_requests", "generate_content_search_requests", "generate_content_thinking_requests",
		"generate_content_free_tier_requests_with_tools", "embed_content_multimodal_requests",
	} {
		inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
			s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){
				billingHost: says(403, ""),
				quotaHost: says(200, `{"quotaInfos": [{"metric": "generativelanguage.googleapis.com/`+metric+
					`", "refreshInterval": "day", "dimensionsInfos": [{"dimensions": {"model": "gemini-x"}, "details": {"value": "3"}}]}]}`),
			}}
			f := discover.Read(t.Context(), s)
			same(t, metric, f.Limits, []discover.Limit{})
		})
	}
}

func TestAProjectThatNeverHadAnOrderHasNone(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		s.Vertex, s.Locations = true, []string{"global"}
		s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){
			monitoringHost: says(404, `{"error": {"code": 404, "status": "NOT_FOUND", "message": "Cannot find metric(s) that match type = \"aiplatform.googleapis.com/publisher/online_serving/dedicated_gsu_limit\". If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon."}}`),
		}}
		f := discover.Read(t.Context(), s)
		if f.Orders == nil || len(f.Orders) != 0 || len(f.Problems) != 0 {
			t.Errorf("orders %v, problems %v", f.Orders, f.Problems)
		}
	})
}

func TestAHugeGaugeIsNoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := world(nil)
		s.Vertex, s.Locations = true, []string{"global"}
		at := time.Now().Format(time.RFC3339)
		s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){
			monitoringHost: func(r *http.Request) (*http.Response, error) {
				value := "5"
				if strings.Contains(r.URL.Query().Get("filter"), "dedicated_token_limit") {
					value = "1.7e308"
				}
				one := `{"resource": {"labels": {"location": "global", "model_user_id": "gemini-3.5-flash"}},
					"points": [7, {"interval": {"endTime": "` + at + `"}, "value": {"doubleValue": ` + value + `}}]}`
				return says(200, `{"timeSeries": [`+one+`,`+one+`]}`)(r)
			},
		}}
		f := discover.Read(t.Context(), s)
		same(t, "orders", f.Orders, []discover.Order{{Model: "gemini-3.5-flash", Location: "global", GSUs: 10}})
	})
}

func TestAListIsBounded(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		var models strings.Builder
		for i := range 60_000 {
			fmt.Fprintf(&models, `{"name": "models/gemini-%d"},`, i)
		}
		pages := 0
		next := func(body func(string) string) func(*http.Request) (*http.Response, error) {
			return func(r *http.Request) (*http.Response, error) {
				pages++
				return says(200, body(fmt.Sprintf("page-%d", pages)))(r)
			}
		}
		s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){
			developerHost: says(200, `{"models": [`+strings.TrimSuffix(models.String(), ",")+`]}`),
			quotaHost: next(func(token string) string {
				return `{"nextPageToken": "` + token + `", "quotaInfos": [{"metric": "generate_content_free_tier_requests", "refreshInterval": "minute",
					"dimensionsInfos": [` + strings.Repeat(" ", 4<<20) + `{"dimensions": {"model": "gemini-x"}, "details": {"value": "3"}}]}]}`
			}),
			usageHost: says(403, ""),
		}}
		f := discover.Read(t.Context(), s)
		if len(f.Models) > 10_000 {
			t.Errorf("%d models are kept", len(f.Models))
		}
		if pages > 12 || f.Limits != nil {
			t.Errorf("%d pages of 4 MB were read, and gave %d limits", pages, len(f.Limits))
		}
	})
}

// A quota without a region is one for all regions together.
func TestAQuotaThatRegionsShareCountsOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		s.Vertex, s.Locations = true, []string{"europe-west4", "us-central1"}
		for _, test := range []struct {
			host, body string
		}{
			{quotaHost, `{"quotaInfos": [{"metric": "aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model",
				"refreshInterval": "minute", "dimensions": ["base_model"], "dimensionsInfos": [{"dimensions": {"base_model": "gemini-x"},
				"details": {"value": "60"}, "applicableLocations": ["global"]}]}]}`},
			{usageHost, `{"metrics": [{"metric": "aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model",
				"consumerQuotaLimits": [{"unit": "1/min/{project}/{base_model}", "quotaBuckets": [{"effectiveLimit": "60", "dimensions": {"base_model": "gemini-x"}}]}]}]}`},
		} {
			h := map[string]func(*http.Request) (*http.Response, error){quotaHost: says(403, ""), usageHost: says(403, "")}
			h[test.host] = says(200, test.body)
			copied := s
			copied.Transport = hosts{s.Transport, h}
			f := discover.Read(t.Context(), copied)
			same(t, test.host, f.Limits, []discover.Limit{{Model: "gemini-x", RPM: 60}})
		}
	})
}

// An event is told once, as long as its words are the same.
func TestAProblemHasTheSameWordsEachTime(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		var ports atomic.Int32
		reset := func(*http.Request) (*http.Response, error) {
			port := 40_000 + int(ports.Add(1))
			return nil, &net.OpError{
				Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(10, 1, 1, 1), Port: port}, Addr: &net.TCPAddr{IP: net.IPv6loopback, Port: 443},
				Err: errors.New("connection reset by peer"),
			}
		}
		lookup := func(*http.Request) (*http.Response, error) {
			port := 40_000 + ports.Add(1)
			return nil, fmt.Errorf("dial tcp: lookup x on 10.0.0.2:53: read udp 10.1.1.1:%d->10.0.0.2:53: i/o timeout", port)
		}
		s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){quotaHost: reset, usageHost: reset, billingHost: lookup}}
		first, second := discover.Read(t.Context(), s), discover.Read(t.Context(), s)
		if len(first.Problems) != 2 || !strings.Contains(first.Problems[1].Message+first.Problems[0].Message, "connection reset by peer") {
			t.Fatalf("problems %v", first.Problems)
		}
		same(t, "words", []string{first.Problems[0].Error(), first.Problems[1].Error()}, []string{second.Problems[0].Error(), second.Problems[1].Error()})
	})
}

func TestWhatToDoFitsWhatWasWrong(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *geminitest.Emulator, s discover.Source) {
		s.Transport = hosts{s.Transport, map[string]func(*http.Request) (*http.Response, error){
			developerHost: says(401, "<html>no</html>"), billingHost: says(599, "<html>"), quotaHost: says(403, "<html>proxy</html>"), usageHost: says(200, "<html>"),
		}}
		f := discover.Read(t.Context(), s)
		for _, p := range f.Problems {
			switch {
			case p.What == "models" && strings.Contains(p.Do, "not an API key"):
				t.Errorf("a key was refused, and the remedy is %q", p.Do)
			case p.What == "tier" && !strings.Contains(p.Message, "599"):
				t.Errorf("a status without a name is %q", p.Message)
			}
		}
		if len(f.Problems) != 3 {
			t.Errorf("problems %v", f.Problems)
		}
		s.Tokens = unreachableTokens{}
		f = discover.Read(t.Context(), s)
		if p := f.Problems[len(f.Problems)-1]; !p.Passing() || strings.Contains(p.Do, "gcloud auth") {
			t.Errorf("the network is down, and the remedy is %q", p.Do)
		}
	})
}

// unreachableTokens are of a token server that cannot be reached.
type unreachableTokens struct{}

func (unreachableTokens) Token(context.Context) (*auth.Token, error) {
	return nil, fmt.Errorf("cannot fetch token: %w", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("network is unreachable")})
}
