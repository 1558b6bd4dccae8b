package calls

import (
	"math"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Record is what is known of one call when it has ended. It holds no credential, and nothing of
// what the call said or was told. A record never changes; goroutines may share it. Its JSON is a
// line of a [Log], with the fields of the embedded structs among its own.
type Record struct {
	// ID is the call's, which the response header Spillway-Call has. Time is when it began.
	ID   string `json:"id"`
	Time Time   `json:"time"`

	Request

	Outcome Outcome `json:"outcome"`
	// Status is the HTTP status that the caller got. Zero if there was none: a Live session, or an
	// Error.
	Status int `json:"status,omitempty"`
	// Error is why there was no response; at most 200 bytes.
	Error string `json:"error,omitempty"`
	// RetryAt is, of a refused call, when an endpoint could next serve it. Zero if none is known.
	RetryAt Time `json:"retry_at,omitzero"`
	// Cache is "hit" for a response that no request was made for: it has no attempts, endpoint and
	// tokens. "miss" and "off" are of other calls for which there is a cache. See [router.Cache].
	Cache router.CacheUse `json:"cache,omitempty"`

	Service

	// Attempts are the requests to Google that the call made, in order.
	Attempts []Attempt `json:"attempts,omitempty"`
	// PassedOver says why other endpoints could not serve the call, the first 16 of them. It is
	// there if no endpoint served, or one that was not the first choice.
	PassedOver []PassedOver `json:"passed_over,omitempty"`
	// Unlisted says that PassedOver is empty because calls had spent enough time on looking at other
	// endpoints: at most 2 % of one processor.
	Unlisted bool `json:"unlisted,omitempty"`
	// Lookups are the requests to Google for pages of a list, or to find the owner of a resource.
	Lookups int `json:"lookups,omitempty"`

	Times
}

// Request is what a call asked for. See [router.CallStart].
type Request struct {
	Model    string          `json:"model,omitempty"`
	Method   string          `json:"method,omitempty"`
	Stream   bool            `json:"stream,omitempty"`
	Label    string          `json:"label,omitempty"`
	Priority router.Priority `json:"priority"`
}

// Service is what served a call or, if nothing did, what was asked last.
type Service struct {
	// ServedModel is the model that answered: Google's modelVersion, if that is another one than was
	// asked. Empty if the call was not served.
	ServedModel string `json:"served_model,omitempty"`
	// Endpoint is "project/location/traffic", Project the first of these.
	Endpoint string `json:"endpoint,omitempty"`
	Project  string `json:"project,omitempty"`
	// Traffic is "provisioned" or "on_demand": what Google says, or else the endpoint's.
	Traffic string `json:"traffic,omitempty"`
	// Tier is "standard", "flex", "priority" or what else Google says. Empty if it says nothing.
	Tier   string `json:"tier,omitempty"`
	Tokens Tokens `json:"tokens,omitzero"`
}

// Tokens is what Google counted, in all attempts. Cached, ToolUse, InputAudio and InputImage are
// parts of Input. Thoughts, OutputAudio and OutputImage are parts of Output.
type Tokens struct {
	Input       int64 `json:"input"`
	Cached      int64 `json:"cached,omitempty"`
	ToolUse     int64 `json:"tool_use,omitempty"`
	InputAudio  int64 `json:"input_audio,omitempty"`
	InputImage  int64 `json:"input_image,omitempty"`
	Output      int64 `json:"output"`
	Thoughts    int64 `json:"thoughts,omitempty"`
	OutputAudio int64 `json:"output_audio,omitempty"`
	OutputImage int64 `json:"output_image,omitempty"`
}

// Attempt is one request to Google.
type Attempt struct {
	Endpoint string     `json:"endpoint"`
	Model    string     `json:"model,omitempty"`
	Class    pool.Class `json:"class"`
	// Status is zero if there was no response.
	Status int `json:"status,omitempty"`
	// WaitedMS is how long the call waited for the endpoint, in milliseconds. DurationMS is from the
	// request to the end of the response.
	WaitedMS   float64 `json:"waited_ms"`
	DurationMS float64 `json:"duration_ms"`
	// Message says why it failed: the quota, or what Google said of a key or project. Empty where
	// that may quote the call. At most 200 bytes.
	Message string `json:"message,omitempty"`
}

// PassedOver is why one endpoint could not serve a call.
type PassedOver struct {
	Endpoint string `json:"endpoint"`
	Why      string `json:"why"`
}

// Times are how long a call took, in milliseconds, all from its beginning but for WaitedMS, which is
// the sum of its waits for an endpoint. FirstByteMS is zero if nothing served the call.
type Times struct {
	WaitedMS    float64 `json:"waited_ms"`
	FirstByteMS float64 `json:"first_byte_ms,omitempty"`
	LatencyMS   float64 `json:"latency_ms"`
}

// Outcome says how a call ended.
type Outcome string

const (
	// OutcomeServed means that the caller had a whole response.
	OutcomeServed Outcome = "served"
	// OutcomeRefused means that no endpoint of the pool could serve the call in time. The response may
	// be what Google says of the keys and projects that are all out.
	OutcomeRefused Outcome = "refused"
	// OutcomeFailed means that the caller had an error of Google's, a broken response, or none.
	OutcomeFailed Outcome = "failed"
	// OutcomeCancelled means that the caller left, or that the call's deadline passed.
	OutcomeCancelled Outcome = "cancelled"
)

// liveMethod is the method of sessions of the Live API.
const liveMethod = "bidiGenerateContent"

// Live reports whether the call was a session of the Live API, whose latency is its length.
func (r *Record) Live() bool { return r.Method == liveMethod }

// Time is a time that JSON shows in UTC, with milliseconds.
type Time struct{ time.Time }

const timeFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON returns the time as RFC 3339 has it, with three digits of a second.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(make([]byte, 0, len(timeFormat)+2), `"`+timeFormat+`"`), nil
}

// String returns the time as JSON shows it.
func (t Time) String() string { return t.UTC().Format(timeFormat) }

// ms returns a duration in milliseconds, as whole microseconds.
func ms(d time.Duration) float64 { return math.Round(float64(max(d, 0))/1e3) / 1e3 }
