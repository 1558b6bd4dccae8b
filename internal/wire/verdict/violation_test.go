package verdict_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

func TestJudgeViolations(t *testing.T) {
	tests := []struct {
		name       string
		message    string
		violations string
		want       pool.Class
		read       []verdict.Violation
	}{
		{
			name: "the longest period counts", violations: `{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel","quotaValue":"5"},
				{"quotaId":"GenerateRequestsPerDayPerProjectPerModel","quotaValue":"50"}`,
			want: pool.ClassDayQuota,
			read: []verdict.Violation{
				{ID: "GenerateRequestsPerMinutePerProjectPerModel", Limit: 5, Per: verdict.Minute, Of: verdict.Requests},
				{ID: "GenerateRequestsPerDayPerProjectPerModel", Limit: 50, Per: verdict.Day, Of: verdict.Requests},
			},
		},
		{
			name: "zero on every one", violations: `{"quotaId":"RequestsPerDay","quotaValue":"0"},{"quotaId":"TokensPerMinute","quotaValue":0}`,
			want: pool.ClassNoQuota,
			read: []verdict.Violation{
				{ID: "RequestsPerDay", Limit: 0, Per: verdict.Day, Of: verdict.Requests},
				{ID: "TokensPerMinute", Limit: 0, Per: verdict.Minute, Of: verdict.Tokens},
			},
		},
		{
			name: "zero on one of two", violations: `{"quotaId":"RequestsPerMinute","quotaValue":"0"},{"quotaId":"TokensPerMinute","quotaValue":"9"}`,
			want: pool.ClassMinuteQuota,
			read: []verdict.Violation{
				{ID: "RequestsPerMinute", Limit: 0, Per: verdict.Minute, Of: verdict.Requests},
				{ID: "TokensPerMinute", Limit: 9, Per: verdict.Minute, Of: verdict.Tokens},
			},
		},
		{
			name: "no value", violations: `{"quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier","quotaDimensions":{"model":"gemini-2.5-flash"}}`,
			want: pool.ClassMinuteQuota,
			read: []verdict.Violation{{ID: "GenerateContentInputTokensPerModelPerMinute-FreeTier", Model: "gemini-2.5-flash", Limit: -1, Per: verdict.Minute, Of: verdict.Tokens}},
		},
		{
			name: "three without a value", violations: `{"quotaId":"RequestsPerDay"},{"quotaId":"RequestsPerMinute"},{"quotaId":"TokensPerMinute"}`,
			want: pool.ClassNoQuota,
			read: []verdict.Violation{
				{ID: "RequestsPerDay", Limit: -1, Per: verdict.Day, Of: verdict.Requests},
				{ID: "RequestsPerMinute", Limit: -1, Per: verdict.Minute, Of: verdict.Requests},
				{ID: "TokensPerMinute", Limit: -1, Per: verdict.Minute, Of: verdict.Tokens},
			},
		},
		{
			name:       "values from the message",
			message:    "\n* Quota exceeded for metric: a.googleapis.com/tokens, limit: 7\n* Quota exceeded for metric: a.googleapis.com/requests, limit: 0\n",
			violations: `{"quotaMetric":"a.googleapis.com/requests","quotaId":"RequestsPerDay"},{"quotaMetric":"a.googleapis.com/tokens","quotaId":"TokensPerMinute"}`,
			want:       pool.ClassDayQuota,
			read: []verdict.Violation{
				{ID: "RequestsPerDay", Metric: "a.googleapis.com/requests", Limit: 0, Per: verdict.Day, Of: verdict.Requests},
				{ID: "TokensPerMinute", Metric: "a.googleapis.com/tokens", Limit: 7, Per: verdict.Minute, Of: verdict.Tokens},
			},
		},
		{
			name: "metric only, per day", violations: `{"quotaMetric":"generativelanguage.googleapis.com/generate_requests_per_model_per_day"}`,
			want: pool.ClassDayQuota,
			read: []verdict.Violation{{Metric: "generativelanguage.googleapis.com/generate_requests_per_model_per_day", Limit: -1, Per: verdict.Day, Of: verdict.Requests}},
		},
		{
			name: "metric that tells nothing", violations: `{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaValue":"9"}`,
			want: pool.ClassQuotaUnknown,
			read: []verdict.Violation{{Metric: "generativelanguage.googleapis.com/generate_content_free_tier_requests", Limit: 9, Of: verdict.Requests}},
		},
		{
			name: "the id outranks the metric", violations: `{"quotaId":"XPerMinute","quotaMetric":"a.googleapis.com/requests_per_day"}`,
			want: pool.ClassMinuteQuota,
			read: []verdict.Violation{{ID: "XPerMinute", Metric: "a.googleapis.com/requests_per_day", Limit: -1, Per: verdict.Minute, Of: verdict.Requests}},
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
			got := verdict.Judge(verdict.Answer{Backend: pool.BackendVertex, Status: 429, Body: body})
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
	got := verdict.Judge(verdict.Answer{Backend: pool.BackendGemini, Status: 429, Body: []byte(body)})
	want := []verdict.Violation{{ID: "GenerateContentRequestsPerMinutePerProjectPerRegion", Limit: 60, Per: verdict.Minute, Of: verdict.Requests,
		Metric: "generativelanguage.googleapis.com/generate_content_requests", Region: true}}
	if got.Class != pool.ClassMinuteQuota {
		t.Errorf("class %q", got.Class)
	}
	if diff := cmp.Diff(want, got.Violations); diff != "" {
		t.Error(diff)
	}
}
