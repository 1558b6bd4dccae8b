package stream

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
	"github.com/spillway-go/spillway/internal/wire/request"
)

// maxFailure bounds what is kept of an error event.
const maxFailure = 1 << 20

// Stream follows a streamed answer while its bytes are passed on untouched. It may be fed in pieces cut anywhere; what it
// says does not depend on the cuts. Server-sent events are read as the WHATWG's standard says, with two more forms that
// Google sends: a bare JSON object without "data:", and a last event without its blank line.
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

// NewStream follows server-sent events, or else a JSON array of answers.
func New(sse bool) *Stream {
	return &Stream{sse: sse}
}

// Write reads on. It never fails, and never keeps p.
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

// Close ends the stream: a last event without its blank line counts if it is whole. What is written afterwards is ignored.
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

// Cut says, after Close, whether the stream ended in the middle of an event. That event does not count.
func (s *Stream) Cut() bool { return s.cut }

// Events is the number of events with data, or of elements of the array.
func (s *Stream) Events() int { return s.events }

// Content says whether an event with candidates or promptFeedback was seen.
func (s *Stream) Content() bool { return s.content }

// Finished says whether a finishReason, or a blockReason of promptFeedback, was seen. A stream that ends without one
// was cut.
func (s *Stream) Finished() bool { return s.finished }

// Failure is the payload of the first error event, as Judge takes it; nil if there was none.
func (s *Stream) Failure() []byte { return s.failure }

// FailureFirst says whether that error came before any content.
func (s *Stream) FailureFirst() bool { return s.failure != nil && s.first }

// Usage is what the events said so far: the last counts, the last traffic.
func (s *Stream) Usage() Usage { return s.usage }

// Continuation is a name for the last continuationToken, with which whoever asks for more says where the answer goes on; "" if there was
// none.
func (s *Stream) Continuation() string { return s.continuation }

// Pending is the number of bytes, at the end of what was written, of an event that is not complete yet. One who forwards
// a stream and holds these back never hands on half an event.
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

// FaultEvent is Google's own error event, in the bytes that have to follow what was written to s (but for what was
// dropped) so that a reader takes it for an event of its own. An event that was cut in the middle of its JSON and
// forwarded fails its reader before this one is reached: hold back what is pending, and Drop it. It is nil where a JSON
// array has ended, or was cut within an element that was not dropped: nothing can follow these.
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

// event reads one event. A nil payload is one too large to look into; nothing but content is as large.
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

// answer reads the GenerateContentResponse, or the error, that comes next; it says whether it is an error.
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

// named says whether an enum was set: "…_UNSPECIFIED" is protobuf's word for absent.
func named(value []byte) bool {
	return len(value) > 0 && !bytes.HasSuffix(value, []byte("_UNSPECIFIED"))
}
