package main

import (
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/discover"
)

// problemsOf says what of a project could not be read, why, and what to do. What has one cause, such as
// credentials that are missing, is one line.
func problemsOf(d *discoveredProject) []string {
	var lines []string
	all := d.facts.Problems
	for i, p := range all {
		same := func(q *discover.ReadError) bool { return q.Message == p.Message && q.Remedy() == p.Remedy() }
		if slices.ContainsFunc(all[:i], same) {
			continue
		}
		line := p.Error()
		if what := whatOf(all[i:], same); len(what) > 1 {
			last := len(what) - 1
			line = "the " + strings.Join(what[:last], ", the ") + " and the " + what[last] + " cannot be read: " + p.Message
		}
		lines = append(lines, line+then(p.Remedy()))
	}
	return lines
}

// whatOf names what could not be read for one cause.
func whatOf(all []*discover.ReadError, same func(*discover.ReadError) bool) (what []string) {
	for _, p := range all {
		if same(p) && !slices.Contains(what, p.What) {
			what = append(what, p.What)
		}
	}
	return what
}
