// Package verdict judges Google's errors, and writes errors in the same shape.
package verdict

import (
	"net/http"
	"time"

	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/pool"
)

// Period is the time over which a quota counts, "" if unknown.
type Period string

const (
	Minute Period = "minute"
	Day    Period = "day"
)

// Dimension is what a quota counts, "" if unknown.
type Dimension string

const (
	Requests Dimension = "requests"
	Tokens   Dimension = "tokens"
)

// Violation is one quota that a call ran into.
type Violation struct {
	ID     string    // quotaId, such as "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
	Metric string    // quotaMetric
	Model  string    // the model or family of the quota, which may differ from the requested model
	Limit  int64     // the quota's value, -1 if unknown
	Per    Period    // "" if unknown
	Of     Dimension // "" if unknown
	Region bool      // it counts each location by itself
	Tool   string    // of the tool that it counts, as in [pool.Asked]; "" if it counts calls
}

// Verdict is the meaning of a response.
type Verdict struct {
	Class      pool.Class
	Cause      remedy.Cause  // the finest word for why; "" for classes that refuse nothing
	Scope      pool.Scope    // what the answer is about, if not what its class usually is
	Tools      []string      // that the answer is about, with ScopeTool
	Suspected  bool          // one such answer does not prove its class
	Foreign    bool          // it is not Google's
	Hint       time.Duration // the longest wait in RetryInfo, message and Retry-After; 0 is none
	Violations []Violation   // the named quotas, in their order
	Reason     string        // ErrorInfo.reason, or the string code of the Interactions API
	Status     string        // google.rpc.Code, such as "RESOURCE_EXHAUSTED"
	Code       int           // the HTTP status, or the code in the body where Answer.Status is 0
	Message    string        // first line, bounded, plain; may echo a key of an unscrubbed body
}

// Answer is a response that Judge looks at.
type Answer struct {
	Backend pool.Backend
	Keyed   bool        // the request was signed with an API key; always so on the Gemini back end
	Linked  bool        // the request names a file, a bucket or an address of the caller's
	Tools   []string    // that Google runs for the call
	Status  int         // HTTP status; 0 is an error event in a 200, whose body has the code
	Header  http.Header // may be nil
	Body    []byte
	Now     time.Time // dates in Retry-After are measured from here
}
