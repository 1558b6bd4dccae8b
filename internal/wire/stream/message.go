package stream

import (
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
