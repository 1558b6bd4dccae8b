package wire

import (
	"bytes"
	"strings"
)

// Prompt is how large a call's prompt looks from its request, in tokens by kind of part. It is a first guess: how many Google counts
// for one of each differs by model, and usage tells.
type Prompt struct {
	Text     int64 // what is no media, schemas, tools and their results included; at least 1 where all else is 0
	Image    int64
	Audio    int64
	Video    int64 // with its sound
	Document int64 // PDF

	// Files that the request names and does not hold, so that their size is unknown. An image is none of them: all have about one size.
	AudioFiles    int64
	VideoFiles    int64
	DocumentFiles int64 // and those whose kind is unknown

	Cached bool // a cached content goes before the prompt
	Tools  bool // there are tools, whose results may be counted beside the prompt
}

// Prices in tokens of what is not text. Tokens per second and per page are documented at
// ai.google.dev/gemini-api/docs/tokens; how many bytes make a second or a page is our guess.
const (
	tokensPerImage = 258
	tokensPerPage  = 258
	tokensPerAudio = 32  // a second
	tokensPerVideo = 295 // a second: one frame and its sound

	bytesPerPage    = 50_000
	bytesPerRaw     = 32_000 // a second of 16 kHz, 16 bit speech
	bytesPerAudio   = 8_000  // a second of compressed speech, 64 kbit/s
	bytesPerVideo   = 250_000
	literalOverhead = 3 // quotes and colon of a key in schemas and tools, which count as text
)

// readBody takes from the body what the path does not say, and estimates the input. One pass over the bytes, without a
// tree: it knows the depth, the last key, and the parts of the object that it is in.
func (c *Call) readBody(body []byte) {
	if len(body) == 0 {
		return
	}
	if c.path.upload {
		c.Prompt.Text = 1 // the bytes of a file are nobody's prompt yet
		return
	}
	s := bodyScan{cursor: cursor{b: body}, call: c}
	if s.run() {
		c.Prompt.Text = (s.text + 3) / 4
		c.Prefix, c.Turns = s.opening.prefix(), s.opening.turns
	} else {
		c.Prompt = Prompt{Text: textQuarters(body) / 4}
	}
	if c.Prompt == (Prompt{Cached: c.Prompt.Cached, Tools: c.Prompt.Tools}) {
		c.Prompt.Text = 1
	}
}

type bodyScan struct {
	cursor
	call  *Call
	depth int
	text  int64 // quarters of a token

	opening opening

	// Below these depths all counts as text, keys too (schemas and tools), or nothing does (settings); 0 is off.
	literal, muted int

	// The object that the scan is in, as far as it may be a piece of media.
	mime []byte
	blob []byte // base64
	file file
}

// file is what an object says of a file that it names.
type file uint8

const (
	fileNone  file = iota
	fileNamed      // it may be a part of the prompt, if its kind is said
	filePart       // it is a part of the prompt
	fileVideo      // and a video: addresses of YouTube come without a kind
)

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
			if s.depth == 1 || s.depth == 2 {
				s.opening.begin(s)
			}
			s.depth++
			s.i++
		case '}', ']':
			if s.b[s.i] == '}' {
				s.price()
			}
			if s.depth--; s.depth < 0 {
				return false
			}
			if s.depth == 1 || s.depth == 2 {
				s.opening.end(s)
			}
			s.i++
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
		s.text += int64(len(key)) + literalOverhead
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
		s.call.Prompt.Tools = s.call.Prompt.Tools || string(key) == "tools"
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
	case "thoughtSignature", "thought_signature":
		return
	case "continuationToken", "continuation_token":
		if s.depth == 1 && len(value) > 0 {
			s.call.Continuation = continuation(value)
		}
		return
	case "fileSearchStoreNames", "file_search_store_names", "ragCorpus", "rag_corpus", "datastore", "engine":
		// These stand inside tools.
		if bytes.HasPrefix(value, []byte("fileSearchStores/")) || bytes.HasPrefix(value, []byte("projects/")) {
			s.call.names(newResource(unquote(value)))
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
	case "cachedContent", "cached_content":
		if len(value) > 0 {
			s.call.Prompt.Cached = true
			s.call.names(newResource(unquote(value)))
		}
	case "operationName", "operation_name":
		if len(value) > 0 {
			s.call.names(newResource(unquote(value)))
		}
	case "agent", "environment":
		if s.depth == 1 && len(value) > 0 && strings.HasPrefix(s.call.Method, "interactions.") {
			collection := string(s.key) + "s/"
			s.call.names(Resource{Name: collection + strings.TrimPrefix(unquote(value), collection), Perhaps: true})
		}
	case "previousInteractionId", "previous_interaction_id":
		if len(value) > 0 {
			s.call.names(Resource{Name: "interactions/" + unquote(value)})
		}
	case "fileUri", "file_uri", "fileName", "file_name", "uri":
		uri := unquote(value)
		switch {
		case isYouTube(uri):
			s.file = fileVideo
		case string(s.key) == "fileUri", string(s.key) == "file_uri":
			s.file = filePart
		default:
			s.file = fileNamed
		}
		if isFile(uri) {
			s.call.names(newResource(uri))
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
		s.text += int64(len(value))
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
	case "thinkingBudget", "thinking_budget":
		if n, ok := integer(value); ok {
			s.call.MaxThoughts, s.call.NoThoughts = max(s.call.MaxThoughts, tokens(n)), n == 0
		}
	case "background":
		s.call.background = s.call.background || s.depth == 1 && string(value) == "true"
	case "stream":
		if s.depth == 1 && string(value) == "true" {
			s.call.Stream, s.call.SSE = true, true
		}
	}
}

// price counts the media of the object that begins or ends here.
func (s *bodyScan) price() {
	switch {
	case s.blob != nil && s.mime == nil:
		s.countText(s.blob) // a "data" that is no media
	case s.blob != nil:
		s.media(int64(len(s.blob)) / 4 * 3)
	case s.file == fileVideo, s.file == filePart, s.file == fileNamed && s.mime != nil:
		s.reference()
	}
	s.blob, s.mime, s.file = nil, nil, fileNone
}

// media counts bytes that the request holds.
func (s *bodyScan) media(size int64) {
	p := &s.call.Prompt
	switch kind, sub, _ := bytes.Cut(s.mime, []byte("/")); {
	case bytes.EqualFold(kind, []byte("image")):
		p.Image += tokensPerImage
	case bytes.EqualFold(kind, []byte("audio")):
		p.Audio += tokensPerAudio * (1 + size/bytesPerSecond(sub))
	case bytes.EqualFold(kind, []byte("video")):
		p.Video += tokensPerVideo * (1 + size/bytesPerVideo)
	case bytes.EqualFold(s.mime, []byte("application/pdf")):
		p.Document += tokensPerPage * (1 + size/bytesPerPage)
	default:
		s.text += size
	}
}

// bytesPerSecond is how much of an audio format makes a second.
func bytesPerSecond(sub []byte) int64 {
	if len(sub) >= 3 && (bytes.EqualFold(sub[len(sub)-3:], []byte("wav")) || bytes.EqualFold(sub[:3], []byte("l16")) ||
		bytes.EqualFold(sub[:3], []byte("pcm"))) {
		return bytesPerRaw
	}
	return bytesPerAudio
}

// reference counts a file that the request names.
func (s *bodyScan) reference() {
	p := &s.call.Prompt
	switch kind, _, _ := bytes.Cut(s.mime, []byte("/")); {
	case s.file == fileVideo, bytes.EqualFold(kind, []byte("video")):
		p.VideoFiles++
	case bytes.EqualFold(kind, []byte("image")):
		p.Image += tokensPerImage
	case bytes.EqualFold(kind, []byte("audio")):
		p.AudioFiles++
	default:
		p.DocumentFiles++
	}
}

// isFile says whether a URI or a name is one of the Files API. gs:// and other addresses can be read from any project.
func isFile(uri string) bool {
	if strings.HasPrefix(uri, "files/") {
		return true
	}
	_, address, ok := strings.Cut(uri, "://")
	return ok && isVersion(segment(address, 1)) && segment(address, 2) == "files" && segment(address, 3) != ""
}

// isYouTube says whether an address is that of a video there, which the model watches.
func isYouTube(uri string) bool {
	_, address, _ := strings.Cut(uri, "://")
	host := strings.TrimPrefix(segment(address, 0), "www.")
	return host == "youtube.com" || host == "m.youtube.com" || host == "youtu.be"
}
