package main

import (
	"cmp"
	"fmt"
	"go/token"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// The limits. What is larger is doing more than one thing.
const (
	mostFields    = 15
	mostMethods   = 25
	mostLines     = 60  // of a function
	mostFileLines = 400 // of a file
	mostExports   = 80  // of package pool, constants apart
)

// manyFields reports whether a type may have any number of fields: those that describe something to
// a person have one for each thing there is to say.
func manyFields(name string) bool {
	return name == "Event" || name == "Trace" || name == "Project" ||
		strings.HasSuffix(name, "Config") || strings.HasSuffix(name, "Stat")
}

// drivers are packages that only tests import: they drive an SDK or stand in for Google, one line
// after the other, and are not measured.
var drivers = []string{"internal/sdktour", "internal/quotasim", "internal/grid"}

// finding is one thing that is too large.
type finding struct {
	at   token.Position
	text string
}

// findings returns a line for each thing in the package that is too large, in the order of the
// files.
func (p *pkg) findings() []string {
	if slices.Contains(drivers, p.path) {
		return nil
	}
	var found []finding
	add := func(at token.Position, format string, args ...any) {
		found = append(found, finding{at, fmt.Sprintf(format, args...)})
	}
	for _, f := range p.files {
		if f.lines > mostFileLines {
			add(f.at, "the file has %d lines, want at most %d", f.lines, mostFileLines)
		}
	}
	for _, f := range p.functions {
		if f.lines > mostLines {
			add(f.at, "%s has %d lines, want at most %d", f.name, f.lines, mostLines)
		}
	}
	for _, t := range p.types {
		fields, methods := p.size(t)
		if fields > mostFields && !manyFields(t.name) {
			add(t.at, "%s has %d fields, want at most %d", t.name, fields, mostFields)
		}
		if methods > mostMethods {
			add(t.at, "%s has %d methods, want at most %d", t.name, methods, mostMethods)
		}
	}
	if n := p.exported(); p.path == "pool" && n > mostExports {
		add(p.files[0].at, "package pool exports %d names, want at most %d", n, mostExports)
	}
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(
			strings.Compare(a.at.Filename, b.at.Filename), a.at.Line-b.at.Line,
			strings.Compare(a.text, b.text),
		)
	})
	var lines []string
	for _, f := range found {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", f.at.Filename, f.at.Line, f.text))
	}
	return lines
}

// printTable prints a row for each package.
func printTable(to io.Writer, packages []*pkg) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w,
		"package\tstatements\ttypes\tfunctions\tfiles\texports\tconstants\tlargest file\tlargest function")
	for _, p := range packages {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", p.path, p.statements, len(p.types),
			len(p.functions), len(p.files), p.exported(), p.constants, largest(p.files), largest(p.functions))
	}
	_ = w.Flush()
}

// largest names the largest of some files or functions, with its lines.
func largest(all []sized) string {
	if len(all) == 0 {
		return "-"
	}
	most := slices.MaxFunc(all, func(a, b sized) int { return a.lines - b.lines })
	return fmt.Sprintf("%s (%d)", most.name, most.lines)
}
