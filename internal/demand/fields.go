package demand

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fields is an object of a log. Programs and databases spell the same log in several ways: keys in
// another case or without underscores, numbers and objects as strings, times as seconds. So a key
// here is as fold makes it, and a value is read as whatever it looks like.
type fields struct {
	of map[string]json.RawMessage
	// wrong is the first value that makes no sense. It is the same for all objects of an entry.
	wrong *string
}

// fold returns how all spellings of a key are looked up.
func fold(key string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(key), "_", ""))
}

// fieldsOf reads an object.
func fieldsOf(raw []byte) (fields, error) {
	var spelled map[string]json.RawMessage
	if err := json.Unmarshal(raw, &spelled); err != nil {
		return fields{}, err
	}
	f := fields{make(map[string]json.RawMessage, len(spelled)), new(string)}
	for key, value := range spelled {
		f.set(key, value)
	}
	return f, nil
}

// set adds a value. Of two that differ in the spelling of the key only, the order of the map must not
// choose.
func (f fields) set(key string, value json.RawMessage) {
	if string(value) == "null" {
		return
	}
	key = fold(key)
	if other, ok := f.of[key]; !ok || bytes.Compare(value, other) > 0 {
		f.of[key] = value
	}
}

// has reports whether there is a value other than null.
func (f fields) has(key string) bool {
	_, ok := f.of[fold(key)]
	return ok
}

// text returns a string, or what else stands there as it is written.
func (f fields) text(key string) string {
	raw := f.of[fold(key)]
	var text string
	if len(raw) > 0 && raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	return text
}

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
	raw, ok := f.of[fold(key)]
	if !ok {
		return f.below(fold(key) + ".")
	}
	inner, err := fieldsOf(unquoted(raw))
	if err != nil {
		return fields{nil, f.wrong}
	}
	inner.wrong = f.wrong
	return inner
}

// below returns the object whose keys follow a prefix here.
func (f fields) below(prefix string) fields {
	inner := fields{make(map[string]json.RawMessage), f.wrong}
	for key, value := range f.of {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			inner.of[rest] = value
		}
	}
	return inner
}

// keys returns the keys, as fold makes them, in order.
func (f fields) keys() []string { return slices.Sorted(maps.Keys(f.of)) }

// list returns the elements of an array, which may be JSON in a string.
func (f fields) list(key string) (all []json.RawMessage) {
	if json.Unmarshal(unquoted(f.of[fold(key)]), &all) != nil {
		return nil
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
func unquoted(raw json.RawMessage) json.RawMessage {
	var text string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return json.RawMessage(text)
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
