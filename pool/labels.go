package pool

import "slices"

// A project with labels serves the calls that carry one of them, and no others. Where any project
// names a label, calls with it go nowhere else: work that must not touch what others need has
// accounts of its own.

// claims reports whether some project is for calls with a label.
func (s *setup) claims(label string) bool {
	return s.labelled && label != "" && slices.ContainsFunc(s.projects, func(p *project) bool { return matches(p.Labels, label) })
}

// barredByLabel says why a call's label keeps it from an endpoint; "" if it does not.
func (r *Request) barredByLabel(e *Endpoint) string {
	switch {
	case len(e.Labels) > 0 && !matches(e.Labels, r.Label):
		return "serves calls with other labels"
	case len(e.Labels) == 0 && r.state.claimed:
		return "other projects are for calls with this label"
	default:
		return ""
	}
}
