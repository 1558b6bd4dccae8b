package stream

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// IsError reports whether a whole response is an error despite its good status: {"error": {…}},
// alone or in an array.
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

// Read reads a whole response in one pass. It returns what [ParseUsage] and [Continuation] return.
func Read(body []byte) (u Usage, continuation string) {
	s := Whole(Form{}, body)
	return s.usage, s.continuation
}

// Continuation returns a name for the continuationToken in a response of generateContent, in the
// form of [request.Call.Continuation]. It returns "" if there is no token.
func Continuation(body []byte) string {
	if !bytes.Contains(body, []byte(`"continuation`)) {
		return ""
	}
	s := Whole(Form{}, body)
	return s.continuation
}
