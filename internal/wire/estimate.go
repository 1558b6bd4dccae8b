package wire

import (
	"bytes"
	"strings"
)

// Prices in tokens of what is not text. Tokens per second and per page are documented at
// ai.google.dev/gemini-api/docs/tokens; how many bytes make a second or a page is our guess, usage corrects it.
const (
	tokensPerImage = 258
	tokensPerPage  = 258
	tokensPerAudio = 32  // a second
	tokensPerVideo = 295 // a second: one frame and its sound

	bytesPerPage    = 50_000
	bytesPerRaw     = 32_000 // a second of 16 kHz, 16 bit speech
	bytesPerAudio   = 8_000  // a second of compressed speech, 64 kbit/s
	bytesPerVideo   = 250_000
	bytesPerToken   = 4 // of text
	literalOverhead = 3 // quotes and colon of a key in schemas and tools, which count as text
)

// readBody takes from the body what the path does not say, and estimates the input. One pass over the bytes, without a
// tree: it knows the depth, the last key, and the parts of the object that it is in.
func (c *Call) readBody(body []byte) {
	if len(body) == 0 {
		return
	}
	c.InputTokens = 1
	if c.path.upload {
		return // the bytes of a file are nobody's prompt yet
	}
	s := bodyScan{cursor: cursor{b: body}, call: c}
	if !s.run() {
		c.InputTokens = max(1, len(body)/bytesPerToken)
		return
	}
	c.InputTokens = max(1, s.tokens+(s.text+bytesPerToken-1)/bytesPerToken)
}

type bodyScan struct {
	cursor
	call   *Call
	depth  int
	text   int // bytes
	tokens int

	// Below these depths all counts as text, keys too (schemas and tools), or nothing does (settings); 0 is off.
	literal, muted int

	// The object that the scan is in, as far as it may be a piece of media.
	mime []byte
	blob []byte // base64
	file bool   // a reference: its size is unknown
}

// run scans the body and says whether it was whole.
func (s *bodyScan) run() bool {
	if b := s.peek(); b != '{' && b != '[' {
		return false
	}
	for {
		switch s.peek() {
		case '"':
			text, ok := s.quoted()
			if !ok {
				return false
			}
			if s.peek() == ':' {
				s.i++
				s.name(text)
			} else {
				s.string(text)
			}
		case '{', '[':
			if s.b[s.i] == '{' {
				s.price()
			}
			s.depth++
			s.i++
		case '}', ']':
			if s.b[s.i] == '}' {
				s.price()
			}
			s.i++
			if s.depth--; s.depth < 0 {
				return false
			}
			if s.depth < s.literal {
				s.literal = 0
			}
			if s.depth < s.muted {
				s.muted = 0
			}
		case ',', ':':
			s.i++
		case 0:
			return s.depth == 0 && s.i == len(s.b)
		default:
			s.scalar(s.bare())
		}
	}
}

// name notes the key of the next value.
func (s *bodyScan) name(key []byte) {
	s.key = key
	if s.literal > 0 {
		s.text += len(key) + literalOverhead
		return
	}
	b := s.peek()
	if b != '{' && b != '[' {
		return
	}
	switch string(key) {
	case "tools", "functionCall", "function_call", "functionResponse", "function_response", "responseSchema",
		"response_schema", "responseJsonSchema", "response_json_schema", "_responseJsonSchema":
		s.literal = s.depth + 1
	case "generationConfig", "generation_config", "safetySettings", "safety_settings", "toolConfig", "tool_config",
		"labels":
		if s.muted == 0 {
			s.muted = s.depth + 1
		}
	}
}

// string takes a value.
func (s *bodyScan) string(value []byte) {
	switch string(s.key) {
	case "data", "bytesBase64Encoded", "bytes_base64_encoded":
		s.countText(s.blob)
		s.blob = value
		return
	case "mimeType", "mime_type":
		s.mime = value
		return
	case "thoughtSignature", "thought_signature", "continuationToken", "continuation_token":
		return
	case "fileSearchStoreNames", "file_search_store_names", "ragCorpus", "rag_corpus", "datastore", "engine":
		// These stand inside tools.
		if bytes.HasPrefix(value, []byte("fileSearchStores/")) || bytes.HasPrefix(value, []byte("projects/")) {
			s.resource(ResourceName(unquote(value)))
		}
	}
	if s.literal > 0 {
		s.countText(value)
		return
	}
	switch string(s.key) {
	case "model":
		if s.depth == 1 && s.call.Model == "" {
			s.call.Model = modelName(unquote(value))
		}
	case "role", "type":
	case "cachedContent", "cached_content", "operationName", "operation_name":
		if len(value) > 0 {
			s.resource(ResourceName(unquote(value)))
		}
	case "previousInteractionId", "previous_interaction_id":
		if len(value) > 0 {
			s.resource("interactions/" + unquote(value))
		}
	case "fileUri", "file_uri", "fileName", "file_name", "uri":
		s.file = true
		if uri := unquote(value); isFile(uri) {
			s.resource(ResourceName(uri))
		}
	default:
		if s.muted == 0 {
			s.countText(value)
		}
	}
}

// scalar takes a number, a boolean or null.
func (s *bodyScan) scalar(value []byte) {
	if s.literal > 0 {
		s.text += len(value)
		return
	}
	switch string(s.key) {
	case "maxOutputTokens", "max_output_tokens":
		if n, ok := integer(value); ok {
			s.call.MaxOutput = max(s.call.MaxOutput, tokens(n))
		}
	case "candidateCount", "candidate_count", "sampleCount":
		if n, ok := integer(value); ok {
			s.call.Candidates = max(s.call.Candidates, tokens(n))
		}
	case "stream":
		if s.depth == 1 && string(value) == "true" {
			s.call.Stream, s.call.SSE = true, true
		}
	}
}

// resource notes what the body names. It outranks a mere collection in the path: it has an owner.
func (s *bodyScan) resource(name string) {
	if !strings.Contains(s.call.Resource, "/") {
		s.call.Resource = name
	}
}

// price counts the media of the object that begins or ends here.
func (s *bodyScan) price() {
	switch {
	case s.blob != nil && s.mime == nil:
		s.countText(s.blob) // a "data" that is no media
	case s.blob != nil:
		s.tokens += mediaTokens(s.mime, len(s.blob)/4*3)
	case s.file:
		s.tokens += mediaTokens(s.mime, 1)
	}
	s.blob, s.mime, s.file = nil, nil, false
}

func mediaTokens(mime []byte, size int) int {
	kind, sub, _ := bytes.Cut(mime, []byte("/"))
	switch {
	case bytes.EqualFold(kind, []byte("image")):
		return tokensPerImage
	case bytes.EqualFold(kind, []byte("audio")):
		perSecond := bytesPerAudio
		if len(sub) >= 3 && (bytes.EqualFold(sub[len(sub)-3:], []byte("wav")) || bytes.EqualFold(sub[:3], []byte("l16")) ||
			bytes.EqualFold(sub[:3], []byte("pcm"))) {
			perSecond = bytesPerRaw
		}
		return tokensPerAudio * (1 + size/perSecond)
	case bytes.EqualFold(kind, []byte("video")):
		return tokensPerVideo * (1 + size/bytesPerVideo)
	case bytes.EqualFold(mime, []byte("application/pdf")):
		return tokensPerPage * (1 + size/bytesPerPage)
	}
	return size / bytesPerToken
}

// countText adds the length of a JSON string without its escapes.
func (s *bodyScan) countText(value []byte) {
	s.text += len(value)
	for {
		at := bytes.IndexByte(value, '\\')
		if at < 0 || at+1 >= len(value) {
			return
		}
		if r, n := escapedRune(value[at:]); n > 0 {
			s.text -= n - runeLen(r)
			value = value[at+n:]
			continue
		}
		s.text--
		value = value[at+2:]
	}
}

func runeLen(r rune) int {
	switch {
	case r < 0x80:
		return 1
	case r < 0x800:
		return 2
	case r < 0x10000:
		return 3
	}
	return 4
}

// isFile says whether a URI or a name is one of the Files API. gs:// and other addresses can be read from any project.
func isFile(uri string) bool {
	if strings.HasPrefix(uri, "files/") {
		return true
	}
	_, address, ok := strings.Cut(uri, "://")
	return ok && isVersion(segment(address, 1)) && segment(address, 2) == "files" && segment(address, 3) != ""
}
