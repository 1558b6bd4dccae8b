package jsonscan

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Unescape is Unquote without a copy of a text that has no escapes.
func Unescape(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	return []byte(Unquote(s))
}

// Unquote undoes the escapes of a JSON string. An invalid escape stays as it is.
func Unquote(s []byte) string {
	if bytes.IndexByte(s, '\\') < 0 {
		return string(s)
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			i++
			continue
		}
		switch s[i+1] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case '"', '\\', '/':
			out = append(out, s[i+1])
		case 'u':
			r, n := EscapedRune(s[i:])
			if n == 0 {
				out = append(out, '\\', 'u')
				break
			}
			out = utf8.AppendRune(out, r)
			i += n
			continue
		default:
			out = append(out, '\\', s[i+1])
		}
		i += 2
	}
	return string(out)
}

// EscapedRune reads the \uXXXX, or the surrogate pair, at the front of s. It returns the number of
// bytes read, 0 if there is no such escape.
func EscapedRune(s []byte) (rune, int) {
	r, ok := HexEscape(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := HexEscape(s[6:]); ok {
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			return both, 12
		}
	}
	return utf8.RuneError, 6
}

// HexEscape reads the \uXXXX at the front of s, and reports whether there is one.
func HexEscape(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, b := range s[2:6] {
		d, ok := HexDigit(b)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// HexDigit returns the value of a hexadecimal digit, and reports whether b is one.
func HexDigit(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

// Integer reads b as a whole number, rounding fractions down and holding huge ones at ±2^53.
func Integer(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 64 {
		return 0, false
	}
	const most = 1 << 53
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		return max(-most, min(n, most)), true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil && f == 0 || f != f {
		return 0, false
	}
	return int64(max(-most, min(f, most))), true
}

// Count limits n to the counts that an int holds on every machine.
func Count(n int64) int { return int(max(0, min(n, math.MaxInt32))) }

// IsDigits reports whether s has nothing but decimal digits. An empty string does.
func IsDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// IndexFold is strings.Index for a lower-case needle, blind to ASCII case.
func IndexFold(s, needle string) int {
	for i := 0; i+len(needle) <= len(s); i++ {
		if EqualFold(s[i:i+len(needle)], needle) {
			return i
		}
	}
	return -1
}

// EqualFold reports whether s is the lower-case word, blind to ASCII case.
func EqualFold(s, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != word[i] {
			return false
		}
	}
	return true
}
