package config

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/spillway-go/spillway/pool"
)

// reading is the state of reading one file: the mistakes so far, and the lines of its keys.
type reading struct {
	name    string
	sources sources
	lines   *node

	references map[string]References // by project

	errors   Errors
	warnings []Warning
	// spoiled are paths with a mistake. What Validate reports about them, or about something inside
	// them, only follows from that mistake.
	spoiled []fieldPath
}

func newReading(name string, s sources) *reading {
	return &reading{name: name, sources: s, lines: &node{line: 1}, references: map[string]References{}}
}

func (r *reading) parse(data []byte) (*Config, error) {
	values, ok := r.syntax(data)
	if !ok {
		return nil, r.errors
	}
	root := &table{reading: r, values: values}
	cfg := &Config{}
	root.config(cfg)
	r.validated(cfg.Pool.Validate())
	r.validated(cfg.Router.Validate())
	if len(r.errors) > 0 {
		slices.SortStableFunc(r.errors, func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Problem, b.Problem), cmp.Compare(a.Fix, b.Fix))
		})
		return nil, r.errors
	}
	r.advise(cfg)
	slices.SortStableFunc(r.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Problem, b.Problem))
	})
	cfg.Warnings, cfg.references = r.warnings, r.references
	return cfg, nil
}

// syntax parses the source into values. The TOML library reports one error at a time.
func (r *reading) syntax(data []byte) (values map[string]any, ok bool) {
	source := string(data)
	if len(source) > maxFile {
		r.at(1, "the file is too large", "write at most 4 MiB")
		return nil, false
	}
	lines, tooDeep := locate(source)
	r.lines = lines
	if tooDeep > 0 {
		r.at(tooDeep, "values nest too deep",
			"close the brackets; nothing here nests deeper than 5")
		return nil, false
	}
	// The library panics on its own bugs; a config must not stop a service that way.
	defer func() {
		if recover() != nil {
			r.at(1, "the TOML library cannot read this file",
				"remove parts of it to find the one that the library fails on")
			values, ok = nil, false
		}
	}()
	_, err := toml.Decode(source, &values)
	if err == nil {
		return values, true
	}
	line := 1
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		line = syntax.Position.Line
		// A header that its line end cuts short is reported on the next line.
		if strings.Contains(syntax.Message, "name") && strings.HasSuffix(syntax.Message, `got '\n' instead`) {
			line--
		}
		last := 1 + strings.Count(strings.TrimSuffix(source, "\n"), "\n")
		line = min(max(line, 1), last)
	}
	problem, fix := syntaxMessage(syntax.Message)
	r.at(line, problem, fix)
	return nil, false
}

// syntaxMessage rewords an error of the TOML library, whose messages quote the file and may show a
// key.
func syntaxMessage(message string) (problem, fix string) {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(message, part) })
	}
	switch {
	case has("already"):
		return "the same key or table is written twice, or as two things",
			"keep one of them; [[name]] is for tables that repeat"
	case has("strings cannot contain newlines", `expected '"'`, `expected "'"`, `expected '"""'`, `expected "'''"`):
		return "a string has no closing quote", `write "…" on one line`
	case has("UTF-8", "UTF-16", "NULL", "control characters"):
		return "the file is not plain UTF-8 text", "save it as UTF-8, without control characters"
	case has("escape", "hexadecimal digits"):
		return "a string has an escape that TOML does not know",
			`write \\ for a backslash, or put the string in '…'`
	case has("out of range"):
		return "a number is too large", "write a smaller one"
	case has("comma", "terminator"):
		return "a bracket is not closed, or a comma is missing",
			`write ["a", "b"] or { a = 1, b = 2 }`
	case has("invalid datetime"):
		return "a date is malformed, or there is no such day or time", "write it as in 2026-12-01, or 2026-12-01T08:00:00+01:00"
	case has("expected value", "nvalid float", "nvalid integer", "expected a digit", "floats must"):
		return "a value is missing or malformed",
			`write text in quotes, numbers without: name = "text", rpm = 1_000`
	case has("table name", "table array"):
		return "a table header is malformed", "write [name] or [[name]] alone on its line"
	}
	return "this is not TOML", `write one key = "value", [table] or [[table]] a line`
}

// at reports a mistake at a line.
func (r *reading) at(line int, problem, fix string) {
	r.errors = append(r.errors, &Error{File: r.name, Line: line, Problem: problem, Fix: fix})
}

// wrong reports a mistake at a path.
func (r *reading) wrong(at fieldPath, problem, fix string) {
	r.at(r.lines.lineOf(at), problem, fix)
	r.spoil(at)
}

// spoil marks the value at path as not the one in the file.
func (r *reading) spoil(at fieldPath) { r.spoiled = append(r.spoiled, at) }

func (r *reading) warn(at fieldPath, problem, fix string) {
	r.warnings = append(r.warnings, Warning{File: r.name, Line: r.lines.lineOf(at), Problem: problem, Fix: fix})
}

// validated adds the errors of a Validate method, except the ones that follow from mistakes
// reported already.
func (r *reading) validated(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			r.validated(one)
		}
		return
	}
	var field *pool.FieldError
	if !errors.As(err, &field) {
		r.at(1, err.Error(), "correct it")
		return
	}
	at, other := parseField(field.Field), parseField(field.Other)
	follows := func(spoiled fieldPath) bool {
		return at.within(spoiled) || spoiled.within(at) || field.Other != "" && spoiled.within(other)
	}
	if !slices.ContainsFunc(r.spoiled, follows) {
		problem := field.Problem
		if field.Other != "" {
			problem += " at line " + strconv.Itoa(r.lines.lineOf(parseField(field.Other)))
		}
		r.at(r.lines.lineOf(at), problem, field.Fix)
	}
}
