// Package jsonscan reads JSON without building a tree: whole messages, and streams of them.
//
// Its input may be broken, cut short or hostile. Nothing here panics, and every function takes time
// linear in its input. The same holds for the packages that use it: request, translate, verdict and
// stream. They keep no state, and know of Spillway only the words of package pool.
package jsonscan

import "bytes"

// Scanner walks JSON bytes once, forward, without building a tree and without allocating. It
// forgives broken bytes and early ends: loops end there, values read as absent, and everything
// before still counts.
type Scanner struct {
	Data   []byte
	Pos    int
	Key    []byte // of the current member, without quotes and escapes
	KeyPos int    // where the current member begins, at the quote of its key

	start int // where the current value begins; Member and Element skip a value that was not read
}

// New returns a Scanner at the beginning of b.
func New(b []byte) Scanner { return Scanner{Data: b, start: -1} }

// Peek returns the next byte that is not white space, 0 at the end.
func (c *Scanner) Peek() byte {
	for c.Pos < len(c.Data) {
		switch b := c.Data[c.Pos]; b {
		case ' ', '\t', '\n', '\r':
			c.Pos++
		default:
			return b
		}
	}
	return 0
}

// Enter steps into the object ('{') or array ('[') that comes next. It returns false before any
// other value, and stays there.
func (c *Scanner) Enter(open byte) bool {
	if c.Peek() != open {
		return false
	}
	c.Pos++
	c.start = -1
	return true
}

// Member goes to the next member of the entered object: Key is its name, and its value comes next.
func (c *Scanner) Member() bool {
	if !c.Element() || c.Data[c.Pos] != '"' {
		return false
	}
	c.KeyPos = c.Pos
	c.Key, _ = c.Quoted()
	c.Key = Unescape(c.Key)
	if c.Peek() != ':' {
		return false
	}
	c.Pos++
	c.Peek()
	c.start = c.Pos
	return c.Pos < len(c.Data)
}

// RawKey returns the current member's key with its quotes and everything before the value.
func (c *Scanner) RawKey() []byte { return c.Data[c.KeyPos:c.Pos] }

// Element goes to the next value of the entered array. After the last one it leaves the array.
func (c *Scanner) Element() bool {
	if c.Pos == c.start {
		c.Skip()
	}
	for {
		switch c.Peek() {
		case 0:
			return false
		case '}', ']':
			c.Pos++
			c.start = -1
			return false
		case ',':
			c.Pos++
		case ':':
			// No valid JSON has a colon here. A stray one must not stop the walk.
			c.Pos++
		default:
			c.start = c.Pos
			return true
		}
	}
}

// Quoted reads a string and returns the bytes between its quotes, escapes as sent. It returns false
// where the string has no end.
func (c *Scanner) Quoted() ([]byte, bool) {
	c.Pos++
	from := c.Pos
	n := closing(c.Data[from:])
	if n < 0 {
		c.Pos = len(c.Data)
		return c.Data[from:], false
	}
	c.Pos = from + n + 1
	return c.Data[from : from+n], true
}

// closing returns the index of the quote that ends the string at the front of b, or -1.
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

// Skip passes over the next value, however deep, and reports whether the value had an end.
func (c *Scanner) Skip() bool {
	depth := 0
	for c.Pos < len(c.Data) {
		switch c.Peek() {
		case '"':
			if _, ok := c.Quoted(); !ok {
				return false
			}
		case '{', '[':
			depth++
			c.Pos++
		case '}', ']':
			if depth == 0 {
				return true
			}
			depth--
			c.Pos++
		case ',':
			if depth == 0 {
				return true
			}
			c.Pos++
		case ':':
			c.Pos++
		default:
			c.Bare()
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// Raw reads the next value, however deep, as it was sent.
func (c *Scanner) Raw() []byte {
	c.Peek()
	from := c.Pos
	c.Skip()
	return c.Data[from:c.Pos]
}

// Bare reads a number, true, false or null.
func (c *Scanner) Bare() []byte {
	from := c.Pos
	for c.Pos < len(c.Data) {
		switch c.Data[c.Pos] {
		case '"', '{', '[', '}', ']', ',', ':', ' ', '\t', '\n', '\r':
			return c.Data[from:c.Pos]
		}
		c.Pos++
	}
	return c.Data[from:c.Pos]
}

// Text reads a string, or a number or boolean as if it were a string. It returns nil for anything
// else. Escapes stay as sent.
func (c *Scanner) Text() []byte {
	switch c.Peek() {
	case '"':
		s, _ := c.Quoted()
		return s
	case '{', '[', '}', ']', ',', ':', 0:
		return nil
	}
	b := c.Bare()
	if string(b) == "null" {
		return nil
	}
	return b
}

// Number reads a count, sent as a number or as a string.
func (c *Scanner) Number() (int64, bool) { return Integer(c.Text()) }
