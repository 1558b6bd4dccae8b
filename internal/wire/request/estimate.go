package request

import (
	"bytes"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/pool"
)

// literalOverhead is what a key in schemas and tools, which counts as text, has around it: quotes and
// a colon.
const literalOverhead = 3

// readBody reads from the body what the path does not say, and estimates the input. It makes one
// pass without a tree: it knows the depth, the last key, and the current object's media.
func (c *Call) readBody(body []byte) {
	if len(body) == 0 {
		return
	}
	if c.address.upload() {
		c.Estimate.Prompt.Text = 1 // the bytes of a file are not a prompt yet
		return
	}
	s := bodyScan{Scanner: jsonscan.New(body), call: c}
	if s.run() {
		c.Estimate.Prompt.Text = (s.text + 3) / 4
		c.Prefix, c.Turns = s.prefix.hash(), s.prefix.turns
	} else {
		c.Estimate.Prompt = pool.Prompt{Text: textQuarters(body) / 4}
	}
	if c.Estimate.Prompt == (pool.Prompt{Cached: c.Estimate.Prompt.Cached, Tools: c.Estimate.Prompt.Tools}) {
		c.Estimate.Prompt.Text = 1
	}
}

type bodyScan struct {
	jsonscan.Scanner
	call  *Call
	depth int
	text  int64  // quarters of a token
	top   []byte // the last key at depth 1

	prefix promptPrefix

	// Below the depth literal, all counts as text, keys too: schemas and tools. Below the depth
	// muted, nothing counts: settings. 0 is off.
	literal, muted int

	// The current object, as far as it may be a piece of media.
	mime []byte
	blob []byte // base64
	file file
}

// file is the role of a file that an object names.
type file uint8

const (
	fileNone  file = iota
	fileNamed      // a part of the prompt if its media type is given
	filePart       // a part of the prompt
	fileVideo      // a video in the prompt: YouTube addresses have no media type
)

// run scans the body and reports whether it is whole.
func (s *bodyScan) run() bool { //nolint:cyclop // one case for each token of JSON
	if b := s.Peek(); b != '{' && b != '[' {
		return false
	}
	for {
		switch s.Peek() {
		case '"':
			text, ok := s.Quoted()
			if !ok {
				return false
			}
			if s.Peek() == ':' {
				s.Pos++
				s.name(text)
			} else {
				s.string(text)
			}
		case '{', '[':
			if s.Data[s.Pos] == '{' {
				s.price()
			}
			if s.depth == 1 || s.depth == 2 {
				s.prefix.begin(s)
			}
			s.depth++
			s.Pos++
		case '}', ']':
			if s.Data[s.Pos] == '}' {
				s.price()
			}
			if s.depth--; s.depth < 0 {
				return false
			}
			if s.depth == 1 || s.depth == 2 {
				s.prefix.end(s)
			}
			s.Pos++
			if s.depth < s.literal {
				s.literal = 0
			}
			if s.depth < s.muted {
				s.muted = 0
			}
		case ',', ':':
			s.Pos++
		case 0:
			return s.depth == 0 && s.Pos == len(s.Data)
		default:
			s.scalar(s.Bare())
		}
	}
}

// name takes the key of the next value.
func (s *bodyScan) name(key []byte) {
	raw := key
	key = jsonscan.Unescape(raw)
	if s.Key = key; s.depth == 1 {
		s.top = key
		doubtKey(s.call, raw)
	}
	if (s.inTool() || s.depth == 1 && string(key) == "web_search_options") && s.Peek() == '{' {
		s.call.tool(key)
	}
	if s.literal > 0 {
		s.text += int64(len(key)) + literalOverhead
		return
	}
	b := s.Peek()
	if b != '{' && b != '[' {
		return
	}
	switch string(key) {
	case "tools", "functions", "functionCall", "function_call", "functionResponse", "function_response", "responseSchema",
		"response_schema", "responseJsonSchema", "response_json_schema", "_responseJsonSchema", "response_format":
		s.literal = s.depth + 1
		s.call.Estimate.Prompt.Tools = s.call.Estimate.Prompt.Tools || string(key) == "tools" || string(key) == "functions"
	case "generationConfig", "generation_config", "safetySettings", "safety_settings", "toolConfig", "tool_config",
		"labels":
		if s.muted == 0 {
			s.muted = s.depth + 1
		}
	}
}

// inTool reports whether the scan is at a member of one of the body's tools.
func (s *bodyScan) inTool() bool { return s.depth == 3 && s.prefix.within == partTools }

// string takes a value.
func (s *bodyScan) string(value []byte) {
	if s.inTool() && string(s.Key) == "type" {
		s.call.tool(value)
	}
	if bytes.HasPrefix(value, []byte("gs://")) {
		s.call.Use.Links = true
	}
	if s.special(value) {
		return
	}
	if s.literal > 0 {
		s.countText(value)
		return
	}
	switch string(s.Key) {
	case "model":
		if s.depth == 1 {
			mention(s.call, value)
		}
	case "encoding_format":
		s.call.Use.packed = s.depth == 1 && string(value) == "base64"
	case "role":
		s.prefix.role(s.depth, value)
	case "type":
	case "reasoning_effort":
		s.chatSetting(value)
	case "cachedContent", "cached_content", "operationName", "operation_name", "agent", "environment",
		"previousInteractionId", "previous_interaction_id":
		if len(value) > 0 {
			s.resource(jsonscan.Unquote(value))
		}
	case "fileUri", "file_uri", "fileName", "file_name", "uri":
		s.uri(jsonscan.Unquote(value))
	default:
		if s.muted == 0 {
			s.countText(value)
		}
	}
}

// special takes a value that is not text even inside tools. It also notes the resources in tools,
// whose names count as text.
func (s *bodyScan) special(value []byte) (done bool) {
	if s.prefix.within == partMessages && s.attached(value) {
		return true
	}
	switch string(s.Key) {
	case "data", "bytesBase64Encoded", "bytes_base64_encoded":
		s.countText(s.blob)
		s.blob = value
	case "mimeType", "mime_type":
		s.mime = value
	case "thoughtSignature", "thought_signature":
	case "serviceTier", "service_tier":
		if s.depth != 1 {
			return false
		}
		s.call.Use.tier = jsonscan.Unquote(value)
	case "continuationToken", "continuation_token":
		if s.depth == 1 && len(value) > 0 {
			s.call.Continuation = ContinuationName(value)
		}
	case "fileSearchStoreNames", "file_search_store_names", "ragCorpus", "rag_corpus", "datastore", "engine":
		if bytes.HasPrefix(value, []byte("fileSearchStores/")) || bytes.HasPrefix(value, []byte("projects/")) {
			s.call.names(newResource(jsonscan.Unquote(value)))
		}
		return false
	default:
		return false
	}
	return true
}

// resource notes a resource that the request names by the current key.
func (s *bodyScan) resource(name string) {
	switch key := string(s.Key); key {
	case "agent", "environment":
		if s.depth == 1 && strings.HasPrefix(s.call.Method, "interactions.") {
			s.call.names(Resource{Name: key + "s/" + strings.TrimPrefix(name, key+"s/"), Ambiguous: true})
		}
	case "previousInteractionId", "previous_interaction_id":
		s.call.names(Resource{Name: "interactions/" + name})
	default:
		s.call.Estimate.Prompt.Cached = s.call.Estimate.Prompt.Cached || strings.HasPrefix(key, "cached")
		s.call.names(newResource(name))
	}
}

// uri notes a file by its address or name.
func (s *bodyScan) uri(uri string) {
	s.call.Use.Links = true
	switch {
	case isYouTube(uri):
		s.file = fileVideo
	case string(s.Key) == "fileUri", string(s.Key) == "file_uri":
		s.file = filePart
	default:
		s.file = fileNamed
	}
	if IsFile(uri) {
		s.call.names(newResource(uri))
	}
}

// scalar takes a number, a boolean or null.
func (s *bodyScan) scalar(value []byte) {
	if s.depth == 1 && len(value) > 0 {
		doubtBare(s.call, value)
	}
	if s.literal > 0 {
		s.text += int64(len(value))
		return
	}
	switch string(s.Key) {
	case "maxOutputTokens", "max_output_tokens":
		if n, ok := jsonscan.Integer(value); ok {
			s.call.Estimate.MaxOutput = max(s.call.Estimate.MaxOutput, int64(jsonscan.Count(n)))
		}
	case "candidateCount", "candidate_count", "sampleCount":
		if n, ok := jsonscan.Integer(value); ok {
			s.call.Estimate.Candidates = max(s.call.Estimate.Candidates, int64(jsonscan.Count(n)))
		}
	case "thinkingBudget", "thinking_budget":
		if n, ok := jsonscan.Integer(value); ok {
			s.call.Estimate.MaxThoughts, s.call.Estimate.NoThoughts = max(s.call.Estimate.MaxThoughts, int64(jsonscan.Count(n))), n == 0
		}
	case "background":
		s.call.Use.background = s.call.Use.background || s.depth == 1 && string(value) == "true"
	case "stream":
		if s.depth == 1 && string(value) == "true" {
			s.call.Stream, s.call.SSE = true, true
		}
	default:
		s.chatSetting(value)
	}
}
