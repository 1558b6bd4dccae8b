package wire

// IsError reports whether a whole answer is an error although its status is good: {"error": {…}}, or that in an array.
func IsError(body []byte) bool {
	c := cursor{b: body, start: -1}
	if c.enter('[') && !c.element() {
		return false
	}
	if !c.enter('{') || !c.member() {
		return false
	}
	return string(c.key) == "error" && c.peek() == '{'
}
