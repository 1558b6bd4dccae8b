package verdict

import (
	"bytes"
	"encoding/json"
	"net/http"
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

// ErrorBody returns an error in Google's own shape. Details that cannot be JSON are left out.
func ErrorBody(code int, status, message string, details ...any) []byte {
	e := errorStatus{Code: code, Message: message, Status: status, Details: details}
	body, err := json.Marshal(errorReply{e})
	if err != nil {
		e.Details = nil
		body, _ = json.Marshal(errorReply{e})
	}
	return body
}

// Exhausted is the response to a call that no endpoint can serve now.
type Exhausted struct {
	Message string
	// Retry is the time until an endpoint could serve it, rounded up to milliseconds. It is left
	// out if it is not positive.
	Retry    time.Duration
	Metadata map[string]string // why, endpoint by endpoint
}

// Reason and domain of the ErrorInfo in an Exhausted response.
const (
	ExhaustedReason = "POOL_EXHAUSTED"
	ExhaustedDomain = "spillway"
)

// Body returns a 429 RESOURCE_EXHAUSTED with google.rpc.RetryInfo and google.rpc.ErrorInfo.
func (e Exhausted) Body() []byte {
	details := make([]any, 0, 2)
	if e.Retry > 0 {
		details = append(details, retryInfo{"type.googleapis.com/google.rpc.RetryInfo", formatDuration(e.Retry)})
	}
	details = append(details, errorInfo{"type.googleapis.com/google.rpc.ErrorInfo", ExhaustedReason, ExhaustedDomain, e.Metadata})
	return ErrorBody(429, "RESOURCE_EXHAUSTED", e.Message, details...)
}

// NoEndpointReason is the ErrorInfo.reason in a response of [NoEndpoint].
const NoEndpointReason = "NO_ENDPOINT"

// NoEndpoint returns the response to a call that no endpoint may serve, now or later: 400
// FAILED_PRECONDITION. Its metadata says why, endpoint by endpoint.
func NoEndpoint(message string, metadata map[string]string) []byte {
	return ErrorBody(http.StatusBadRequest, "FAILED_PRECONDITION", message,
		errorInfo{"type.googleapis.com/google.rpc.ErrorInfo", NoEndpointReason, ExhaustedDomain, metadata})
}

// ExplainedReason is the ErrorInfo.reason of what [Explained] adds.
const ExplainedReason = "ENDPOINTS_OUT"

// Explained returns an error of Google's with one more detail: an ErrorInfo whose metadata say, endpoint
// by endpoint, why none can serve the call. A body that is not an envelope stays as it is.
func Explained(body []byte, metadata map[string]string) []byte {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) == 1 && bytes.HasPrefix(list[0], []byte("{")) {
		// Vertex AI sends some in a list.
		list[0] = Explained(list[0], metadata)
		return marshalOr(body, list)
	}
	var envelope, content map[string]json.RawMessage
	if json.Unmarshal(body, &envelope) != nil || json.Unmarshal(envelope["error"], &content) != nil || content == nil {
		return body
	}
	var details []json.RawMessage
	if sent := content["details"]; sent != nil && json.Unmarshal(sent, &details) != nil {
		return body
	}
	detail := errorInfo{"type.googleapis.com/google.rpc.ErrorInfo", ExplainedReason, ExhaustedDomain, metadata}
	content["details"] = marshalOr(nil, append(details, marshalOr(nil, detail)))
	envelope["error"] = marshalOr(nil, content)
	return marshalOr(body, envelope)
}

// marshalOr returns v in JSON, or what stands for it if it has none.
func marshalOr(other []byte, v any) []byte {
	if encoded, err := json.Marshal(v); err == nil {
		return encoded
	}
	return other
}

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

// formatDuration writes a positive google.protobuf.Duration in JSON, with three fractional digits
// or none.
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
