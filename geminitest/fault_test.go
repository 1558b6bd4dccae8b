package geminitest_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/geminitest"
)

// observed reads the error bodies that users met.
func observed(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile("testdata/google_errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID     string
		Status int
		Body   any
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]any{}
	for _, entry := range list {
		bodies[entry.ID] = entry.Body
	}
	return bodies
}

func decoded(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("body is no JSON: %v\n%s", err, body)
	}
	return v
}

// byType turns the list of details, whose order means nothing, into a map.
func byType(v any) any {
	problem := v.(map[string]any)["error"].(map[string]any)
	details, _ := problem["details"].([]any)
	byName := map[string]any{}
	for _, d := range details {
		byName[d.(map[string]any)["@type"].(string)] = d
	}
	problem["details"] = byName
	return v
}

// TestFaultsAreTheBodiesThatUsersMet compares whole bodies.
func TestFaultsAreTheBodiesThatUsersMet(t *testing.T) {
	bodies := observed(t)
	for id, answer := range map[string]geminitest.Answer{
		"gemini-429-rpd-free-captured": geminitest.DayQuota("gemini-3.5-flash-lite", 500, 21497994*time.Microsecond),
		"gemini-429-rpd-paid-captured": geminitest.PaidDayQuota("gemini-3.1-flash-lite-image", 1000, 72193257628674*time.Nanosecond),
		"gemini-429-bare":              geminitest.QuotaUnknown(),
		"gemini-429-prepay-depleted":   geminitest.PrepayDepleted(429),
		"vertex-429-dsq":               geminitest.Contention(),
		"vertex-429-pt":                geminitest.ProvisionedFull(),
		"gemini-503-high-demand":       geminitest.Overloaded(),
		"vertex-503-unavailable":       geminitest.Unavailable(),
		"gemini-500-internal":          geminitest.Internal(),
		"gemini-504-deadline":          geminitest.DeadlineExpired(),
		"gemini-400-invalid-key":       geminitest.KeyInvalid(),
		"gemini-403-leaked":            geminitest.KeyLeaked(),
		"gemini-403-service-blocked":   geminitest.KeyBlocked(),
		"vertex-403-billing-disabled":  geminitest.BillingDisabled("PROJECT"),
		"gemini-429-spend-rate":        geminitest.SpendRate(),
		"vertex-429-quota-region":      geminitest.RegionQuota("us-central1", "generate_content_requests_per_minute_per_project_per_base_model", 5),
		"vertex-403-input-file":        geminitest.InputFileDenied(),
		"vertex-400-service-agents":    geminitest.ServiceAgentsMissing(),
		"gemini-404-model":             geminitest.ModelMissing("gemini-does-not-exist-ext162", "generateContent"),
	} {
		want, ok := bodies[id]
		if !ok {
			t.Fatalf("%s is not in the corpus", id)
		}
		if diff := cmp.Diff(byType(want), byType(decoded(t, answer.Body))); diff != "" {
			t.Errorf("%s (-observed +ours):\n%s", id, diff)
		}
		if code := decoded(t, answer.Body).(map[string]any)["error"].(map[string]any)["code"]; code != float64(answer.Status) {
			t.Errorf("%s: status %d, code %v in the body", id, answer.Status, code)
		}
	}
}

// shape keeps the structure of a body and what programs decide by, and drops the texts.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, x := range v {
			switch k {
			case "@type", "quotaId", "quotaMetric", "quotaValue", "reason", "domain", "status", "code", "permission":
				m[k] = x
			default:
				m[k] = shape(x)
			}
		}
		return m
	case []any:
		for i := range v {
			v[i] = shape(v[i])
		}
		return v
	case string:
		return "text"
	default:
		return v
	}
}

// TestFaultsHaveTheShapeThatUsersMet compares bodies whose texts differ from one year to another,
// or from one project to another.
func TestFaultsHaveTheShapeThatUsersMet(t *testing.T) {
	bodies := observed(t)
	for id, answer := range map[string]geminitest.Answer{
		"gemini-429-rpm-free":           geminitest.MinuteQuota(flash, 10, 17156209832*time.Nanosecond),
		"gemini-429-itpm-free":          geminitest.TokenQuota(flash, 250_000, 26*time.Second),
		"vertex-403-iam":                geminitest.PermissionDenied("p", "us-central1", flash),
		"vertex-404-model-location-old": geminitest.PublisherModelMissing("p", "asia-south1", flash),
		"gemini-401-key-type":           geminitest.KeyTypeUnsupported(),
		"gemini-400-context":            geminitest.InvalidArgument("The input token count exceeds the maximum number of tokens allowed 1048576."),
	} {
		want := bodies[id]
		if list, ok := want.([]any); ok {
			want = list[0]
		}
		if diff := cmp.Diff(shape(byType(want)), shape(byType(decoded(t, answer.Body)))); diff != "" {
			t.Errorf("%s (-observed +ours):\n%s", id, diff)
		}
	}
}

func TestNoQuotaSaysLimitZeroAndADelayNevertheless(t *testing.T) {
	want := observed(t)["gemini-429-limit-zero"].(map[string]any)["error"].(map[string]any)["message"]
	got := decoded(t, geminitest.NoQuota("gemini-2.5-pro").Body).(map[string]any)["error"].(map[string]any)["message"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSuspendedKeyIsEchoedAsGoogleDoes(t *testing.T) {
	if n := strings.Count(string(geminitest.KeySuspended("the-key").Body), "the-key"); n != 3 {
		t.Errorf("the key stands in %d places, want message, metadata and localized message", n)
	}
}

func TestFaultHasABodyForEveryStatus(t *testing.T) {
	for status := 400; status < 600; status++ {
		problem := decoded(t, geminitest.Fault(status).Body).(map[string]any)["error"].(map[string]any)
		if problem["code"] != float64(status) || problem["message"] == "" || problem["status"] == "" {
			t.Errorf("status %d: %v", status, problem)
		}
	}
}

func TestFaultsWithoutAnObservedBodySayWhatProgramsLookFor(t *testing.T) {
	for want, answer := range map[string]geminitest.Answer{
		"exceeded its monthly spending cap":                     geminitest.SpendCap(),
		"API key expired":                                       geminitest.KeyExpired(),
		`"reason": "SERVICE_DISABLED"`:                          geminitest.ServiceDisabled("p"),
		"User location is not supported for the API use.":       geminitest.LocationUnsupported(),
		`"GenerateRequestsPerMinutePerProjectPerModel"`:         geminitest.PaidMinuteQuota(flash, 5, time.Second),
		`"GenerateContentPaidTierInputTokensPerModelPerMinute"`: geminitest.PaidTokenQuota(flash, 5, time.Second),
		`"retryDelay": "1.500s"`:                                geminitest.MinuteQuota(flash, 5, 1500*time.Millisecond),
		`"retryDelay": "0.000250s"`:                             geminitest.MinuteQuota(flash, 5, 250*time.Microsecond),
	} {
		if !strings.Contains(string(answer.Body), want) {
			t.Errorf("%q is missing in %s", want, answer.Body)
		}
		decoded(t, answer.Body)
	}
}
