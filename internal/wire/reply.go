package wire

import (
	"encoding/json"
	"strconv"
	"time"
)

type errorReply struct {
	Error errorStatus `json:"error"`
}

type errorStatus struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
	Details []any  `json:"details,omitempty"`
}

// ErrorBody is an error in Google's own shape. Details that cannot be JSON are left out.
func ErrorBody(code int, status, message string, details ...any) []byte {
	e := errorStatus{Code: code, Message: message, Status: status, Details: details}
	body, err := json.Marshal(errorReply{e})
	if err != nil {
		e.Details = nil
		body, _ = json.Marshal(errorReply{e})
	}
	return body
}

// Exhausted is the answer to a call that nothing can serve now.
type Exhausted struct {
	Message  string
	Retry    time.Duration     // until anything could serve it; rounded up to milliseconds, 0 or less leaves it out
	Metadata map[string]string // why, endpoint by endpoint
}

// Reason and domain of the ErrorInfo in an Exhausted answer.
const (
	ExhaustedReason = "POOL_EXHAUSTED"
	ExhaustedDomain = "spillway"
)

type retryInfo struct {
	Type  string `json:"@type"`
	Delay string `json:"retryDelay"`
}

type errorInfo struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Body is a 429 RESOURCE_EXHAUSTED with google.rpc.RetryInfo and google.rpc.ErrorInfo.
func (e Exhausted) Body() []byte {
	details := make([]any, 0, 2)
	if e.Retry > 0 {
		details = append(details, retryInfo{"type.googleapis.com/google.rpc.RetryInfo", formatDuration(e.Retry)})
	}
	details = append(details, errorInfo{"type.googleapis.com/google.rpc.ErrorInfo", ExhaustedReason, ExhaustedDomain, e.Metadata})
	return ErrorBody(429, "RESOURCE_EXHAUSTED", e.Message, details...)
}

// formatDuration writes a positive google.protobuf.Duration in JSON, with three fractional digits or none.
func formatDuration(d time.Duration) string {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	s := strconv.FormatInt(ms/1000, 10)
	if ms %= 1000; ms > 0 {
		s += "." + strconv.FormatInt(1000+ms, 10)[1:]
	}
	return s + "s"
}

// FaultEvent is Google's own error event, in the bytes that have to follow what was written to s (but for what was
// dropped) so that a reader takes it for an event of its own. An event that was cut in the middle of its JSON and
// forwarded fails its reader before this one is reached: hold back what is pending, and Drop it. It is nil where a JSON
// array has ended, or was cut within an element that was not dropped: nothing can follow these.
func (s *Stream) FaultEvent(code int, status, message string) []byte {
	body := ErrorBody(code, status, message)
	if s.sse {
		before, eol := s.lines.breakOff()
		return append(append([]byte(before+"data: "), body...), eol+eol...)
	}
	before, end, ok := s.array.breakOff()
	if !ok {
		return nil
	}
	return append(append([]byte(before), body...), end...)
}
