package request

import (
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// ServiceTier returns the service tier that the call's body names, in lower case; "" if it names
// none, or leaves it open.
func ServiceTier(c *Call) string {
	switch tier := strings.ToLower(c.Use.tier); tier {
	case "unspecified", "auto": // Google's word, and OpenAI's
		return ""
	case "default": // OpenAI's
		return "standard"
	default:
		return tier
	}
}

// tierField returns the name of the field that names the service tier. Sources: ServiceTier in
// GenerateContentConfig of genai v1.77.0, https://ai.google.dev/gemini-api/docs/openai.
func tierField(c *Call) string {
	if c.OpenAI() {
		return "service_tier"
	}
	return "serviceTier"
}

// WithServiceTier returns the body of a call to the Gemini API with a service tier in place of what it
// names. The given body is not changed. A body that is no object stays as it is.
func WithServiceTier(c *Call, body []byte, tier string) []byte {
	value := `"` + tier + `"`
	s := jsonscan.New(body)
	if !s.Enter('{') {
		return body
	}
	first, some := s.Pos, false
	for s.Member() {
		some = true
		if jsonscan.CamelCase(s.Key) == "serviceTier" {
			from := s.Pos
			s.Skip()
			return splice(body, from, s.Pos, value)
		}
	}
	if !some {
		return body
	}
	return splice(body, first, first, `"`+tierField(c)+`":`+value+",")
}

// WithoutServiceTier returns the body of a call without the service tier that it names. The given body
// is not changed, and is returned if it names none.
func WithoutServiceTier(body []byte) []byte {
	var out []byte
	named := false
	for c := jsonscan.Object(body); c.Member(); {
		if jsonscan.CamelCase(c.Key) == "serviceTier" {
			named = true
			continue
		}
		out = jsonscan.AppendMember(out, c.RawKey(), c.Raw())
	}
	if !named {
		return body
	}
	return jsonscan.CloseObject(out)
}
