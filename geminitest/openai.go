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

// fromOpenAI is a body of OpenAI's dialect as one of generateContent.
func fromOpenAI(in object) object {
	var contents []any
	var system []any
	for _, message := range in.list("messages") {
		m, _ := message.(map[string]any)
		parts := partsOf(m["content"])
		switch role := object(m).text("role"); role {
		case "system", "developer":
			system = append(system, parts...)
		case "assistant":
			contents = append(contents, map[string]any{"role": "model", "parts": parts})
		default:
			contents = append(contents, map[string]any{"role": "user", "parts": parts})
		}
	}
	config := map[string]any{}
	for _, name := range []string{"max_completion_tokens", "max_tokens"} {
		if n := in.number(name); n != 0 {
			config["maxOutputTokens"] = float64(n)
		}
	}
	if n := in.number("n"); n > 1 {
		config["candidateCount"] = float64(n)
	}
	out := object{"contents": contents, "generationConfig": config}
	if len(system) > 0 {
		out["systemInstruction"] = map[string]any{"parts": system}
	}
	if tools := in.list("tools"); len(tools) > 0 {
		out["tools"] = tools
	}
	return out
}

// partsOf are the parts of a message's content: a text, or a list of texts and pictures.
func partsOf(content any) []any {
	if text, ok := content.(string); ok {
		return []any{map[string]any{"text": text}}
	}
	var parts []any
	list, _ := content.([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		if text, ok := m["text"].(string); ok {
			parts = append(parts, map[string]any{"text": text})
		} else {
			parts = append(parts, map[string]any{"inlineData": map[string]any{"mimeType": "image/png"}})
		}
	}
	return parts
}

// chat answers chat completions.
func (e *Emulator) chat(p *reply, c call, body []byte) *Answer {
	in, refused := readObject(body)
	if refused != nil {
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
	e.journal.set(c.entry, func(n *Request) { n.Served, n.PromptTokens = grant.traffic, asked.tokens })
	said := e.say(c, asked)
	if p.answer.Shape.silent() {
		said.text, said.tokens = "", 0
	}
	scale := e.scale()
	first := time.Duration(scale * float64(e.cfg.Latency.FirstToken))
	perToken := scale * float64(e.cfg.Latency.PerToken)
	id := "chat" + strconv.FormatUint(e.nextSerial(), 10)
	if !c.streamsChat(body) {
		if p.wait(first + time.Duration(perToken*float64(said.tokens))) {
			output = said.tokens * asked.candidates
			p.json(completion(id, c.model, said, asked, p.answer.Shape.silent()))
		}
		return nil
	}
	piece := max(1, (said.tokens+2)/3)
	for from := 0; ; from += piece {
		to := min(from+piece, said.tokens)
		if !p.wait(first+time.Duration(perToken*float64(to-from))) || from == 0 && !p.begin(200, sseType) {
			return nil
		}
		first = 0
		output += (to - from) * asked.candidates
		r := p.answer.Shape.apply(said.event(asked, from, to, to == said.tokens), from == 0)
		if p.event(encode(chunk(id, c.model, r), "")) != nil {
			return nil
		}
		if to == said.tokens {
			break
		}
	}
	if p.answer.Event && p.events <= p.answer.After {
		p.finish()
		return nil
	}
	_ = p.write(p.frame([]byte("[DONE]"), false))
	return nil
}

// finishes are OpenAI's words for the reasons why an answer ends.
var finishes = map[string]string{"STOP": "stop", "MAX_TOKENS": "length"}

// completion is a whole answer.
func completion(id, model string, said saying, asked prompt, silent bool) map[string]any {
	choices := []any{}
	for i := range asked.candidates {
		if !silent {
			choices = append(choices, map[string]any{
				"index": i, "finish_reason": finishes[said.finish], "message": map[string]any{"role": "assistant", "content": said.text},
			})
		}
	}
	out := said.tokens * asked.candidates
	return map[string]any{
		"id": id, "object": "chat.completion", "created": time.Now().Unix(), "model": model, "choices": choices,
		"usage": map[string]any{"prompt_tokens": asked.tokens, "completion_tokens": out, "total_tokens": asked.tokens + out},
	}
}

// chunk is an event of a streamed answer.
func chunk(id, model string, r response) map[string]any {
	choices := []any{}
	for _, c := range r.Candidates {
		delta := map[string]any{"role": "assistant"}
		for _, part := range c.Content.Parts {
			if part.Text != nil {
				delta["content"] = *part.Text
			}
		}
		choice := map[string]any{"index": c.Index, "delta": delta}
		if c.FinishReason != "" {
			choice["finish_reason"] = finishes[c.FinishReason]
		}
		choices = append(choices, choice)
	}
	return map[string]any{"id": id, "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": model, "choices": choices}
}

// embedOpenAI answers embeddings.
func (e *Emulator) embedOpenAI(p *reply, c call, body []byte) *Answer {
	in, refused := readObject(body)
	if refused != nil {
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
			"object": "list", "data": data, "model": c.model,
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
