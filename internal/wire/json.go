package wire

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// cursor walks JSON bytes once, forward, without building a tree and without allocating. It forgives whatever it can:
// where the bytes are broken or end early, loops end and values read as absent, so that what came before still counts.
type cursor struct {
	b   []byte
	i   int
	key []byte // of the member that member() stands on; without quotes, escapes as sent
	at  int    // where that member begins, at the quote of its key

	start int // where the current value begins; a value nobody read is skipped by the next member() or element()
}

// peek returns the next byte that is not white space, 0 at the end.
func (c *cursor) peek() byte {
	for c.i < len(c.b) {
		switch b := c.b[c.i]; b {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return b
		}
	}
	return 0
}

// enter steps into the object ('{') or array ('[') that comes next; of any other value it says false and leaves it.
func (c *cursor) enter(open byte) bool {
	if c.peek() != open {
		return false
	}
	c.i++
	c.start = -1
	return true
}

// member goes to the next member of the entered object: c.key is its name and its value comes next.
func (c *cursor) member() bool {
	if !c.element() || c.b[c.i] != '"' {
		return false
	}
	c.at = c.i
	c.key, _ = c.quoted()
	if c.peek() != ':' {
		return false
	}
	c.i++
	c.peek()
	c.start = c.i
	return c.i < len(c.b)
}

// element goes to the next value of the entered array. After the last one it leaves the array.
func (c *cursor) element() bool {
	if c.i == c.start {
		c.skip()
	}
	for {
		switch c.peek() {
		case 0:
			return false
		case '}', ']':
			c.i++
			c.start = -1
			return false
		case ',':
			c.i++
		case ':':
			// Nothing valid has one here. Stepping over it keeps a stray one from stopping the walk.
			c.i++
		default:
			c.start = c.i
			return true
		}
	}
}

// quoted reads a string and returns what stands between its quotes, escapes as sent; false where it has no end.
func (c *cursor) quoted() ([]byte, bool) {
	c.i++
	from := c.i
	n := closing(c.b[from:])
	if n < 0 {
		c.i = len(c.b)
		return c.b[from:], false
	}
	c.i = from + n + 1
	return c.b[from : from+n], true
}

// closing returns the index of the quote that ends the string which b begins in, -1 if there is none.
func closing(b []byte) int {
	at := 0
	for {
		n := bytes.IndexByte(b[at:], '"')
		if n < 0 {
			return -1
		}
		n += at
		slashes := 0
		for j := n - 1; j >= at && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return n
		}
		at = n + 1
	}
}

// skip passes over the next value, however deep, and says whether it had an end.
func (c *cursor) skip() bool {
	depth := 0
	for c.i < len(c.b) {
		switch c.peek() {
		case '"':
			if _, ok := c.quoted(); !ok {
				return false
			}
		case '{', '[':
			depth++
			c.i++
		case '}', ']':
			if depth == 0 {
				return true
			}
			depth--
			c.i++
		case ',':
			if depth == 0 {
				return true
			}
			c.i++
		case ':':
			c.i++
		default:
			c.bare()
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// raw reads the next value, however deep, as it was sent.
func (c *cursor) raw() []byte {
	c.peek()
	from := c.i
	c.skip()
	return c.b[from:c.i]
}

// bare reads a number, true, false or null.
func (c *cursor) bare() []byte {
	from := c.i
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case '"', '{', '[', '}', ']', ',', ':', ' ', '\t', '\n', '\r':
			return c.b[from:c.i]
		}
		c.i++
	}
	return c.b[from:c.i]
}

// text reads a string, or a number or a boolean as if it were one; nil for anything else. Escapes stay as sent.
func (c *cursor) text() []byte {
	switch c.peek() {
	case '"':
		s, _ := c.quoted()
		return s
	case '{', '[', '}', ']', ',', ':', 0:
		return nil
	}
	b := c.bare()
	if string(b) == "null" {
		return nil
	}
	return b
}

// number reads a count, sent as a number or as a string.
func (c *cursor) number() (int64, bool) { return integer(c.text()) }

// integer reads b as a whole number, rounding fractions down and holding huge ones at ±2^53.
func integer(b []byte) (int64, bool) {
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

// unquote undoes the escapes of a JSON string. What is no valid escape stays as it is.
func unquote(s []byte) string {
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
			r, n := escapedRune(s[i:])
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

// escapedRune reads the \uXXXX, or the pair of them, that s begins with, and says how many bytes it took: 0 for none.
func escapedRune(s []byte) (rune, int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(s[6:]); ok {
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			return both, 12
		}
	}
	return utf8.RuneError, 6
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, b := range s[2:6] {
		d, ok := hexDigit(b)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func hexDigit(b byte) (byte, bool) {
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
