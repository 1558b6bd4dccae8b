package verdict

import (
	"slices"
	"sort"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

const redacted = "[redacted]"

// Scrub is [Scrubber.Scrub] for secrets that are needed once.
func Scrub(body []byte, secrets ...string) []byte {
	if len(secrets) != 1 || secrets[0] == "" {
		return NewScrubber(secrets).Scrub(body)
	}
	s := Scrubber{secrets: secrets} // one is in order as it is
	s.firsts[secrets[0][0]] = true
	return s.Scrub(body)
}

// Scrubber finds secrets in text. The time for a text does not depend on the number of secrets,
// except for a logarithm of it. The zero Scrubber has no secrets. A Scrubber is safe for concurrent
// use.
type Scrubber struct {
	secrets []string // sorted, each once, none empty
	firsts  [256]bool
}

// NewScrubber returns a Scrubber of the secrets. Empty ones are ignored.
func NewScrubber(secrets []string) *Scrubber {
	s := &Scrubber{secrets: slices.Clone(secrets)}
	slices.Sort(s.secrets)
	s.secrets = slices.Compact(s.secrets)
	if len(s.secrets) > 0 && s.secrets[0] == "" {
		s.secrets = s.secrets[1:]
	}
	for _, secret := range s.secrets {
		s.firsts[secret[0]] = true
	}
	return s
}

// Scrub replaces every secret in body with "[redacted]". It also finds secrets with bytes escaped
// as in JSON, or percent escaped as in a URL. It returns body itself if it finds none.
func (s *Scrubber) Scrub(body []byte) []byte {
	if len(s.secrets) == 0 {
		return body
	}
	var out []byte
	kept := 0 // body up to here is in out
	for i := 0; i < len(body); {
		n := 0
		if b := body[i]; s.firsts[b] || b == '\\' || b == '%' {
			n = longest(body[i:], s.secrets, 0)
		}
		if n <= 0 {
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

// longest returns the number of bytes at the front of b that spell one of the secrets from its byte
// number depth on: the most, if several are spelled. It returns -1 if none is. The secrets are
// sorted, and alike up to depth.
func longest(b []byte, secrets []string, depth int) int {
	found, at := -1, 0
	for {
		if len(secrets) > 0 && len(secrets[0]) == depth {
			found = max(found, at)
			secrets = secrets[1:]
		}
		if len(secrets) == 0 || at == len(b) {
			return found
		}
		c, size, plain := unescape(b[at:])
		// A percent sign or a backslash may also stand for itself.
		if first := b[at]; plain > 0 && c != first {
			if alike := narrow(secrets, depth, first); len(alike) > 0 {
				if n := longest(b[at+plain:], alike, depth+1); n >= 0 {
					found = max(found, at+plain+n)
				}
			}
		}
		secrets = narrow(secrets, depth, c)
		at += size
		depth++
	}
}

// narrow returns the secrets that have c at index depth. The secrets are sorted, longer than depth,
// and alike up to it.
func narrow(secrets []string, depth int, c byte) []string {
	if secrets[0][depth] == c && secrets[len(secrets)-1][depth] == c {
		return secrets
	}
	from := sort.Search(len(secrets), func(i int) bool { return secrets[i][depth] >= c })
	secrets = secrets[from:]
	return secrets[:sort.Search(len(secrets), func(i int) bool { return secrets[i][depth] > c })]
}

// unescape returns the byte that the front of b spells, and the size of its spelling. Where b
// begins with an escape, plain is the size of the percent sign or backslash alone. An escape inside
// an escape has more than one backslash: JSON in a JSON string.
func unescape(b []byte) (c byte, size, plain int) {
	switch b[0] {
	case '%':
		if len(b) > 2 {
			high, ok1 := jsonscan.HexDigit(b[1])
			low, ok2 := jsonscan.HexDigit(b[2])
			if ok1 && ok2 {
				return high<<4 | low, 3, 1
			}
		}
	case '\\':
		run := 1
		for run < len(b) && run < 8 && b[run] == '\\' {
			run++
		}
		rest := b[run-1:]
		if r, ok := jsonscan.HexEscape(rest); ok && r <= 0xff {
			return byte(r), run + 5, run
		}
		if len(rest) > 1 && (rest[1] == '"' || rest[1] == '/') {
			return rest[1], run + 1, run
		}
		return '\\', run, run
	}
	return b[0], 1, 0
}
