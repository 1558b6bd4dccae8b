package wire

import (
	"net/http"
	"strings"
)

// Judge says what an answer means: by the quotas it names first, then by ErrorInfo.reason, then by its message, then by
// its status. Any status and any body will do.
func Judge(a Answer) Verdict {
	if a.Status >= 200 && a.Status < 300 {
		return Verdict{Class: OK, Code: a.Status}
	}
	f := readFault(a.Header, a.Body)
	code := a.Status
	if code == 0 {
		code = f.statusCode()
	}
	stated := messageViolations(f.message)
	if len(f.violations) == 0 {
		f.violations = stated
	} else {
		addLimits(f.violations, stated)
	}
	return Verdict{
		Class:      f.class(a, code),
		Hint:       max(f.delay, messageHint(f.message), headerHint(a.Header, a.Now)),
		Violations: f.violations,
		Reason:     f.reason,
		Status:     f.status,
		Code:       code,
		Message:    firstLine(f.message),
	}
}

func (f *fault) class(a Answer, code int) Class {
	if c := quotaClass(f.violations); c != "" && mayBeQuota(code) {
		return c
	}
	if c := f.reasonClass(a); c != "" {
		return c
	}
	if c := messageClass(a, code, strings.ToLower(f.message)); c != "" {
		return c
	}
	if len(f.violations) > 0 && mayBeQuota(code) {
		return QuotaUnknown
	}
	return statusClass(a, code)
}

// mayBeQuota keeps a caller's own words, which a 400 may quote, from being taken for a quota. 403 is how Google's older
// front ends refuse for quota.
func mayBeQuota(code int) bool {
	return code == http.StatusTooManyRequests || code == http.StatusForbidden
}

// statusClass is what a status means where nothing in the body decides.
func statusClass(a Answer, code int) Class {
	switch code {
	case http.StatusUnauthorized:
		return a.credentialDead()
	case http.StatusPaymentRequired:
		return Billing
	case http.StatusForbidden:
		return ModelForbidden
	case http.StatusNotFound:
		return ModelMissing
	case http.StatusTooManyRequests:
		return either(a.Backend, QuotaUnknown, Contention)
	case http.StatusServiceUnavailable:
		return Overloaded
	case http.StatusRequestTimeout, 499:
		return ServerFault
	}
	if code >= 500 || code < 100 {
		return ServerFault
	}
	return CallerFault
}

// credentialDead is what it means that the caller's credential is not taken: a key can be replaced by another, an access token stands for
// all of the project.
func (a Answer) credentialDead() Class {
	if a.Keyed || a.Backend == Gemini {
		return KeyDead
	}
	return ProjectMisconfigured
}

func either(b Backend, gemini, vertex Class) Class {
	if b == Vertex {
		return vertex
	}
	return gemini
}

// reasonClass goes by the families of google.rpc.ErrorInfo.reason (googleapis, google/api/error_reason.proto) and by the
// string codes of the Interactions API. "" for those that decide nothing.
func (f *fault) reasonClass(a Answer) Class {
	reason := strings.ToUpper(f.reason)
	switch reason {
	case "":
		return ""
	case "RATE_LIMIT_EXCEEDED":
		// Google's front ends say the same of minutes, days and contention; only Interactions means the minute.
		if f.reason == "rate_limit_exceeded" {
			return MinuteQuota
		}
		return ""
	case "QUOTA_EXCEEDED":
		if f.reason == "quota_exceeded" {
			return DayQuota
		}
		return ""
	case "MODEL_CAPACITY_EXHAUSTED":
		return Contention
	case "PAYMENT_REQUIRED":
		return Billing
	case "MODEL_NOT_FOUND":
		return ModelMissing
	case "SERVICE_UNAVAILABLE":
		return Overloaded
	case "DEADLINE_EXCEEDED":
		return ServerFault
	case "CONSUMER_SUSPENDED", "CONSUMER_INVALID":
		return a.credentialDead()
	case "LOCATION_ORG_POLICY_VIOLATED", "LOCATION_POLICY_VIOLATED":
		return ModelMissing // of that location; others may do
	case "USER_PROJECT_DENIED", "UNAUTHENTICATED", "CREDENTIALS_MISSING", "ACCOUNT_STATE_INVALID",
		"SECURITY_POLICY_VIOLATED", "ORG_RESTRICTION_VIOLATION", "ORG_RESTRICTION_HEADER_INVALID",
		"SERVICE_NOT_VISIBLE", "GCP_SUSPENDED", "RESOURCE_PROJECT_INVALID", "SESSION_COOKIE_INVALID":
		return ProjectMisconfigured
	}
	switch {
	case strings.HasPrefix(reason, "API_KEY_"):
		return KeyDead
	case strings.HasPrefix(reason, "IAM_"):
		if isOther(strings.ToLower(f.resource)) {
			return CallerFault
		}
		return ProjectMisconfigured
	case strings.HasSuffix(reason, "_DISABLED"), strings.HasPrefix(reason, "ACCESS_TOKEN_"),
		strings.HasPrefix(reason, "CONSUMER_"):
		return ProjectMisconfigured
	case strings.HasPrefix(reason, "BILLING_"):
		return Billing
	}
	return ""
}

// messageClass goes by Google's words, in lower case. Each rule holds only for the statuses that it was seen with, and
// those of a 400, whose message may quote the caller, only at its beginning.
func messageClass(a Answer, code int, m string) Class {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(m, w) {
				return true
			}
		}
		return false
	}
	begins := func(words ...string) bool {
		for _, w := range words {
			if strings.HasPrefix(m, w) {
				return true
			}
		}
		return false
	}
	switch code {
	case http.StatusTooManyRequests:
		switch {
		case has("credits are depleted", "prepayment credits", "prepaid credits", "spending cap", "spend cap"):
			return Billing
		case has("provisioned throughput"):
			return ProvisionedFull
		case limitsZero(m):
			return NoQuota
		case has("resource exhausted. please try again later", "resource exhausted, please try again later"):
			return Contention
		case has("model is overloaded", "experiencing high demand"):
			return Overloaded
		}
	case http.StatusBadRequest:
		switch {
		case begins("api key not valid", "api key expired", "api key not found", "invalid api key"):
			return KeyDead
		case begins("user location is not supported"):
			return EgressBlocked
		case begins("gemini api free tier is not available"):
			return Billing
		case begins("this api method requires billing"):
			return ProjectMisconfigured
		case begins("organization policy constraint") && has("vertexai.allowedmodels"):
			return ModelForbidden
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		switch {
		case has("reported as leaked", "api key not valid", "api key expired", "api key not found", "invalid api key"),
			has("ip address restriction", "requests from referer", "requests from this") && has("blocked", "violate"),
			begins("requests to this api") && has("are blocked"):
			return KeyDead
		case has("unregistered callers"), has("consumer") && has("has been suspended"):
			return a.credentialDead()
		case has("user location is not supported"):
			return EgressBlocked
		case has("credits are depleted", "spending cap"):
			return Billing
		case has("vertexai.allowedmodels"):
			return ModelForbidden
		case isOther(m):
			return CallerFault
		case has("requires billing", "has not been used in project", "denied access", "denied on resource"):
			return ProjectMisconfigured
		}
	case http.StatusNotFound:
		if isOther(m) {
			return CallerFault
		}
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		switch {
		case has("input context is too long", "input context too long"):
			return CallerFault
		case has("model is overloaded", "experiencing high demand"):
			return Overloaded
		}
	}
	return ""
}

// isOther says whether a message or a name is about something of the caller's that is no model: a file, cached content.
func isOther(lower string) bool {
	if strings.Contains(lower, "publisher model") {
		return false
	}
	for _, thing := range [...]string{"access the file", "files/", "file not found", "cachedcontent", "cached content",
		"operations/", "operation not found", "batches/", "batchpredictionjob", "tuningjob", "tunedmodel", "tuned model",
		"corpora/", "ragcorpora", "ragcorpus", "filesearchstore", "file search store", "interactions/"} {
		if strings.Contains(lower, thing) {
			return true
		}
	}
	_, endpoint, ok := strings.Cut(lower, "/endpoints/")
	return ok && endpoint != "" && endpoint[0] >= '0' && endpoint[0] <= '9'
}

// limitsZero says whether a message in lower case states limits, all of them zero.
func limitsZero(m string) bool {
	found := false
	for {
		_, rest, ok := strings.Cut(m, "limit: ")
		if !ok {
			return found
		}
		if limit([]byte(wordAfter("limit: "+rest[:min(len(rest), 24)], "limit: "))) != 0 {
			return false
		}
		found, m = true, rest
	}
}

// statusCode is the HTTP status that an error event stands for.
func (f *fault) statusCode() int {
	if f.code >= 100 && f.code < 600 {
		return f.code
	}
	name := strings.ToUpper(f.status)
	if name == "" {
		name = strings.ToUpper(f.reason)
	}
	switch name {
	case "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE":
		return http.StatusBadRequest
	case "UNAUTHENTICATED":
		return http.StatusUnauthorized
	case "PAYMENT_REQUIRED":
		return http.StatusPaymentRequired
	case "PERMISSION_DENIED":
		return http.StatusForbidden
	case "NOT_FOUND", "MODEL_NOT_FOUND":
		return http.StatusNotFound
	case "ABORTED", "ALREADY_EXISTS":
		return http.StatusConflict
	case "RESOURCE_EXHAUSTED", "TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED", "QUOTA_EXCEEDED":
		return http.StatusTooManyRequests
	case "CANCELLED":
		return 499
	case "UNIMPLEMENTED":
		return http.StatusNotImplemented
	case "UNAVAILABLE", "SERVICE_UNAVAILABLE":
		return http.StatusServiceUnavailable
	case "DEADLINE_EXCEEDED":
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// firstLine bounds a message for logs, and keeps what moves a terminal's cursor out of them.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, clip(line, maxMessage)))
}
