package jsonscan

// Array cuts the byte stream of a JSON array into its elements: streamGenerateContent without
// alt=sse. An object that stands alone counts as an element, for errors sometimes come so.
type Array struct {
	element []byte // the beginning of an element without its end
	depth   int    // brackets open within the element; 0 is between elements
	quoted  bool   // inside a string
	escaped bool   // after a backslash
	huge    bool   // the element is larger than MaxEvent; its bytes are not kept
	waiting int

	opened bool // "[" was seen
	done   bool // its "]" was seen
	comma  bool // a comma was the last thing between elements
	some   bool // an element was seen

	strange bool // something else was seen
}

// Strange reports whether there was anything beside the array and its elements.
func (a *Array) Strange() bool { return a.strange }

func (a *Array) Write(p []byte, event func([]byte)) {
	for len(p) > 0 {
		if a.depth == 0 {
			p = a.between(p)
			continue
		}
		n, ended := a.scan(p)
		piece := p[:n]
		p = p[n:]
		if !ended {
			a.waiting += n
			a.keep(piece)
			return
		}
		a.waiting, a.some, a.comma = 0, true, false
		switch {
		case a.huge || len(a.element)+n > MaxEvent:
			event(nil)
		case len(a.element) > 0:
			a.element = append(a.element, piece...)
			event(a.element)
		default:
			event(piece)
		}
		a.element, a.huge = Reuse(a.element), false
	}
}

// between reads up to the first byte of an element, and stops before it.
func (a *Array) between(p []byte) []byte {
	for i, b := range p {
		switch b {
		case '{':
			if a.done {
				a.strange = true
				continue
			}
			a.depth = 1
			a.keep(p[i : i+1])
			a.waiting = 1
			return p[i+1:]
		case '[':
			a.opened = true
		case ',':
			a.comma = true
		case ']':
			a.done = true
		case ' ', '\t', '\r', '\n', byteOrderMark[0], byteOrderMark[1], byteOrderMark[2]:
		default:
			a.strange = true
		}
	}
	return nil
}

// scan reads up to the end of the element and returns the number of bytes read.
func (a *Array) scan(p []byte) (n int, ended bool) {
	for n < len(p) {
		b := p[n]
		n++
		switch {
		case a.escaped:
			a.escaped = false
		case a.quoted:
			switch b {
			case '\\':
				a.escaped = true
			case '"':
				a.quoted = false
			default:
				n += plain(p[n:])
			}
		case b == '"':
			a.quoted = true
		case b == '{' || b == '[':
			a.depth++
		case b == '}' || b == ']':
			if a.depth--; a.depth == 0 {
				return n, true
			}
		}
	}
	return n, false
}

// plain counts the bytes at the front of b that change nothing inside a string. It is a plain loop:
// searching for the quote first would take quadratic time where there are many backslashes.
func plain(b []byte) int {
	for i, x := range b {
		if x == '"' || x == '\\' {
			return i
		}
	}
	return len(b)
}

// Pending is the number of bytes of an element whose end is missing.
func (a *Array) Pending() int { return a.waiting }

// Done reports whether the array has come to its end.
func (a *Array) Done() bool { return a.done && a.opened }

// Open reports whether the array has begun, and has not come to its end.
func (a *Array) Open() bool { return a.opened && !a.done }

// Close reports whether the array ended within an element.
func (a *Array) Close() (cut bool) { return a.depth > 0 }

func (a *Array) keep(p []byte) {
	if a.huge || len(a.element)+len(p) > MaxEvent {
		a.huge, a.element = true, nil
		return
	}
	a.element = append(a.element, p...)
}

// Drop forgets an element without its end.
func (a *Array) Drop() {
	a.element, a.depth, a.quoted, a.escaped, a.huge, a.waiting = nil, 0, false, false, false, 0
}

// BreakOff returns the text around one more element after the bytes so far. It returns false where
// no element can follow.
func (a *Array) BreakOff() (before, end string, ok bool) {
	switch {
	case a.done || a.depth > 0 || a.some && !a.opened:
		return "", "", false
	case !a.opened:
		return "[", "]", true
	case a.some && !a.comma:
		return ",", "]", true
	}
	return "", "]", true
}
