// Package plain makes text of others fit for a terminal and a log.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s without what could move a terminal's cursor, change the direction of the text, or
// begin another line of a log: control characters, also those beyond ASCII, format characters such
// as bidi overrides, and bytes that are not UTF-8. White space becomes a space. A result of more
// than most bytes is cut between characters and ends with "…"; most is at least 3.
func Text(s string, most int) string {
	if len(s) <= most && Is(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		valid := r != utf8.RuneError || size > 1
		i += size
		switch {
		case valid && unicode.IsPrint(r):
		case valid && unicode.IsSpace(r):
			r = ' '
		default:
			continue
		}
		b.WriteRune(r)
		if b.Len() > most {
			break
		}
	}
	return cut(b.String(), most)
}

// Lines is Text for a text of several lines: line ends and tabs stay, and nothing is cut.
func Lines(s string) string {
	var b strings.Builder
	for rest := s; ; {
		i := strings.IndexAny(rest, "\n\t")
		if i < 0 {
			i = len(rest)
		}
		b.WriteString(Text(rest[:i], len(rest)))
		if i == len(rest) {
			return b.String()
		}
		b.WriteByte(rest[i])
		rest = rest[i+1:]
	}
}

// Is reports whether Text leaves s as it is, whatever its length.
func Is(s string) bool {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		case !unicode.IsPrint(r):
			return false
		}
	}
	return true
}

// cut bounds valid UTF-8.
func cut(s string, most int) string {
	const sign = "…"
	if len(s) <= most {
		return s
	}
	n := most - len(sign)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + sign
}
