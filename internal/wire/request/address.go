package request

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// address is a request's path and query, taken apart to be put together for another project and
// location. All parts are as sent, escapes included.
type address struct {
	upload            bool   // "upload/" precedes the version
	version           string // "" if there is none
	scope             scope
	project, location string // as written; those of an endpoint replace them
	rest              string // after version and scope, without a leading slash
	query             string // without credentials
}

// scope says which of a path's first parts an endpoint decides.
type scope uint8

const (
	scopeNone     scope = iota
	scopeProject        // projects/P
	scopeLocation       // projects/P/locations/L
)

// parsePath finds the version and what follows it. Anything before the version, except "upload",
// belongs to the client's base address and is dropped. A path without a version is kept whole.
func parsePath(escaped string) address {
	p := address{rest: strings.TrimPrefix(escaped, "/")}
	before := ""
	for rest := p.rest; rest != ""; {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		// For Interactions the SDK puts project and location into the "version", with escaped
		// slashes.
		if v, scoped, ok := strings.Cut(s, "%2F"); ok && isVersion(v) {
			s, rest = v, strings.ReplaceAll(scoped, "%2F", "/")+"/"+rest
		}
		if isVersion(s) {
			p.upload, p.version, p.rest = before == "upload", s, rest
			break
		}
		before = s
	}
	if p.version != "" && segment(p.rest, 0) == "projects" && segment(p.rest, 1) != "" {
		p.scope, p.project, p.rest = scopeProject, segment(p.rest, 1), after(p.rest, 2)
		if segment(p.rest, 0) == "locations" && segment(p.rest, 1) != "" {
			p.scope, p.location, p.rest = scopeLocation, segment(p.rest, 1), after(p.rest, 2)
		}
	}
	// The SDK writes a full model name so on the Gemini back end.
	if bare, ok := strings.CutPrefix(fullName(p.rest), "publishers/google/"); ok {
		p.rest = bare
	}
	return p
}

// fullName returns the name of Vertex AI's after "models/", without project and location. It
// returns "" if there is none.
func fullName(rest string) string {
	name, ok := strings.CutPrefix(rest, "models/")
	if !ok {
		return ""
	}
	for segment(name, 0) == "projects" || segment(name, 0) == "locations" {
		name = after(name, 2)
	}
	if len(name)+len("models/") == len(rest) && !strings.HasPrefix(name, "publishers/") || segment(name, 1) == "" {
		return ""
	}
	return name
}

// isVersion reports whether s is "v1", "v1beta", "v1beta1", "v2alpha" or the like.
func isVersion(s string) bool {
	s, ok := strings.CutPrefix(s, "v")
	if !ok || s == "" || s[0] < '0' || s[0] > '9' {
		return false
	}
	s = strings.TrimLeft(s, "0123456789")
	if rest, ok := strings.CutPrefix(s, "alpha"); ok {
		return jsonscan.IsDigits(rest)
	}
	rest, _ := strings.CutPrefix(s, "beta")
	return jsonscan.IsDigits(rest)
}

// segment returns the nth part of a slashed name, "" if there are fewer.
func segment(name string, n int) string {
	name = after(name, n)
	s, _, _ := strings.Cut(name, "/")
	return s
}

// after returns what follows the first n parts of a slashed name.
func after(name string, n int) string {
	for range n {
		_, name, _ = strings.Cut(name, "/")
	}
	return name
}

// cutVerb cuts the custom method off the last part of a name: "models/x:countTokens".
func cutVerb(name string) (bare, verb string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Contains(name[i:], "/") {
		return strings.TrimSuffix(name, "/"), ""
	}
	return name[:i], name[i+1:]
}
