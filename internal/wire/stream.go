package wire

import "bytes"

// maxEvent is the largest event that is looked into. Images come as one event of up to 20 MB.
const maxEvent = 32 << 20

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
	lines lines
	array array

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
func NewStream(sse bool) *Stream {
	return &Stream{sse: sse}
}

// Write reads on. It never fails, and never keeps p.
func (s *Stream) Write(p []byte) (int, error) {
	if s.closed {
		return len(p), nil
	}
	if s.sse {
		s.lines.write(p, s.event)
	} else {
		s.array.write(p, s.event)
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
		s.cut = s.lines.close(s.event)
	} else {
		s.cut = s.array.depth > 0
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
		return s.lines.pending
	}
	return s.array.pending
}

// Drop forgets the pending bytes: they were not forwarded and will not be.
func (s *Stream) Drop() {
	if s.sse {
		s.lines.drop()
	} else {
		s.array.drop()
	}
}

// event reads one event. A nil payload is one too large to look into; nothing but content is as large.
func (s *Stream) event(payload []byte) {
	s.events++
	if payload == nil {
		s.content = true
		return
	}
	c := cursor{b: payload}
	failed := false
	if c.enter('[') {
		for c.element() {
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
func (s *Stream) answer(c *cursor) (failed bool) {
	if !c.enter('{') {
		return false
	}
	content, finished := false, false
	for c.member() {
		switch string(c.key) {
		case "candidates":
			if !c.enter('[') {
				continue
			}
			for c.element() {
				content = true
				finished = s.candidate(c) || finished
			}
		case "promptFeedback", "prompt_feedback":
			if !c.enter('{') {
				continue
			}
			content = true
			for c.member() {
				switch string(c.key) {
				case "blockReason", "block_reason":
					finished = named(c.text()) || finished
				}
			}
		case "usageMetadata", "usage_metadata":
			s.usage.read(c)
		case "error":
			failed = c.peek() == '{' || failed
		}
	}
	if failed {
		return true
	}
	s.content = s.content || content
	s.finished = s.finished || finished
	return false
}

func (s *Stream) candidate(c *cursor) (finished bool) {
	if !c.enter('{') {
		return false
	}
	for c.member() {
		switch string(c.key) {
		case "finishReason", "finish_reason":
			finished = named(c.text()) || finished
		case "continuationToken", "continuation_token":
			if token := c.text(); len(token) > 0 {
				s.continuation = continuation(token)
			}
		}
	}
	return finished
}

// named says whether an enum was set: "…_UNSPECIFIED" is protobuf's word for absent.
func named(value []byte) bool {
	return len(value) > 0 && !bytes.HasSuffix(value, []byte("_UNSPECIFIED"))
}
