package geminitest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// response is a GenerateContentResponse, whole or one event of a stream.
type response struct {
	Candidates    []candidate `json:"candidates,omitzero"`
	UsageMetadata *usage      `json:"usageMetadata,omitempty"`
	ModelVersion  string      `json:"modelVersion,omitempty"`
	CreateTime    string      `json:"createTime,omitempty"` // Vertex AI only
	ResponseID    string      `json:"responseId,omitempty"`
}

type candidate struct {
	Content      content `json:"content"`
	FinishReason string  `json:"finishReason,omitempty"`
	Index        int     `json:"index"`
}

type content struct {
	Parts []part `json:"parts,omitempty"`
	Role  string `json:"role,omitempty"`
}

// part is a text or a call of a function.
type part struct {
	Text             *string       `json:"text,omitempty"`
	FunctionCall     *functionCall `json:"functionCall,omitempty"`
	ThoughtSignature string        `json:"thoughtSignature,omitempty"`
}

type functionCall struct {
	Name string         `json:"name"`
	Args map[string]any `json:"args"`
}

// usage is usageMetadata. Without counts it has only the traffic type, as in the first events of a
// stream from Vertex AI.
type usage struct {
	PromptTokenCount        int        `json:"promptTokenCount,omitempty"`
	CandidatesTokenCount    int        `json:"candidatesTokenCount,omitempty"`
	TotalTokenCount         int        `json:"totalTokenCount,omitempty"`
	TrafficType             string     `json:"trafficType,omitempty"` // Vertex AI only
	CachedContentTokenCount int        `json:"cachedContentTokenCount,omitempty"`
	PromptTokensDetails     []modality `json:"promptTokensDetails,omitempty"`
	CacheTokensDetails      []modality `json:"cacheTokensDetails,omitempty"`
	CandidatesTokensDetails []modality `json:"candidatesTokensDetails,omitempty"`
	ThoughtsTokenCount      int        `json:"thoughtsTokenCount,omitempty"`
}

type modality struct {
	Modality   string `json:"modality"`
	TokenCount int    `json:"tokenCount"`
}

// modalities splits the input by kind.
func (p prompt) modalities() []modality { return share{p.tokens, p.audio, p.image}.modalities() }

// words are four bytes with their space: a token each.
var words = strings.Fields("dam sea fog ice rim bay tap wet ebb flo lag mud oar pan rip tub")

// text is an answer of n tokens. It depends on nothing but the model and the prompt's texts.
func text(model string, digest uint64, n int) string {
	draw := uint64(seeded(digest, model) * (1 << 53))
	var b strings.Builder
	b.Grow(n * bytesPerToken)
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[draw>>32%uint64(len(words))])
		draw = draw*6364136223846793005 + 1442695040888963407
	}
	return b.String()
}

// saying is what an answer says, and how it ends.
type saying struct {
	thoughts int // tokens
	tokens   int // of text
	text     string
	function string // to call in place of a text
	signer   string // the back end that signs the answer; "" for none
	finish   string
}

// say decides on the answer: as many tokens as configured, before them as many thoughts if the
// caller gives a budget for them, all within maxOutputTokens. Where thinking eats up what is
// allowed, there is no text.
func (e *Emulator) say(c call, asked prompt) saying {
	s := saying{thoughts: min(asked.thoughts, e.cfg.Thoughts), tokens: e.cfg.Output, finish: "STOP"}
	if limit := asked.maxOutput; limit > 0 && s.thoughts+s.tokens > limit {
		s.thoughts = min(s.thoughts, limit)
		s.tokens = limit - s.thoughts
		s.finish = "MAX_TOKENS"
	}
	s.text = text(c.model, asked.digest, s.tokens)
	s.function = asked.function
	if asked.signed || s.function != "" {
		s.signer = c.backend
	}
	return s
}

// parts are what an event has to say. The last of a signed answer has the signature, and no text if
// there is none left. A function is called in the last.
func (s saying) parts(candidate, from, to int, last bool) []part {
	var parts []part
	switch {
	case s.function != "" && last:
		parts = []part{{FunctionCall: &functionCall{s.function, map[string]any{}}}}
	case s.function == "" && (from < to || last && s.signer != ""):
		piece := s.text[min(from*bytesPerToken, len(s.text)):min(to*bytesPerToken, len(s.text))]
		parts = []part{{Text: &piece}}
	}
	if last && s.signer != "" {
		parts[0].ThoughtSignature = sign(s.signer, s.text+"\x00"+s.function+"\x00"+itoa(candidate))
	}
	return parts
}

// event is a response with the text from one token to another; the last has the reason why it ends.
func (s saying) event(asked prompt, from, to int, last bool) response {
	var r response
	for i := range asked.candidates {
		var next candidate
		next.Index, next.Content.Role = i, "model"
		next.Content.Parts = s.parts(i, from, to, last)
		if last {
			next.FinishReason = s.finish
		}
		r.Candidates = append(r.Candidates, next)
	}
	return r
}

// counts is the usage of a call whose answer has come so far.
func (s saying) counts(asked prompt, traffic string, tokens int) *usage {
	out := tokens * asked.candidates
	u := &usage{
		PromptTokenCount: asked.tokens, CandidatesTokenCount: out, TotalTokenCount: asked.tokens + out + s.thoughts,
		ThoughtsTokenCount: s.thoughts, TrafficType: traffic, PromptTokensDetails: asked.modalities(),
		CachedContentTokenCount: asked.cached.tokens, CacheTokensDetails: asked.cached.modalities(),
	}
	if traffic != "" && out > 0 {
		u.CandidatesTokensDetails = []modality{{"TEXT", out}}
	}
	return u
}

// generate answers generateContent and streamGenerateContent. It counts into output what it has
// sent.
func (e *Emulator) generate(p *reply, c call, asked prompt, granted grant, output *int) {
	said, shape := e.say(c, asked), p.answer.Shape
	if shape.silent() {
		said.text, said.tokens, said.function, said.signer = "", 0, "", ""
	}
	scale := e.scale()
	first := time.Duration(scale * float64(e.cfg.Latency.FirstToken+time.Duration(said.thoughts)*e.cfg.Latency.PerToken))
	perToken := scale * float64(e.cfg.Latency.PerToken)
	id := fmt.Sprintf("r%08x", e.nextSerial())
	finished := func(r response) response {
		r.ModelVersion, r.ResponseID = c.model, id
		if c.backend == vertex {
			r.CreateTime = time.Now().UTC().Format(time.RFC3339Nano)
		}
		return r
	}
	if !c.streams() {
		if !p.wait(first + time.Duration(perToken*float64(said.tokens))) {
			return
		}
		*output = said.thoughts + said.tokens*asked.candidates
		r := said.event(asked, 0, said.tokens, true)
		r.UsageMetadata = said.counts(asked, granted.traffic, said.tokens)
		if shape.silent() {
			r = shape.apply(r, true)
		}
		p.json(finished(r))
		return
	}
	// An answer comes in at least three events, if it has as many tokens, and in at most about 64.
	piece := max(1, min((said.tokens+2)/3, 16), said.tokens/64)
	opening := shape.preface()
	for from, to := 0, 0; ; from = to {
		if !opening {
			to = min(from+piece, said.tokens)
		}
		last := to == said.tokens && !opening
		if !p.wait(first + time.Duration(perToken*float64(to-from))) {
			return
		}
		opening, first = false, 0
		if !p.sent {
			contentType := sseType
			if p.array {
				contentType = jsonType
			}
			if !p.begin(200, contentType) {
				return
			}
			*output = said.thoughts
		}
		r := shape.apply(said.event(asked, from, to, last), p.events == 0)
		if last || c.backend == gemini {
			r.UsageMetadata = said.counts(asked, granted.traffic, to)
		} else {
			r.UsageMetadata = &usage{TrafficType: granted.traffic}
		}
		*output += (to - from) * asked.candidates
		if p.event(encode(finished(r), "")) != nil {
			return
		}
		if last {
			p.finish()
			return
		}
	}
}

// encode is JSON as Google writes it, without escapes for HTML.
func encode(v any, indent string) []byte {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	_ = encoder.Encode(v) // answers are made of strings, numbers and lists
	return []byte(b.String())
}

// json sends a whole answer.
func (p *reply) json(v any) { p.whole(200, jsonType, encode(v, "  ")) }
