package translate

import (
	"bytes"
	"io"
	"slices"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Events reads a streamed response of the other back end in the caller's dialect, event by whole
// event. Events without a difference keep their bytes, errors among them, and so does what is left
// of a cut event. The returned reader is not safe for concurrent use.
func (t *Translation) Events(r io.Reader) io.Reader {
	if t.Call.Backend == t.from.Backend || !t.Call.Generates {
		return r
	}
	cites := func(events []byte) bool { return bytes.Contains(events, citationMetadata) }
	return &eventReader{sse: t.Call.SSE, concerns: cites, rewrite: t.citations, from: r}
}

// Events reads a streamed chat as its caller gets it, event by whole event. The returned reader is
// not safe for concurrent use.
func (c *Chat) Events(r io.Reader) io.Reader {
	return &eventReader{sse: true, last: true, concerns: c.concerns, rewrite: c.event, from: r}
}

// eventChunk is how much is read at once.
const eventChunk = 32 << 10

type eventReader struct {
	sse      bool
	feed     bool                        // a line feed that comes next belongs to an event that was taken out
	last     bool                        // a last event may lack its blank line
	concerns func(events []byte) bool    // whether one of them may have to be rewritten
	rewrite  func(payload []byte) []byte // nil takes the event out
	from     io.Reader
	lines    jsonscan.Lines
	array    jsonscan.Array
	chunk    []byte
	held     []byte // read, but not yet whole events
	ready    []byte // ready to be returned by Read
	buffer   []byte // holds ready
	err      error  // how from ended
}

func (e *eventReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(e.ready) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		e.more()
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// more reads on, and makes whole events ready, or at the end everything left.
func (e *eventReader) more() {
	if e.chunk == nil {
		e.chunk = make([]byte, eventChunk)
	}
	n, err := e.from.Read(e.chunk)
	e.held = append(e.held, e.chunk[:n]...)
	var pending int
	if e.sse {
		e.lines.Write(e.chunk[:n], func([]byte) {})
		pending = e.lines.Pending()
	} else {
		e.array.Write(e.chunk[:n], func([]byte) {})
		pending = e.array.Pending()
	}
	whole := max(len(e.held)-pending, 0)
	if pending > jsonscan.MaxEvent {
		whole = len(e.held) // too large to be held: it passes as it comes
	}
	e.buffer = jsonscan.Reuse(e.buffer)
	switch events := e.held[:whole]; {
	case !e.concerns(events):
		e.buffer = append(e.buffer, events...)
	case e.sse:
		e.translateLines(events)
	default:
		e.translateArray(events)
	}
	rest := copy(e.held, e.held[whole:])
	e.held = e.held[:rest]
	if e.err = err; err != nil {
		if e.last {
			e.translateLines(e.held)
		} else {
			e.buffer = append(e.buffer, e.held...)
		}
		e.held = nil
	}
	e.ready = e.buffer
}

// translateLines makes whole server-sent events ready.
func (e *eventReader) translateLines(events []byte) {
	if e.feed && len(events) > 0 {
		events, e.feed = bytes.TrimPrefix(events, []byte("\n")), false
	}
	for len(events) > 0 {
		event := events[:eventEnd(events)]
		events = events[len(event):]
		if e.concerns(event) {
			sent := event
			event = e.translateEvent(sent)
			e.feed = event == nil && bytes.HasSuffix(sent, []byte("\r"))
		}
		e.buffer = append(e.buffer, event...)
	}
}

var dataField = []byte("data: ")

// translateEvent returns an event in the caller's dialect.
func (e *eventReader) translateEvent(event []byte) []byte {
	var payload []byte
	n := 0
	note := func(data []byte) { payload, n = bytes.Clone(data), n+1 }
	var l jsonscan.Lines
	l.Write(event, note)
	l.Close(note)
	if n != 1 || payload == nil {
		return event
	}
	answer := e.rewrite(payload)
	switch {
	case answer == nil:
		return nil
	case bytes.Equal(answer, payload):
		return event
	}
	if before, after, ok := bytes.Cut(event, payload); ok {
		if !bytes.Contains(before, []byte("data:")) && !bytes.Contains(answer, []byte("\n")) {
			before = append(slices.Clip(before), dataField...) // Google sent it bare
		}
		return append(append(slices.Clip(before), answer...), after...)
	}
	// The data of the event is on several lines.
	end := event[len(bytes.TrimRight(event, "\r\n")):]
	eol := "\n"
	if bytes.Contains(event, []byte("\r\n")) {
		eol = "\r\n"
	}
	answer = bytes.ReplaceAll(answer, []byte("\n"), []byte(eol+"data: "))
	return append(append([]byte("data: "), answer...), end...)
}

// eventEnd returns the length of the first event with its blank line, or of all events if none has
// one.
func eventEnd(events []byte) int {
	end := len(events)
	if i := bytes.Index(events, []byte("\n\n")); i >= 0 {
		end = i + 2
	}
	if i := bytes.Index(events[:end], []byte("\r\n\r\n")); i >= 0 {
		end = i + 4
	}
	return end
}

// translateArray makes whole elements of a JSON array ready, with the bytes between them.
func (e *eventReader) translateArray(elements []byte) {
	c := jsonscan.New(elements)
	from := 0
	for c.Peek() != 0 {
		if c.Data[c.Pos] != '{' {
			c.Pos++
			continue
		}
		e.buffer = append(e.buffer, elements[from:c.Pos]...)
		e.buffer = append(e.buffer, e.rewrite(c.Raw())...)
		from = c.Pos
	}
	e.buffer = append(e.buffer, elements[from:]...)
}
