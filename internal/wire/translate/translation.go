// Package translate translates calls and responses between the dialects of Google's two back ends,
// the Gemini API and Vertex AI.
package translate

import (
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// Translation is a call in the other back end's dialect, and the way back for the response.
type Translation struct {
	// Call is in the other dialect: its URL method takes targets of that back end. Estimate and
	// Stream are those of the original.
	Call request.Call
	// Body shares memory with the original where nothing had to change. It must not be changed.
	Body []byte

	from request.Call // the call as its caller made it
	tier string       // the body's tier if the header has to name it; "" leaves the header alone
}

// Call translates a call into the dialect of the back end to, given its headers and body. It
// changes none of them. If that back end cannot express the call, there is no translation, and
// lacks holds the reasons, fit to be shown. Nothing is ever dropped from a request.
//
// It cannot translate a body of which only the beginning is known; its caller has to check that. It
// walks over the body once, and copies only if something must change. The translation holds for the
// current model of the call: translate again after Rename.
func Call(c *request.Call, to pool.Backend, h http.Header, body []byte) (t *Translation, lacks []string) {
	t = &Translation{Call: *c, Body: body, from: *c}
	if to == c.Backend {
		return t, nil
	}
	if reason := t.Call.Move(to); reason != "" {
		return nil, []string{reason}
	}
	if len(body) > 0 && !whole(body) {
		return nil, []string{"the body is not one whole JSON object"}
	}
	switch {
	case c.OpenAI():
		lacks = t.openAI(h)
	case c.Method == "countTokens":
		lacks = t.count()
	case c.Generates:
		lacks = t.generate(h)
	default:
		lacks = t.embed(h)
	}
	if len(lacks) > 0 {
		return nil, lacks
	}
	return t, nil
}

// generate translates a GenerateContentRequest. The dialects differ in where they name the service
// tier.
func (t *Translation) generate(h http.Header) (lacks []string) {
	to := t.Call.Backend
	lacks = generateShape.lacks(to, t.Body)
	named, tier, drop := false, "", false
	for c := jsonscan.Object(t.Body); c.Member(); {
		switch jsonscan.CamelCase(c.Key) {
		case "model": // the path names it
			drop = true
		case "serviceTier":
			named, tier = true, jsonscan.Unquote(c.Text())
		}
	}
	if to == pool.BackendGemini {
		asked := h.Get(sharedRequestType)
		add, ok := parseTier(asked)
		switch {
		case !ok:
			lacks = append(lacks, notTaken(sharedRequestType+": "+asked, to))
		case add != tierStandard && (!named || strings.EqualFold(tier, "unspecified")):
			t.Body = rewrite(t.Body, "serviceTier", `"`+add+`"`)
			return lacks
		}
		if drop {
			t.Body = rewrite(t.Body, "", "")
		}
		return lacks
	}
	if named {
		asked, ok := parseTier(tier)
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

// count translates a CountTokensRequest. Vertex AI counts a whole request's tokens too, without a
// message around it. The Gemini API could do so for callers of Vertex AI, but the SDK denies that.
func (t *Translation) count() (lacks []string) {
	lacks = countShape.lacks(t.Call.Backend, t.Body)
	var out []byte
	inner, outer, change := 0, 0, false
	for c := jsonscan.Object(t.Body); c.Member(); {
		switch jsonscan.CamelCase(c.Key) {
		case "model": // the path names it
			change = true
			continue
		case "generateContentRequest":
			if t.Call.Backend == pool.BackendGemini {
				// Vertex AI has no such field, so it must not begin to mean something.
				lacks = append(lacks, notTaken("generateContentRequest of Vertex AI", pool.BackendGemini))
			}
			if t.Call.Backend == pool.BackendVertex && c.Enter('{') {
				change = true
				for c.Member() {
					if jsonscan.CamelCase(c.Key) != "model" {
						inner++
						out = jsonscan.AppendMember(out, c.RawKey(), c.Raw())
					}
				}
				continue
			}
		}
		outer++
		out = jsonscan.AppendMember(out, c.RawKey(), c.Raw())
	}
	if inner > 0 && outer > 0 {
		lacks = append(lacks, notTaken("generateContentRequest beside other fields", t.Call.Backend))
	}
	if change {
		t.Body = jsonscan.CloseObject(out)
	}
	return lacks
}

// Header changes the headers of a request to those of the translation.
func (t *Translation) Header(h http.Header) {
	switch {
	case t.Call.Backend == t.from.Backend:
	case t.Call.Backend == pool.BackendGemini, t.tier == tierStandard:
		delete(h, sharedRequestType)
	case t.tier != "":
		h[sharedRequestType] = []string{t.tier}
	}
}

// whole reports whether a body is one object with its end.
func whole(body []byte) bool {
	c := jsonscan.New(body)
	return c.Peek() == '{' && c.Skip() && c.Peek() == 0 && c.Pos == len(c.Data)
}

// rewrite copies an object without its model. The named member is dropped too, or gets the value if
// there is one.
func rewrite(body []byte, name, value string) []byte {
	out := make([]byte, 0, len(body)+len(name)+len(value)+4)
	for c := jsonscan.Object(body); c.Member(); {
		if key := jsonscan.CamelCase(c.Key); key != name && key != "model" {
			out = jsonscan.AppendMember(out, c.RawKey(), c.Raw())
		}
	}
	if value != "" {
		out = jsonscan.AppendMember(out, []byte(`"`+name+`":`), []byte(value))
	}
	return jsonscan.CloseObject(out)
}
