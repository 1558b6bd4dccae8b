package request

import (
	"net/url"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// query is the part of a call that its query tells.
type query struct {
	sse      bool
	uploadID string
}

// SelectsFields reports whether the query chooses the fields of the response.
func (c *Call) SelectsFields() bool { return strings.Contains(c.address.query, "fields=") }

// parse reads raw and returns it without the credentials. The other parameters stay byte for byte.
func (q *query) parse(raw string) string {
	if raw == "" {
		return ""
	}
	kept := raw
	var b strings.Builder
	for rest, at := raw, 0; ; {
		pair, more, found := strings.Cut(rest, "&")
		name, value, _ := strings.Cut(pair, "=")
		switch parameter(name) {
		case "key", "access_token":
			if kept == raw {
				kept = ""
				b.WriteString(strings.TrimSuffix(raw[:at], "&"))
			}
		default:
			if kept != raw {
				if b.Len() > 0 {
					b.WriteByte('&')
				}
				b.WriteString(pair)
			}
			q.note(parameter(name), value)
		}
		if !found {
			break
		}
		at += len(pair) + 1
		rest = more
	}
	if kept == raw {
		return raw
	}
	return b.String()
}

func (q *query) note(name, value string) {
	switch name {
	case "alt":
		q.sse = q.sse || jsonscan.EqualFold(value, "sse")
	case "stream": // Interactions
		q.sse = q.sse || value == "true"
	case "upload_id":
		q.uploadID = value
	}
}

// parameter undoes the escapes of a name and drops the "$" that Google accepts before system
// parameters.
func parameter(name string) string {
	if strings.Contains(name, "%") {
		if s, err := url.QueryUnescape(name); err == nil {
			name = s
		}
	}
	return strings.TrimPrefix(name, "$")
}
