package request

import (
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// Move rewrites version and path for the back end to; package translate rewrites the body. A call
// may be bound to its own back end whatever its body says. Such a call stays as it is, and reason
// says why.
func (c *Call) Move(to pool.Backend) (reason string) {
	if reason := c.bound(to); reason != "" {
		return reason
	}
	return c.rebuild(to)
}

// bound returns the reason why the call is bound to its own back end, or "".
func (c *Call) bound(to pool.Backend) string {
	if c.Resource != "" {
		if !strings.Contains(c.Resource, "/") {
			return c.Resource + " live in the project that makes them"
		}
		return c.Resource + " lives in the project that made it"
	}
	switch c.Method {
	case "generateContent", "streamGenerateContent", "countTokens", "batchEmbedContents", "embedContent":
	case "predict":
		if c.Backend == pool.BackendGemini {
			return c.Model + ":predict has no counterpart on " + BackendName(to)
		}
	case "rawPredict", "streamRawPredict":
		if c.Backend == pool.BackendGemini {
			return c.Method + " is for callers who speak the dialect of " + BackendName(to)
		}
		return c.Model + " is a partner's model, which only Vertex AI serves"
	case "models.get", "models.list":
		return c.Method + " tells what " + BackendName(c.Backend) + " has"
	case "":
		if c.OpenAI() {
			return ""
		}
		return "it is no call that can be said in the dialect of " + BackendName(to)
	default:
		return c.Method + " has no counterpart on " + BackendName(to)
	}
	return ""
}

// rebuild rewrites version and path for the other back end.
func (c *Call) rebuild(to pool.Backend) (reason string) {
	p := &c.address
	version := p.versionOn(to)
	switch {
	case p.upload():
		return "an upload has no counterpart on " + BackendName(to)
	case version == "":
		return "version " + p.version + " has no counterpart on " + BackendName(to)
	}
	if c.OpenAI() {
		if reason = p.moveOpenAI(c.Model, to); reason == "" {
			p.version, c.Version, c.Backend = version, version, to
		}
		return reason
	}
	name, verb := cutVerb(p.rest)
	switch {
	case to == pool.BackendGemini:
		name = strings.TrimPrefix(name, "publishers/google/")
		if segment(name, 0) != "models" || segment(name, 1) == "" || segment(name, 2) != "" {
			return name + " is a model that only Vertex AI serves"
		}
		p.scope = scopeNone
	case segment(name, 0) == "models" && segment(name, 2) == "":
		name, p.scope = "publishers/google/"+name, scopeLocation
	case strings.HasPrefix(name, "models/publishers/"):
		name, p.scope = strings.TrimPrefix(name, "models/"), scopeLocation
	default:
		return name + " is a model that only the Gemini API serves"
	}
	p.version, p.rest = version, name+":"+verb
	c.Version, c.Backend = version, to
	return ""
}

// versionOn returns the version of the other back end that has what a path's has; "" if none has.
func (p *address) versionOn(to pool.Backend) string {
	switch {
	case to == pool.BackendGemini && (p.version == "v1" || p.version == "v1beta1"):
		return "v1beta" // the Gemini API's v1 takes less than either
	case to == pool.BackendVertex && p.version == "v1":
		return "v1"
	case to == pool.BackendVertex && p.version == "v1beta":
		return "v1beta1"
	default:
		return ""
	}
}
