package router

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// hashBody adds a body to a hash, in the form that equal bodies share: that of RFC 8785, but for two
// things. Numbers keep all their digits, where RFC 8785 has those of a double. And the order of
// members counts where a model sees it, since a response has the order of its schema, or where one is
// there twice. It reports whether the body is JSON that every reader takes for the same.
//
// Source: https://ai.google.dev/gemini-api/docs/structured-output, of the order of a schema.
func hashBody(h io.Writer, body []byte) bool {
	canonical := jsontext.Value(slices.Clone(body))
	if canonical.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
		return false
	}
	hashExact(h, canonical)
	c := jsonscan.New(body)
	var o order
	o.find(&c)
	_, _ = h.Write(o.b)
	return true
}

// hashExact adds valid JSON to a hash, with one spelling of each number.
func hashExact(h io.Writer, value []byte) {
	var number []byte
	for len(value) > 0 {
		at := bytes.IndexAny(value, `"-0123456789`)
		if at < 0 {
			at = len(value)
		}
		_, _ = h.Write(value[:at])
		value = value[at:]
		c := jsonscan.New(value)
		switch {
		case len(value) == 0:
		case value[0] == '"':
			_, _ = h.Write(c.Raw())
		default:
			number = appendExact(number[:0], c.Raw())
			_, _ = h.Write(number)
		}
		value = value[c.Pos:]
	}
}

// appendExact appends a number: its digits without zeros around them, and the power of ten. Equal
// numbers are the same, also beyond what a double holds.
func appendExact(out, number []byte) []byte {
	const longest = 15 // digits of an exponent, which is not counted beyond
	mantissa, exponent := number, []byte("0")
	if at := bytes.IndexAny(number, "eE"); at >= 0 {
		mantissa, exponent = number[:at], number[at+1:]
	}
	power, err := strconv.ParseInt(string(exponent), 10, 64)
	if err != nil || len(exponent) > longest {
		return append(out, number...)
	}
	if mantissa[0] == '-' {
		out, mantissa = append(out, '-'), mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := len(out)
	out = append(append(out, whole...), fraction...)
	power -= int64(len(fraction))
	significant := bytes.TrimRight(out[digits:], "0")
	power += int64(len(out) - digits - len(significant))
	significant = bytes.TrimLeft(significant, "0")
	if len(significant) == 0 {
		return append(out[:0], '0')
	}
	out = append(out[:digits], significant...)
	return strconv.AppendInt(append(out, 'e'), power, 10)
}

// order says in which order the members of a body are, where that counts.
type order struct {
	keyed

	names [][]byte // of the members of the objects that find is in
}

// find looks for what counts in the next value.
func (o *order) find(c *jsonscan.Scanner) {
	switch {
	case c.Enter('['):
		for c.Element() {
			o.find(c)
		}
	case c.Enter('{'):
		outer := len(o.names)
		for c.Member() {
			o.names = append(o.names, c.Key)
			if name := string(c.Key); jsonscan.IndexFold(name, "schema") >= 0 || name == "args" || name == "response" {
				o.add(c)
			} else {
				o.find(c)
			}
		}
		if names := o.names[outer:]; twice(names) {
			for _, n := range names {
				o.text(string(n))
			}
		}
		o.names = o.names[:outer]
	}
}

// twice reports whether two members are one to Google, as generationConfig and generation_config are.
// Which of them holds, their order decides.
func twice(names [][]byte) bool {
	snake := slices.ContainsFunc(names, func(n []byte) bool { return bytes.IndexByte(n, '_') >= 0 })
	camel := slices.ContainsFunc(names, func(n []byte) bool { return bytes.IndexFunc(n, unicode.IsUpper) >= 0 })
	if !snake || !camel {
		return false
	}
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		name := jsonscan.CamelCase(n)
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// add adds the names of the next value's members, and of all below. With the values, which the key
// has too, they say all of the order.
func (o *order) add(c *jsonscan.Scanner) {
	switch {
	case c.Enter('['):
		o.b = append(o.b, '[')
		for c.Element() {
			o.add(c)
		}
		o.b = append(o.b, ']')
	case c.Enter('{'):
		o.b = append(o.b, '{')
		for c.Member() {
			o.text(string(c.Key))
			o.add(c)
		}
		o.b = append(o.b, '}')
	default:
		o.b = append(o.b, '.')
	}
}
