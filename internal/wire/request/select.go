package request

import (
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// SelectsFields reports whether the query chooses the fields of the response.
func (c *Call) SelectsFields() bool { return strings.Contains(c.address.query, "fields=") }

// fieldMask is the header that chooses the fields of the response, as net/http spells it.
const fieldMask = "X-Goog-Fieldmask"

// Selects reports whether the response may have the field at a path, such as "candidates" or
// "finishReason" in it. A field mask in the query, or in the header of the request, can leave it
// out. Without a mask the response has all fields. Source:
// https://cloud.google.com/apis/docs/system-parameters.
func (c *Call) Selects(h http.Header, path ...string) bool {
	mask := h.Get(fieldMask)
	if c.SelectsFields() {
		mask = Parameter(c.address.query, "fields")
	}
	return mask == "" || selects(mask, path)
}

// Masked reports whether the caller has chosen the fields of the response.
func (c *Call) Masked(h http.Header) bool { return c.SelectsFields() || h.Get(fieldMask) != "" }

// selects reports whether a mask covers a path. Masks are "a,b", "a.b" or "a/b", and "a(b,c)"; "*"
// is any field.
func selects(mask string, path []string) bool {
	for mask != "" {
		var item string
		item, mask = cutItem(mask)
		if covers(item, path) {
			return true
		}
	}
	return false
}

// cutItem cuts the first item off a mask: up to a comma outside of parentheses.
func cutItem(mask string) (item, rest string) {
	depth := 0
	for i := range len(mask) {
		switch mask[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				return mask[:i], mask[i+1:]
			}
		}
	}
	return mask, ""
}

// covers reports whether one item of a mask covers a path.
func covers(item string, path []string) bool {
	item = strings.TrimSpace(item)
	for _, field := range path {
		end := strings.IndexAny(item, "./(")
		name := item
		if end >= 0 {
			name = item[:end]
		}
		if name = strings.TrimSpace(name); name != "*" && jsonscan.CamelCase([]byte(name)) != field {
			return false
		}
		switch {
		case end < 0:
			return true // the whole field
		case item[end] == '(':
			inner := strings.TrimSuffix(strings.TrimSpace(item[end+1:]), ")")
			return len(path) == 1 || selects(inner, path[1:])
		}
		item, path = item[end+1:], path[1:]
	}
	return true // a part of the field
}

// JSON reports whether a good response to the call is JSON. A caller may ask for other formats, and
// the bytes of a file have any.
func (c *Call) JSON(h http.Header) bool {
	q := c.address.query
	format, _, _ := strings.Cut(Parameter(q, "alt"), ";")
	return (format == "" || jsonscan.EqualFold(format, "json") || jsonscan.EqualFold(format, "sse")) &&
		Parameter(q, "callback") == "" && Parameter(q, "ct") == "" &&
		!c.address.upload() && !c.Downloads() &&
		!strings.Contains(strings.ToLower(h.Get("Content-Type")), "proto")
}

// Downloads reports whether the call reads the bytes of a file: a video, the results of a batch.
func (c *Call) Downloads() bool {
	_, verb := cutVerb(c.address.rest)
	return c.address.media == "download" || verb == "download" ||
		jsonscan.EqualFold(Parameter(c.address.query, "alt"), "media")
}
