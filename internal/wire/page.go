package wire

// Page says of an answer that is a page of a list how many items it has, and the token of the next page; "" is the last one.
func Page(body []byte) (items int, next string) {
	for c := object(body); c.member(); {
		switch {
		case camel(c.key) == "nextPageToken":
			next = unquote(c.text())
		case c.peek() == '[':
			c.enter('[')
			for c.element() {
				items++
			}
		}
	}
	return items, next
}

// WithNextPage returns the page with another token of the next one; "" makes it the last. The token needs no escapes in JSON.
func WithNextPage(body []byte, token string) []byte {
	out := make([]byte, 0, len(body)+len(token)+24)
	for c := object(body); c.member(); {
		if camel(c.key) != "nextPageToken" {
			out = appendMember(out, c.b[c.at:c.i], c.raw())
		}
	}
	if token != "" {
		out = appendMember(out, []byte(`"nextPageToken":`), []byte(`"`+token+`"`))
	}
	return closeObject(out)
}
