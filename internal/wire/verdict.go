package wire

import (
	"net/http"
	"time"
)

// Class says what kind of answer Google gave. What has to rest because of it, and until when, is the pool's to decide.
type Class string

const (
	OK                   Class = "ok"                    // served
	MinuteQuota          Class = "minute_quota"          // a limit per minute of the project
	DayQuota             Class = "day_quota"             // a limit per day of the project
	NoQuota              Class = "no_quota"              // the limit is zero: the project may not use the model at all
	QuotaUnknown         Class = "quota_unknown"         // a limit of the project, nothing says which
	Contention           Class = "contention"            // shared capacity is short; no limit of the project
	ProvisionedFull      Class = "provisioned_full"      // the Provisioned Throughput order is full, or there is none
	Overloaded           Class = "overloaded"            // the model is overloaded for everybody
	ServerFault          Class = "server_fault"          // Google failed
	Transport            Class = "transport"             // no answer at all; Judge never says this, its callers do
	KeyDead              Class = "key_dead"              // the key is invalid, expired, leaked, restricted or suspended
	ProjectMisconfigured Class = "project_misconfigured" // an API, a role or billing is not set up
	Billing              Class = "billing"               // credits are used up or a spending cap is reached
	EgressBlocked        Class = "egress_blocked"        // the back end refuses the address that we call from
	ModelForbidden       Class = "model_forbidden"       // the project may not use the model
	ModelMissing         Class = "model_missing"         // the model is not served there
	CallerFault          Class = "caller_fault"          // the request itself is wrong; it fails everywhere
)

// Period is the time over which a quota counts; "" where nothing tells.
type Period string

const (
	Minute Period = "minute"
	Day    Period = "day"
)

// Dimension is what a quota counts; "" where nothing tells.
type Dimension string

const (
	Requests Dimension = "requests"
	Tokens   Dimension = "tokens"
)

// Violation is one quota that a call ran into.
type Violation struct {
	ID     string    // quotaId, such as "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
	Metric string    // quotaMetric
	Model  string    // the model or family whose quota it is; need not be the one that was asked for
	Limit  int64     // the quota's value, -1 if unknown
	Per    Period    // "" if unknown
	Of     Dimension // "" if unknown
}

// Verdict is what an answer means.
type Verdict struct {
	Class      Class
	Hint       time.Duration // how long Google asks to wait: the longest of RetryInfo, message and Retry-After; 0 is none
	Violations []Violation   // the quotas named, as found
	Reason     string        // google.rpc.ErrorInfo.reason, or the string code of the Interactions API
	Status     string        // google.rpc.Code, such as "RESOURCE_EXHAUSTED"
	Code       int           // the HTTP status, or the code in the body where Answer.Status is 0
	Message    string        // first line of Google's message, bounded; may echo a key unless the body was scrubbed
}

// Answer is what Judge looks at.
type Answer struct {
	Backend Backend
	Keyed   bool        // the request was signed with an API key; always so on the Gemini back end
	Status  int         // HTTP status; 0 stands for an error event inside a 200: the code in the body counts
	Header  http.Header // may be nil
	Body    []byte
	Now     time.Time // what dates in Retry-After are measured against
}
