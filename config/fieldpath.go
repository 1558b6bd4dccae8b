package config

import (
	"slices"
	"strconv"
	"strings"
)

// fieldPath is the path of a value in the file: one step for each key, and "[i]" for element i of
// an array.
type fieldPath []string

// to returns the path of a key below p or, as "[i]", of an element. It never shares p's memory.
func (p fieldPath) to(step string) fieldPath {
	return append(slices.Clip(slices.Clone(p)), step)
}

func (p fieldPath) element(i int) fieldPath { return p.to("[" + strconv.Itoa(i) + "]") }

// within reports whether p is q or lies below it.
func (p fieldPath) within(q fieldPath) bool {
	return len(p) >= len(q) && slices.Equal(p[:len(q)], q)
}

// parseField reads a Field of pool.FieldError: `project[1].locations[0]`, `models."a.b"`.
func parseField(field string) fieldPath {
	var p fieldPath
	for field != "" {
		var step string
		switch field[0] {
		case '.':
			field = field[1:]
			continue
		case '"':
			quoted, err := strconv.QuotedPrefix(field)
			if err != nil {
				return p
			}
			field = field[len(quoted):]
			step, _ = strconv.Unquote(quoted)
		case '[':
			end := strings.IndexByte(field, ']') + 1
			if end == 0 {
				return p
			}
			step, field = field[:end], field[end:]
		default:
			end := strings.IndexAny(field, ".[")
			if end < 0 {
				end = len(field)
			}
			step, field = field[:end], field[end:]
		}
		p = append(p, step)
	}
	return p
}
