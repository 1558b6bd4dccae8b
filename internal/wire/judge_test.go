package wire_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire"
)

func TestJudgeSalvagesTheQuotaOfACutBody(t *testing.T) {
	body := `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerPro`
	if got := wire.Judge(wire.Answer{Backend: wire.Gemini, Status: 429, Body: []byte(body)}); got.Class != wire.DayQuota {
		t.Errorf("class %q, want day_quota", got.Class)
	}
}

func TestJudgeByStatusAlone(t *testing.T) {
	bodies := map[string]string{
		"empty": "", "text": "no", "HTML": "<!DOCTYPE html><html><title>Error</title></html>", "empty object": "{}",
		"null": "null", "unknown object": `{"error":{"message":"something new"}}`, "error is a string": `{"error":"no"}`,
		"error is null": `{"error":null}`, "binary": "\x00\xff\x1f\x8b",
	}
	tests := []struct {
		status         int
		gemini, vertex wire.Class
	}{
		{302, wire.CallerFault, wire.CallerFault},
		{400, wire.CallerFault, wire.CallerFault},
		{401, wire.KeyDead, wire.ProjectMisconfigured},
		{402, wire.Billing, wire.Billing},
		{403, wire.ModelForbidden, wire.ModelForbidden},
		{404, wire.ModelMissing, wire.ModelMissing},
		{405, wire.CallerFault, wire.CallerFault},
		{408, wire.ServerFault, wire.ServerFault},
		{409, wire.CallerFault, wire.CallerFault},
		{413, wire.CallerFault, wire.CallerFault},
		{429, wire.QuotaUnknown, wire.Contention},
		{499, wire.ServerFault, wire.ServerFault},
		{500, wire.ServerFault, wire.ServerFault},
		{501, wire.ServerFault, wire.ServerFault},
		{502, wire.ServerFault, wire.ServerFault},
		{503, wire.Overloaded, wire.Overloaded},
		{504, wire.ServerFault, wire.ServerFault},
		{599, wire.ServerFault, wire.ServerFault},
		{-1, wire.ServerFault, wire.ServerFault},
	}
	for _, tt := range tests {
		for name, body := range bodies {
			for backend, want := range map[wire.Backend]wire.Class{wire.Gemini: tt.gemini, wire.Vertex: tt.vertex} {
				got := wire.Judge(wire.Answer{Backend: backend, Status: tt.status, Body: []byte(body)})
				if got.Class != want || got.Code != tt.status {
					t.Errorf("%d %s on %s: %q (%d), want %q", tt.status, name, backend, got.Class, got.Code, want)
				}
			}
		}
	}
}

func TestJudgeTakesTheCodeOfAnEventWithoutStatus(t *testing.T) {
	tests := []struct {
		body string
		want wire.Class
		code int
	}{
		{`{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}`, wire.Overloaded, 503},
		{`{"error":{"status":"UNAVAILABLE"}}`, wire.Overloaded, 503},
		{`{"error":{"code":"429"}}`, wire.QuotaUnknown, 429},
		{`{"error":{"status":"INTERNAL"}}`, wire.ServerFault, 500},
		{`{"error":{"status":"INVALID_ARGUMENT"}}`, wire.CallerFault, 400},
		{`{"error":{}}`, wire.ServerFault, 500},
		{`{"event_type":"error","error":{"code":"rate_limit_exceeded","message":"x"}}`, wire.MinuteQuota, 429},
		{`{"event_type":"error","error":{"code":"quota_exceeded","message":"x"}}`, wire.DayQuota, 429},
		{`{"event_type":"error","error":{"code":"too_many_requests","message":"x"}}`, wire.QuotaUnknown, 429},
		{`{"event_type":"error","error":{"code":"payment_required","message":"x"}}`, wire.Billing, 402},
		{`{"event_type":"error","error":{"code":"model_not_found","message":"x"}}`, wire.ModelMissing, 404},
		{`{"event_type":"error","error":{"code":"service_unavailable","message":"x"}}`, wire.Overloaded, 503},
		{`{"event_type":"error","error":{"code":"deadline_exceeded","message":"x"}}`, wire.ServerFault, 504},
	}
	for _, tt := range tests {
		got := wire.Judge(wire.Answer{Backend: wire.Gemini, Body: []byte(tt.body)})
		if got.Class != tt.want || got.Code != tt.code {
			t.Errorf("%s: %q %d, want %q %d", tt.body, got.Class, got.Code, tt.want, tt.code)
		}
	}
}

func TestJudgeReasons(t *testing.T) {
	tests := []struct {
		status         int
		reason         string
		gemini, vertex wire.Class
	}{
		{400, "API_KEY_INVALID", wire.KeyDead, wire.KeyDead},
		{400, "API_KEY_EXPIRED", wire.KeyDead, wire.KeyDead},
		{403, "API_KEY_IP_ADDRESS_BLOCKED", wire.KeyDead, wire.KeyDead},
		{403, "API_KEY_HTTP_REFERRER_BLOCKED", wire.KeyDead, wire.KeyDead},
		{403, "API_KEY_SOMETHING_NEW", wire.KeyDead, wire.KeyDead},
		{403, "api_key_service_blocked", wire.KeyDead, wire.KeyDead},
		{403, "CONSUMER_SUSPENDED", wire.KeyDead, wire.ProjectMisconfigured},
		{403, "CONSUMER_INVALID", wire.KeyDead, wire.ProjectMisconfigured},
		{403, "SERVICE_DISABLED", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{403, "BILLING_DISABLED", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{403, "USER_PROJECT_DENIED", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{401, "ACCESS_TOKEN_EXPIRED", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{401, "CREDENTIALS_MISSING", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{403, "IAM_PERMISSION_DENIED", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{403, "SECURITY_POLICY_VIOLATED", wire.ProjectMisconfigured, wire.ProjectMisconfigured},
		{400, "LOCATION_ORG_POLICY_VIOLATED", wire.ModelMissing, wire.ModelMissing},
		{429, "MODEL_CAPACITY_EXHAUSTED", wire.Contention, wire.Contention},
		{429, "RATE_LIMIT_EXCEEDED", wire.QuotaUnknown, wire.Contention},
		{403, "SOMETHING_NEW", wire.ModelForbidden, wire.ModelForbidden},
	}
	for _, tt := range tests {
		body := fmt.Appendf(nil, `{"error":{"message":"m","details":[{"reason":%q,"metadata":{"service":"s"},`+
			`"@type":"type.googleapis.com/google.rpc.ErrorInfo"}]}}`, tt.reason)
		for backend, want := range map[wire.Backend]wire.Class{wire.Gemini: tt.gemini, wire.Vertex: tt.vertex} {
			got := wire.Judge(wire.Answer{Backend: backend, Status: tt.status, Body: body})
			if got.Class != want || got.Reason != tt.reason {
				t.Errorf("%d %s on %s: %q %q, want %q", tt.status, tt.reason, backend, got.Class, got.Reason, want)
			}
		}
	}
}

func TestJudgeMessages(t *testing.T) {
	tests := []struct {
		name    string
		backend wire.Backend
		status  int
		message string
		want    wire.Class
	}{
		{"prepaid credits, as 402", wire.Gemini, 402, "Your prepayment credits are depleted.", wire.Billing},
		{"spending cap", wire.Gemini, 429, "Your project has exceeded its monthly spending cap. Please go to AI Studio.", wire.Billing},
		{"contention from the Gemini back end", wire.Gemini, 429, "Resource exhausted. Please try again later.", wire.Contention},
		{"documented spelling of a full order", wire.Vertex, 429, "Too many requests. Exceeded the Provisioned Throughput.", wire.ProvisionedFull},
		{"overload on 429", wire.Gemini, 429, "The model is overloaded. Please try again later.", wire.Overloaded},
		{"bare limits of zero", wire.Gemini, 429, "quota, limit: 0, and limit: 0", wire.NoQuota},
		{"one of two bare limits is zero", wire.Gemini, 429, "quota, limit: 0, and limit: 10", wire.QuotaUnknown},
		{"a limit that begins with zero digits", wire.Gemini, 429, "Quota exceeded for metric: a.googleapis.com/b, limit: 05", wire.QuotaUnknown},
		{"service control", wire.Gemini, 429, "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit " +
			"'GenerateContent request limit per minute for a region' of service 'generativelanguage.googleapis.com'.", wire.MinuteQuota},
		{"metric only, per day", wire.Vertex, 429, "Quota exceeded for aiplatform.googleapis.com/requests_per_day_per_project", wire.DayQuota},
		{"a project's quota of unknown period", wire.Vertex, 429, "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model " +
			"with base model: gemini-pro.", wire.QuotaUnknown},
		{"expired key", wire.Gemini, 400, "API key expired. Please renew the API key.", wire.KeyDead},
		{"egress", wire.Gemini, 400, "User location is not supported for the API use.", wire.EgressBlocked},
		{"no free tier there", wire.Gemini, 400, "Gemini API free tier is not available in your country.", wire.Billing},
		{"suspended", wire.Gemini, 403, "Permission denied: Consumer 'api_key:x' has been suspended.", wire.KeyDead},
		{"suspended project", wire.Vertex, 403, "Permission denied: Consumer 'projects/1' has been suspended.", wire.ProjectMisconfigured},
		{"no key at all", wire.Gemini, 403, "Method doesn't allow unregistered callers (callers without established identity).", wire.KeyDead},
		{"referrer", wire.Gemini, 403, "Requests from referer <empty> are blocked.", wire.KeyDead},
		{"API not enabled", wire.Vertex, 403, "Vertex AI API has not been used in project 1 before or it is disabled.", wire.ProjectMisconfigured},
		{"IAM without details", wire.Vertex, 403, "Permission 'aiplatform.endpoints.predict' denied on resource " +
			"'//aiplatform.googleapis.com/projects/p/locations/l/publishers/google/models/m' (or it may not exist).", wire.ProjectMisconfigured},
		{"a model not allowed by policy", wire.Vertex, 400, "Organization Policy constraint `constraints/vertexai.allowedModels` violated.", wire.ModelForbidden},
		{"a file of another project", wire.Gemini, 403, "You do not have permission to access the File abc or it may not exist.", wire.CallerFault},
		{"cached content gone", wire.Gemini, 403, "CachedContent not found (or permission denied)", wire.CallerFault},
		{"cached content not found", wire.Vertex, 404, "Not found: cached content metadata for 123.", wire.CallerFault},
		{"IAM on cached content", wire.Vertex, 403, "Permission 'aiplatform.cachedContents.get' denied on resource " +
			"'//aiplatform.googleapis.com/projects/p/locations/l/cachedContents/1' (or it may not exist).", wire.CallerFault},
		{"a tuned endpoint gone", wire.Vertex, 404, "projects/p/locations/l/endpoints/123 not found", wire.CallerFault},
		{"tuned model gone", wire.Gemini, 404, "Tuned model tunedModels/x does not exist.", wire.CallerFault},
		{"retired for new users", wire.Gemini, 404, "This model models/x is no longer available to new users.", wire.ModelMissing},
		{"context too long, as 500", wire.Gemini, 500, "Your input context is too long.", wire.CallerFault},
		{"overload on 500", wire.Gemini, 500, "The model is overloaded.", wire.Overloaded},

		{"the caller's own words fell no key", wire.Gemini, 400, `Unknown name "your key was reported as leaked, api key not valid".`, wire.CallerFault},
		{"nor make a quota", wire.Gemini, 400, `Unknown name "Quota exceeded for a.googleapis.com/per_day, limit: 0".`, wire.CallerFault},
		{"nor move an egress", wire.Gemini, 400, `Unknown name "User location is not supported".`, wire.CallerFault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := wire.ErrorBody(tt.status, "X", tt.message)
			for _, b := range [][]byte{body, []byte(tt.message)} {
				if got := wire.Judge(wire.Answer{Backend: tt.backend, Status: tt.status, Body: b}); got.Class != tt.want {
					t.Errorf("class %q, want %q: %s", got.Class, tt.want, b)
				}
			}
		})
	}
}

func TestJudgeViolations(t *testing.T) {
	tests := []struct {
		name       string
		message    string
		violations string
		want       wire.Class
		read       []wire.Violation
	}{
		{
			name: "the longest period counts", violations: `{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel","quotaValue":"5"},
				{"quotaId":"GenerateRequestsPerDayPerProjectPerModel","quotaValue":"50"}`,
			want: wire.DayQuota,
			read: []wire.Violation{
				{ID: "GenerateRequestsPerMinutePerProjectPerModel", Limit: 5, Per: wire.Minute, Of: wire.Requests},
				{ID: "GenerateRequestsPerDayPerProjectPerModel", Limit: 50, Per: wire.Day, Of: wire.Requests},
			},
		},
		{
			name: "zero on every one", violations: `{"quotaId":"RequestsPerDay","quotaValue":"0"},{"quotaId":"TokensPerMinute","quotaValue":0}`,
			want: wire.NoQuota,
			read: []wire.Violation{
				{ID: "RequestsPerDay", Limit: 0, Per: wire.Day, Of: wire.Requests},
				{ID: "TokensPerMinute", Limit: 0, Per: wire.Minute, Of: wire.Tokens},
			},
		},
		{
			name: "zero on one of two", violations: `{"quotaId":"RequestsPerMinute","quotaValue":"0"},{"quotaId":"TokensPerMinute","quotaValue":"9"}`,
			want: wire.MinuteQuota,
			read: []wire.Violation{
				{ID: "RequestsPerMinute", Limit: 0, Per: wire.Minute, Of: wire.Requests},
				{ID: "TokensPerMinute", Limit: 9, Per: wire.Minute, Of: wire.Tokens},
			},
		},
		{
			name: "no value", violations: `{"quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier","quotaDimensions":{"model":"gemini-2.5-flash"}}`,
			want: wire.MinuteQuota,
			read: []wire.Violation{{ID: "GenerateContentInputTokensPerModelPerMinute-FreeTier", Model: "gemini-2.5-flash", Limit: -1, Per: wire.Minute, Of: wire.Tokens}},
		},
		{
			name: "three without a value", violations: `{"quotaId":"RequestsPerDay"},{"quotaId":"RequestsPerMinute"},{"quotaId":"TokensPerMinute"}`,
			want: wire.NoQuota,
			read: []wire.Violation{
				{ID: "RequestsPerDay", Limit: -1, Per: wire.Day, Of: wire.Requests},
				{ID: "RequestsPerMinute", Limit: -1, Per: wire.Minute, Of: wire.Requests},
				{ID: "TokensPerMinute", Limit: -1, Per: wire.Minute, Of: wire.Tokens},
			},
		},
		{
			name:       "values from the message",
			message:    "\n* Quota exceeded for metric: a.googleapis.com/tokens, limit: 7\n* Quota exceeded for metric: a.googleapis.com/requests, limit: 0\n",
			violations: `{"quotaMetric":"a.googleapis.com/requests","quotaId":"RequestsPerDay"},{"quotaMetric":"a.googleapis.com/tokens","quotaId":"TokensPerMinute"}`,
			want:       wire.DayQuota,
			read: []wire.Violation{
				{ID: "RequestsPerDay", Metric: "a.googleapis.com/requests", Limit: 0, Per: wire.Day, Of: wire.Requests},
				{ID: "TokensPerMinute", Metric: "a.googleapis.com/tokens", Limit: 7, Per: wire.Minute, Of: wire.Tokens},
			},
		},
		{
			name: "metric only, per day", violations: `{"quotaMetric":"generativelanguage.googleapis.com/generate_requests_per_model_per_day"}`,
			want: wire.DayQuota,
			read: []wire.Violation{{Metric: "generativelanguage.googleapis.com/generate_requests_per_model_per_day", Limit: -1, Per: wire.Day, Of: wire.Requests}},
		},
		{
			name: "metric that tells nothing", violations: `{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaValue":"9"}`,
			want: wire.QuotaUnknown,
			read: []wire.Violation{{Metric: "generativelanguage.googleapis.com/generate_content_free_tier_requests", Limit: 9, Of: wire.Requests}},
		},
		{
			name: "the id outranks the metric", violations: `{"quotaId":"XPerMinute","quotaMetric":"a.googleapis.com/requests_per_day"}`,
			want: wire.MinuteQuota,
			read: []wire.Violation{{ID: "XPerMinute", Metric: "a.googleapis.com/requests_per_day", Limit: -1, Per: wire.Minute, Of: wire.Requests}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			message, err := json.Marshal(tt.message)
			if err != nil {
				t.Fatal(err)
			}
			body := fmt.Appendf(nil, `{"error":{"code":429,"message":%s,"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[%s]}]}}`,
				message, tt.violations)
			got := wire.Judge(wire.Answer{Backend: wire.Vertex, Status: 429, Body: body})
			if got.Class != tt.want {
				t.Errorf("class %q, want %q", got.Class, tt.want)
			}
			if diff := cmp.Diff(tt.read, got.Violations); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudgeReadsTheQuotaInErrorInfo(t *testing.T) {
	body := `{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED",
		"metadata":{"quota_limit":"GenerateContentRequestsPerMinutePerProjectPerRegion","quota_limit_value":"60",
		"quota_metric":"generativelanguage.googleapis.com/generate_content_requests"}}]}}`
	got := wire.Judge(wire.Answer{Backend: wire.Gemini, Status: 429, Body: []byte(body)})
	want := []wire.Violation{{ID: "GenerateContentRequestsPerMinutePerProjectPerRegion", Limit: 60, Per: wire.Minute, Of: wire.Requests,
		Metric: "generativelanguage.googleapis.com/generate_content_requests"}}
	if got.Class != wire.MinuteQuota {
		t.Errorf("class %q", got.Class)
	}
	if diff := cmp.Diff(want, got.Violations); diff != "" {
		t.Error(diff)
	}
}

func TestJudgeBoundsWhatItKeeps(t *testing.T) {
	long := strings.Repeat("é\x1b[2J", 1<<16)
	violation := `{"quotaId":"PerDay` + strings.Repeat("x", 1000) + `"},`
	body := []byte(`{"error":{"status":"` + strings.Repeat("S", 5000) + `","message":"first ` + long + `\nsecond","details":[{"violations":[` +
		strings.Repeat(violation, 500) + `{}]}]}}`)
	got := wire.Judge(wire.Answer{Backend: wire.Gemini, Status: 429, Body: body, Now: time.Now()})
	if len(got.Message) > 300 || strings.ContainsAny(got.Message, "\n\x1b") || !strings.HasPrefix(got.Message, "first é") {
		t.Errorf("message of %d bytes: %q", len(got.Message), got.Message)
	}
	if len(got.Violations) != 32 || len(got.Violations[0].ID) != 200 || len(got.Status) != 200 {
		t.Errorf("%d violations, ids of %d bytes, status of %d", len(got.Violations), len(got.Violations[0].ID), len(got.Status))
	}
	if got.Class != wire.DayQuota && got.Class != wire.NoQuota {
		t.Errorf("class %q", got.Class)
	}
}

func TestJudgeOfOKLooksAtNothing(t *testing.T) {
	a := wire.Answer{Backend: wire.Gemini, Status: 200, Body: []byte(`{"error":{"code":503}}`)}
	if n := testing.AllocsPerRun(100, func() {
		if wire.Judge(a).Class != wire.OK {
			t.Error("not OK")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzJudge(f *testing.F) {
	for _, s := range corpus(f) {
		a := s.answer()
		f.Add(string(a.Backend), a.Status, a.Body, "30")
	}
	f.Add("vertex", 429, []byte(`{"error":{"message":"{\"error\":{\"message\":\"[{\\\"error\\\":1}]\"}}"}}`), "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add("gemini", 0, []byte("\x1f\x8b\x08\x00"), "")
	f.Fuzz(func(t *testing.T, backend string, status int, body []byte, after string) {
		a := wire.Answer{Backend: wire.Backend(backend), Status: status, Body: body, Now: time.Unix(1e9, 0)}
		a.Header = http.Header{"Retry-After": {after}}
		got := wire.Judge(a)
		if got.Class == "" || (got.Class == wire.OK) != (status >= 200 && status < 300) {
			t.Errorf("class %q of %d", got.Class, status)
		}
		if got.Hint < 0 || got.Hint > wire.MaxHint {
			t.Errorf("hint %v", got.Hint)
		}
		if len(got.Message) > 300 || len(got.Violations) > 32 || len(got.Reason) > 200 || len(got.Status) > 200 {
			t.Errorf("unbounded: %+v", got)
		}
		if again := wire.Judge(a); !cmp.Equal(got, again) {
			t.Errorf("two verdicts: %s", cmp.Diff(got, again))
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	b.Run("ok", func(b *testing.B) {
		a := wire.Answer{Backend: wire.Gemini, Status: 200, Body: make([]byte, 1<<20)}
		b.ReportAllocs()
		for b.Loop() {
			wire.Judge(a)
		}
	})
	for _, s := range corpus(b)[:1] {
		b.Run(s.ID, func(b *testing.B) {
			a := s.answer()
			b.ReportAllocs()
			for b.Loop() {
				wire.Judge(a)
			}
		})
	}
}

// TestJudgeBlamesTheKeyOfAKeyedCallOnVertex: what means the whole project where it signs with tokens means one of its keys where it has
// keys, which others can replace.
func TestJudgeBlamesTheKeyOfAKeyedCallOnVertex(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
	}{
		{403, `{"error":{"code":403,"message":"Consumer has been suspended.","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONSUMER_SUSPENDED"}]}}`},
		{401, `{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`},
		{401, ``},
	} {
		for keyed, want := range map[bool]wire.Class{true: wire.KeyDead, false: wire.ProjectMisconfigured} {
			got := wire.Judge(wire.Answer{Backend: wire.Vertex, Keyed: keyed, Status: tt.status, Body: []byte(tt.body)})
			if got.Class != want {
				t.Errorf("%d %s, keyed %v: %q, want %q", tt.status, tt.body, keyed, got.Class, want)
			}
		}
	}
}
