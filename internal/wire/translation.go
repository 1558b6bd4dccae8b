package wire

import (
	"net/http"
	"strings"
)

// Translation is a call as the other back end takes it, and the way back for the answer.
type Translation struct {
	Call Call   // in the other dialect: Call.URL is for targets of that back end. Estimates and Stream are the original's
	Body []byte // shares the original's memory where nothing had to change; not to be changed

	asked Call   // as its caller made it
	tier  string // that the body asked for, where the header has to; "" leaves the header alone
}

// Translate says a call in the dialect of the back end to, given the headers and the body it came with, which stay as they
// are. Where that back end cannot express the call there is no translation, and lacks says why, one reason each, fit to be
// shown: nothing is ever dropped from what a caller asked. A body of which only the beginning is known cannot be translated;
// its caller has to know.
//
// It costs one walk over the body, and no copy unless something must be written in another way. It is for the model that
// the call names now: after Rename it has to be done anew.
func (c *Call) Translate(to Backend, h http.Header, body []byte) (t *Translation, lacks []string) {
	t = &Translation{Call: *c, Body: body, asked: *c}
	if to == c.Backend {
		return t, nil
	}
	if reason := c.bound(to); reason != "" {
		return nil, []string{reason}
	}
	if reason := t.address(to); reason != "" {
		return nil, []string{reason}
	}
	if len(body) > 0 && !whole(body) {
		return nil, []string{"the body is not one whole JSON object"}
	}
	switch c.Method {
	case "countTokens":
		lacks = t.count()
	case "generateContent", "streamGenerateContent":
		lacks = t.generate(h)
	default:
		lacks = t.embed(h)
	}
	if len(lacks) > 0 {
		return nil, lacks
	}
	return t, nil
}

// bound says what binds a call to its own back end whatever its body says; "" is nothing.
func (c *Call) bound(to Backend) string {
	if c.Resource != "" {
		if !strings.Contains(c.Resource, "/") {
			return c.Resource + " live in the project that makes them"
		}
		return c.Resource + " lives in the project that made it"
	}
	switch c.Method {
	case "generateContent", "streamGenerateContent", "countTokens", "batchEmbedContents", "embedContent":
	case "predict":
		if c.Backend == Gemini {
			return c.Model + ":predict has no counterpart on " + to.title()
		}
	case "rawPredict", "streamRawPredict":
		if c.Backend == Gemini {
			return c.Method + " is for callers who speak the dialect of " + to.title()
		}
		return c.Model + " is a partner's model, which only Vertex AI serves"
	case "models.get", "models.list":
		return c.Method + " tells what " + c.Backend.title() + " has"
	case "":
		return "it is no call that can be said in the dialect of " + to.title()
	default:
		return c.Method + " has no counterpart on " + to.title()
	}
	return ""
}

// address makes the version and the path those of the other back end.
func (t *Translation) address(to Backend) (lack string) {
	p := &t.Call.path
	var version string
	switch {
	case p.upload:
		return "an upload has no counterpart on " + to.title()
	case to == Gemini && (p.version == "v1" || p.version == "v1beta1"):
		version = "v1beta" // the Gemini API's v1 takes less than either
	case to == Vertex && p.version == "v1":
		version = "v1"
	case to == Vertex && p.version == "v1beta":
		version = "v1beta1"
	default:
		return "version " + p.version + " has no counterpart on " + to.title()
	}
	name, verb := cutVerb(p.rest)
	switch {
	case to == Gemini:
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
	t.Call.Version, t.Call.Backend = version, to
	return ""
}

// verb makes another method the one that is called.
func (t *Translation) verb(method string) {
	name, _ := cutVerb(t.Call.path.rest)
	t.Call.path.rest = name + ":" + method
	t.Call.Method = method
}

// generate translates a GenerateContentRequest: where to name the service tier is all that differs.
func (t *Translation) generate(h http.Header) (lacks []string) {
	to := t.Call.Backend
	lacks = generateShape.lacks(to, t.Body)
	named, tier, drop := false, "", false
	for c := object(t.Body); c.member(); {
		switch camel(c.key) {
		case "model": // the path names it
			drop = true
		case "serviceTier":
			named, tier = true, unquote(c.text())
		}
	}
	if to == Gemini {
		asked := h.Get(sharedRequestType)
		add, ok := tierOf(asked)
		switch {
		case !ok:
			lacks = append(lacks, notTaken(sharedRequestType+": "+asked, to))
		case add != tierStandard && !named:
			t.Body = rewrite(t.Body, "serviceTier", `"`+add+`"`)
			return lacks
		}
		if drop {
			t.Body = rewrite(t.Body, "", "")
		}
		return lacks
	}
	if named {
		asked, ok := tierOf(tier)
		if !ok {
			lacks = append(lacks, notTaken("serviceTier "+tier, to))
		}
		t.tier = asked
	}
	if named || drop {
		t.Body = rewrite(t.Body, "serviceTier", "")
	}
	return lacks
}

// count translates a CountTokensRequest. Vertex AI counts a whole request's tokens too, without a message of its own
// around it. The Gemini API could do so for Vertex AI's callers, but the SDK says that it does not.
func (t *Translation) count() (lacks []string) {
	lacks = countShape.lacks(t.Call.Backend, t.Body)
	var out []byte
	inner, outer, change := 0, 0, false
	for c := object(t.Body); c.member(); {
		switch camel(c.key) {
		case "model": // the path names it
			change = true
			continue
		case "generateContentRequest":
			if t.Call.Backend == Gemini { // what no caller of Vertex AI can say must not begin to mean something
				lacks = append(lacks, notTaken("generateContentRequest of Vertex AI", Gemini))
			}
			if t.Call.Backend == Vertex && c.enter('{') {
				change = true
				for c.member() {
					if camel(c.key) != "model" {
						inner++
						out = appendMember(out, c.b[c.at:c.i], c.raw())
					}
				}
				continue
			}
		}
		outer++
		out = appendMember(out, c.b[c.at:c.i], c.raw())
	}
	if inner > 0 && outer > 0 {
		lacks = append(lacks, notTaken("generateContentRequest beside other fields", t.Call.Backend))
	}
	if change {
		t.Body = closeObject(out)
	}
	return lacks
}

// Header makes the headers of a request those of the translated one.
func (t *Translation) Header(h http.Header) {
	switch {
	case t.Call.Backend == t.asked.Backend:
	case t.Call.Backend == Gemini, t.tier == tierStandard:
		delete(h, sharedRequestType)
	case t.tier != "":
		h[sharedRequestType] = []string{t.tier}
	}
}

// whole says whether a body is one object with its end, which one cut short is not.
func whole(body []byte) bool {
	c := cursor{b: body}
	return c.peek() == '{' && c.skip() && c.peek() == 0 && c.i == len(c.b)
}

// object goes into the object that b is; of anything else there are no members.
func object(b []byte) cursor {
	c := cursor{b: b}
	if !c.enter('{') {
		return cursor{}
	}
	return c
}

// rewrite copies an object without its model and without the named member, or with value as the named member's.
func rewrite(body []byte, name, value string) []byte {
	out := make([]byte, 0, len(body)+len(name)+len(value)+4)
	for c := object(body); c.member(); {
		if key := camel(c.key); key != name && key != "model" {
			out = appendMember(out, c.b[c.at:c.i], c.raw())
		}
	}
	if value != "" {
		out = appendMember(out, []byte(`"`+name+`":`), []byte(value))
	}
	return closeObject(out)
}

// appendMember adds a member, given with its key up to the value, to the object that out is the beginning of.
func appendMember(out, key, value []byte) []byte {
	if len(out) == 0 {
		out = append(out, '{')
	} else {
		out = append(out, ',')
	}
	return append(append(out, key...), value...)
}

func closeObject(out []byte) []byte {
	if len(out) == 0 {
		return []byte("{}")
	}
	return append(out, '}')
}
