package request

import (
	"net/url"
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// Target is where a call goes.
type Target struct {
	Backend  pool.Backend
	Base     *url.URL // nil: Google's own host for the location
	Project  string
	Location string
}

// URL returns the address of the call at t. It takes Google's host for the location, or the
// target's base with its path. Then come the target's project and location, and the call's path and
// query without credentials. It returns nil if t speaks the other dialect.
func (c *Call) URL(t Target) *url.URL {
	if t.Backend != c.Backend {
		return nil
	}
	u := &url.URL{Scheme: "https", RawQuery: c.address.query}
	prefix := ""
	if t.Base != nil {
		u.Scheme, u.User, u.Host = t.Base.Scheme, t.Base.User, t.Base.Host
		prefix = strings.TrimSuffix(t.Base.EscapedPath(), "/")
	} else {
		u.Host = Host(t.Backend, t.Location)
	}
	escaped := c.address.join(prefix, t)
	if strings.IndexByte(escaped, '%') >= 0 {
		if plain, err := url.PathUnescape(escaped); err == nil {
			u.Path, u.RawPath = plain, escaped
			return u
		}
	}
	u.Path = escaped
	return u
}

// join builds the path for a target.
func (p *address) join(prefix string, t Target) string {
	media, version, projects, project, locations, location := "", "", "", "", "", ""
	if p.media != "" {
		media = "/" + p.media
	}
	if p.version != "" {
		version = "/" + p.version
	}
	if p.scope != scopeNone && t.Project != "" {
		projects, project = "/projects/", url.PathEscape(t.Project)
		if p.scope == scopeLocation {
			locations, location = "/locations/", "global"
			if t.Location != "" {
				location = url.PathEscape(t.Location)
			}
		}
	}
	return prefix + media + version + projects + project + locations + location + "/" + p.rest
}

// Host returns Google's host for a location. Multi-regions have hosts of their own;
// "us-aiplatform.googleapis.com" does not work. Source:
// cloud.google.com/vertex-ai/generative-ai/docs/learn/locations, and client.go of genai v1.77.0.
func Host(b pool.Backend, location string) string {
	switch {
	case b == pool.BackendGemini:
		return "generativelanguage.googleapis.com"
	case location == "" || location == "global":
		return "aiplatform.googleapis.com"
	case location == "us" || location == "eu":
		return "aiplatform." + location + ".rep.googleapis.com"
	}
	return location + "-aiplatform.googleapis.com"
}

// BackendName returns a back end's name for messages.
func BackendName(b pool.Backend) string {
	if b == pool.BackendVertex {
		return "Vertex AI"
	}
	return "the Gemini API"
}
