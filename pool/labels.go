package pool

import (
	"path"
	"slices"

	"github.com/spillway-go/spillway/internal/plain"
)

// A project with labels serves the calls that carry one of them, and no others. Where any project
// names a label, calls with it go nowhere else: work that must not touch what others need has
// accounts of its own.

// claims reports whether some project is for calls with a label.
func (s *setup) claims(label string) bool {
	return s.labelled && label != "" && slices.ContainsFunc(s.projects, func(p *project) bool { return matches(p.Labels, label) })
}

// barredByLabel says why a call's label keeps it from a candidate; "" if it does not.
func barredByLabel(r *Request, c *candidate) string {
	labels := c.project.Labels
	switch {
	case len(labels) > 0 && !matches(labels, r.Asked.Label):
		return "serves calls with other labels"
	case len(labels) == 0 && r.state.claimed:
		return "other projects are for calls with this label"
	default:
		return ""
	}
}

// labels checks the globs of labels.
func (f *faults) labels(at string, p *Project) {
	const fix = `write a label, or a glob such as "migration-*"`
	for j, glob := range p.Labels {
		field, what := index(at+".labels", j), index("labels", j)
		switch _, err := path.Match(glob, ""); {
		case glob == "":
			f.add(field, what+" is empty", fix)
		case err != nil:
			f.add(field, what+" is a malformed glob", `write * for anything and close each [: "migration-*"`)
		case !plain.Is(glob):
			f.add(field, what+" holds control characters", fix)
		}
	}
}
