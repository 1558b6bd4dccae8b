package jsonscan

import "bytes"

// cursor walks JSON bytes once, forward, without building a tree and without allocating. It forgives whatever it can:
// where the bytes are broken or end early, loops end and values read as absent, so that what came before still counts.
type Scanner struct {
	Data   []byte
	Pos    int
	Key    []byte // of the member that member() stands on; without quotes, escapes as sent
	KeyPos int    // where that member begins, at the quote of its key

	start int // where the current value begins; a value nobody read is skipped by the next member() or element()
}

// newCursor returns a cursor at the beginning of b.
func New(b []byte) Scanner { return Scanner{Data: b, start: -1} }

// peek returns the next byte that is not white space, 0 at the end.
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

// enter steps into the object ('{') or array ('[') that comes next; of any other value it says false and leaves it.
func (c *Scanner) Enter(open byte) bool {
	if c.Peek() != open {
		return false
	}
	c.Pos++
	c.start = -1
	return true
}

// member goes to the next member of the entered object: c.key is its name and its value comes next.
func (c *Scanner) Member() bool {
	if !c.Element() || c.Data[c.Pos] != '"' {
		return false
	}
	c.KeyPos = c.Pos
	c.Key, _ = c.Quoted()
	if c.Peek() != ':' {
		return false
	}
	c.Pos++
	c.Peek()
	c.start = c.Pos
	return c.Pos < len(c.Data)
}

// keyAsSent is the current member's key with its quotes and all that stands before the value.
func (c *Scanner) RawKey() []byte { return c.Data[c.KeyPos:c.Pos] }

// element goes to the next value of the entered array. After the last one it leaves the array.
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
			// Nothing valid has one here. Stepping over it keeps a stray one from stopping the walk.
			c.Pos++
		default:
			c.start = c.Pos
			return true
		}
	}
}

// quoted reads a string and returns what stands between its quotes, escapes as sent; false where it has no end.
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

// raw reads the next value, however deep, as it was sent.
func (c *Scanner) Raw() []byte {
	c.Peek()
	from := c.Pos
	c.Skip()
	return c.Data[from:c.Pos]
}

// bare reads a number, true, false or null.
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

// text reads a string, or a number or a boolean as if it were one; nil for anything else. Escapes stay as sent.
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

// number reads a count, sent as a number or as a string.
func (c *Scanner) Number() (int64, bool) { return Integer(c.Text()) }
