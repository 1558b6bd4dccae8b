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

// Stream follows a streamed response while its bytes pass unchanged. It may be fed in pieces cut
// anywhere, and its results do not depend on the cuts. It reads server-sent events as the WHATWG's
// standard says. It also reads two more forms that Google sends: a bare JSON object without
// "data:", and a last event without its blank line.
//
// A Stream is not safe for concurrent use.
type Stream struct {
	sse bool
	// One of the two is in use.
	lines jsonscan.Lines
	array jsonscan.Array

	events   int
	content  bool
	finished bool
	failure  []byte
	first    bool
	usage    Usage
	closed   bool
	cut      bool

	continuation string
}

// New returns a Stream of server-sent events, or else of a JSON array.
func New(sse bool) *Stream {
	return &Stream{sse: sse}
}

// Write reads p. It never fails, and never keeps p.
func (s *Stream) Write(p []byte) (int, error) {
	if s.closed {
		return len(p), nil
	}
	if s.sse {
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
	if s.sse {
		s.cut = s.lines.Close(s.event)
	} else {
		s.cut = s.array.Close()
	}
}

// Cut reports, after Close, whether the stream ended in the middle of an event. Such an event does
// not count.
func (s *Stream) Cut() bool { return s.cut }

// Events is the number of events with data, or of elements of the array.
func (s *Stream) Events() int { return s.events }

// Content reports whether an event had candidates or promptFeedback.
func (s *Stream) Content() bool { return s.content }

// Finished reports whether an event had a finishReason, or promptFeedback a blockReason. A stream
// that ends without one was cut.
func (s *Stream) Finished() bool { return s.finished }

// Failure returns the payload of the first error event, nil if there was none.
func (s *Stream) Failure() []byte { return s.failure }

// FailureFirst reports whether the error came before any content.
func (s *Stream) FailureFirst() bool { return s.failure != nil && s.first }

// Usage returns the usage so far: the last counts, the last traffic type.
func (s *Stream) Usage() Usage { return s.usage }

// Continuation returns a name for the last continuationToken, as [Continuation] does.
func (s *Stream) Continuation() string { return s.continuation }

// Pending returns the number of bytes at the end that belong to an incomplete event. A forwarder
// that holds them back never sends half an event.
func (s *Stream) Pending() int {
	if s.sse {
		return s.lines.Pending()
	}
	return s.array.Pending()
}

// Drop forgets the pending bytes: they were not forwarded and will not be.
func (s *Stream) Drop() {
	if s.sse {
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
	if s.sse {
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
	s.events++
	if payload == nil {
		s.content = true
		return
	}
	c := jsonscan.New(payload)
	failed := false
	if c.Enter('[') {
		for c.Element() {
			failed = s.answer(&c) || failed
		}
	} else {
		failed = s.answer(&c)
	}
	if failed && s.failure == nil {
		s.failure = bytes.Clone(payload[:min(len(payload), maxFailure)])
		s.first = !s.content
	}
}

// answer reads the next GenerateContentResponse or error, and reports whether it is an error.
func (s *Stream) answer(c *jsonscan.Scanner) (failed bool) {
	if !c.Enter('{') {
		return false
	}
	content, finished := false, false
	for c.Member() {
		switch string(c.Key) {
		case "candidates":
			if !c.Enter('[') {
				continue
			}
			for c.Element() {
				content = true
				finished = s.candidate(c) || finished
			}
		case "promptFeedback", "prompt_feedback":
			if !c.Enter('{') {
				continue
			}
			content = true
			for c.Member() {
				switch string(c.Key) {
				case "blockReason", "block_reason":
					finished = named(c.Text()) || finished
				}
			}
		case "usageMetadata", "usage_metadata":
			s.usage.read(c)
		case "error":
			failed = c.Peek() == '{' || failed
		}
	}
	if failed {
		return true
	}
	s.content = s.content || content
	s.finished = s.finished || finished
	return false
}

func (s *Stream) candidate(c *jsonscan.Scanner) (finished bool) {
	if !c.Enter('{') {
		return false
	}
	for c.Member() {
		switch string(c.Key) {
		case "finishReason", "finish_reason":
			finished = named(c.Text()) || finished
		case "continuationToken", "continuation_token":
			if token := c.Text(); len(token) > 0 {
				s.continuation = request.ContinuationName(token)
			}
		}
	}
	return finished
}

// named reports whether an enum was set: "…_UNSPECIFIED" is protobuf's word for absent.
func named(value []byte) bool {
	return len(value) > 0 && !bytes.HasSuffix(value, []byte("_UNSPECIFIED"))
}
