package verdict

import (
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// rule is one line of the table of verdicts. It fits an error if all of its conditions hold.
type rule struct {
	status []int        // HTTP statuses; nil fits any
	when   circumstance // of the call
	where  field        // the field that is compared
	how    match        // how it is compared with the words
	words  []string     // one of these must match
	also   []string     // the field must contain one of these too, if there are any

	class     pool.Class
	about     pool.Scope // zero: what the class is usually about
	suspected bool       // the error alone does not prove the class
	foreign   bool       // the error is not Google's
}

// circumstance is a condition on the call.
type circumstance uint8

const (
	anyCall  circumstance = iota
	keyed                 // the call was signed with an API key
	onVertex              // the call went to Vertex AI
	linked                // the call names a file, a bucket or an address
)

// field is a part of an error. Each is a text, empty if the error does not have it.
type field uint8

const (
	nothing    field = iota // the status decides alone
	page                    // the text of an HTML page, else ""
	quota                   // the meaning of the violated quotas together, see quotaMeaning
	sentReason              // ErrorInfo.reason, or the string code of the Interactions API, as sent
	reason                  // the same in upper case
	container               // what ErrorInfo.reason is about: key, project or ""
	permission              // whose permission is missing: others, ours or ""
	status                  // google.rpc.Code
	message                 // Google's message in lower case
	limits                  // the limits in the message: zero or ""
	topic                   // the topic of the message: other or ""
	fields
)

// match is a way to compare a field with words.
type match uint8

const (
	has match = iota
	begins
	ends
	equals
)

// Values of fields that are Spillway's words, not Google's.
const (
	zero    = "zero"    // all limits are zero
	day     = "day"     // a quota counts by the day
	minute  = "minute"  // a quota counts by the minute
	some    = "some"    // there are quotas without a known period
	other   = "other"   // a thing of the caller's that is not a model
	others  = "others"  // a permission of another service than the Gemini APIs
	key     = "key"     // an API key
	project = "project" // a Google Cloud project
)

// Statuses that several rules share.
var (
	// A 400 may quote the caller's own words, which must not be taken for a quota. Google's older
	// front ends answer 403 where a quota is used up.
	quotaRefusals = []int{http.StatusTooManyRequests, http.StatusForbidden}
	tooMany       = []int{http.StatusTooManyRequests}
	badRequest    = []int{http.StatusBadRequest}
	denied        = []int{http.StatusUnauthorized, http.StatusForbidden}
	notFound      = []int{http.StatusNotFound}
	failed        = []int{http.StatusInternalServerError, http.StatusServiceUnavailable}
)

// Words that several rules share.
var (
	keyRefused = []string{"api key not valid", "api key expired", "api key not found", "invalid api key"}
	// Another key can replace a key; an access token stands for its project.
	credential = []string{"UNAUTHENTICATED", "CREDENTIALS_MISSING", "ACCOUNT_STATE_INVALID", "SESSION_COOKIE_INVALID",
		"ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"}
	suspended   = []string{"CONSUMER_SUSPENDED", "CONSUMER_INVALID"}
	policy      = []string{"LOCATION_ORG_POLICY_VIOLATED", "LOCATION_POLICY_VIOLATED"}
	noCaller    = []string{"unregistered callers"}
	overload    = []string{"model is overloaded", "experiencing high demand"}
	orgModels   = []string{"vertexai.allowedmodels"}
	noLocation  = []string{"user location is not supported"}
	noBilling   = []string{"billed users", "billing account", "free tier is not available"}
	noPlace     = []string{"resourcelocations", "location constraint", "not servable in region"}
	provisioned = []string{"service agents are being provisioned", "service agent is being provisioned",
		"is being provisioned", "is being initialized"}
	notAllowed  = []string{"not allowed to use publisher model", "does not have access to publisher model", "is not allowed to use model"}
	isZero      = []string{zero}
	isOther     = []string{other}
	hasConsumer = []string{"consumer"}
	suspension  = []string{"has been suspended"}
	// Things of the caller's, which are in some state or somewhere else.
	callersThing = []string{"input file", "not in an active state", "non-empty", "not empty", "no such object", "cloud storage",
		"bucket", "gs://", "the file", "the provided url", "url_", "robots.txt"}
	// Google's own pages for an address that it does not know.
	googlePage = []string{"!!1", "that’s all we know", "that\u2019s all we know", "that's all we know"}
	missing    = []string{"not found", "not supported", "not exist", "no longer available", "is not available"}
)

// rules is the first part of the table of verdicts. The first rule that fits decides: quotas first,
// then ErrorInfo.reason, the message, what is missing for a call, the status. A rule for messages
// holds only for the statuses that came with its words. A 400 may quote the caller, so its rules
// look at the beginning of the message. The reasons are families of google.rpc.ErrorInfo.reason
// (googleapis, google/api/error_reason.proto), and the string codes of the Interactions API.
var rules = slices.Concat(pageRules, quotaRules, reasonRules, messageRules)

// pageRules judge HTML, which is Google's only where it does not know the address. Elsewhere it
// comes from a proxy, or from the guard that stands before Google.
var pageRules = []rule{
	{status: notFound, where: page, words: googlePage, class: pool.ClassModelMissing, suspected: true},
	{status: []int{http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusLengthRequired}, where: page, words: googlePage,
		class: pool.ClassCallerFault},
	{status: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest,
		http.StatusProxyAuthRequired, http.StatusTooManyRequests, http.StatusUnavailableForLegalReasons, http.StatusPaymentRequired},
		where: page, words: []string{"<"}, class: pool.ClassTransport, foreign: true},
	{status: []int{http.StatusProxyAuthRequired}, class: pool.ClassTransport, foreign: true},
}

var quotaRules = []rule{
	{status: quotaRefusals, where: quota, how: equals, words: isZero, class: pool.ClassNoQuota},
	{status: quotaRefusals, where: quota, how: equals, words: []string{day}, class: pool.ClassDayQuota},
	{status: quotaRefusals, where: quota, how: equals, words: []string{minute}, class: pool.ClassMinuteQuota},
}

var reasonRules = []rule{
	// Google's front ends use RATE_LIMIT_EXCEEDED for minutes, days and contention. Only
	// Interactions means the minute.
	{where: sentReason, how: equals, words: []string{"rate_limit_exceeded"}, class: pool.ClassMinuteQuota},
	{where: sentReason, how: equals, words: []string{"quota_exceeded"}, class: pool.ClassDayQuota},
	{where: reason, how: equals, words: []string{"MODEL_CAPACITY_EXHAUSTED"}, class: pool.ClassContention},
	{where: reason, how: equals, words: []string{"PAYMENT_REQUIRED"}, class: pool.ClassBilling},
	{where: reason, how: equals, words: []string{"MODEL_NOT_FOUND"}, class: pool.ClassModelMissing},
	{where: reason, how: equals, words: []string{"SERVICE_UNAVAILABLE"}, class: pool.ClassOverloaded},
	{where: reason, how: equals, words: []string{"DEADLINE_EXCEEDED"}, class: pool.ClassServerFault},
	{status: denied, where: permission, how: equals, words: []string{others}, class: pool.ClassCallerFault},
	{where: container, how: equals, words: []string{key}, class: pool.ClassKeyDead},
	{where: container, how: equals, words: []string{project}, class: pool.ClassProjectMisconfigured},
	{when: keyed, where: reason, how: equals, words: suspended, class: pool.ClassKeyDead},
	{where: reason, how: equals, words: suspended, class: pool.ClassProjectMisconfigured},
	// The policy forbids this location; others may be allowed.
	{where: reason, how: equals, words: policy, class: pool.ClassModelForbidden, about: pool.ScopeEndpoint},
	{when: keyed, where: reason, how: equals, words: credential, class: pool.ClassKeyDead},
	{where: reason, how: equals, words: credential, class: pool.ClassProjectMisconfigured},
	{where: reason, how: equals, words: []string{"USER_PROJECT_DENIED", "SECURITY_POLICY_VIOLATED", "ORG_RESTRICTION_VIOLATION",
		"ORG_RESTRICTION_HEADER_INVALID", "SERVICE_NOT_VISIBLE", "GCP_SUSPENDED", "RESOURCE_PROJECT_INVALID"},
		class: pool.ClassProjectMisconfigured},
	{where: reason, how: begins, words: []string{"API_KEY_"}, class: pool.ClassKeyDead},
	{where: reason, how: begins, words: []string{"IAM_"}, class: pool.ClassProjectMisconfigured},
	{where: reason, how: ends, words: []string{"_DISABLED"}, class: pool.ClassProjectMisconfigured},
	{where: reason, how: begins, words: []string{"ACCESS_TOKEN_", "CONSUMER_"}, class: pool.ClassProjectMisconfigured},
	{where: reason, how: begins, words: []string{"BILLING_"}, class: pool.ClassBilling},
}

var messageRules = []rule{
	{status: tooMany, where: message, words: []string{"spend-based", "spending rate"}, class: pool.ClassSpendRate},
	{status: tooMany, where: message,
		words: []string{"credits are depleted", "prepayment credits", "prepaid credits", "spending cap", "spend cap"},
		class: pool.ClassBilling},
	{status: tooMany, where: message, words: []string{"provisioned throughput"}, class: pool.ClassProvisionedFull},
	{status: tooMany, where: limits, how: equals, words: isZero, class: pool.ClassNoQuota},
	{status: tooMany, when: onVertex, where: message,
		words: []string{"resource exhausted. please try again later", "resource exhausted, please try again later"},
		class: pool.ClassContention},
	{status: tooMany, where: message, words: overload, class: pool.ClassOverloaded},

	{status: badRequest, where: message, how: begins, words: keyRefused, class: pool.ClassKeyDead},
	{status: badRequest, where: message, how: begins, words: noLocation, class: pool.ClassEgressBlocked},
	{status: badRequest, where: message, how: begins, words: []string{"gemini api free tier is not available"}, class: pool.ClassBilling},
	{status: badRequest, where: message, how: begins, words: []string{"this api method requires billing"},
		class: pool.ClassProjectMisconfigured},
	{status: badRequest, where: message, how: begins, words: []string{"organization policy constraint"}, also: orgModels,
		class: pool.ClassModelForbidden},

	{status: denied, where: message, words: []string{"reported as leaked"}, class: pool.ClassKeyDead},
	{status: denied, where: message, words: keyRefused, class: pool.ClassKeyDead},
	{status: denied, where: message, words: []string{"ip address restriction", "requests from referer", "requests from this"},
		also: []string{"blocked", "violate"}, class: pool.ClassKeyDead},
	{status: denied, when: keyed, where: message, how: begins, words: []string{"requests to this api"}, also: []string{"are blocked"},
		class: pool.ClassKeyDead},
	{status: denied, where: message, how: begins, words: []string{"requests to this api"}, also: []string{"are blocked"},
		class: pool.ClassProjectMisconfigured},
	{status: denied, when: keyed, where: message, words: noCaller, class: pool.ClassKeyDead},
	{status: denied, where: message, words: noCaller, class: pool.ClassProjectMisconfigured},
	{status: denied, when: keyed, where: message, words: hasConsumer, also: suspension, class: pool.ClassKeyDead},
	{status: denied, where: message, words: hasConsumer, also: suspension, class: pool.ClassProjectMisconfigured},
	{status: denied, where: message, words: noLocation, class: pool.ClassEgressBlocked},
	{status: denied, where: message, words: []string{"credits are depleted", "spending cap"}, class: pool.ClassBilling},
	{status: denied, where: message, words: orgModels, class: pool.ClassModelForbidden},
	{status: denied, where: message, words: notAllowed, class: pool.ClassModelForbidden},
	{status: denied, where: message, words: []string{"publisher model"}, class: pool.ClassModelForbidden},
	{status: denied, where: permission, how: equals, words: []string{others}, class: pool.ClassCallerFault},
	{status: denied, where: topic, how: equals, words: isOther, class: pool.ClassCallerFault},
	{status: denied, where: message,
		words: []string{"requires billing", "has not been used in project", "denied access", "denied on resource"},
		class: pool.ClassProjectMisconfigured},
	{status: denied, where: message, words: callersThing, class: pool.ClassCallerFault},

	{status: notFound, where: topic, how: equals, words: isOther, class: pool.ClassCallerFault},
	{status: notFound, where: message, words: []string{"publisher model", "models/"}, also: missing, class: pool.ClassModelMissing},
	{status: notFound, where: message, words: callersThing, class: pool.ClassCallerFault},
	{status: failed, where: message, words: []string{"input context is too long", "input context too long"},
		class: pool.ClassCallerFault},
	{status: failed, where: message, words: overload, class: pool.ClassOverloaded},

	{status: quotaRefusals, where: quota, how: equals, words: []string{some}, class: pool.ClassQuotaUnknown},
}

// preconditions are what a 400 FAILED_PRECONDITION may name. The project's state, its policy and
// its account are no fault of the caller's; things of the caller's are.
var preconditions = []rule{
	{status: badRequest, where: message, words: provisioned, class: pool.ClassProjectNotReady},
	{status: badRequest, where: message, words: notAllowed, class: pool.ClassModelForbidden},
	{status: badRequest, where: message, words: noPlace, class: pool.ClassModelForbidden, about: pool.ScopeEndpoint},
	{status: badRequest, where: message, words: noBilling, class: pool.ClassBilling},
	{status: badRequest, where: topic, how: equals, words: isOther, class: pool.ClassCallerFault},
	{status: badRequest, where: message, words: callersThing, class: pool.ClassCallerFault},
	{status: badRequest, class: pool.ClassProjectNotReady, suspected: true}, // the last: of this status only
}

var statusRules = []rule{
	{status: []int{http.StatusUnauthorized}, when: keyed, class: pool.ClassKeyDead},
	{status: []int{http.StatusUnauthorized}, class: pool.ClassProjectMisconfigured},
	{status: []int{http.StatusPaymentRequired}, class: pool.ClassBilling},
	// Whether a link can be read depends on who links, not on the project.
	{status: []int{http.StatusForbidden, http.StatusNotFound}, when: linked, class: pool.ClassCallerFault},
	{status: []int{http.StatusForbidden}, class: pool.ClassModelForbidden, suspected: true},
	{status: notFound, class: pool.ClassModelMissing, suspected: true},
	{status: tooMany, when: onVertex, where: message, words: []string{"your current quota", "quota exceeded", "exceeded your quota"},
		class: pool.ClassQuotaUnknown},
	{status: tooMany, when: onVertex, class: pool.ClassContention},
	{status: tooMany, class: pool.ClassQuotaUnknown},
	{status: []int{http.StatusNotImplemented}, class: pool.ClassModelMissing, suspected: true},
	{status: []int{http.StatusServiceUnavailable}, class: pool.ClassOverloaded},
	// Google or the way to it gave up. That says nothing of how well the endpoint is.
	{status: []int{http.StatusRequestTimeout}, class: pool.ClassServerFault, about: pool.ScopeCall},
	{status: []int{statusClientClosed}, class: pool.ClassServerFault}, // of servers under load
}

// rule returns the first rule that fits. Without one, statuses of the server are server faults, and
// all others the caller's.
func (f *fault) rule(a *Answer, code int, texts *[fields]string) *rule {
	lists := [...][]rule{rules, nil, statusRules}
	switch texts[status] {
	case "FAILED_PRECONDITION":
		lists[1] = preconditions
	case "INVALID_ARGUMENT", "OUT_OF_RANGE": // it may quote the caller
	default:
		lists[1] = preconditions[:len(preconditions)-1]
	}
	for _, list := range lists {
		for i := range list {
			if r := &list[i]; r.fits(a, code, texts) {
				return r
			}
		}
	}
	if code >= 500 || code < 100 {
		return &rule{class: pool.ClassServerFault}
	}
	return &rule{class: pool.ClassCallerFault}
}

func (r *rule) fits(a *Answer, code int, texts *[fields]string) bool {
	text := texts[r.where]
	return (r.status == nil || slices.Contains(r.status, code)) && r.when.holds(a) &&
		(r.where == nothing || r.how.any(text, r.words) && (r.also == nil || has.any(text, r.also)))
}

// holds reports whether the condition holds for the call of a.
func (c circumstance) holds(a *Answer) bool {
	switch c {
	case keyed:
		return a.Keyed || a.Backend == pool.BackendGemini
	case onVertex:
		return a.Backend == pool.BackendVertex
	case linked:
		return a.Linked
	default:
		return true
	}
}

// any reports whether the text matches one of the words.
func (m match) any(text string, words []string) bool {
	for _, w := range words {
		switch {
		case m == has && strings.Contains(text, w), m == begins && strings.HasPrefix(text, w),
			m == ends && strings.HasSuffix(text, w), m == equals && text == w:
			return true
		}
	}
	return false
}
