package stream

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
)

// chunk is the reading of OpenAI's chunk, of a whole completion, or of embeddings.
type chunk struct {
	*jsonscan.Scanner
	stream *Stream
	next   *progress
}

// member reads a member of a chunk.
func (c chunk) member() {
	s, next := c.stream, c.next
	switch string(c.Key) {
	case "choices":
		next.known = true
		if !c.Enter('[') {
			return
		}
		for c.Element() {
			next.candidates = true
			c.choice()
		}
	case "usage":
		next.known = true
		s.usage.charge(c.Scanner)
	case "model":
		next.known = true
		s.usage.serve(bytes.TrimPrefix(bytes.TrimPrefix(c.Text(), []byte("google/")), []byte("models/")), s.form.Model)
	case "id", "object", "created", "data":
		next.known = true
	}
}

// choice reads the next choice.
func (c chunk) choice() {
	if !c.Enter('{') {
		return
	}
	finished, index := false, int64(0)
	for c.Member() {
		switch string(c.Key) {
		case "delta", "message":
			c.message()
		case "text":
			c.next.says(c.Raw())
		case "index":
			index, _ = c.Number()
		case "finish_reason":
			reason := c.Text()
			finished = len(reason) > 0 || finished
			c.next.otherwise = c.next.otherwise || len(reason) > 0 && string(reason) != "stop"
		}
	}
	c.next.end(index, finished)
}

// message reads the next message, or a piece of one.
func (c chunk) message() {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		switch string(c.Key) {
		case "role":
		case "extra_content":
			c.signed()
		case "tool_calls":
			value := c.Raw()
			c.next.says(value)
			if c.stream.form.Signed {
				jsonscan.Each(value, func(call []byte) {
					for inner := jsonscan.Object(call); inner.Member(); {
						if string(inner.Key) == "extra_content" {
							chunk{&inner, c.stream, c.next}.signed()
						}
					}
				})
			}
		default:
			c.next.says(c.Raw())
		}
	}
}

// signed reads the thought signature in the next extra_content: below "google".
func (c chunk) signed() {
	if !c.stream.form.Signed || !c.Enter('{') {
		return
	}
	for c.Member() {
		switch string(c.Key) {
		case "google":
			c.signed()
		case "thought_signature":
			if signature := c.Text(); len(signature) > 0 {
				c.stream.signatures = append(c.stream.signatures, request.SignatureName(signature))
			}
		}
	}
}

// Charge reads a usage of OpenAI's dialect that was taken out of a stream.
func Charge(s *Stream, usage []byte) {
	c := jsonscan.New(usage)
	s.usage.charge(&c)
}

// charge reads the next usage of OpenAI's dialect. Its total counts all that is billed; completion
// tokens leave thoughts out, which only Vertex AI names.
func (u *Usage) charge(c *jsonscan.Scanner) {
	if !c.Enter('{') {
		return
	}
	next := Usage{Traffic: u.Traffic, Served: u.Served}
	for c.Member() {
		switch string(c.Key) {
		case "prompt_tokens":
			next.count(&next.Prompt, c)
		case "completion_tokens":
			next.count(&next.Output, c)
		case "total_tokens":
			next.count(&next.Total, c)
		case "prompt_tokens_details":
			next.details(c, "cached_tokens", &next.Cached, &next.PromptDetails.Audio)
		case "completion_tokens_details":
			next.details(c, "reasoning_tokens", &next.Thoughts, &next.OutputDetails.Audio)
		case "extra_properties":
			next.properties(c)
		}
	}
	if !next.Known {
		u.Traffic = next.Traffic
		return
	}
	if billed := next.Total - next.Prompt; billed > next.Output {
		next.Thoughts = max(next.Thoughts, billed-next.Output)
		next.Output = max(billed-next.Thoughts, 0)
	} else {
		next.Output = max(next.Output-next.Thoughts, 0) // as OpenAI counts
	}
	*u = next
}

// details reads the parts of a count: one by its name, and the audio in it.
func (u *Usage) details(c *jsonscan.Scanner, name string, part *int, audio *int64) {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		switch string(c.Key) {
		case name:
			u.count(part, c)
		case "audio_tokens":
			n, _ := c.Number()
			*audio = int64(jsonscan.Count(n))
		}
	}
}

// properties reads what Google adds to a usage, below "google".
func (u *Usage) properties(c *jsonscan.Scanner) {
	if !c.Enter('{') {
		return
	}
	for c.Member() {
		switch string(c.Key) {
		case "google":
			u.properties(c)
		case "traffic_type":
			if t := c.Text(); len(t) > 0 {
				u.Traffic = traffic(t)
			}
		}
	}
}
