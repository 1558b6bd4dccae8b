package geminitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// fault is an error answer in the shape of google.rpc.Status.
func fault(code int, status, message string, details ...map[string]any) Answer {
	problem := struct {
		Code    int              `json:"code"`
		Message string           `json:"message"`
		Status  string           `json:"status"`
		Details []map[string]any `json:"details,omitempty"`
	}{code, message, status, details}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	// Strings, numbers and maps of them always encode.
	_ = encoder.Encode(map[string]any{"error": problem})
	return Answer{Status: code, Body: body.Bytes()}
}

// problem takes an error answer apart; of one that is no google.rpc.Status it returns the HTTP
// status alone.
func (a Answer) problem() (code int, status, message string) {
	var body struct {
		Error struct {
			Code    int    `json:"code"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(a.Body, &body) != nil || body.Error.Code == 0 {
		return a.Status, "", http.StatusText(a.Status)
	}
	return body.Error.Code, body.Error.Status, body.Error.Message
}

func helpDetail(description, url string) map[string]any {
	return map[string]any{"@type": typePrefix + "Help", "links": []map[string]any{{"description": description, "url": url}}}
}

func errorInfo(reason, domain string, metadata map[string]any) map[string]any {
	return map[string]any{"@type": typePrefix + "ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}
}

func localized(message string) map[string]any {
	return map[string]any{"@type": typePrefix + "LocalizedMessage", "locale": "en-US", "message": message}
}

const (
	geminiService   = "generativelanguage.googleapis.com"
	vertexService   = "aiplatform.googleapis.com"
	error429URL     = "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429"
	permission      = "PERMISSION_DENIED"
	unauthenticated = "UNAUTHENTICATED"
	invalid         = "INVALID_ARGUMENT"
)

// QuotaUnknown is the 429 of either back end that says nothing but that something is exhausted.
func QuotaUnknown() Answer {
	return fault(429, exhausted, "Resource has been exhausted (e.g. check quota).")
}

// Contention is the 429 of Vertex AI when the on-demand capacity of a location is in use. It blames
// no project and gives no delay.
func Contention() Answer {
	return fault(429, exhausted, "Resource exhausted. Please try again later. Please refer to "+error429URL+" for more details.")
}

// ProvisionedFull is the 429 of Vertex AI for a call with "dedicated" when the Provisioned
// Throughput order is full, or does not exist.
func ProvisionedFull() Answer {
	return fault(429, exhausted, "Too many requests. Exceeded the provisioned throughput. Please refer to "+error429URL+" for more details.")
}

// Overloaded is the 503 of the Gemini Developer API in high demand.
func Overloaded() Answer {
	return fault(503, "UNAVAILABLE",
		"This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.")
}

// Unavailable is the 503 of Google's front end.
func Unavailable() Answer {
	return fault(503, "UNAVAILABLE", "The service is currently unavailable.")
}

// Internal is the 500 of either back end.
func Internal() Answer {
	return fault(500, "INTERNAL",
		"An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting")
}

// DeadlineExpired is the 504 of either back end.
func DeadlineExpired() Answer {
	return fault(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.")
}

// Cancelled is the 499 that the server sends by itself under load.
func Cancelled() Answer {
	return fault(499, "CANCELLED", "The operation was cancelled.")
}

// Fault is an answer with this HTTP status in Google's shape, with Google's text where there is a
// usual one.
func Fault(status int) Answer {
	switch status {
	case 429:
		return QuotaUnknown()
	case 499:
		return Cancelled()
	case 500:
		return Internal()
	case 503:
		return Unavailable()
	case 504:
		return DeadlineExpired()
	}
	names := map[int]string{400: invalid, 401: unauthenticated, 403: permission, 404: "NOT_FOUND", 409: "ABORTED", 502: "UNAVAILABLE"}
	name, ok := names[status]
	if !ok {
		name = "UNKNOWN"
	}
	message := http.StatusText(status)
	if message == "" {
		message = "Unknown error."
	}
	return fault(status, name, message)
}

// PrepayDepleted is the answer to a project whose prepaid credits are used up: 402 as documented
// since 2026-09, 429 as captured before.
func PrepayDepleted(status int) Answer {
	return fault(status, exhausted, "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your "+
		"project and billing. Learn more at https://ai.google.dev/gemini-api/docs/billing#prepay. ")
}

// SpendCap is the 429 of a project that has reached its monthly spending cap.
func SpendCap() Answer {
	return fault(429, exhausted, "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend to manage "+
		"your project spend cap. Learn more at https://ai.google.dev/gemini-api/docs/billing#project-spend-caps.")
}

// KeyInvalid is the 400 for an API key that does not exist (any more).
func KeyInvalid() Answer { return keyInvalid(geminiService) }

func keyInvalid(service string) Answer {
	const message = "API key not valid. Please pass a valid API key."
	return fault(400, invalid, message, errorInfo("API_KEY_INVALID", "googleapis.com", map[string]any{"service": service}), localized(message))
}

// KeyExpired is the 400 for an API key that has expired.
func KeyExpired() Answer {
	const message = "API key expired. Please renew the API key."
	return fault(400, invalid, message, errorInfo("API_KEY_INVALID", "googleapis.com", map[string]any{"service": geminiService}), localized(message))
}

// KeyLeaked is the 403 for an API key that Google found in public.
func KeyLeaked() Answer {
	return fault(403, permission, "Your API key was reported as leaked. Please use another API key.")
}

// KeySuspended is the 403 for a suspended API key. As Google does, it repeats the key in the body.
func KeySuspended(key string) Answer {
	message := fmt.Sprintf("Permission denied: Consumer 'api_key:%s' has been suspended.", key)
	return fault(403, permission, message,
		errorInfo("CONSUMER_SUSPENDED", "googleapis.com", map[string]any{
			"service": geminiService, "consumer": "projects/000000000000", "containerInfo": "api_key:" + key,
		}), localized(message))
}

// KeyBlocked is the 403 for an API key that is restricted to other services.
func KeyBlocked() Answer {
	const method = "google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent"
	const message = "Requests to this API " + geminiService + " method " + method + " are blocked."
	return fault(403, permission, message, errorInfo("API_KEY_SERVICE_BLOCKED", "googleapis.com", map[string]any{
		"consumer": "projects/000000000000", "service": geminiService, "apiName": geminiService, "methodName": method,
	}), localized(message))
}

// Unregistered is the 403 of the Gemini Developer API for a call without a key.
func Unregistered() Answer {
	return fault(403, permission, "Method doesn't allow unregistered callers (callers without established identity). "+
		"Please use API Key or other form of API consumer identity to call this API.")
}

// TokenInvalid is the 401 for an access token that is wrong or has expired.
func TokenInvalid() Answer {
	return fault(401, unauthenticated, invalidCredentials,
		errorInfo("ACCESS_TOKEN_TYPE_UNSUPPORTED", "googleapis.com", map[string]any{"service": vertexService}))
}

// CredentialsMissing is the 401 of Vertex AI for a call without credentials.
func CredentialsMissing() Answer {
	return fault(401, unauthenticated, "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "+
		"valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
		errorInfo("CREDENTIALS_MISSING", "googleapis.com", map[string]any{"service": vertexService}))
}

// ScopeInsufficient is the 403 of the Gemini Developer API for an access token that was made for
// Vertex AI.
func ScopeInsufficient() Answer {
	return fault(403, permission, "Request had insufficient authentication scopes.",
		errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", map[string]any{"service": geminiService}))
}

// PermissionDenied is the 403 of Vertex AI for a caller who may not use a model of a project.
func PermissionDenied(project, location, model string) Answer {
	return denied("aiplatform.endpoints.predict", "projects/"+project+"/locations/"+location+"/publishers/google/models/"+model)
}

// denied is the 403 of Vertex AI for a permission that the caller lacks.
func denied(missing, resource string) Answer {
	resource = clip(resource, 512)
	return fault(403, permission,
		fmt.Sprintf("Permission '%s' denied on resource '//%s/%s' (or it may not exist).", missing, vertexService, resource),
		errorInfo("IAM_PERMISSION_DENIED", vertexService, map[string]any{"resource": resource, "permission": missing}))
}

// FileDenied is the 403 of the Gemini Developer API for a file that does not exist, or is another
// project's.
func FileDenied(id string) Answer {
	return fault(403, permission, "You do not have permission to access the File "+id+" or it may not exist.")
}

// FileNotActive is the 400 of the Gemini Developer API for a prompt with a file that is still being
// processed.
func FileNotActive(id string) Answer {
	return FailedPrecondition("The File " + id + " is not in an ACTIVE state and usage is not allowed.")
}

// CachedContentDenied is the 403 of the Gemini Developer API for a cached content that does not
// exist (any more), or is another project's.
func CachedContentDenied() Answer {
	return fault(403, permission, "CachedContent not found (or permission denied)")
}

// CachedContentMissing is the 404 of Vertex AI for a cached content that does not exist (any more)
// in that location.
func CachedContentMissing(id string) Answer {
	return fault(404, "NOT_FOUND", "Not found: cached content metadata for "+id+".")
}

// BillingDisabled is the 403 of Vertex AI for a project without billing.
func BillingDisabled(project string) Answer {
	url := "https://console.developers.google.com/billing/enable?project=" + project
	return fault(403, permission, fmt.Sprintf("This API method requires billing to be enabled. Please enable billing on project #%s by visiting %s "+
		"then retry. If you enabled billing for this project recently, wait a few minutes for the action to propagate to our systems "+
		"and retry.", project, url),
		helpDetail("Google developers console billing", url),
		errorInfo("BILLING_DISABLED", "googleapis.com", map[string]any{"service": vertexService, "consumer": "projects/" + project}))
}

// ServiceDisabled is the 403 for a project in which the API is not switched on.
func ServiceDisabled(project string) Answer {
	url := "https://console.developers.google.com/apis/api/" + vertexService + "/overview?project=" + project
	return fault(403, permission, fmt.Sprintf("Agent Platform API has not been used in project %s before or it is disabled. Enable it by visiting %s "+
		"then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.", project, url),
		helpDetail("Google developers console API activation", url),
		errorInfo("SERVICE_DISABLED", "googleapis.com", map[string]any{"service": vertexService, "consumer": "projects/" + project}))
}

// LocationUnsupported is the 400 of the Gemini Developer API for a caller in a country where it is
// not offered.
func LocationUnsupported() Answer {
	return FailedPrecondition("User location is not supported for the API use.")
}

// ModelMissing is the 404 of the Gemini Developer API for a model that does not exist, or does not
// offer the method.
func ModelMissing(model, method string) Answer { return modelMissing(model, "v1beta", method) }

func modelMissing(model, version, method string) Answer {
	return fault(404, "NOT_FOUND", fmt.Sprintf("models/%s is not found for API version %s, or is not supported for %s. "+
		"Call ModelService.ListModels to see the list of available models and their supported methods.", model, version, method))
}

// PublisherModelMissing is the 404 of Vertex AI for a model that a project does not have in a
// location.
func PublisherModelMissing(project, location, model string) Answer {
	return fault(404, "NOT_FOUND", fmt.Sprintf("Publisher Model `projects/%s/locations/%s/publishers/google/models/%s` was not found or "+
		"your project does not have access to it. Please ensure you are using a valid model version. For more information, see: "+
		"https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions", project, location, model))
}

// InvalidArgument is the 400 for a request that is wrong in itself.
func InvalidArgument(message string) Answer { return fault(400, invalid, message) }

// malformed is the 400 of Google's JSON transcoder. Field is the path of the object that is wrong,
// "" for the request.
func malformed(field, description string) Answer {
	v := map[string]any{"description": description}
	if field != "" {
		v["field"] = field
	}
	return fault(400, invalid, description, map[string]any{"@type": typePrefix + "BadRequest", "fieldViolations": []map[string]any{v}})
}
