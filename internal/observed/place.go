package observed

import "strings"

// Place is where an endpoint is: its project, its location and its traffic.
type Place struct{ Project, Location, Traffic string }

// PlaceOf takes an endpoint's name apart: "project/location/traffic".
func PlaceOf(endpoint string) (p Place) {
	p.Project = endpoint
	if i := strings.LastIndexByte(p.Project, '/'); i >= 0 {
		p.Project, p.Traffic = p.Project[:i], p.Project[i+1:]
	}
	if i := strings.LastIndexByte(p.Project, '/'); i >= 0 {
		p.Project, p.Location = p.Project[:i], p.Project[i+1:]
	}
	p.Project = Text(p.Project)
	return p
}

// Account names an account of methods. That of all which generates has no name of its own.
func Account(method string) string {
	if method == "" {
		return "generate"
	}
	return Text(method)
}

// Text returns a text as UTF-8, which those who count demand.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
