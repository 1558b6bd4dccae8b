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

// stays reports whether a parameter of the caller's stays behind: a credential, what it pays with,
// or another method than the request's, which is what the router has understood. Source:
// https://cloud.google.com/apis/docs/system-parameters.
func stays(name string) bool {
	switch name {
	case "key", "api_key", "apikey", "apiKey", "access_token", "accessToken", "oauth_token", "oauthToken",
		"bearer_token", "bearerToken", "passwd", "password",
		"userProject", "user_project", "httpMethod", "httpHeaders":
		return true
	}
	return false
}

// Parameter returns the first value of a parameter in a query. It undoes escapes, and drops the "$"
// of system parameters as Google does. Unlike net/url it takes a semicolon for a part of the value:
// "$alt=json;enum-encoding=int".
func Parameter(raw, name string) string {
	for pair := range strings.SplitSeq(raw, "&") {
		if key, value, _ := strings.Cut(pair, "="); parameter(key) == name {
			return unescape(value)
		}
	}
	return ""
}

// WithParameter returns a query with another value for a parameter; "" takes it out. All others
// stay byte for byte.
func WithParameter(raw, name, value string) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		if key, _, _ := strings.Cut(pair, "="); pair != "" && parameter(key) != name {
			kept = append(kept, pair)
		}
	}
	if value != "" {
		kept = append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(kept, "&")
}

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
		switch name = parameter(name); {
		case stays(name):
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
			q.note(name, value)
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
		format, _, _ := strings.Cut(unescape(value), ";") // "sse;enum-encoding=int"
		q.sse = q.sse || jsonscan.EqualFold(format, "sse")
	case "stream": // Interactions
		q.sse = q.sse || value == "true"
	case "upload_id":
		q.uploadID = value
	}
}

// parameter undoes the escapes of a name and drops the "$" that Google accepts before system
// parameters.
func parameter(name string) string { return strings.TrimPrefix(unescape(name), "$") }

// unescape undoes the escapes of a part of a query. Broken ones stay.
func unescape(s string) string {
	if strings.ContainsAny(s, "%+") {
		if plain, err := url.QueryUnescape(s); err == nil {
			return plain
		}
	}
	return s
}
