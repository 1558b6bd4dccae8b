package verdict_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

func TestJudgeSalvagesTheQuotaOfACutBody(t *testing.T) {
	body := `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerPro`
	if got := verdict.Judge(verdict.Answer{Backend: pool.BackendGemini, Status: 429, Body: []byte(body)}); got.Class != pool.ClassDayQuota {
		t.Errorf("class %q, want day_quota", got.Class)
	}
}

func TestJudgeByStatusAlone(t *testing.T) {
	bodies := map[string]string{
		"empty": "", "text": "no", "empty object": "{}",
		"null": "null", "unknown object": `{"error":{"message":"something new"}}`, "error is a string": `{"error":"no"}`,
		"error is null": `{"error":null}`, "binary": "\x00\xff\x1f\x8b",
	}
	tests := []struct {
		status         int
		gemini, vertex pool.Class
	}{
		{302, pool.ClassCallerFault, pool.ClassCallerFault},
		{400, pool.ClassCallerFault, pool.ClassCallerFault},
		{401, pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{402, pool.ClassBilling, pool.ClassBilling},
		{403, pool.ClassModelForbidden, pool.ClassModelForbidden},
		{404, pool.ClassModelMissing, pool.ClassModelMissing},
		{405, pool.ClassCallerFault, pool.ClassCallerFault},
		{408, pool.ClassServerFault, pool.ClassServerFault},
		{409, pool.ClassCallerFault, pool.ClassCallerFault},
		{413, pool.ClassCallerFault, pool.ClassCallerFault},
		{429, pool.ClassQuotaUnknown, pool.ClassContention},
		{499, pool.ClassServerFault, pool.ClassServerFault},
		{500, pool.ClassServerFault, pool.ClassServerFault},
		{501, pool.ClassModelMissing, pool.ClassModelMissing},
		{502, pool.ClassServerFault, pool.ClassServerFault},
		{503, pool.ClassOverloaded, pool.ClassOverloaded},
		{504, pool.ClassServerFault, pool.ClassServerFault},
		{599, pool.ClassServerFault, pool.ClassServerFault},
		{-1, pool.ClassServerFault, pool.ClassServerFault},
	}
	for _, tt := range tests {
		for name, body := range bodies {
			for backend, want := range map[pool.Backend]pool.Class{pool.BackendGemini: tt.gemini, pool.BackendVertex: tt.vertex} {
				got := verdict.Judge(verdict.Answer{Backend: backend, Status: tt.status, Body: []byte(body)})
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
		want pool.Class
		code int
	}{
		{`{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}`, pool.ClassOverloaded, 503},
		{`{"error":{"status":"UNAVAILABLE"}}`, pool.ClassOverloaded, 503},
		{`{"error":{"code":"429"}}`, pool.ClassQuotaUnknown, 429},
		{`{"error":{"status":"INTERNAL"}}`, pool.ClassServerFault, 500},
		{`{"error":{"status":"INVALID_ARGUMENT"}}`, pool.ClassCallerFault, 400},
		{`{"error":{}}`, pool.ClassServerFault, 500},
		{`{"event_type":"error","error":{"code":"rate_limit_exceeded","message":"x"}}`, pool.ClassMinuteQuota, 429},
		{`{"event_type":"error","error":{"code":"quota_exceeded","message":"x"}}`, pool.ClassDayQuota, 429},
		{`{"event_type":"error","error":{"code":"too_many_requests","message":"x"}}`, pool.ClassQuotaUnknown, 429},
		{`{"event_type":"error","error":{"code":"payment_required","message":"x"}}`, pool.ClassBilling, 402},
		{`{"event_type":"error","error":{"code":"model_not_found","message":"x"}}`, pool.ClassModelMissing, 404},
		{`{"event_type":"error","error":{"code":"service_unavailable","message":"x"}}`, pool.ClassOverloaded, 503},
		{`{"event_type":"error","error":{"code":"deadline_exceeded","message":"x"}}`, pool.ClassServerFault, 504},
	}
	for _, tt := range tests {
		got := verdict.Judge(verdict.Answer{Backend: pool.BackendGemini, Body: []byte(tt.body)})
		if got.Class != tt.want || got.Code != tt.code {
			t.Errorf("%s: %q %d, want %q %d", tt.body, got.Class, got.Code, tt.want, tt.code)
		}
	}
}

func TestJudgeReasons(t *testing.T) {
	tests := []struct {
		status         int
		reason         string
		gemini, vertex pool.Class
	}{
		{400, "API_KEY_INVALID", pool.ClassKeyDead, pool.ClassKeyDead},
		{400, "API_KEY_EXPIRED", pool.ClassKeyDead, pool.ClassKeyDead},
		{403, "API_KEY_IP_ADDRESS_BLOCKED", pool.ClassKeyDead, pool.ClassKeyDead},
		{403, "API_KEY_HTTP_REFERRER_BLOCKED", pool.ClassKeyDead, pool.ClassKeyDead},
		{403, "API_KEY_SOMETHING_NEW", pool.ClassKeyDead, pool.ClassKeyDead},
		{403, "api_key_service_blocked", pool.ClassKeyDead, pool.ClassKeyDead},
		{403, "CONSUMER_SUSPENDED", pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{403, "CONSUMER_INVALID", pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{403, "SERVICE_DISABLED", pool.ClassProjectMisconfigured, pool.ClassProjectMisconfigured},
		{403, "BILLING_DISABLED", pool.ClassProjectMisconfigured, pool.ClassProjectMisconfigured},
		{403, "USER_PROJECT_DENIED", pool.ClassProjectMisconfigured, pool.ClassProjectMisconfigured},
		{401, "ACCESS_TOKEN_EXPIRED", pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", pool.ClassProjectMisconfigured, pool.ClassProjectMisconfigured},
		{401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{401, "ACCOUNT_STATE_INVALID", pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{401, "CREDENTIALS_MISSING", pool.ClassKeyDead, pool.ClassProjectMisconfigured},
		{403, "IAM_PERMISSION_DENIED", pool.ClassProjectMisconfigured, pool.ClassProjectMisconfigured},
		{403, "SECURITY_POLICY_VIOLATED", pool.ClassProjectMisconfigured, pool.ClassProjectMisconfigured},
		{400, "LOCATION_ORG_POLICY_VIOLATED", pool.ClassModelForbidden, pool.ClassModelForbidden},
		{429, "MODEL_CAPACITY_EXHAUSTED", pool.ClassContention, pool.ClassContention},
		{429, "RATE_LIMIT_EXCEEDED", pool.ClassQuotaUnknown, pool.ClassContention},
		{403, "SOMETHING_NEW", pool.ClassModelForbidden, pool.ClassModelForbidden},
	}
	for _, tt := range tests {
		body := fmt.Appendf(nil, `{"error":{"message":"m","details":[{"reason":%q,"metadata":{"service":"s"},`+
			`"@type":"type.googleapis.com/google.rpc.ErrorInfo"}]}}`, tt.reason)
		for backend, want := range map[pool.Backend]pool.Class{pool.BackendGemini: tt.gemini, pool.BackendVertex: tt.vertex} {
			got := verdict.Judge(verdict.Answer{Backend: backend, Status: tt.status, Body: body})
			if got.Class != want || got.Reason != tt.reason {
				t.Errorf("%d %s on %s: %q %q, want %q", tt.status, tt.reason, backend, got.Class, got.Reason, want)
			}
		}
	}
}

func TestJudgeMessages(t *testing.T) {
	tests := []struct {
		name    string
		backend pool.Backend
		status  int
		message string
		want    pool.Class
	}{
		{"prepaid credits, as 402", pool.BackendGemini, 402, "Your prepayment credits are depleted.", pool.ClassBilling},
		{"spending cap", pool.BackendGemini, 429, "Your project has exceeded its monthly spending cap. Please go to AI Studio.", pool.ClassBilling},
		{"contention from the Gemini back end", pool.BackendGemini, 429, "Resource exhausted. Please try again later.", pool.ClassQuotaUnknown},
		{"documented spelling of a full order", pool.BackendVertex, 429, "Too many requests. Exceeded the Provisioned Throughput.", pool.ClassProvisionedFull},
		{"overload on 429", pool.BackendGemini, 429, "The model is overloaded. Please try again later.", pool.ClassOverloaded},
		{"bare limits of zero", pool.BackendGemini, 429, "quota, limit: 0, and limit: 0", pool.ClassNoQuota},
		{"one of two bare limits is zero", pool.BackendGemini, 429, "quota, limit: 0, and limit: 10", pool.ClassQuotaUnknown},
		{"a limit that begins with zero digits", pool.BackendGemini, 429, "Quota exceeded for metric: a.googleapis.com/b, limit: 05", pool.ClassQuotaUnknown},
		{"service control", pool.BackendGemini, 429, "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit " +
			"'GenerateContent request limit per minute for a region' of service 'generativelanguage.googleapis.com'.", pool.ClassMinuteQuota},
		{"metric only, per day", pool.BackendVertex, 429, "Quota exceeded for aiplatform.googleapis.com/requests_per_day_per_project", pool.ClassDayQuota},
		{"a project's quota of unknown period", pool.BackendVertex, 429, "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model " +
			"with base model: gemini-pro.", pool.ClassQuotaUnknown},
		{"expired key", pool.BackendGemini, 400, "API key expired. Please renew the API key.", pool.ClassKeyDead},
		{"egress", pool.BackendGemini, 400, "User location is not supported for the API use.", pool.ClassEgressBlocked},
		{"no free tier there", pool.BackendGemini, 400, "Gemini API free tier is not available in your country.", pool.ClassBilling},
		{"suspended", pool.BackendGemini, 403, "Permission denied: Consumer 'api_key:x' has been suspended.", pool.ClassKeyDead},
		{"suspended project", pool.BackendVertex, 403, "Permission denied: Consumer 'projects/1' has been suspended.", pool.ClassProjectMisconfigured},
		{"no key at all", pool.BackendGemini, 403, "Method doesn't allow unregistered callers (callers without established identity).", pool.ClassKeyDead},
		{"referrer", pool.BackendGemini, 403, "Requests from referer <empty> are blocked.", pool.ClassKeyDead},
		{"API not enabled", pool.BackendVertex, 403, "Vertex AI API has not been used in project 1 before or it is disabled.", pool.ClassProjectMisconfigured},
		{"IAM without details", pool.BackendVertex, 403, "Permission 'aiplatform.endpoints.predict' denied on resource " +
			"'//aiplatform.googleapis.com/projects/p/locations/l/publishers/google/models/m' (or it may not exist).", pool.ClassProjectMisconfigured},
		{"a model not allowed by policy", pool.BackendVertex, 400, "Organization Policy constraint `constraints/vertexai.allowedModels` violated.", pool.ClassModelForbidden},
		{"a file of another project", pool.BackendGemini, 403, "You do not have permission to access the File abc or it may not exist.", pool.ClassCallerFault},
		{"cached content gone", pool.BackendGemini, 403, "CachedContent not found (or permission denied)", pool.ClassCallerFault},
		{"cached content not found", pool.BackendVertex, 404, "Not found: cached content metadata for 123.", pool.ClassCallerFault},
		{"IAM on cached content", pool.BackendVertex, 403, "Permission 'aiplatform.cachedContents.get' denied on resource " +
			"'//aiplatform.googleapis.com/projects/p/locations/l/cachedContents/1' (or it may not exist).", pool.ClassCallerFault},
		{"a tuned endpoint gone", pool.BackendVertex, 404, "projects/p/locations/l/endpoints/123 not found", pool.ClassCallerFault},
		{"tuned model gone", pool.BackendGemini, 404, "Tuned model tunedModels/x does not exist.", pool.ClassCallerFault},
		{"retired for new users", pool.BackendGemini, 404, "This model models/x is no longer available to new users.", pool.ClassModelMissing},
		{"context too long, as 500", pool.BackendGemini, 500, "Your input context is too long.", pool.ClassCallerFault},
		{"overload on 500", pool.BackendGemini, 500, "The model is overloaded.", pool.ClassOverloaded},

		{"the caller's own words fell no key", pool.BackendGemini, 400, `Unknown name "your key was reported as leaked, api key not valid".`, pool.ClassCallerFault},
		{"nor make a quota", pool.BackendGemini, 400, `Unknown name "Quota exceeded for a.googleapis.com/per_day, limit: 0".`, pool.ClassCallerFault},
		{"nor move an egress", pool.BackendGemini, 400, `Unknown name "User location is not supported".`, pool.ClassCallerFault},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := verdict.ErrorBody(tt.status, "X", tt.message)
			for _, b := range [][]byte{body, []byte(tt.message)} {
				if got := verdict.Judge(verdict.Answer{Backend: tt.backend, Status: tt.status, Body: b}); got.Class != tt.want {
					t.Errorf("class %q, want %q: %s", got.Class, tt.want, b)
				}
			}
		})
	}
}

func TestJudgeBoundsWhatItKeeps(t *testing.T) {
	long := strings.Repeat("é\x1b[2J", 1<<16)
	violation := `{"quotaId":"PerDay` + strings.Repeat("x", 1000) + `"},`
	body := []byte(`{"error":{"status":"` + strings.Repeat("S", 5000) + `","message":"first ` + long + `\nsecond","details":[{"violations":[` +
		strings.Repeat(violation, 500) + `{}]}]}}`)
	got := verdict.Judge(verdict.Answer{Backend: pool.BackendGemini, Status: 429, Body: body, Now: time.Now()})
	if len(got.Message) > 300 || strings.ContainsAny(got.Message, "\n\x1b") || !strings.HasPrefix(got.Message, "first é") {
		t.Errorf("message of %d bytes: %q", len(got.Message), got.Message)
	}
	if len(got.Violations) != 32 || len(got.Violations[0].ID) != 200 || len(got.Status) != 200 {
		t.Errorf("%d violations, ids of %d bytes, status of %d", len(got.Violations), len(got.Violations[0].ID), len(got.Status))
	}
	if got.Class != pool.ClassDayQuota && got.Class != pool.ClassNoQuota {
		t.Errorf("class %q", got.Class)
	}
}

func TestJudgeOfOKLooksAtNothing(t *testing.T) {
	a := verdict.Answer{Backend: pool.BackendGemini, Status: 200, Body: []byte(`{"error":{"code":503}}`)}
	if n := testing.AllocsPerRun(100, func() {
		if verdict.Judge(a).Class != pool.ClassOK {
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
		a := verdict.Answer{Backend: pool.Backend(backend), Status: status, Body: body, Now: time.Unix(1e9, 0)}
		a.Header = http.Header{"Retry-After": {after}}
		got := verdict.Judge(a)
		if got.Class == "" || (got.Class == pool.ClassOK) != (status >= 200 && status < 300) {
			t.Errorf("class %q of %d", got.Class, status)
		}
		if got.Hint < 0 || got.Hint > verdict.MaxHint {
			t.Errorf("hint %v", got.Hint)
		}
		if len(got.Message) > 300 || len(got.Violations) > 32 || len(got.Reason) > 200 || len(got.Status) > 200 {
			t.Errorf("unbounded: %+v", got)
		}
		if again := verdict.Judge(a); !cmp.Equal(got, again) {
			t.Errorf("two verdicts: %s", cmp.Diff(got, again))
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	b.Run("ok", func(b *testing.B) {
		a := verdict.Answer{Backend: pool.BackendGemini, Status: 200, Body: make([]byte, 1<<20)}
		b.ReportAllocs()
		for b.Loop() {
			verdict.Judge(a)
		}
	})
	for _, s := range corpus(b)[:1] {
		b.Run(s.ID, func(b *testing.B) {
			a := s.answer()
			b.ReportAllocs()
			for b.Loop() {
				verdict.Judge(a)
			}
		})
	}
}

// TestJudgeBlamesTheKeyOfAKeyedCallOnVertex: what means the whole project where it signs with
// tokens means one of its keys where it has keys, which others can replace.
func TestJudgeBlamesTheKeyOfAKeyedCallOnVertex(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
	}{
		{403, `{"error":{"code":403,"message":"Consumer has been suspended.","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONSUMER_SUSPENDED"}]}}`},
		{401, `{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`},
		{401, ``},
	} {
		for keyed, want := range map[bool]pool.Class{true: pool.ClassKeyDead, false: pool.ClassProjectMisconfigured} {
			got := verdict.Judge(verdict.Answer{Backend: pool.BackendVertex, Keyed: keyed, Status: tt.status, Body: []byte(tt.body)})
			if got.Class != want {
				t.Errorf("%d %s, keyed %v: %q, want %q", tt.status, tt.body, keyed, got.Class, want)
			}
		}
	}
}
