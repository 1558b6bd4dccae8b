package verdict_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

func envelope(code int, status, message, details string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"status":%q,"message":%q,"details":[%s]}}`, code, status, message, details)
}

// TestVerdictSaysWhatTheAnswerIsAboutAndHowSureItIs judges answers as they were met, and others of
// their kinds.
func TestVerdictSaysWhatTheAnswerIsAboutAndHowSureItIs(t *testing.T) {
	const gemini, vertex = pool.BackendGemini, pool.BackendVertex
	info := func(reason, metadata string) string {
		return fmt.Sprintf(`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"metadata":{%s}}`, reason, metadata)
	}
	sorry := "<html><head><title>Sorry...</title></head><body>We're sorry... but your computer or network may be sending automated queries."
	unknown := "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title><p>The requested URL <code>/v2/x</code> was not found on this server."
	tests := []struct {
		name    string
		answer  verdict.Answer
		body    string
		class   pool.Class
		scope   pool.Scope
		tools   []string
		suspect bool
		foreign bool
	}{
		{name: "a method that the model lacks", answer: verdict.Answer{Backend: gemini, Status: 404},
			body:  envelope(404, "NOT_FOUND", "models/m is not found for API version v1, or is not supported for embedContent.", ""),
			class: pool.ClassModelMissing},
		{name: "nothing there", answer: verdict.Answer{Backend: gemini, Status: 404}, body: "", class: pool.ClassModelMissing, suspect: true},
		{name: "Google's page for an address that it does not know", answer: verdict.Answer{Backend: gemini, Status: 404}, body: unknown,
			class: pool.ClassModelMissing, suspect: true},
		{name: "a method that is not implemented", answer: verdict.Answer{Backend: vertex, Status: 501},
			body: envelope(501, "UNIMPLEMENTED", "Operation is not implemented.", ""), class: pool.ClassModelMissing, suspect: true},
		{name: "no permission, plain", answer: verdict.Answer{Backend: gemini, Status: 403},
			body:  envelope(403, "PERMISSION_DENIED", "The caller does not have permission", ""),
			class: pool.ClassModelForbidden, suspect: true},
		{name: "no permission, of a call with a link", answer: verdict.Answer{Backend: gemini, Status: 403, Linked: true},
			body: envelope(403, "PERMISSION_DENIED", "The caller does not have permission", ""), class: pool.ClassCallerFault},
		{name: "an input file", answer: verdict.Answer{Backend: vertex, Status: 403},
			body: envelope(403, "PERMISSION_DENIED", "Permission denied while accessing input file.", ""), class: pool.ClassCallerFault},
		{name: "a bucket", answer: verdict.Answer{Backend: vertex, Status: 403},
			body: envelope(403, "PERMISSION_DENIED", "service-1@x.iam.gserviceaccount.com does not have storage.objects.get access. Permission "+
				"'storage.objects.get' denied on resource (or it may not exist).", ""), class: pool.ClassCallerFault},
		{name: "a table, by ErrorInfo", answer: verdict.Answer{Backend: vertex, Status: 403},
			body:  envelope(403, "PERMISSION_DENIED", "Access Denied.", info("IAM_PERMISSION_DENIED", `"permission":"bigquery.tables.get"`)),
			class: pool.ClassCallerFault},
		{name: "the model, by ErrorInfo", answer: verdict.Answer{Backend: vertex, Status: 403},
			body:  envelope(403, "PERMISSION_DENIED", "Access Denied.", info("IAM_PERMISSION_DENIED", `"permission":"aiplatform.endpoints.predict"`)),
			class: pool.ClassProjectMisconfigured},
		{name: "a perimeter around a bucket", answer: verdict.Answer{Backend: vertex, Status: 403},
			body: envelope(403, "PERMISSION_DENIED", "Request is prohibited by organization's policy.",
				info("SECURITY_POLICY_VIOLATED", `"service":"storage.googleapis.com"`)), class: pool.ClassCallerFault},
		{name: "a perimeter around the project", answer: verdict.Answer{Backend: vertex, Status: 403},
			body: envelope(403, "PERMISSION_DENIED", "Request is prohibited by organization's policy.",
				info("SECURITY_POLICY_VIOLATED", `"service":"aiplatform.googleapis.com"`)), class: pool.ClassProjectMisconfigured},
		{name: "an object", answer: verdict.Answer{Backend: vertex, Status: 404},
			body: envelope(404, "NOT_FOUND", "No such object: bucket/file", ""), class: pool.ClassCallerFault},
		{name: "a tool, unnamed", answer: verdict.Answer{Backend: gemini, Status: 429, Tools: []string{"google_search"}},
			body: envelope(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.",
				`{"@type":"type.googleapis.com/google.rpc.Help","links":[]}`),
			class: pool.ClassQuotaUnknown, scope: pool.ScopeTool, tools: []string{"google_search"}},
		{name: "a tool, on Vertex AI", answer: verdict.Answer{Backend: vertex, Status: 429, Tools: []string{"google_maps"}},
			body:  envelope(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan.", ""),
			class: pool.ClassQuotaUnknown, scope: pool.ScopeTool, tools: []string{"google_maps"}},
		{name: "a tool, named", answer: verdict.Answer{Backend: gemini, Status: 429, Tools: []string{"code_execution", "google_search"}},
			body: envelope(429, "RESOURCE_EXHAUSTED", "Quota", `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[`+
				`{"quotaMetric":"generativelanguage.googleapis.com/google_search_grounding","quotaId":"GoogleSearchGroundingRequestsPerDayPerProject"}]}`),
			class: pool.ClassDayQuota, scope: pool.ScopeTool, tools: []string{"google_search"}},
		{name: "a quota of research", answer: verdict.Answer{Backend: gemini, Status: 429},
			body: envelope(429, "RESOURCE_EXHAUSTED", "Quota", `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[`+
				`{"quotaId":"DeepResearchRequestsPerDayPerProjectPerModel"}]}`),
			class: pool.ClassDayQuota},
		{name: "a quota of the region, by its words", answer: verdict.Answer{Backend: vertex, Status: 429},
			body: envelope(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute per project per base "+
				"model per minute per region per base_model' of service 'aiplatform.googleapis.com' for consumer 'project_number:1'.", ""),
			class: pool.ClassMinuteQuota, scope: pool.ScopeEndpoint},
		{name: "a quota of the region, by its dimensions", answer: verdict.Answer{Backend: vertex, Status: 429},
			body: envelope(429, "RESOURCE_EXHAUSTED", "Quota", `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[`+
				`{"quotaId":"EmbedRequestsPerMinute","quotaDimensions":{"location":"us-central1"}}]}`),
			class: pool.ClassMinuteQuota, scope: pool.ScopeEndpoint},
		{name: "a quota of the region, by metadata", answer: verdict.Answer{Backend: vertex, Status: 429},
			body:  envelope(429, "RESOURCE_EXHAUSTED", "Quota", info("RATE_LIMIT_EXCEEDED", `"quota_limit":"RequestsPerMinute","quota_location":"asia-east1"`)),
			class: pool.ClassMinuteQuota, scope: pool.ScopeEndpoint},
		{name: "a quota of the project", answer: verdict.Answer{Backend: gemini, Status: 429},
			body: envelope(429, "RESOURCE_EXHAUSTED", "Quota", `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[`+
				`{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel","quotaDimensions":{"location":"global"}}]}`),
			class: pool.ClassMinuteQuota},
		{name: "a suspended project, by a key", answer: verdict.Answer{Backend: gemini, Status: 403, Keyed: true},
			body: envelope(403, "PERMISSION_DENIED", "Permission denied: Consumer 'projects/7' has been suspended.",
				info("CONSUMER_SUSPENDED", `"consumer":"projects/7","containerInfo":"projects/7"`)), class: pool.ClassProjectMisconfigured},
		{name: "a suspended key", answer: verdict.Answer{Backend: gemini, Status: 403, Keyed: true},
			body: envelope(403, "PERMISSION_DENIED", "Permission denied: Consumer 'api_key:AIza' has been suspended.",
				info("CONSUMER_SUSPENDED", `"consumer":"projects/7","containerInfo":"api_key:AIza"`)), class: pool.ClassKeyDead},
		{name: "service agents", answer: verdict.Answer{Backend: vertex, Status: 400},
			body:  envelope(400, "FAILED_PRECONDITION", "Service agents are being provisioned (https://x). Try again in a few minutes.", ""),
			class: pool.ClassProjectNotReady},
		{name: "a model that the project may not use", answer: verdict.Answer{Backend: vertex, Status: 400},
			body:  envelope(400, "FAILED_PRECONDITION", "Project `x` is not allowed to use Publisher Model `y`", ""),
			class: pool.ClassModelForbidden},
		{name: "a policy of locations", answer: verdict.Answer{Backend: vertex, Status: 400},
			body:  envelope(400, "FAILED_PRECONDITION", "Constraint constraints/gcp.resourceLocations violated for projects/x.", ""),
			class: pool.ClassModelForbidden, scope: pool.ScopeEndpoint},
		{name: "billed users", answer: verdict.Answer{Backend: gemini, Status: 400},
			body: envelope(400, "FAILED_PRECONDITION", "Imagen API is only accessible to billed users at this time.", ""), class: pool.ClassBilling},
		{name: "a file that is not ready", answer: verdict.Answer{Backend: gemini, Status: 400},
			body:  envelope(400, "FAILED_PRECONDITION", "The File files/x is not in an ACTIVE state and usage is not allowed.", ""),
			class: pool.ClassCallerFault},
		{name: "a store that is not empty", answer: verdict.Answer{Backend: gemini, Status: 400},
			body: envelope(400, "FAILED_PRECONDITION", "Cannot delete non-empty FileSearchStore.", ""), class: pool.ClassCallerFault},
		{name: "a precondition that is not named", answer: verdict.Answer{Backend: gemini, Status: 400},
			body: envelope(400, "FAILED_PRECONDITION", "Precondition check failed.", ""), class: pool.ClassProjectNotReady, suspect: true},
		{name: "a caller's words in a 400", answer: verdict.Answer{Backend: gemini, Status: 400},
			body: envelope(400, "INVALID_ARGUMENT", "Invalid value: \"service agents are being provisioned\"", ""), class: pool.ClassCallerFault},
		{name: "the guard before Google", answer: verdict.Answer{Backend: gemini, Status: 429}, body: sorry, class: pool.ClassTransport, foreign: true},
		{name: "the same as 403", answer: verdict.Answer{Backend: vertex, Status: 403}, body: sorry, class: pool.ClassTransport, foreign: true},
		{name: "a proxy that wants a password", answer: verdict.Answer{Backend: vertex, Status: 407}, class: pool.ClassTransport, foreign: true},
		{name: "a proxy's 404", answer: verdict.Answer{Backend: vertex, Status: 404}, body: "<html>nginx</html>", class: pool.ClassTransport, foreign: true},
		{name: "a body that is too large, by a page", answer: verdict.Answer{Backend: vertex, Status: 413}, body: "<html>413</html>",
			class: pool.ClassCallerFault},
		{name: "a timeout of Google's", answer: verdict.Answer{Backend: gemini, Status: 408}, class: pool.ClassServerFault, scope: pool.ScopeCall},
		{name: "contention's words on the Gemini back end", answer: verdict.Answer{Backend: gemini, Status: 429},
			body:  envelope(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", ""),
			class: pool.ClassQuotaUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.answer.Body = []byte(tt.body)
			v := verdict.Judge(tt.answer)
			if v.Class != tt.class || v.Scope != tt.scope || !slices.Equal(v.Tools, tt.tools) || v.Suspected != tt.suspect || v.Foreign != tt.foreign {
				t.Errorf("got %s about %d %v, suspected %v, foreign %v; want %s about %d %v, suspected %v, foreign %v",
					v.Class, v.Scope, v.Tools, v.Suspected, v.Foreign, tt.class, tt.scope, tt.tools, tt.suspect, tt.foreign)
			}
		})
	}
}
