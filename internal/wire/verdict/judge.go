package verdict

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// Judge says what a response means. It looks at the named quotas first, then at ErrorInfo.reason,
// then at the message, then at the status. It accepts any status and any body.
func Judge(a Answer) Verdict {
	if a.Status >= 200 && a.Status < 300 {
		return Verdict{Class: pool.ClassOK, Code: a.Status}
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
	texts := f.fields()
	r := f.rule(&a, code, &texts)
	v := Verdict{
		Class:      r.class,
		Scope:      r.about,
		Suspected:  r.suspected,
		Foreign:    r.foreign,
		Hint:       max(f.delay, messageHint(f.message), headerHint(a.Header, a.Now)),
		Violations: f.violations,
		Reason:     f.reason,
		Status:     f.status,
		Code:       code,
		Message:    firstLine(f.message),
	}
	v.narrow(&a)
	v.Cause = v.cause(&a, &texts)
	return v
}

// narrow says of a quota what it counts, where that is less than the project's calls of the model.
func (v *Verdict) narrow(a *Answer) {
	switch v.Class {
	case pool.ClassMinuteQuota, pool.ClassDayQuota, pool.ClassNoQuota, pool.ClassQuotaUnknown:
	default:
		return
	}
	for _, q := range v.Violations {
		switch {
		case q.Tool != "":
			v.Scope, v.Tools = pool.ScopeTool, []string{q.Tool}
			return
		case q.Region, a.Backend == pool.BackendVertex: // its quotas are for each location
			v.Scope = pool.ScopeEndpoint
		}
	}
	// Tools have quotas of their own, and Google names none of them.
	if v.Class == pool.ClassQuotaUnknown && len(v.Violations) == 0 && len(a.Tools) > 0 {
		v.Scope, v.Tools = pool.ScopeTool, a.Tools
	}
}

// statusCodes are the HTTP statuses for the names in error events: those of google.rpc.Code, and
// the Interactions API's string codes in upper case.
var statusCodes = map[string]int{
	"INVALID_ARGUMENT": http.StatusBadRequest, "FAILED_PRECONDITION": http.StatusBadRequest, "OUT_OF_RANGE": http.StatusBadRequest,
	"UNAUTHENTICATED":   http.StatusUnauthorized,
	"PAYMENT_REQUIRED":  http.StatusPaymentRequired,
	"PERMISSION_DENIED": http.StatusForbidden,
	"NOT_FOUND":         http.StatusNotFound, "MODEL_NOT_FOUND": http.StatusNotFound,
	"ABORTED": http.StatusConflict, "ALREADY_EXISTS": http.StatusConflict,
	"RESOURCE_EXHAUSTED": http.StatusTooManyRequests, "TOO_MANY_REQUESTS": http.StatusTooManyRequests,
	"RATE_LIMIT_EXCEEDED": http.StatusTooManyRequests, "QUOTA_EXCEEDED": http.StatusTooManyRequests,
	"CANCELLED":     statusClientClosed,
	"UNIMPLEMENTED": http.StatusNotImplemented,
	"UNAVAILABLE":   http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE": http.StatusServiceUnavailable,
	"DEADLINE_EXCEEDED": http.StatusGatewayTimeout,
}

// statusClientClosed is Google's status for a call whose client went away.
const statusClientClosed = 499

// statusCode returns the HTTP status that an error event stands for.
func (f *fault) statusCode() int {
	if f.code >= 100 && f.code < 600 {
		return f.code
	}
	if code, ok := statusCodes[strings.ToUpper(cmp.Or(f.status, f.reason))]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// firstLine bounds a message for logs and terminals.
func firstLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return strings.TrimSpace(plain.Text(line, maxMessage))
}
