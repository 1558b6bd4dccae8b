package geminitest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// tooled is the body of a call with a tool.
func tooled(tool string) string {
	return `{"contents":[{"parts":[{"text":"tide?"}]}],"tools":[{"` + tool + `":{}}]}`
}

// TestGroundingHasAQuotaOfItsOwn uses it up while plain calls, and those with other tools, are
// served.
func TestGroundingHasAQuotaOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := pair()
		cfg.Projects[0].Limits = []geminitest.Limit{{Tool: "googleSearch", RPM: 2}, {Tool: "googleMaps", RPD: 1}}
		google := geminitest.New(cfg)
		for backend, a := range sides() {
			want := func(tool string, status int) {
				t.Helper()
				if a.body = ""; tool != "" {
					a.body = tooled(tool)
				}
				got := a.do(t.Context(), google)
				if got.status != status {
					t.Fatalf("%s, %q: %d %s", backend, tool, got.status, got.body)
				}
				if status == 200 {
					return
				}
				p := got.problem(t).Error
				if len(p.Details) != 1 || p.Details[0].Type != "type.googleapis.com/google.rpc.Help" || !strings.HasPrefix(p.Message, "You exceeded your current quota, please") {
					t.Errorf("%s, %q: %s", backend, tool, got.body)
				}
			}
			want("google_search", 200)
			want("googleSearch", 200)
			for range 5 {
				want("googleSearch", 429)
				want("", 200)
				want("codeExecution", 200)
			}
			want("google_maps", 200)
			time.Sleep(time.Minute)
			want("googleSearch", 200)
			want("googleMaps", 429)
		}
		if got := google.Count(geminitest.Match{Tool: "googleSearch"}); got != 2*8 {
			t.Errorf("%d calls with googleSearch are counted", got)
		}
		if got := google.CountStatus(geminitest.Match{Tool: "none"}, 200); got != 2*5 {
			t.Errorf("%d calls without tools are counted", got)
		}
	})
}

func TestFaultsMeetCallsWithATool(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		google.Keep(geminitest.Match{Project: "a", Tool: "googleSearch"}, geminitest.ToolQuota())
		for _, a := range sides() {
			for tool, status := range map[string]int{"googleSearch": 429, "google_search": 429, "googleMaps": 200, "_": 200, "": 200} {
				a.body = tooled(tool)
				if got := a.do(t.Context(), rt); got.status != status {
					t.Errorf("%q: %d %s", tool, got.status, got.body)
				}
			}
			a.body = ""
			if got := a.do(t.Context(), rt); got.status != 200 {
				t.Errorf("plain: %d %s", got.status, got.body)
			}
		}
	})
}

// TestMethodsHaveQuotasOfTheirOwn uses up the batches of a project, and its calls to count.
func TestMethodsHaveQuotasOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := pair()
		cfg.Projects[0].Limits = []geminitest.Limit{{Method: "batches.create", RPM: 1}, {Method: "streamGenerateContent", RPM: 1}}
		google := geminitest.New(cfg)
		batch := ask{key: "key-a", url: studio + "/v1beta/models/" + flash + ":batchGenerateContent",
			body: `{"batch":{"inputConfig":{"requests":{"requests":[{"request":{"contents":[{"parts":[{"text":"hi"}]}]}}]}}}}`}
		for i, want := range []int{200, 429, 429} {
			for _, a := range []ask{batch, {key: "key-a", method: "streamGenerateContent"}} {
				if got := a.do(t.Context(), google); got.status != want || want == 429 && len(got.problem(t).Error.Details) > 0 {
					t.Errorf("%d.: %d %s", i, got.status, got.body)
				}
			}
			for _, a := range []ask{{key: "key-a"}, {key: "key-b", method: "streamGenerateContent"}, {key: "key-a", verb: "GET", url: studio + "/v1beta/batches"}} {
				if got := a.do(t.Context(), google); got.status != 200 {
					t.Errorf("another: %d %s", got.status, got.body)
				}
			}
		}
		time.Sleep(time.Minute)
		if got := batch.do(t.Context(), google); got.status != 200 {
			t.Errorf("a minute later: %d %s", got.status, got.body)
		}
	})
}

func TestRegionsHaveQuotasOfTheirOwnAndSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := pair()
		cfg.Projects[0].Limits = []geminitest.Limit{{RPM: 5, Regional: true}}
		google := geminitest.New(cfg)
		at := func(location string) reply {
			return ask{token: "token-a", project: "a", where: location}.do(t.Context(), google)
		}
		for range 5 {
			at("us-central1")
		}
		got := at("us-central1")
		reason, metadata := got.reason(t)
		if got.status != 429 || reason != "RATE_LIMIT_EXCEEDED" || metadata["quota_location"] != "us-central1" || metadata["quota_limit_value"] != "5" {
			t.Errorf("got %d %s", got.status, got.body)
		}
		if got := at("asia-northeast3"); got.status != 200 {
			t.Errorf("another location: %d %s", got.status, got.body)
		}
	})
}

func TestRegionalViolationsHaveTheLocationInTheirDimensions(t *testing.T) {
	answer := geminitest.RegionViolation("us-central1", flash, "online_prediction_requests_per_base_model", 7)
	details := decoded(t, answer.Body).(map[string]any)["error"].(map[string]any)["details"].([]any)
	violation := details[0].(map[string]any)["violations"].([]any)[0].(map[string]any)
	if dimensions := violation["quotaDimensions"].(map[string]any); dimensions["location"] != "us-central1" || dimensions["base_model"] != flash || violation["quotaValue"] != "7" {
		t.Errorf("got %s", answer.Body)
	}
}
