// Package stream reads good responses, whole or in pieces: their usage, their end, and the errors
// inside them.
package stream

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
)

// maxFailure bounds the size of a kept error event.
const maxFailure = 1 << 20

// Dialect says what the events of a stream are.
type Dialect uint8

const (
	Gemini Dialect = iota // each is a GenerateContentResponse
	OpenAI                // each is a chunk of a completion, and the last one is [DONE]
	Other                 // only errors among them are understood
)

// Form says how a response is read.
type Form struct {
	SSE     bool // server-sent events, else elements of a JSON array
	Dialect Dialect
	// Model is the model that was asked for.
	Model string
	// Plain events are content, all of them: a field mask has left out what content is known by.
	Plain bool
	// Endless responses have no finishReason, because a field mask has left it out.
	Endless bool
	// Signed responses are read for the thought signatures in them.
	Signed bool
}

// Stream follows a streamed response while its bytes pass unchanged. It may be fed in pieces cut
// anywhere, and its results do not depend on the cuts. It reads server-sent events as the WHATWG's
// standard says. It also reads two more forms that Google sends: a bare JSON object without
// "data:", and a last event without its blank line.
//
// A Stream is not safe for concurrent use.
type Stream struct {
	form Form
	// One of the two is in use.
	lines jsonscan.Lines
	array jsonscan.Array

	at progress

	failure      []byte
	first        bool
	usage        Usage
	closed       bool
	cut          bool
	continuation string
	signatures   []string
	strange      bool // an event was none of a model's
}

// progress is how far a response has come.
type progress struct {
	events     int
	known      bool   // an event had a field that Google's have
	content    bool   // an event had content
	said       bool   // it was more than a reason for the end
	candidates bool   // an event had candidates
	blocked    bool   // the prompt was blocked
	done       bool   // OpenAI's last event came
	unfinished uint64 // a bit for each candidate whose last piece has no finishReason
	otherwise  bool   // a candidate ended for another reason than that it was done
}

// New returns a Stream of a form.
func New(f Form) *Stream {
	return &Stream{form: f}
}

// Whole reads a whole response: an object, or an array of them.
func Whole(f Form, body []byte) (s Stream) {
	s.form = f
	s.event(body)
	return s
}

// Write reads p. It never fails, and never keeps p.
func (s *Stream) Write(p []byte) (int, error) {
	if s.closed {
		return len(p), nil
	}
	if s.form.SSE {
		s.lines.Write(p, s.event)
	} else {
		s.array.Write(p, s.event)
	}
	return len(p), nil
}

// Close ends the stream: a whole last event counts even without its blank line. Later writes are
// ignored.
func (s *Stream) Close() {
	if s.closed {
		return
	}
	s.closed = true
	if s.form.SSE {
		s.cut = s.lines.Close(s.event)
	} else {
		s.cut = s.array.Close()
	}
	if s.form.Dialect == Other {
		s.cut = false // nobody knows how its events end
	}
}

// Opaque reports whether only the caller understands the stream: nothing can be added to it.
func (s *Stream) Opaque() bool { return s.form.Dialect == Other }

// Cut reports, after Close, whether the stream ended in the middle of an event. Such an event does
// not count.
func (s *Stream) Cut() bool { return s.cut }

// Events is the number of events with data, or of elements of the array.
func (s *Stream) Events() int { return s.at.events }

// Content reports whether an event had content: text, a call, data, or a reason for the end. A role
// or an empty text is none.
func (s *Stream) Content() bool { return s.at.content }

// Finished reports whether each candidate's last piece has a finishReason, or the prompt was
// blocked. Some models give a finishReason before a tool runs and go on, or in every piece. A stream
// that ends without one was cut.
func (s *Stream) Finished() bool {
	switch {
	case s.at.blocked, s.at.done:
		return true
	case s.form.Endless, s.form.Dialect == Other, s.form.Dialect == OpenAI && !s.at.candidates:
		return s.at.known
	default:
		return s.at.candidates && s.at.unfinished == 0
	}
}

// Ended reports whether nothing can follow: the end of a JSON array came, or OpenAI's last event. Other
// server-sent events have no such end.
func (s *Stream) Ended() bool { return s.at.done || !s.form.SSE && s.array.Done() }

// Known reports whether an event had a field that Google's events have.
func (s *Stream) Known() bool { return s.at.known }

// Empty reports whether the stream is Google's, but has no candidates and no error.
func (s *Stream) Empty() bool {
	return s.at.known && !s.at.content && !s.at.candidates && s.failure == nil
}

// Failure returns the payload of the first error event, nil if there was none.
func (s *Stream) Failure() []byte { return s.failure }

// FailureFirst reports whether the error came before any content.
func (s *Stream) FailureFirst() bool { return s.failure != nil && s.first }

// Strange reports whether something came that no model has generated: an error, a comment, the page
// of a proxy.
func (s *Stream) Strange() bool { return s.strange || s.lines.Strange() || s.array.Strange() }

// Usage returns the usage so far: the last counts, the last traffic type.
func (s *Stream) Usage() Usage { return s.usage }

// Continuation returns a name for the last continuationToken, in the form of
// [request.Call.Continuation]; "" if there is none.
func (s *Stream) Continuation() string { return s.continuation }

// Signatures returns names for the thought signatures since the last time it was asked, as
// [request.SignatureName] makes them.
func (s *Stream) Signatures() []string {
	found := s.signatures
	s.signatures = nil
	return found
}

// Pending returns the number of bytes at the end that belong to an incomplete event. A forwarder
// that holds them back never sends half an event.
func (s *Stream) Pending() int {
	if s.form.SSE {
		return s.lines.Pending()
	}
	return s.array.Pending()
}

// Drop forgets the pending bytes: they were not forwarded and will not be.
func (s *Stream) Drop() {
	if s.form.SSE {
		s.lines.Drop()
	} else {
		s.array.Drop()
	}
}

// ErrorEvent returns body, an error in Google's own shape, as an event that can follow the bytes so
// far without the dropped ones. If an event was forwarded in part, its reader fails before it
// reaches this one. So hold back the pending bytes, and Drop them.
//
// The result is nil if nothing can follow: a JSON array has ended, or was cut inside an element
// that was not dropped.
func (s *Stream) ErrorEvent(body []byte) []byte {
	if s.form.SSE {
		before, eol := s.lines.BreakOff()
		return append(append([]byte(before+"data: "), body...), eol+eol...)
	}
	before, end, ok := s.array.BreakOff()
	if !ok {
		return nil
	}
	return append(append([]byte(before), body...), end...)
}

// event reads one event. A nil payload is too large to read; only content is as large.
func (s *Stream) event(payload []byte) {
	s.at.events++
	if payload == nil {
		s.at.content, s.at.known = true, true
		return
	}
	c := jsonscan.New(payload)
	failed := false
	switch {
	case s.form.Dialect == OpenAI && string(bytes.TrimSpace(payload)) == "[DONE]":
		s.at.done, s.at.known = true, true
	case c.Enter('['):
		for c.Element() {
			failed = s.answer(&c) || failed
		}
	default:
		failed = s.answer(&c)
	}
	if failed && s.failure == nil {
		s.failure = bytes.Clone(payload[:min(len(payload), maxFailure)])
		s.first = !s.at.content
	}
}

// answer reads the next response or error, and reports whether it is an error. An error says
// nothing else.
func (s *Stream) answer(c *jsonscan.Scanner) (failed bool) {
	if !c.Enter('{') {
		s.strange = true
		return false
	}
	next := s.at
	next.known = s.form.Plain || s.form.Dialect == Other
	for c.Member() {
		switch {
		case string(c.Key) == "error":
			failed = c.Peek() == '{' || failed
		case s.form.Dialect == Gemini:
			s.member(c, &next)
		case s.form.Dialect == OpenAI:
			chunk{c, s, &next}.member()
		}
	}
	s.strange = s.strange || failed || !next.known
	if failed {
		return true
	}
	// What only its caller understands is content.
	strange := s.form.Plain || s.form.Dialect == Other || s.form.Dialect == OpenAI && !next.known
	next.content = next.content || strange
	next.known = next.known || next.content || s.at.known
	s.at = next
	return false
}

// member reads a member of a GenerateContentResponse.
func (s *Stream) member(c *jsonscan.Scanner, next *progress) {
	switch string(c.Key) {
	case "candidates":
		next.known = true
		if !c.Enter('[') {
			return
		}
		for c.Element() {
			next.candidates = true
			s.candidate(c, next)
		}
	case "promptFeedback", "prompt_feedback":
		next.known = true
		if !c.Enter('{') {
			return
		}
		for c.Member() {
			switch string(c.Key) {
			case "blockReason", "block_reason":
				next.blocked = named(c.Text()) || next.blocked
			}
		}
		next.content = next.content || next.blocked
	case "usageMetadata", "usage_metadata":
		next.known = true
		s.usage.read(c)
	case "modelVersion", "model_version":
		next.known = true
		s.usage.served(c, s.form.Model)
	case "responseId", "response_id", "createTime", "create_time",
		"modelStatus", "model_status":
		next.known = true
	}
}

// candidate reads the next candidate.
func (s *Stream) candidate(c *jsonscan.Scanner, next *progress) {
	if !c.Enter('{') {
		return
	}
	finished, index := false, int64(0)
	for c.Member() {
		switch string(c.Key) {
		case "content":
			if !next.said || s.form.Signed {
				s.parts(c, next)
			}
		case "index":
			index, _ = c.Number()
		case "finishReason", "finish_reason":
			reason := c.Text()
			finished = named(reason) || finished
			next.otherwise = next.otherwise || named(reason) && !stops(reason)
		case "continuationToken", "continuation_token":
			if token := c.Text(); len(token) > 0 {
				s.continuation = request.ContinuationName(token)
			}
		}
	}
	next.end(index, finished)
}

// says notes a piece of content.
func (p *progress) says(value []byte) {
	if !p.said && filled(value) {
		p.content, p.said = true, true
	}
}

// end notes whether a piece is the last one of its candidate.
func (p *progress) end(index int64, finished bool) {
	bit := uint64(1) << max(0, min(index, 63))
	if finished {
		p.unfinished &^= bit
		p.content = true
	} else {
		p.unfinished |= bit
	}
}

// named reports whether an enum was set, by its name or its number: "…_UNSPECIFIED" and 0 are
// protobuf's words for absent.
func named(value []byte) bool {
	return len(value) > 0 && !bytes.HasSuffix(value, []byte("_UNSPECIFIED")) && string(value) != "0"
}
