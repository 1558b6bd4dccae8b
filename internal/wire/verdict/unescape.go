package verdict

import "github.com/spillway-go/spillway/internal/wire/jsonscan"

// unescape takes one layer of escapes off text, whatever they are of. Byte i of the result stands
// at at[i] of the text that is scrubbed, and the result ends at the last of at; before is the same
// for text, nil for the text itself. escaped is false if there is no escape in it.
func unescape[T string | []byte](text T, before []int) (plain []byte, at []int, escaped bool) {
	i := firstEscape(text)
	if i < 0 {
		return nil, nil, false
	}
	plain, at = make([]byte, 0, len(text)), make([]int, 0, len(text)+1)
	place := func(i int) int {
		if before == nil {
			return i
		}
		return before[i]
	}
	for j := range i {
		plain, at = append(plain, text[j]), append(at, place(j))
	}
	for i < len(text) {
		c, size := escape(text, i)
		plain, at = append(plain, c), append(at, place(i))
		i += size
	}
	return plain, append(at, place(i)), true
}

// firstEscape returns the index of the first escape, or -1.
func firstEscape[T string | []byte](text T) int {
	for i := range len(text) {
		switch text[i] {
		case '\\', '%', '&':
			if _, size := escape(text, i); size > 1 {
				return i
			}
		}
	}
	return -1
}

// longestEscape bounds an escape, such as &#x000002f; in HTML.
const longestEscape = 11

// escape returns the byte that stands in text at i, and the length of its spelling: 1 if it is no
// escape of a byte.
func escape[T string | []byte](text T, i int) (c byte, size int) {
	c = text[i]
	if c != '\\' && c != '%' && c != '&' || i+1 == len(text) {
		return c, 1
	}
	return escapeIn(text[i:min(len(text), i+longestEscape)])
}

// escapeIn reads what begins like an escape.
func escapeIn[T string | []byte](text T) (c byte, size int) {
	switch {
	case text[0] == '%':
		if c, ok := hexByte(text[1:]); ok {
			return c, 3
		}
	case text[0] == '&':
		return entity(text)
	case text[1] == 'u':
		if len(text) >= 6 && text[2] == '0' && text[3] == '0' {
			if c, ok := hexByte(text[4:]); ok {
				return c, 6
			}
		}
	case text[1] == 'x':
		if c, ok := hexByte(text[2:]); ok {
			return c, 4
		}
	case text[1] == '\\', text[1] == '/', text[1] == '"', text[1] == '\'':
		return text[1], 2
	}
	return text[0], 1
}

// hexByte reads two hexadecimal digits.
func hexByte[T string | []byte](text T) (byte, bool) {
	if len(text) < 2 {
		return 0, false
	}
	high, ok1 := jsonscan.HexDigit(text[0])
	low, ok2 := jsonscan.HexDigit(text[1])
	return high<<4 | low, ok1 && ok2
}

// entities are the characters that HTML has names for because it must.
var entities = [...]struct {
	name string
	c    byte
}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}

// entity reads the name or the number of a character: &amp;, &#43; and &#x2b; are such.
func entity[T string | []byte](text T) (c byte, size int) {
	for _, e := range entities {
		if n := len(e.name); len(text) >= n && string(text[:n]) == e.name {
			return e.c, n
		}
	}
	if text[1] != '#' {
		return '&', 1
	}
	i, base, n := 2, 10, 0
	if len(text) > i && (text[i] == 'x' || text[i] == 'X') {
		i, base = i+1, 16
	}
	for from := i; i < len(text); i++ {
		if text[i] == ';' && i > from && n < 256 {
			return byte(n), i + 1
		}
		d, ok := jsonscan.HexDigit(text[i])
		if !ok || int(d) >= base {
			break
		}
		n = n*base + int(d)
	}
	return '&', 1
}
