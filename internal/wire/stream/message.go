package stream

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Continuation is a name for the continuationToken in an answer of generateContent, in the form of [Call.Continuation]; "" if it has none.
func Continuation(body []byte) string {
	if !bytes.Contains(body, []byte(`"continuation`)) {
		return ""
	}
	s := New(true)
	s.event(body)
	return s.continuation
}

// IsError reports whether a whole answer is an error although its status is good: {"error": {…}}, or that in an array.
func IsError(body []byte) bool {
	c := jsonscan.New(body)
	if c.Enter('[') && !c.Element() {
		return false
	}
	if !c.Enter('{') || !c.Member() {
		return false
	}
	return string(c.Key) == "error" && c.Peek() == '{'
}
