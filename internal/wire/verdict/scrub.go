package verdict

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

const redacted = "[redacted]"

// Scrub replaces every secret in body with "[redacted]". It also finds secrets with bytes escaped
// as in JSON, or percent escaped as in a URL. It returns body itself if it finds none. Empty
// secrets are ignored.
func Scrub(body []byte, secrets ...string) []byte {
	var out []byte
	kept := 0 // body up to here is in out
	for i := 0; i < len(body); {
		n := 0
		for _, secret := range secrets {
			if secret != "" && (body[i] == secret[0] || body[i] == '\\' || body[i] == '%') {
				n = max(n, secretAt(body[i:], secret))
			}
		}
		if n == 0 {
			i++
			continue
		}
		out = append(append(out, body[kept:i]...), redacted...)
		i += n
		kept = i
	}
	if kept == 0 {
		return body
	}
	return append(out, body[kept:]...)
}

// secretAt returns the number of bytes at the front of b that spell the secret, 0 if they do not.
func secretAt(b []byte, secret string) int {
	at := 0
	for i := range len(secret) {
		n := matchEscaped(b[at:], secret[i])
		if n == 0 {
			return 0
		}
		at += n
	}
	return at
}

// matchEscaped returns the number of bytes at the front of b that spell want, 0 if they do not. An
// escape inside an escape has more than one backslash: JSON in a JSON string.
func matchEscaped(b []byte, want byte) int {
	if len(b) == 0 {
		return 0
	}
	if b[0] == '%' && len(b) > 2 {
		high, ok1 := jsonscan.HexDigit(b[1])
		low, ok2 := jsonscan.HexDigit(b[2])
		if ok1 && ok2 && high<<4|low == want {
			return 3
		}
	}
	if b[0] == '\\' {
		run := 1
		for run < len(b) && run < 8 && b[run] == '\\' {
			run++
		}
		rest := b[run-1:]
		switch r, ok := jsonscan.HexEscape(rest); {
		case ok && r == rune(want):
			return run + 5
		case want == '\\':
			return run
		case len(rest) > 1 && rest[1] == want && strings.IndexByte(`"/`, want) >= 0:
			return run + 1
		}
		return 0
	}
	if b[0] == want {
		return 1
	}
	return 0
}
