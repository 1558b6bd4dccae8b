package request

import (
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/pool"
)

// Google serves OpenAI's dialect below other paths on either back end. Sources:
// https://ai.google.dev/gemini-api/docs/openai and
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/start/openai.
const (
	onGemini = "openai/"
	onVertex = "endpoints/openapi/"

	chatCompletions = "chat/completions"
	embeddings      = "embeddings"
)

// inOpenAI reports whether a path below /openai/v1, which looks like OpenAI's own base address, is one
// of the dialect's. OpenAI's have no custom methods.
func inOpenAI(path string) bool { return !strings.Contains(path, ":") }

// moveModels moves a list of models in OpenAI's dialect, which Vertex AI has not, to the Gemini API.
func (p *address) moveModels() {
	if path, ok := strings.CutPrefix(p.rest, onVertex); ok && segment(path, 0) == "models" {
		*p = address{version: "v1beta", rest: onGemini + path, media: p.media}
	}
}

// openAIPath returns what follows in the path where Google serves OpenAI's dialect.
func (p *address) openAIPath() (path string, ok bool) {
	if p.version == "" {
		return "", false
	}
	if path, ok = strings.CutPrefix(p.rest, onGemini); !ok {
		path, ok = strings.CutPrefix(p.rest, onVertex)
	}
	return path, ok
}

// OpenAI reports whether the call is one of Google's in OpenAI's dialect.
func (c *Call) OpenAI() bool {
	_, ok := c.address.openAIPath()
	return ok
}

// MethodName returns the name of a call's method: Google's own, or "openai.chat", "openai.embeddings",
// "openai.models.list" and "openai.models.get" in OpenAI's dialect. It is "" if it is unknown.
func MethodName(c *Call) string {
	path, ok := c.address.openAIPath()
	switch {
	case !ok:
		return c.Method
	case path == chatCompletions:
		return "openai.chat"
	case path == embeddings:
		return "openai.embeddings"
	case path == "models":
		return "openai.models.list"
	case segment(path, 0) == "models":
		return "openai.models.get"
	default:
		return ""
	}
}

// chats reports whether the path is that of chat completions.
func (p *address) chats(method string) bool {
	path, ok := p.openAIPath()
	return ok && path == chatCompletions && method == http.MethodPost
}

// OfOpenAI reports whether the path is one that OpenAI has and Google has not.
func (c *Call) OfOpenAI() bool {
	if c.address.scope != scopeNone {
		return false
	}
	switch segment(c.address.rest, 0) {
	case "chat", "completions", "embeddings", "responses", "images", "audio", "moderations":
		return true
	}
	return false
}

// publisher precedes the name of a model of Google's on Vertex AI.
const publisher = "google/"

// spelt returns the name that a back end gives to a model.
func spelt(model string, by pool.Backend) string {
	if by == pool.BackendVertex && !strings.Contains(model, "/") {
		return publisher + model
	}
	return model
}

// wellSpelt reports whether a back end takes the name of a model as it was written.
func wellSpelt(name string, by pool.Backend) bool {
	if by == pool.BackendVertex {
		return strings.Contains(name, "/") && !strings.HasPrefix(name, "models/")
	}
	return !strings.HasPrefix(name, publisher)
}

// Neutral reports whether the call is in OpenAI's dialect, below a path that is no back end's own.
func Neutral(c *Call) bool { return c.address.neutral && c.OpenAI() }

// HidesUsage reports whether a back end tells the cost of a streamed chat only if it is asked to, and
// its caller does not ask. Vertex AI always tells it, in the last chunk.
func HidesUsage(c *Call, b pool.Backend) bool {
	return c.Generates && c.Stream && c.OpenAI() && b == pool.BackendGemini && !c.Use.usage
}

// WantsPacked reports whether the caller wants embeddings in OpenAI's dialect in base64.
func WantsPacked(c *Call) bool { return c.Use.packed && MethodName(c) == "openai.embeddings" }

// WithUsage returns the body of a streamed chat that asks for its usage. The given body is not
// changed. A body that is no object stays as it is.
func WithUsage(body []byte) []byte {
	const asks = `{"include_usage":true`
	c := jsonscan.New(body)
	if !c.Enter('{') {
		return body
	}
	first := c.Pos
	for c.Member() {
		if string(c.Key) != "stream_options" {
			continue
		}
		from, options := c.Pos, []byte(asks)
		old := jsonscan.Object(c.Raw())
		for old.Member() {
			if string(old.Key) != "include_usage" {
				options = jsonscan.AppendMember(options, old.RawKey(), old.Raw())
			}
		}
		return splice(body, from, c.Pos, string(options)+"}")
	}
	if c = jsonscan.Object(body); !c.Member() {
		return body
	}
	return splice(body, first, first, `"stream_options":`+asks+"},")
}

// splice returns body with text in place of a part.
func splice(body []byte, from, to int, text string) []byte {
	out := make([]byte, 0, len(body)+len(text))
	return append(append(append(out, body[:from]...), text...), body[to:]...)
}

// moveOpenAI rewrites a path for the other back end, and the call of a model with it. The Gemini API
// alone lists models in OpenAI's dialect.
func (p *address) moveOpenAI(model string, to pool.Backend) (reason string) {
	path, _ := p.openAIPath()
	switch {
	case path != chatCompletions && path != embeddings:
		return path + " of OpenAI's dialect has no counterpart on " + BackendName(to)
	case to == pool.BackendVertex && strings.HasPrefix(model, "tunedModels/"):
		return model + " is a model that only the Gemini API serves"
	case to == pool.BackendGemini && strings.Contains(model, "/"):
		return model + " is a partner's model, which only Vertex AI serves"
	case to == pool.BackendVertex:
		p.rest, p.scope = onVertex+path, scopeLocation
	default:
		p.rest, p.scope = onGemini+path, scopeNone
	}
	return ""
}

// chatSetting takes a number, a boolean or a word at the top of a chat, or in its stream_options.
func (s *bodyScan) chatSetting(value []byte) {
	e := &s.call.Estimate
	switch key := string(s.Key); {
	case s.depth == 2:
		s.call.Use.usage = s.call.Use.usage || key == "include_usage" && string(s.top) == "stream_options" && string(value) == "true"
	case s.depth != 1:
	case key == "max_tokens", key == "max_completion_tokens":
		if n, ok := jsonscan.Integer(value); ok {
			e.MaxOutput = max(e.MaxOutput, int64(jsonscan.Count(n)))
		}
	case key == "n":
		if n, ok := jsonscan.Integer(value); ok {
			e.Candidates = max(e.Candidates, int64(jsonscan.Count(n)))
		}
	case key == "reasoning_effort":
		e.NoThoughts = e.NoThoughts || string(value) == "none"
	}
}
