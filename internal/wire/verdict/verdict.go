package verdict

import (
	"net/http"
	"time"

	"github.com/spillway-go/spillway/pool"
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
	Class      pool.Class
	Hint       time.Duration // how long Google asks to wait: the longest of RetryInfo, message and Retry-After; 0 is none
	Violations []Violation   // the quotas named, as found
	Reason     string        // google.rpc.ErrorInfo.reason, or the string code of the Interactions API
	Status     string        // google.rpc.Code, such as "RESOURCE_EXHAUSTED"
	Code       int           // the HTTP status, or the code in the body where Answer.Status is 0
	Message    string        // first line of Google's message, bounded; may echo a key unless the body was scrubbed
}

// Answer is what Judge looks at.
type Answer struct {
	Backend pool.Backend
	Keyed   bool        // the request was signed with an API key; always so on the Gemini back end
	Status  int         // HTTP status; 0 stands for an error event inside a 200: the code in the body counts
	Header  http.Header // may be nil
	Body    []byte
	Now     time.Time // what dates in Retry-After are measured against
}
