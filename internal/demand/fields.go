package demand

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// fields is an object of a log. Programs and databases spell the same log in several ways: keys in
// another case or without underscores, numbers and objects as strings, times as seconds. So all
// spellings of a key are one, and a value is read as whatever it looks like.
//
// It is a view of the text that it was read from.
type fields struct {
	of []field
	// wrong is the first value that makes no sense. It is the same for all objects of an entry.
	wrong *string
}

// field is a member of an object whose value is not null.
type field struct{ key, value []byte }

// errNoObject is of a text that is no object of JSON.
var errNoObject = errors.New("no JSON object")

// fieldsOf reads an object.
func fieldsOf(raw []byte) (fields, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return fields{}, errNoObject
	}
	return fields{members(raw), new(string)}, nil
}

// members returns the members of an object; of broken JSON, those before the break.
func members(raw []byte) (all []field) {
	all = make([]field, 0, 16)
	for o := jsonscan.Object(raw); o.Member(); {
		key := o.Key
		if value := o.Raw(); !jsonscan.IsNull(value) {
			all = append(all, field{key, value})
		}
	}
	return all
}

// same reports whether a key is another spelling of a name: case and underscores do not count.
func same(key []byte, name string) bool {
	i, j := 0, 0
	for {
		for i < len(key) && key[i] == '_' {
			i++
		}
		for j < len(name) && name[j] == '_' {
			j++
		}
		switch {
		case i == len(key) || j == len(name):
			return i == len(key) && j == len(name)
		case lower(key[i]) != lower(name[j]):
			return false
		}
		i, j = i+1, j+1
	}
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}

// get returns the value of a key; nil if there is none. Of several it is the last that stands there.
func (f fields) get(key string) []byte {
	for _, one := range slices.Backward(f.of) {
		if same(one.key, key) {
			return one.value
		}
	}
	return nil
}

// has reports whether there is a value other than null.
func (f fields) has(key string) bool { return f.get(key) != nil }

// text returns a string, or what else stands there as it is written.
func (f fields) text(key string) string { return string(unquoted(f.get(key))) }

// number returns a number, which may be written as a string. Nothing is 0.
func (f fields) number(key string) float64 {
	text := strings.TrimSpace(f.text(key))
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(n, 0) || math.IsNaN(n) {
		f.complain(key, "is no number")
		return 0
	}
	return max(min(n, math.MaxFloat32), -math.MaxFloat32)
}

// tokens returns a number of tokens that makes sense.
func (f fields) tokens(key string) int64 { return tokens(f.number(key)) }

// object returns an object. It may be JSON in a string, as databases export it, or flat: "tokens.input"
// is of the object "tokens". It is empty if there is none.
func (f fields) object(key string) fields {
	raw := f.get(key)
	if raw == nil {
		return f.below(key)
	}
	return fields{members(bytes.TrimSpace(unquoted(raw))), f.wrong}
}

// below returns the object whose keys follow that of an object and a dot.
func (f fields) below(object string) fields {
	inner := fields{nil, f.wrong}
	for _, one := range f.of {
		if first, rest, ok := bytes.Cut(one.key, []byte(".")); ok && same(first, object) {
			inner.of = append(inner.of, field{rest, one.value})
		}
	}
	return inner
}

// list returns the elements of an array, which may be JSON in a string.
func (f fields) list(key string) [][]byte { return elements(f.get(key)) }

// elements returns the elements of an array, which may be JSON in a string.
func elements(raw []byte) (all [][]byte) {
	raw = bytes.TrimSpace(unquoted(raw))
	if len(raw) > 0 && raw[0] == '[' {
		jsonscan.Each(raw, func(one []byte) { all = append(all, one) })
	}
	return all
}

// moment returns a time; zero if there is none.
func (f fields) moment(key string) time.Time {
	text := strings.TrimSpace(f.text(key))
	t, ok := timeOf(text)
	if !ok && text != "" {
		f.complain(key, "is no time")
	}
	return t
}

func (f fields) complain(key, problem string) {
	if *f.wrong == "" {
		*f.wrong = key + " " + problem
	}
}

// unquoted returns the text of a string of JSON; what is no string as it is.
func unquoted(raw []byte) []byte {
	if jsonscan.IsString(raw) && raw[len(raw)-1] == '"' {
		return jsonscan.Unescape(raw[1 : len(raw)-1])
	}
	return raw
}

// mostTokens bounds what a log may say of one call: many times what any model takes.
const mostTokens = 1 << 30

// tokens returns a number of tokens that makes sense.
func tokens(n float64) int64 {
	if !(n > 0) {
		return 0
	}
	return int64(min(n, mostTokens))
}
