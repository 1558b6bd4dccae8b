package jsonscan

import "strings"

// Object returns a Scanner inside the object b. Where b is anything else, it has no members.
func Object(b []byte) Scanner {
	c := New(b)
	if !c.Enter('{') {
		return Scanner{}
	}
	return c
}

// Each calls f for the elements of an array, or for a value that stands alone. Both back ends
// accept one value in place of a list.
func Each(list []byte, f func([]byte)) {
	c := New(list)
	if !c.Enter('[') {
		f(list)
		return
	}
	for c.Element() {
		f(c.Raw())
	}
}

// AppendMember appends a member to out, which is the beginning of an object. The key is given as
// [Scanner.RawKey] returns it.
func AppendMember(out, key, value []byte) []byte {
	if len(out) == 0 {
		out = append(out, '{')
	} else {
		out = append(out, ',')
	}
	return append(append(out, key...), value...)
}

// CloseObject ends an object that AppendMember began. Without members it is empty.
func CloseObject(out []byte) []byte {
	if len(out) == 0 {
		return []byte("{}")
	}
	return append(out, '}')
}

// IsNull reports whether a value is absent or null, which mean the same.
func IsNull(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// IsString reports whether a value is a string.
func IsString(value []byte) bool { return len(value) > 1 && value[0] == '"' }

// CamelCase returns the camelCase name of a field: both back ends accept snake_case too.
func CamelCase(key []byte) string {
	name := Unquote(key)
	head, rest, ok := strings.Cut(name, "_")
	if !ok || head == "" {
		return name
	}
	var b strings.Builder
	b.WriteString(head)
	for word := range strings.SplitSeq(rest, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
