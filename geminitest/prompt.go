package geminitest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// prompt is what the body of a request asks for.
type prompt struct {
	tokens int // all of the input
	audio  int // of tokens
	image  int // of tokens; video and documents count here, too

	digest uint64 // of the texts, for an answer that depends on them

	maxOutput  int // 0: not said
	candidates int
	thoughts   int // thinkingBudget, if positive

	cache   string   // cachedContent
	files   []string // URIs of the files that it shows
	stores  []string // fileSearchStores that it searches
	request object   // of a call that generates
	cached  share    // of the input, what came from a cache
	marks   []mark   // where its prefixes end, if they are kept

	signed     bool     // the answer is to have a thought signature
	function   string   // that the answer must call
	signatures []string // of earlier turns

	inputs     []int // embeddings: tokens of each text
	dimensions int   // embeddings: 0: not said
}

// The size of things in tokens. Images are documented at 258
// (ai.google.dev/gemini-api/docs/tokens), sound at 32 a second; the rest is this emulator's own
// measure: text in 4 bytes, sound at 16 kB a second.
const (
	bytesPerToken      = 4
	tokensPerImage     = 258
	audioBytesPerToken = 500
	maxInputTokens     = 1_048_576
	maxCandidates      = 8
	maxDimensions      = 3072
	maxOutputTokens    = 65_536
)

// object is a JSON object. Google takes its fields in camelCase and in snake_case.
type object map[string]any

func (o object) field(name string) any {
	if v, ok := o[name]; ok {
		return v
	}
	return o[snake(name)]
}

func (o object) object(name string) object {
	m, _ := o.field(name).(map[string]any)
	return m
}

func (o object) list(name string) []any {
	l, _ := o.field(name).([]any)
	return l
}

// contents returns the field of that name, where a list of one may be written as the one.
func (o object) contents() []object {
	if one := o.object("contents"); one != nil {
		return []object{one}
	}
	list := o.list("contents")
	contents := make([]object, len(list))
	for i, content := range list {
		contents[i], _ = content.(map[string]any)
	}
	return contents
}

// text returns a field that is a string, else "".
func (o object) text(name string) string {
	s, _ := o.field(name).(string)
	return s
}

// readObject reads the body of a method that is about resources; none is an empty one.
func readObject(body []byte) (object, *Answer) {
	var tree any
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, nil
	}
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, new(malformed("", "Invalid JSON payload received. Unexpected token."))
	}
	root, ok := tree.(map[string]any)
	if !ok {
		return nil, new(malformed("", "Invalid JSON payload received. Root element must be a message."))
	}
	return root, nil
}

// number returns a field that is a number or, as Google takes it, a number in a string.
func (o object) number(name string) int {
	switch v := o.field(name).(type) {
	case float64:
		return clamp(v)
	case string:
		var f float64
		if json.Unmarshal([]byte(v), &f) == nil {
			return clamp(f)
		}
	}
	return 0
}

func clamp(f float64) int { return int(max(-math.MaxInt32, min(f, math.MaxInt32))) }

// snake turns camelCase into snake_case.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// The fields of a request to generate that each back end takes; a field of the other's is an error.
// They are those that the Go SDK v1.77.0 writes for each.
var (
	requestFields = map[string][]string{
		gemini: {"model", "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig", "cachedContent",
			"serviceTier", "store", "labels", "continuationToken"},
		vertex: {"model", "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig", "cachedContent",
			"serviceTier", "labels", "modelArmorConfig", "continuationToken", "outputConfig"},
	}
	onlyGeminiConfig = []string{"enableEnhancedCivicAnswers"}
	onlyVertexConfig = []string{"audioTimestamp", "modelConfig", "routingConfig"}
)

// readPrompt reads the body of a call. A body that Google would not take gives its 400, beside
// whatever could be counted.
func readPrompt(c route, body []byte) (prompt, *Answer) {
	guess := prompt{tokens: textTokens(len(body)), candidates: 1}
	root, refused := readObject(body)
	if refused != nil {
		return guess, refused
	}
	switch c.method {
	case generateContent, streamGenerateContent:
		return readGenerate(c, root)
	case countTokens:
		inner := root
		if nested := inner.object("generateContentRequest"); nested != nil {
			inner = nested
		}
		p := prompt{candidates: 1}
		p.readNames(inner)
		return p, p.addRequest(c, inner)
	case predict:
		if makesPictures(c.model) {
			return readPicture(root)
		}
		return readEmbed(c, root)
	default:
		return readEmbed(c, root)
	}
}

// readGenerate reads the body of generateContent and streamGenerateContent.
func readGenerate(c route, root object) (prompt, *Answer) {
	config := root.object("generationConfig")
	p := prompt{
		candidates: max(1, config.number("candidateCount")),
		maxOutput:  config.number("maxOutputTokens"),
		thoughts:   max(0, config.object("thinkingConfig").number("thinkingBudget")),
		request:    root,
	}
	p.readNames(root)
	p.readThinking(root)
	refused := p.addRequest(c, root)
	if refused == nil {
		refused = p.badSignature(c.backend)
	}
	if refused == nil {
		refused = unknownFields(c, root, config)
	}
	switch {
	case refused != nil:
	case p.maxOutput < 0 || p.maxOutput > maxOutputTokens:
		refused = new(InvalidArgument("Unable to submit request because it has a maxOutputTokens value of " + itoa(p.maxOutput) +
			" but the supported range is from 1 (inclusive) to 65537 (exclusive). Update the value and try again."))
	case p.candidates > maxCandidates:
		refused = new(InvalidArgument("Unable to submit request because candidateCount must be from 1 to 8. Update the value and try again."))
	}
	if refused != nil {
		p.candidates, p.maxOutput = 1, 0
	}
	return p, refused
}

// unknownFields is the 400 for a field that this back end does not know.
func unknownFields(c route, root, config object) *Answer {
	for name := range root {
		if !slices.ContainsFunc(requestFields[c.backend], func(known string) bool { return name == known || name == snake(known) }) {
			return new(malformed("", "Invalid JSON payload received. Unknown name \""+printable(name)+"\": Cannot find field."))
		}
	}
	foreign := onlyVertexConfig
	if c.backend == vertex {
		foreign = onlyGeminiConfig
	}
	for _, name := range foreign {
		if config.field(name) != nil {
			return new(malformed("generation_config",
				"Invalid JSON payload received. Unknown name \""+name+"\" at 'generation_config': Cannot find field."))
		}
	}
	return nil
}

// printable shortens a name that a caller sent, for a message.
func printable(name string) string { return clip(name, 64) }

// clip shortens a text to so many bytes.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "?")
}

// addRequest counts contents, system instruction and tools.
func (p *prompt) addRequest(c route, root object) *Answer {
	contents := root.contents()
	badRole := false
	for _, content := range contents {
		p.addContent(content)
		role, _ := content["role"].(string)
		badRole = badRole || !slices.Contains([]string{"", "user", "model", "function", "system"}, role)
	}
	p.addContent(root.object("systemInstruction"))
	p.addTools(root)
	switch {
	case len(contents) == 0 && c.backend == gemini:
		return new(InvalidArgument("* GenerateContentRequest.contents: contents is not specified\n"))
	case len(contents) == 0:
		return new(InvalidArgument("Unable to submit request because at least one contents field is required. " +
			"Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"))
	case badRole:
		return new(InvalidArgument("Please use a valid role: user, model."))
	case p.tokens > maxInputTokens && c.method != countTokens:
		return new(InvalidArgument("The input token count exceeds the maximum number of tokens allowed 1048576."))
	}
	return nil
}

// addTools counts the tools.
func (p *prompt) addTools(root object) {
	if tools := root.list("tools"); len(tools) > 0 {
		text, _ := json.Marshal(tools) // it was JSON before
		p.tokens += textTokens(len(text))
	}
}

// addContent counts the parts of a content.
func (p *prompt) addContent(content object) {
	for _, part := range content.list("parts") {
		m, _ := part.(map[string]any)
		p.addPart(m)
	}
}

func (p *prompt) addPart(part object) {
	p.addSignature(part)
	if text, ok := part["text"].(string); ok {
		p.tokens += textTokens(len(text))
		for i := range len(text) {
			p.digest = (p.digest ^ uint64(text[i])) * 1099511628211 // FNV-1a
		}
		return
	}
	for _, name := range []string{"inlineData", "fileData"} {
		blob := part.object(name)
		if blob == nil {
			continue
		}
		kind, _ := blob.field("mimeType").(string)
		if uri, _ := blob.field("fileUri").(string); uri != "" {
			p.files = append(p.files, uri)
		}
		data, _ := blob["data"].(string)
		if strings.HasPrefix(kind, "audio/") {
			n := max(1, base64.StdEncoding.DecodedLen(len(data))/audioBytesPerToken)
			p.audio += n
			p.tokens += n
			return
		}
		p.image += tokensPerImage
		p.tokens += tokensPerImage
		return
	}
	text, _ := json.Marshal(part) // function calls and their results; it was JSON before
	p.tokens += textTokens(len(text))
}

// readEmbed reads the body of embedContent, batchEmbedContents and predict.
func readEmbed(c route, root object) (prompt, *Answer) {
	p := prompt{candidates: 1}
	requests := []any{map[string]any(root)}
	switch c.method {
	case batchEmbedContents:
		requests = root.list("requests")
	case predict:
		requests = root.list("instances")
		p.dimensions = root.object("parameters").number("outputDimensionality")
	default:
		p.dimensions = root.object("embedContentConfig").number("outputDimensionality")
	}
	for _, r := range requests {
		m, _ := r.(map[string]any)
		one := prompt{}
		if text, ok := m["content"].(string); ok {
			one.tokens = textTokens(len(text))
		} else {
			one.addContent(object(m).object("content"))
		}
		if one.tokens == 0 {
			return p, new(InvalidArgument("* EmbedContentRequest.content: contents is not specified\n"))
		}
		p.inputs = append(p.inputs, one.tokens)
		p.tokens += one.tokens
		if n := object(m).number("outputDimensionality"); n != 0 {
			p.dimensions = n
		}
	}
	switch {
	case len(requests) == 0:
		return p, new(InvalidArgument("* BatchEmbedContentsRequest.requests: requests is not specified\n"))
	case len(requests) > 250:
		return p, new(InvalidArgument("* BatchEmbedContentsRequest.requests: at most 250 requests can be in one batch\n"))
	case p.dimensions < 0 || p.dimensions > maxDimensions:
		return p, new(InvalidArgument("outputDimensionality must be from 1 to 3072."))
	}
	return p, nil
}

// textTokens is the size of a text, at least 1.
func textTokens(bytes int) int { return max(1, (bytes+bytesPerToken-1)/bytesPerToken) }
