package credential

import (
	"regexp"
	"strings"
)

// privateKey is in the first line of a PEM block.
const privateKey = "PRIVATE KEY"

// form is that of API keys ("AIza…", "AQ.…"), access tokens ("ya29.…"), PEM blocks, and of what is
// sent to token servers: signed assertions ("eyJ…"), refresh tokens ("1//0…", also as in a form) and
// client secrets ("GOCSPX-…").
var form = regexp.MustCompile(
	`AIza[0-9A-Za-z_-]{16,}|(^|[^0-9A-Za-z])AQ\.[0-9A-Za-z_-]{16,}|ya29\.[0-9A-Za-z_.-]{8,}|` + privateKey +
		`|eyJ[0-9A-Za-z_-]{8,}(\.[0-9A-Za-z_-]+)+|1(//|%2F%2F)0[0-9A-Za-z_-]{16,}|GOCSPX-[0-9A-Za-z_-]{8,}`)

// Looks reports whether text contains something in the form of a Google API key, access token,
// assertion or private key. It keeps a credential that was written in the wrong field out of
// messages. It does not recognize every credential.
func Looks(text string) bool { return form.MatchString(text) }

// Redacted returns a text without what [Looks] finds.
func Redacted(text string) string {
	if strings.Contains(text, privateKey) {
		return "[redacted]" // where the key ends is not known
	}
	return form.ReplaceAllString(text, "[redacted]")
}

// refusal is an error of a token server, or of a proxy in its place, that may echo what it was sent.
type refusal struct{ error }

func (r refusal) Error() string { return Redacted(r.error.Error()) }

func (r refusal) Unwrap() error { return r.error }
