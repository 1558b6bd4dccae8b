package geminitest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// streamsInteraction reports whether the answer is an interaction in events.
func (c call) streamsInteraction(body []byte) bool {
	switch c.method {
	case interactionsGet:
		return c.query.Get("stream") == "true"
	case interactionsCreate:
		var in struct {
			Stream bool `json:"stream"`
		}
		return json.Unmarshal(body, &in) == nil && in.Stream
	}
	return false
}

// addInput counts the input of an interaction: text, contents, or steps.
func (p *prompt) addInput(input any) {
	switch v := input.(type) {
	case string:
		p.addPart(object{"text": v})
	case []any:
		for _, x := range v {
			p.addInput(x)
		}
	case map[string]any:
		o := object(v)
		switch kind := o.text("type"); {
		case kind == "text":
			p.addPart(object{"text": o.text("text")})
		case o.field("content") != nil:
			p.addInput(o.field("content"))
		case kind == "image" || kind == "audio" || kind == "video" || kind == "document":
			mimeType := o.text("mime_type")
			if mimeType == "" && kind == "audio" {
				mimeType = "audio/unknown"
			}
			p.addPart(object{"inlineData": map[string]any{"mimeType": mimeType, "data": o.text("data")}})
			if uri := o.text("uri"); uri != "" {
				p.files = append(p.files, uri)
			}
		default:
			p.addPart(o)
		}
	}
}

// readInteraction reads the body of an interaction, whose model is c's. What it follows counts as
// input, too.
func (e *Emulator) readInteraction(c call, in object) (prompt, *Answer) {
	p := prompt{candidates: 1, maxOutput: max(0, in.object("generation_config").number("max_output_tokens"))}
	p.addInput(in.field("input"))
	if text := in.text("system_instruction"); text != "" {
		p.addPart(object{"text": text})
	}
	p.addTools(in)
	for _, tool := range in.list("tools") {
		m, _ := tool.(map[string]any)
		for _, name := range object(m).list("file_search_store_names") {
			text, _ := name.(string)
			p.stores = append(p.stores, text)
		}
	}
	previous := in.text("previous_interaction_id")
	if in.field("input") == nil && in.text("continuation_token") == "" {
		return p, new(InvalidArgument("input is required"))
	}
	if refused := e.lookUp(c, &p); refused != nil {
		return p, refused
	}
	if previous != "" {
		before, refused := e.find(c, "interactions/"+previous)
		if refused != nil {
			return p, refused
		}
		rules := e.cfg.Caching
		if rules.Implicit && before.size.tokens >= rules.Min && time.Since(before.changed) < rules.TTL {
			p.cached = share{tokens: before.size.tokens}
		}
		p.tokens += before.size.tokens
	}
	if environment := in.text("environment"); environment != "" {
		if _, refused := e.find(c, "environments/"+strings.TrimPrefix(environment, "environments/")); refused != nil {
			return p, refused
		}
	}
	if name := in.text("cached_content"); name != "" {
		p.cache = name
		return p, e.useCache(c, &p)
	}
	return p, nil
}

// agentModel is the model that agents think with here.
const agentModel = "gemini-3.8-flash"

// whoAnswers finds the model or agent of an interaction. Google's own agents need not be made.
func (e *Emulator) whoAnswers(c call, in object) (call, *Answer) {
	agent := in.text("agent")
	switch {
	case agent == "":
		return c, e.missing(c)
	case c.model != "":
		return c, new(InvalidArgument("Only one of model and agent can be set."))
	}
	c.model = agentModel
	for _, own := range []string{"deep-research", "antigravity", "code-mender"} {
		if strings.HasPrefix(agent, own) {
			return c, nil
		}
	}
	_, refused := e.find(c, "agents/"+strings.TrimPrefix(agent, "agents/"))
	return c, refused
}

// createInteraction answers an input, as generateContent does, and keeps the answer for those that
// follow unless store is false.
func (e *Emulator) createInteraction(p *reply, c call, body []byte) *Answer {
	in, refused := readObject(body)
	if refused != nil {
		return refused
	}
	if c, refused = e.whoAnswers(c, in); refused != nil {
		return refused
	}
	asked, wrong := e.readInteraction(c, in)
	grant, refused := e.admit(time.Now(), c, asked, wrong)
	if refused != nil {
		return refused
	}
	said := e.say(c, asked)
	defer func() {
		if grant.reservation != nil {
			grant.reservation.settle(time.Now(), said.tokens)
		}
	}()
	e.journal.set(c.entry, func(n *Request) {
		n.Served, n.PromptTokens, n.CachedTokens, n.OutputTokens = grant.traffic, asked.tokens, asked.cached.tokens, said.tokens
	})
	background, _ := in.field("background").(bool)
	r := record{
		name: "interactions/", model: c.model, size: share{tokens: asked.tokens + said.tokens},
		fields: map[string]any{"input": in.field("input"), "text": said.text, "finish": said.finish, "usage": interactionUsage(asked, said)},
	}
	for _, name := range []string{"model", "agent", "previous_interaction_id", "environment", "labels"} {
		if v := in.field(name); v != nil {
			r.fields[name] = v
		}
	}
	if !background {
		r.ready = time.Now()
	}
	if r, refused = e.create(c, r); refused != nil {
		return refused
	}
	if stored, said := in.field("store").(bool); said && !stored {
		e.resources.remove(r.name)
	}
	scale := e.scale()
	first := time.Duration(scale * float64(e.cfg.Latency.FirstToken))
	perToken := time.Duration(scale * float64(e.cfg.Latency.PerToken))
	if !c.streamsInteraction(body) {
		if background || p.wait(first+time.Duration(said.tokens)*perToken) {
			p.json(showInteraction(e, r, time.Now()))
		}
		return nil
	}
	e.sendInteraction(p, r, "", first, perToken)
	return nil
}

// interactionUsage is what an interaction costs.
func interactionUsage(asked prompt, said saying) map[string]any {
	usage := map[string]any{
		"total_input_tokens": asked.tokens, "total_output_tokens": said.tokens, "total_tokens": asked.tokens + said.tokens,
		"input_tokens_by_modality":  []any{map[string]any{"modality": "text", "tokens": asked.tokens}},
		"output_tokens_by_modality": []any{map[string]any{"modality": "text", "tokens": said.tokens}},
	}
	if asked.cached.tokens > 0 {
		usage["total_cached_tokens"] = asked.cached.tokens
	}
	return usage
}

// showInteraction shows an interaction, without its input.
func showInteraction(_ *Emulator, r record, now time.Time) map[string]any {
	shown := with(r.fields, map[string]any{
		"id": r.id(), "object": "interaction", "created": stamp(r.made), "updated": stamp(r.changed), "status": r.stateAt(now),
	})
	text, finish := shown["text"], shown["finish"]
	for _, private := range []string{"input", "text", "finish"} {
		delete(shown, private)
	}
	if shown["status"] != r.kind.finished {
		delete(shown, "usage")
		return shown
	}
	if finish != "STOP" {
		shown["status"] = "incomplete"
	}
	shown["steps"] = []any{map[string]any{"type": "model_output", "content": []any{map[string]any{"type": "text", "text": text}}}}
	return shown
}

// sendInteraction answers with an interaction in events, from the one after a given event.
func (e *Emulator) sendInteraction(p *reply, r record, after string, first, perToken time.Duration) {
	now := time.Now()
	whole := showInteraction(e, r, now)
	begun := with(whole, map[string]any{"status": "in_progress"})
	delete(begun, "usage")
	delete(begun, "steps")
	ended := with(whole, nil)
	delete(ended, "steps")
	events := []map[string]any{
		{"event_type": "interaction.created", "interaction": begun},
		{"event_type": "step.start", "index": 0, "step": map[string]any{"type": "model_output"}},
	}
	text, _ := r.fields["text"].(string)
	for rest := text; rest != ""; {
		n := min(len(rest), 8*bytesPerToken)
		events = append(events, map[string]any{"event_type": "step.delta", "index": 0, "delta": map[string]any{"type": "text", "text": rest[:n]}})
		rest = rest[n:]
	}
	events = append(events, map[string]any{"event_type": "step.stop", "index": 0},
		map[string]any{"event_type": "interaction.completed", "interaction": ended})
	if !p.wait(first) || !p.begin(200, sseType) {
		return
	}
	resumed := after == ""
	for i, event := range events {
		id := "evt_" + strconv.Itoa(i)
		if !resumed {
			resumed = id == after
			continue
		}
		event["event_id"] = id
		p.name, _ = event["event_type"].(string)
		if p.name == "step.delta" && !p.wait(8*perToken) || p.event(encode(event, "")) != nil {
			return
		}
	}
	p.name = "done"
	if p.event([]byte("[DONE]")) == nil {
		p.finish()
	}
}

// getInteraction answers with an interaction, whole or in events.
func (e *Emulator) getInteraction(p *reply, c call, _ []byte) *Answer {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return refused
	}
	now := time.Now()
	if c.streamsInteraction(nil) && r.stateAt(now) == r.kind.finished {
		e.sendInteraction(p, r, c.query.Get("last_event_id"), 0, 0)
		return nil
	}
	shown := showInteraction(e, r, now)
	if c.query.Get("include_input") == "true" {
		shown["input"] = r.fields["input"]
	}
	p.json(shown)
	return nil
}

// cancelInteraction ends an interaction that goes on in the background.
func (e *Emulator) cancelInteraction(c call, _ object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	return showInteraction(e, e.cancel(r), time.Now()), nil
}

// worded returns an error in the words of the method.
func (c call) worded(a Answer) Answer {
	if c.openAI() {
		return a.Listed()
	}
	if !c.coded {
		return a
	}
	if c.secret == "" && a.Status == 403 { // the documentation has one code for all that is wrong with a key
		a.Status = 401
		a.Body = fault(401, unauthenticated, "The API key is missing.").Body
	}
	return a.Coded()
}

// Coded returns an error of Google's as those around the Interactions API have it, with a word for
// a code and no details: {"error": {"code": "rate_limit_exceeded", "message": …}}
// (ai.google.dev/gemini-api/docs/api-errors). Inside a stream it becomes an event of the type
// "error". Other answers are returned as they are.
func (a Answer) Coded() Answer {
	httpStatus, status, message := a.problem()
	body := string(a.Body)
	code := codes[status]
	switch {
	case status == "": // no error of Google's, or a page of its front end
		return a
	case strings.Contains(body, "API_KEY_INVALID"):
		httpStatus, code = 401, "authentication"
	case httpStatus == 402:
		code = "payment_required"
	case status == "NOT_FOUND" && (strings.Contains(message, "is not found for API version") || strings.HasPrefix(message, "Publisher Model")):
		code = "model_not_found"
	case status == exhausted && strings.Contains(body, "PerDay"):
		code = "quota_exceeded"
	case status == exhausted && strings.Contains(body, "PerMinute"):
		code = "rate_limit_exceeded"
	case code == "":
		code = "internal"
	}
	a.Status, a.Body = httpStatus, encode(map[string]any{"error": map[string]any{"code": code, "message": message}}, "  ")
	return a
}

// codes are the words of the Interactions API for what google.rpc.Status has.
var codes = map[string]string{
	invalid: "invalid_request", "FAILED_PRECONDITION": "failed_precondition", unauthenticated: "authentication", permission: "permission_denied",
	"NOT_FOUND": "not_found", exhausted: "too_many_requests", "UNAVAILABLE": "service_unavailable", "DEADLINE_EXCEEDED": "deadline_exceeded",
	"CANCELLED": "cancelled", "ALREADY_EXISTS": "invalid_request",
}
