package request

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// address is a request's path and query, taken apart to be put together for another project and
// location. All parts are as sent, escapes included.
type address struct {
	media             string // "upload" or "download", if it precedes the version
	version           string // "" if there is none
	scope             scope
	project, location string // as written; those of an endpoint replace them
	rest              string // after version and scope, without a leading slash
	query             string // without credentials
	neutral           bool   // it was /openai/v1, which is no back end's own
}

// scope says which of a path's first parts an endpoint decides.
type scope uint8

const (
	scopeNone     scope = iota
	scopeProject        // projects/P
	scopeLocation       // projects/P/locations/L
)

// upload reports whether the path is that of bytes to be stored.
func (p *address) upload() bool { return p.media == "upload" }

// parsePath finds the version and what follows it. Anything before the version, except "upload" and
// "download", belongs to the client's base address and is dropped. A path without a version is kept
// whole, unless it is one of Vertex AI's: clients that have the version in their base address, as
// Anthropic's have, leave it out with another one.
func parsePath(escaped string) address {
	p := address{rest: strings.TrimPrefix(plainVerb(escaped), "/")}
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
			p.version, p.rest = s, rest
			switch {
			case before == "upload", before == "download":
				p.media = before
			case before == "openai" && s == "v1" && inOpenAI(rest):
				p.version, p.rest, p.neutral = "v1beta", onGemini+rest, true
			}
			break
		}
		before = s
	}
	if p.version == "" {
		if at := unversioned(p.rest); at >= 0 {
			p.version, p.rest = "v1", p.rest[at:]
		}
	}
	p.readScope()
	if segment(p.rest, 0) != "environments" { // whose files may be folders
		p.rest = strings.TrimRight(p.rest, "/") // Google has no path that ends so
	}
	p.moveModels()
	// The SDK writes a full model name so on the Gemini back end.
	if bare, ok := strings.CutPrefix(fullName(p.rest), "publishers/google/"); ok {
		p.rest = bare
	}
	return p
}

// readScope takes project and location off the front of the rest.
func (p *address) readScope() {
	if p.version == "" || segment(p.rest, 0) != "projects" || segment(p.rest, 1) == "" {
		return
	}
	p.scope, p.project, p.rest = scopeProject, segment(p.rest, 1), after(p.rest, 2)
	if segment(p.rest, 0) == "locations" && segment(p.rest, 1) != "" {
		p.scope, p.location, p.rest = scopeLocation, segment(p.rest, 1), after(p.rest, 2)
	}
}

// plainVerb undoes the escape of the colon before a custom method: "models/x%3AgenerateContent".
func plainVerb(escaped string) string {
	i := strings.LastIndexByte(escaped, '%')
	if i < 0 || len(escaped) < i+4 || !jsonscan.EqualFold(escaped[i:i+3], "%3a") {
		return escaped
	}
	verb := escaped[i+3:]
	for _, b := range []byte(verb) {
		if b|0x20 < 'a' || b|0x20 > 'z' {
			return escaped // a part of a name
		}
	}
	return escaped[:i] + ":" + verb
}

// unversioned returns where a path of Vertex AI's begins that has no version, or -1: at a project
// and location, or at the publisher of a model.
func unversioned(path string) int {
	for at := 0; at < len(path); {
		rest := path[at:]
		switch segment(rest, 0) {
		case "projects":
			if segment(rest, 1) != "" && segment(rest, 2) == "locations" && segment(rest, 4) != "" {
				return at
			}
		case "publishers":
			if segment(rest, 1) != "" && segment(rest, 2) == "models" && segment(rest, 3) != "" {
				return at
			}
		}
		next := strings.IndexByte(rest, '/')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return -1
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
