package verdict_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

func TestCausesOfTheCorpus(t *testing.T) {
	want := map[string]remedy.Cause{
		"gemini-429-rpm-free": remedy.FreeMinute, "gemini-429-itpm-free": remedy.FreeMinute,
		"gemini-429-rpd-free-captured": remedy.FreeDay, "gemini-429-rpd-paid-captured": remedy.PaidDay,
		"gemini-429-limit-zero": remedy.NoQuota, "gemini-429-bare": remedy.QuotaUnknown, "gemini-200-midstream-429": remedy.QuotaUnknown,
		"gemini-429-prepay-depleted": remedy.PrepayGone, "gemini-429-spend-rate": remedy.SpendRate,
		"vertex-429-dsq": remedy.Contention, "codeassist-429-dsq": remedy.Contention, "vertex-429-pt": remedy.OrderFull,
		"vertex-429-quota-base-model": remedy.PaidMinute, "vertex-429-quota-region": remedy.PaidMinute,
		"gemini-503-overloaded": remedy.Overloaded, "gemini-503-high-demand": remedy.Overloaded, "vertex-503-unavailable": remedy.Overloaded,
		"gemini-200-midstream-503": remedy.Overloaded, "gemini-500-internal": remedy.ServerFault, "gemini-504-deadline": remedy.ServerFault,
		"gemini-400-invalid-key": remedy.KeyRevoked, "gemini-403-leaked": remedy.KeyLeaked, "gemini-403-service-blocked": remedy.KeyRestricted,
		"gemini-401-key-type": remedy.KeyUnsupported, "vertex-403-iam": remedy.PermissionMissing, "vertex-403-billing-disabled": remedy.BillingOff,
		"gemini-404-model": remedy.ModelMissing, "gemini-404-version": remedy.ModelMissing,
		"vertex-404-model-location-old": remedy.LocationLacksIt, "vertex-400-service-agents": remedy.NotReady,
		"gemini-400-context": "", "vertex-403-input-file": "",
	}
	for _, s := range corpus(t) {
		cause, known := want[s.ID]
		if got := verdict.Judge(s.answer()).Cause; got != cause || !known {
			t.Errorf("%s: cause %q, want %q", s.ID, got, cause)
		}
	}
}

func TestCausesOfWhatTheEmulatorSays(t *testing.T) {
	const model = "gemini-3.5-flash"
	for _, tt := range []struct {
		name   string
		vertex bool
		tools  []string
		body   geminitest.Answer
		want   remedy.Cause
	}{
		{"tokens of the free minute", false, nil, geminitest.TokenQuota(model, 1, time.Second), remedy.FreeMinute},
		{"tokens of a paid minute", false, nil, geminitest.PaidTokenQuota(model, 1, time.Second), remedy.PaidMinute},
		{"no quota", false, nil, geminitest.NoQuota(model), remedy.NoQuota},
		{"a tool", false, []string{"google_search"}, geminitest.ToolQuota(), remedy.ToolQuota},
		{"the spend cap", false, nil, geminitest.SpendCap(), remedy.SpendCap},
		{"prepaid credits, as documented", false, nil, geminitest.PrepayDepleted(402), remedy.PrepayGone},
		{"billing is needed", false, nil, geminitest.BillingRequired("Imagen API"), remedy.BillingOff},
		{"a key is expired", false, nil, geminitest.KeyExpired(), remedy.KeyExpired},
		{"a key is suspended", false, nil, geminitest.KeySuspended("k"), remedy.KeySuspended},
		{"no key", false, nil, geminitest.Unregistered(), remedy.KeyDead},
		{"a key's account is off", false, nil, geminitest.AccountStateInvalid("a@b"), remedy.KeyUnsupported},
		{"a project is suspended", false, nil, geminitest.ProjectSuspended("1"), remedy.ProjectSuspended},
		{"the API is off", true, nil, geminitest.ServiceDisabled("p"), remedy.APIOff},
		{"a token is refused", true, nil, geminitest.TokenInvalid(), remedy.TokenRefused},
		{"a token lacks a scope", true, nil, geminitest.ScopeInsufficient(), remedy.PermissionMissing},
		{"a permission is missing", true, nil, geminitest.PermissionDenied("p", "eu", model), remedy.PermissionMissing},
		{"a policy excludes the location", true, nil, geminitest.LocationConstrained("p", "eu"), remedy.LocationForbidden},
		{"a model is not open", true, nil, geminitest.ModelNotAllowed("p", "eu", model), remedy.ModelForbidden},
		{"the network is not served", false, nil, geminitest.LocationUnsupported(), remedy.EgressBlocked},
		{"a proxy", false, nil, geminitest.Page(403), remedy.NotGoogle},
		{"a region's quota", true, nil, geminitest.RegionQuota("eu", "generate_content_requests", 5), remedy.PaidMinute},
	} {
		a := verdict.Answer{Backend: pool.BackendGemini, Tools: tt.tools, Status: tt.body.Status, Body: tt.body.Body}
		if tt.vertex {
			a.Backend = pool.BackendVertex
		}
		if v := verdict.Judge(a); v.Cause != tt.want {
			t.Errorf("%s: cause %q of class %s, want %q", tt.name, v.Cause, v.Class, tt.want)
		}
	}
}

// TestEveryCauseIsAWordForItsClass: whatever the body, or none.
func TestEveryCauseIsAWordForItsClass(t *testing.T) {
	statuses := []int{400, 401, 402, 403, 404, 408, 409, 413, 429, 499, 500, 501, 503, 504, 599, 0}
	for _, s := range append(corpus(t), specimen{ID: "none"}) {
		for _, status := range statuses {
			for _, backend := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
				v := verdict.Judge(verdict.Answer{Backend: backend, Status: status, Body: s.answer().Body})
				refuses := v.Class != pool.ClassOK && v.Class != pool.ClassCallerFault && v.Class != pool.ClassCancelled
				if fits := slices.Contains(v.Cause.Classes(), string(v.Class)); fits != refuses || (v.Cause == "") == refuses {
					t.Errorf("%s with %d %s on %s: cause %q of class %q", s.ID, status, http.StatusText(status), backend, v.Cause, v.Class)
				}
			}
		}
	}
}

// TestAProjectThatDoesNotExistIsNotSuspended: CONSUMER_INVALID is what Google says of an id that is misspelt, and of a
// project that the credential may not use.
func TestAProjectThatDoesNotExistIsNotSuspended(t *testing.T) {
	for message, want := range map[string]remedy.Cause{
		"Permission denied on resource project no-such-project.": remedy.PermissionMissing,
		"Project 'no-such-project' not found or deleted.":        remedy.Misconfigured,
	} {
		v := verdict.Judge(verdict.Answer{Backend: pool.BackendVertex, Status: 403, Body: []byte(`{"error":{"code":403,"message":"` + message +
			`","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONSUMER_INVALID",` +
			`"domain":"googleapis.com","metadata":{"service":"aiplatform.googleapis.com","consumer":"projects/no-such-project"}}]}}`)})
		if v.Class != pool.ClassProjectMisconfigured || v.Cause != want {
			t.Errorf("%s: cause %q of class %s, want %q", message, v.Cause, v.Class, want)
		}
	}
}
