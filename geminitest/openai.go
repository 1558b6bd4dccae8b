package geminitest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// The methods of OpenAI's dialect, which lie below v1beta/openai on the Gemini Developer API and
// below endpoints/openapi on Vertex AI.
const (
	openAIChat       = "openai.chat"
	openAIEmbeddings = "openai.embeddings"
	openAIModels     = "openai.models.list"
	openAIModel      = "openai.models.get"
)

// openAI reports whether a call is in OpenAI's dialect.
func (c route) openAI() bool { return strings.HasPrefix(c.method, "openai.") }

// streamsChat reports whether the answer is a chat in events.
func (c call) streamsChat(body []byte) bool {
	var in struct {
		Stream bool `json:"stream"`
	}
	return c.method == openAIChat && json.Unmarshal(body, &in) == nil && in.Stream
}

// Listed returns an answer in a list of one, as errors come in OpenAI's dialect: [{"error": …}].
func (a Answer) Listed() Answer {
	if body := bytes.TrimSpace(a.Body); bytes.HasPrefix(body, []byte("{")) {
		a.Body = append(append([]byte("["), body...), "\n]\n"...)
	}
	return a
}

// named is the name of the model in an answer: Vertex AI has its publisher before it.
func (c call) named() string {
	if c.backend == vertex {
		return "google/" + c.model
	}
	return c.model
}

// unnamed is the 400 of Vertex AI for a model without its publisher.
func (c call) unnamed(in object) *Answer {
	if name := in.text("model"); c.backend == vertex && !strings.Contains(name, "/") {
		return new(InvalidArgument("Malformed publisher model `" + printable(name) + "`. Expected: publisher/model."))
	}
	return nil
}

// tells reports whether an event of a stream has the usage. The Gemini API has it in every one, if
// it is asked to; Vertex AI always, in the last.
func (c call) tells(in object, last bool) bool {
	if c.backend == vertex {
		return last
	}
	asked, _ := in.object("stream_options").field("include_usage").(bool)
	return asked
}

// charged is the usage of a chat. The total counts thoughts, which only Vertex AI names. It names the
// traffic, too.
func (c call) charged(said saying, asked prompt, traffic string, tokens int) map[string]any {
	out := tokens * asked.candidates
	u := map[string]any{
		"prompt_tokens": asked.tokens, "completion_tokens": out, "total_tokens": asked.tokens + out + said.thoughts,
	}
	if n := asked.cached.tokens; n > 0 {
		u["prompt_tokens_details"] = map[string]any{"cached_tokens": n}
	}
	if c.backend == vertex {
		u["extra_properties"] = map[string]any{"google": map[string]any{"traffic_type": traffic}}
		if said.thoughts > 0 {
			u["completion_tokens_details"] = map[string]any{"reasoning_tokens": said.thoughts}
		}
	}
	return u
}

// chat answers chat completions.
func (e *Emulator) chat(p *reply, c call, body []byte) *Answer {
	in, refused := readObject(body)
	if refused != nil {
		return refused
	}
	if refused = c.unnamed(in); refused != nil {
		return refused
	}
	like := c
	like.method, like.version = generateContent, "v1main" // as Google's answers have it
	if refused = e.missing(like); refused != nil {
		return refused
	}
	c.model = e.answering(time.Now(), c)
	asked, wrong := readGenerate(like.route, fromOpenAI(in))
	grant, refused := e.admit(time.Now(), c, asked, wrong)
	if refused != nil {
		return refused
	}
	output := 0
	defer func() {
		if grant.reservation != nil {
			grant.reservation.settle(time.Now(), output)
		}
		e.journal.set(c.entry, func(n *Request) { n.OutputTokens = output })
	}()
	e.grants(p, c, grant)
	e.journal.set(c.entry, func(n *Request) { n.PromptTokens = asked.tokens })
	said := e.say(c, asked)
	if p.answer.Shape.silent() {
		said.text, said.tokens, said.function, said.signer = "", 0, "", ""
	}
	t := talk{call: c, in: in, asked: asked, said: said, traffic: grant.traffic, id: "chat" + strconv.FormatUint(e.nextSerial(), 10)}
	scale := e.scale()
	t.first = time.Duration(scale * float64(e.cfg.Latency.FirstToken+time.Duration(said.thoughts)*e.cfg.Latency.PerToken))
	t.perToken = scale * float64(e.cfg.Latency.PerToken)
	if c.streamsChat(body) {
		t.stream(p, &output)
	} else if p.wait(t.first + time.Duration(t.perToken*float64(said.tokens))) {
		output = said.thoughts + said.tokens*asked.candidates
		r := p.answer.Shape.apply(said.event(asked, 0, said.tokens, true), false)
		p.json(t.chunk("chat.completion", "message", r, said.tokens, true))
	}
	return nil
}

// talk is a chat that is being answered.
type talk struct {
	call     call
	in       object
	asked    prompt
	said     saying
	traffic  string
	id       string
	first    time.Duration
	perToken float64
}

// stream answers in events. It counts into output what it has sent.
func (t *talk) stream(p *reply, output *int) {
	all, size := t.said.tokens, max(1, (t.said.tokens+2)/3)
	for from := 0; ; from += size {
		to := min(from+size, all)
		if !p.wait(t.first+time.Duration(t.perToken*float64(to-from))) || from == 0 && !p.begin(200, sseType) {
			return
		}
		if t.first = 0; from == 0 {
			*output = t.said.thoughts
		}
		*output += (to - from) * t.asked.candidates
		r := p.answer.Shape.apply(t.said.event(t.asked, from, to, to == all), from == 0)
		if p.event(encode(t.chunk("chat.completion.chunk", "delta", r, to, t.call.tells(t.in, to == all)), "")) != nil {
			return
		}
		if to == all {
			break
		}
	}
	if p.answer.Event && p.events <= p.answer.After {
		p.finish()
		return
	}
	_ = p.write(p.frame([]byte("[DONE]"), false))
}

// finishes are OpenAI's words for the reasons why an answer ends.
var finishes = map[string]string{"STOP": "stop", "MAX_TOKENS": "length"}

// chunk is an answer, or an event of one, after so many tokens: part is "message" or "delta".
func (t *talk) chunk(kind, part string, r response, tokens int, usage bool) map[string]any {
	choices := []any{}
	for _, c := range r.Candidates {
		choice := map[string]any{"index": c.Index}
		finish := finishes[c.FinishReason]
		message := map[string]any{"role": "assistant"}
		for _, p := range c.Content.Parts {
			signed := message
			if p.Text != nil {
				message["content"] = *p.Text
			}
			if p.FunctionCall != nil {
				signed = map[string]any{"index": 0, "id": "function-call-" + t.id, "type": "function",
					"function": map[string]any{"name": p.FunctionCall.Name, "arguments": "{}"}}
				message["tool_calls"] = []any{signed}
				finish = "tool_calls"
			}
			if p.ThoughtSignature != "" {
				signed["extra_content"] = map[string]any{"google": map[string]any{"thought_signature": p.ThoughtSignature}}
			}
		}
		if choice[part] = message; finish != "" {
			choice["finish_reason"] = finish
		}
		choices = append(choices, choice)
	}
	out := map[string]any{"id": t.id, "object": kind, "created": time.Now().Unix(), "model": t.call.named(), "choices": choices}
	if usage {
		out["usage"] = t.call.charged(t.said, t.asked, t.traffic, tokens)
	}
	return out
}

// embedOpenAI answers embeddings.
func (e *Emulator) embedOpenAI(p *reply, c call, body []byte) *Answer {
	in, refused := readObject(body)
	if refused != nil {
		return refused
	}
	if refused = c.unnamed(in); refused != nil {
		return refused
	}
	like := c
	like.method, like.version = batchEmbedContents, "v1main"
	if refused = e.missing(like); refused != nil {
		return refused
	}
	inputs := in.list("input")
	if text, ok := in.field("input").(string); ok {
		inputs = []any{text}
	}
	requests := make([]any, len(inputs))
	for i, input := range inputs {
		requests[i] = map[string]any{"content": map[string]any{"parts": partsOf(input)}, "outputDimensionality": float64(in.number("dimensions"))}
	}
	asked, wrong := readEmbed(like.route, object{"requests": requests})
	if _, refused = e.admit(time.Now(), c, asked, wrong); refused != nil {
		return refused
	}
	e.journal.set(c.entry, func(n *Request) { n.PromptTokens = asked.tokens })
	data := make([]any, len(asked.inputs))
	for i := range data {
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": vector(c.model, asked, i)}
	}
	if p.wait(e.scaled(e.cfg.Latency.FirstToken)) {
		p.json(map[string]any{
			"object": "list", "data": data, "model": c.named(),
			"usage": map[string]any{"prompt_tokens": asked.tokens, "total_tokens": asked.tokens},
		})
	}
	return nil
}

// listOpenAI answers with the models.
func (e *Emulator) listOpenAI(c call, _ object) (any, *Answer) {
	data := []any{}
	for _, model := range e.cfg.Models {
		if e.has(c.owner, c.location, model) {
			data = append(data, openAIEntry(model))
		}
	}
	return map[string]any{"object": "list", "data": data}, nil
}

// getOpenAI answers with one model.
func (e *Emulator) getOpenAI(c call, _ object) (any, *Answer) {
	if !e.has(c.owner, c.location, c.model) {
		return nil, new(fault(404, "NOT_FOUND", "models/"+printable(c.model)+" is not found for API version v1main."))
	}
	return openAIEntry(c.model), nil
}

func openAIEntry(model string) map[string]any {
	return map[string]any{"id": "models/" + model, "object": "model", "owned_by": "google", "display_name": model}
}
