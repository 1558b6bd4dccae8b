package translate

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// The two back ends take the same JSON in OpenAI's dialect, but for the name of the model and for
// what only one of them documents: the Gemini API refuses what it does not know, and Vertex AI
// ignores it. So only the fields that both document go to the other back end. Sources:
// https://ai.google.dev/gemini-api/docs/openai and
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview.
var (
	chatFields = []string{
		"model", "messages", "stream", "stream_options", "temperature", "top_p", "n", "stop", "seed",
		"max_tokens", "max_completion_tokens", "frequency_penalty", "presence_penalty", "reasoning_effort",
		"response_format", "tools", "tool_choice", "user", "extra_body", "service_tier",
	}
	embeddingFields = []string{"model", "input", "dimensions", "encoding_format", "user"}
	googleFields    = []string{"cached_content", "thinking_config"}
)

// publisher precedes the name of a model of Google's on Vertex AI.
const publisher = "google/"

// openAI translates a call in OpenAI's dialect.
func (t *Translation) openAI(h http.Header) (lacks []string) {
	to, known := t.Call.Backend, chatFields
	if !t.Call.Generates {
		known = embeddingFields
	}
	for c := jsonscan.Object(t.Body); c.Member(); {
		switch key, lone := string(c.Key), t.Call.Use.Lone; {
		case !slices.Contains(known, key) && !lone:
			lacks = append(lacks, notTaken(key, to))
		case key == "messages":
			lacks = append(lacks, attachments(to, c.Raw())...)
		case key == "extra_body" && !lone:
			lacks = append(lacks, extras(to, c.Raw())...)
		}
	}
	if t.Call.Generates {
		lacks = append(lacks, t.chatTier(h)...)
	}
	if len(lacks) == 0 {
		t.Body = renamed(t.Body, to)
	}
	return lacks
}

// chatTier moves the service tier of a chat to where the other back end has it.
func (t *Translation) chatTier(h http.Header) (lacks []string) {
	to, named := t.Call.Backend, request.ServiceTier(&t.from)
	if to == pool.BackendVertex {
		tier, ok := parseTier(named)
		if !ok {
			lacks = append(lacks, notTaken("service_tier "+named, to))
		}
		if named != "" {
			t.tier = tier
		}
		t.Body = request.WithoutServiceTier(t.Body)
		return lacks
	}
	asked := h.Get(sharedRequestType)
	tier, ok := parseTier(asked)
	switch {
	case !ok:
		lacks = append(lacks, notTaken(sharedRequestType+": "+asked, to))
	case named == "" && tier != tierStandard:
		t.Body = request.WithServiceTier(&t.Call, t.Body, tier)
	}
	return lacks
}

// extras names the fields below extra_body that only one back end takes.
func extras(to pool.Backend, body []byte) (lacks []string) {
	for c := jsonscan.Object(body); c.Member(); {
		key := string(c.Key)
		if key != "google" {
			lacks = append(lacks, notTaken("extra_body."+key, to))
			continue
		}
		for inner := jsonscan.Object(c.Raw()); inner.Member(); {
			if name := string(inner.Key); !slices.Contains(googleFields, name) {
				lacks = append(lacks, notTaken("extra_body.google."+name, to))
			}
		}
	}
	return lacks
}

// attachments names the files in messages that the other back end cannot read.
func attachments(to pool.Backend, messages []byte) []string {
	l := lacking{Scanner: jsonscan.New(messages), to: to}
	l.attached(0)
	return l.names
}

// mostDepth bounds the search for files. Their addresses are near the top of a message.
const mostDepth = 12

func (l *lacking) attached(depth int) {
	if depth > mostDepth {
		return
	}
	switch l.Peek() {
	case '{':
		for l.Enter('{'); l.Member(); {
			l.attachedIn(depth)
		}
	case '[':
		for l.Enter('['); l.Element(); {
			l.attached(depth + 1)
		}
	}
}

func (l *lacking) attachedIn(depth int) {
	switch key := string(l.Key); {
	case l.Peek() != '"':
		l.attached(depth + 1)
	case key == "url", key == "image_url", key == "data", key == "file_uri", key == "file_data":
		uri, _ := l.Quoted()
		l.file(key, uri)
	}
}

// modelIn returns where the name of the model is in a body, without its quotes.
func modelIn(body []byte) (from, to int) {
	c := jsonscan.New(body)
	if !c.Enter('{') {
		return 0, 0
	}
	for c.Member() {
		if string(c.Key) == "model" && c.Peek() == '"' {
			from = c.Pos + 1
			name, _ := c.Quoted()
			return from, from + len(name)
		}
	}
	return 0, 0
}

// renamed returns a body with the name that a back end gives to a model. The given body is not
// changed. A body without a model, or with one of another publisher, stays as it is.
func renamed(body []byte, by pool.Backend) []byte {
	from, to := modelIn(body)
	if from == to {
		return body
	}
	name := strings.TrimPrefix(strings.TrimPrefix(string(body[from:to]), publisher), "models/")
	if by == pool.BackendVertex && !strings.Contains(name, "/") {
		name = publisher + name
	}
	if name == string(body[from:to]) {
		return body
	}
	return slices.Concat(body[:from], []byte(name), body[to:])
}

// Chat is how the stream of a chat in OpenAI's dialect is handed on.
type Chat struct {
	// HideUsage takes the usage out, for which the router asked and not its caller.
	HideUsage bool
	// Rewrite returns an error event in the shape of OpenAI's errors.
	Rewrite func(failure []byte) []byte
	// Translation is that of the call; nil if the endpoint speaks its dialect.
	Translation *Translation

	began   bool // a chunk with choices came
	usage   []byte
	failure []byte
}

// Usage returns the last usage that was taken out: the value of the member "usage".
func (c *Chat) Usage() []byte { return c.usage }

// Failure returns the first error event as Google sent it; nil if none came.
func (c *Chat) Failure() []byte { return c.failure }

var (
	usageMember = []byte(`"usage"`)
	errorMember = []byte(`"error"`)
	modelMember = []byte(`"model"`)
)

// concerns reports whether anything in the events may be rewritten.
func (c *Chat) concerns(events []byte) bool {
	return c.HideUsage || bytes.Contains(events, errorMember) || c.Translation != nil && bytes.Contains(events, modelMember)
}

// event returns what the caller gets of the payload of an event; nil is nothing.
func (c *Chat) event(payload []byte) []byte {
	if failed(payload) {
		if c.failure == nil {
			c.failure = bytes.Clone(payload)
		}
		return c.Rewrite(payload)
	}
	if c.HideUsage {
		if payload = c.withoutUsage(payload); payload == nil {
			return nil
		}
	}
	if c.Translation != nil {
		payload = renamed(payload, c.Translation.from.Backend)
	}
	return payload
}

// failed reports whether a payload is an error, alone or in a list of one.
func failed(payload []byte) bool {
	c := jsonscan.New(payload)
	if c.Enter('[') && !c.Element() || !c.Enter('{') {
		return false
	}
	for c.Member() {
		if string(c.Key) == "error" && c.Peek() == '{' {
			return true
		}
	}
	return false
}

// withoutUsage returns a chunk without its usage, byte for byte. It returns nil for one that has
// nothing else, which follows the choices.
func (c *Chat) withoutUsage(chunk []byte) []byte {
	if !bytes.Contains(chunk, usageMember) {
		c.began = true
		return chunk
	}
	scan := jsonscan.New(chunk)
	scan.Enter('{')
	choices, end, from, to := false, scan.Pos, 0, 0
	first := true
	for scan.Member() {
		begin := scan.KeyPos
		switch string(scan.Key) {
		case "choices":
			value := scan.Raw()
			choices = len(bytes.Trim(value, "[] \t\r\n")) > 0
		case "usage":
			c.usage = bytes.Clone(scan.Raw())
			if from, to = end, scan.Pos; first { // the comma after it goes along
				from = begin
				if scan.Peek() == ',' {
					to = scan.Pos + 1
				}
			}
		default:
			scan.Raw()
		}
		first, end = false, scan.Pos
	}
	if to > 0 && !choices && c.began {
		return nil
	}
	c.began = c.began || choices
	return slices.Concat(chunk[:from], chunk[to:])
}
