package verdict

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// openAIError is an error as OpenAI has it. Status and details are Google's, or the router's own.
type openAIError struct {
	Message string            `json:"message"`
	Type    string            `json:"type"`
	Param   *string           `json:"param"`
	Code    *string           `json:"code"`
	Status  string            `json:"status,omitempty"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// OpenAI returns an error in the shape of OpenAI's: {"error": {"message", "type", "param", "code"}}. It
// keeps status and details of an error in Google's shape, which may stand alone or in a list. With
// status 0 the error says its own. Source:
// https://platform.openai.com/docs/guides/error-codes.
func OpenAI(status int, body []byte) []byte {
	var envelope struct {
		Error struct {
			Code    json.RawMessage   `json:"code"`
			Message string            `json:"message"`
			Status  string            `json:"status"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	var list []json.RawMessage
	sent := body
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		sent = list[0]
	}
	// What cannot be read is left out: the status says the most.
	_ = json.Unmarshal(sent, &envelope)
	google := &envelope.Error
	if status == 0 {
		_ = json.Unmarshal(google.Code, &status)
	}
	kind, code := openAIKind(status, strings.ToLower(google.Status))
	e := openAIError{Message: google.Message, Type: kind, Status: google.Status, Details: google.Details}
	if e.Message == "" {
		e.Message = http.StatusText(status)
	}
	if code != "" {
		e.Code = &code
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(map[string]openAIError{"error": e}) != nil {
		return body // never: all of it was JSON, or is text
	}
	return bytes.TrimSpace(out.Bytes())
}

// openAIKind returns OpenAI's type and code of an error. status is Google's word in lower case.
func openAIKind(status int, word string) (kind, code string) {
	switch {
	case status == http.StatusTooManyRequests:
		return "rate_limit_error", "rate_limit_exceeded"
	case status == http.StatusPaymentRequired:
		return "insufficient_quota", "insufficient_quota"
	case status == http.StatusUnauthorized:
		return "authentication_error", "invalid_api_key"
	case status == http.StatusForbidden:
		return "permission_error", word
	case status >= http.StatusInternalServerError, status == 0:
		return "server_error", word
	default:
		return "invalid_request_error", word
	}
}
