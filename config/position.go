package config

import (
	"strconv"
	"strings"
)

// maxDepth bounds how deep values may nest and how many parts a key may have. A config needs 5. The
// bound keeps the recursive TOML parser from exhausting the stack, which no recover would catch.
const maxDepth = 32

// node is a key, table or array element of the source, with its line. The TOML library gives the
// lines of values only by key, and of [[tables]] only the last one.
type node struct {
	line     int
	below    map[string]*node
	elements int
}

// lineOf returns the line of path, or of its nearest ancestor that has one.
func (n *node) lineOf(path fieldPath) int {
	line := n.line
	for _, step := range path {
		if n = n.below[step]; n == nil {
			break
		}
		if n.line > 0 {
			line = n.line
		}
	}
	return line
}

// child returns the node at step below n, and creates it if there is none.
func (n *node) child(step string, line int) *node {
	if c, ok := n.below[step]; ok {
		return c
	}
	if n.below == nil {
		n.below = map[string]*node{}
	}
	c := &node{line: line}
	n.below[step] = c
	return c
}

// element appends an element.
func (n *node) element(line int) *node {
	c := n.child("["+strconv.Itoa(n.elements)+"]", line)
	n.elements++
	return c
}

// table returns the node that a key in a header means: of an array of tables, the last one.
func (n *node) table() *node {
	if n.elements > 0 {
		return n.below["["+strconv.Itoa(n.elements-1)+"]"]
	}
	return n
}

// locate finds the lines of everything in a TOML source. It leaves the syntax to the parser. At
// anything that is not TOML it stops and returns the lines found so far. If values nest deeper than
// maxDepth, tooDeep is their line; else it is 0.
func locate(source string) (root *node, tooDeep int) {
	s := scanner{rest: strings.TrimPrefix(source, "\ufeff"), line: 1}
	root = &node{line: 1}
	table := root
	for {
		s.blank(true)
		if s.rest == "" || s.stopped {
			return root, s.tooDeep
		}
		switch {
		case s.take("[["):
			table = s.header(root, true)
		case s.take("["):
			table = s.header(root, false)
		default:
			s.pair(table, 0)
		}
	}
}

type scanner struct {
	rest    string
	line    int
	stopped bool
	tooDeep int
}

func (s *scanner) stop() { s.stopped, s.rest = true, "" }

// skip drops n bytes, counting lines.
func (s *scanner) skip(n int) {
	s.line += strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
}

func (s *scanner) take(prefix string) bool {
	if !strings.HasPrefix(s.rest, prefix) {
		return false
	}
	s.skip(len(prefix))
	return true
}

// blank skips white space and, if lines is set, line ends and comments.
func (s *scanner) blank(lines bool) {
	for s.rest != "" {
		switch c := s.rest[0]; {
		case c == ' ' || c == '\t' || c == '\r':
			s.skip(1)
		case c == '\n' && lines:
			s.skip(1)
		case c == '#' && lines:
			end := strings.IndexByte(s.rest, '\n')
			if end < 0 {
				end = len(s.rest)
			}
			s.skip(end)
		default:
			return
		}
	}
}

func (s *scanner) header(root *node, array bool) *node {
	line := s.line
	parts := s.key()
	closing := "]"
	if array {
		closing = "]]"
	}
	if len(parts) == 0 || !s.take(closing) {
		s.stop()
		return root
	}
	table := root
	for _, part := range parts[:len(parts)-1] {
		table = table.child(part, line).table()
	}
	table = table.child(parts[len(parts)-1], line)
	if array {
		return table.element(line)
	}
	// A table that a header below it implied gets its own line.
	table.line = line
	return table
}

// pair reads key = value into table.
func (s *scanner) pair(table *node, depth int) {
	line := s.line
	parts := s.key()
	if len(parts) == 0 || !s.take("=") {
		s.stop()
		return
	}
	for _, part := range parts {
		table = table.child(part, line)
	}
	s.blank(false)
	s.value(table, depth)
}

// key reads a dotted key and the white space after it. It returns no parts if there is no key.
func (s *scanner) key() (parts []string) {
	for {
		s.blank(false)
		part, ok := s.keyPart()
		if !ok {
			s.stop()
			return nil
		}
		if parts = append(parts, part); len(parts) > maxDepth {
			s.tooDeep = s.line
			s.stop()
			return nil
		}
		s.blank(false)
		if !s.take(".") {
			return parts
		}
	}
}

func (s *scanner) keyPart() (string, bool) {
	if s.rest == "" {
		return "", false
	}
	if quote := s.rest[0]; quote == '"' || quote == '\'' {
		text, ok := s.quoted(s.rest[:1], quote == '"')
		if !ok {
			return "", false
		}
		if quote == '"' {
			// Go knows TOML's escapes but \e and the upper half of \x. For these the line of the
			// table is used.
			if plain, err := strconv.Unquote(`"` + text + `"`); err == nil {
				text = plain
			}
		}
		return text, true
	}
	end := strings.IndexAny(s.rest, " \t\r\n.=[]{},#\"'")
	if end < 0 {
		end = len(s.rest)
	}
	part := s.rest[:end]
	s.skip(end)
	return part, end > 0
}

// quoted skips a string, one-line or multi-line by its quote, and returns its raw text.
func (s *scanner) quoted(quote string, escapes bool) (string, bool) {
	s.skip(len(quote))
	for i := 0; i < len(s.rest); i++ {
		switch {
		case escapes && s.rest[i] == '\\':
			i++
		case strings.HasPrefix(s.rest[i:], quote):
			// Up to two quotes may precede the three that end a multi-line string.
			for extra := 0; len(quote) == 3 && extra < 2 && strings.HasPrefix(s.rest[i+1:], quote); extra++ {
				i++
			}
			text := s.rest[:i]
			s.skip(i + len(quote))
			return text, true
		}
	}
	s.stop()
	return "", false
}

// value reads a value into n, the node of its key.
func (s *scanner) value(n *node, depth int) {
	if depth > maxDepth {
		s.tooDeep = s.line
		s.stop()
		return
	}
	for _, quote := range []string{`"""`, `'''`, `"`, `'`} {
		if strings.HasPrefix(s.rest, quote) {
			s.quoted(quote, quote[0] == '"')
			return
		}
	}
	switch {
	case s.take("["):
		s.list("]", func() { s.value(n.element(s.line), depth+1) })
	case s.take("{"):
		s.list("}", func() { s.pair(n, depth+1) })
	default:
		end := strings.IndexAny(s.rest, ",]}#\n")
		if end < 0 {
			end = len(s.rest)
		}
		s.skip(end)
	}
}

// list reads the items between brackets, separated by commas.
func (s *scanner) list(closing string, item func()) {
	for {
		s.blank(true)
		if s.rest == "" || s.take(closing) {
			return
		}
		before := len(s.rest)
		item()
		s.blank(true)
		if !s.take(",") && (len(s.rest) == before || !strings.HasPrefix(s.rest, closing)) {
			s.stop()
			return
		}
	}
}
