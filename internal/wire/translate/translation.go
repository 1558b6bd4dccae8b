package translate

import (
	"net/http"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// Translation is a call as the other back end takes it, and the way back for the answer.
type Translation struct {
	Call request.Call // in the other dialect: Call.URL is for targets of that back end. Estimates and Stream are the original's
	Body []byte       // shares the original's memory where nothing had to change; not to be changed

	from request.Call // as its caller made it
	tier string       // that the body asked for, where the header has to; "" leaves the header alone
}

// Translate says a call in the dialect of the back end to, given the headers and the body it came with, which stay as they
// are. Where that back end cannot express the call there is no translation, and lacks says why, one reason each, fit to be
// shown: nothing is ever dropped from what a caller asked. A body of which only the beginning is known cannot be translated;
// its caller has to know.
//
// It costs one walk over the body, and no copy unless something must be written in another way. It is for the model that
// the call names now: after Rename it has to be done anew.
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

// generate translates a GenerateContentRequest: where to name the service tier is all that differs.
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

// count translates a CountTokensRequest. Vertex AI counts a whole request's tokens too, without a message of its own
// around it. The Gemini API could do so for Vertex AI's callers, but the SDK says that it does not.
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
			if t.Call.Backend == pool.BackendGemini { // what no caller of Vertex AI can say must not begin to mean something
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

// Header makes the headers of a request those of the translated one.
func (t *Translation) Header(h http.Header) {
	switch {
	case t.Call.Backend == t.from.Backend:
	case t.Call.Backend == pool.BackendGemini, t.tier == tierStandard:
		delete(h, sharedRequestType)
	case t.tier != "":
		h[sharedRequestType] = []string{t.tier}
	}
}

// whole says whether a body is one object with its end, which one cut short is not.
func whole(body []byte) bool {
	c := jsonscan.New(body)
	return c.Peek() == '{' && c.Skip() && c.Peek() == 0 && c.Pos == len(c.Data)
}

// rewrite copies an object without its model and without the named member, or with value as the named member's.
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
