package credential

import "regexp"

// form is that of API keys ("AIza…", "AQ.…"), access tokens ("ya29.…") and PEM blocks.
var form = regexp.MustCompile(
	`AIza[0-9A-Za-z_-]{16}|(^|[^0-9A-Za-z])AQ\.[0-9A-Za-z_-]{16}|ya29\.[0-9A-Za-z_.-]{8}|PRIVATE KEY`)

// Looks reports whether text contains something in the form of a Google API key, access token or
// private key. It keeps a credential that was written in the wrong field out of messages. It does
// not recognize every credential.
func Looks(text string) bool { return form.MatchString(text) }
