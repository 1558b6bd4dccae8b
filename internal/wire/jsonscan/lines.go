package jsonscan

import (
	"bytes"
	"encoding/json"
)

// Lines cuts a byte stream into server-sent events. It follows "Parsing an event stream" and
// "Interpreting an event stream" of https://html.spec.whatwg.org/multipage/server-sent-events.html.
type Lines struct {
	partial []byte // a line without its end
	data    []byte // the data lines of the event so far, joined by line feeds
	borrows bool   // data is a part of the bytes that are being written
	buffer  []byte // for data, while data borrows
	some    bool   // the event has data
	bare    bool   // the event is JSON without "data:"
	huge    bool   // the event is larger than MaxEvent; its bytes are not kept

	started bool // the place of a byte order mark has passed
	cr      bool // the last byte was a CR: an LF would belong to it
	crlf    bool // lines end with CR LF
	waiting int
	lineful bool // the last line has begun and not ended
	strange bool // a line was no data
}

// enoughOfLine is how much is kept of each line of a huge event: it tells a data line from a
// comment.
const enoughOfLine = 8

var byteOrderMark = []byte("\xef\xbb\xbf")

// TrimByteOrderMark returns b without a byte order mark at its front.
func TrimByteOrderMark(b []byte) []byte { return bytes.TrimPrefix(b, byteOrderMark) }

func (l *Lines) Write(p []byte, event func([]byte)) {
	at, feed := 0, -1 // feed is the next LF; searching again at each CR would be quadratic
	for at < len(p) {
		if l.cr {
			l.cr = false
			if l.crlf = p[at] == '\n'; l.crlf {
				if l.waiting > 0 {
					l.waiting++
				}
				at++
				continue
			}
		}
		if feed < at {
			if feed = bytes.IndexByte(p[at:], '\n'); feed < 0 {
				feed = len(p)
			} else {
				feed += at
			}
		}
		end := feed
		if r := bytes.IndexByte(p[at:feed], '\r'); r >= 0 {
			end = at + r
		}
		if end == len(p) {
			l.waiting += len(p) - at
			l.lineful = true
			l.keep(p[at:])
			break
		}
		if l.cr = p[end] == '\r'; !l.cr {
			l.crlf = false
		}
		l.waiting += end + 1 - at
		l.lineful = false
		if len(l.partial) > 0 {
			l.keep(p[at:end])
			l.line(l.partial, false, event)
			l.partial = Reuse(l.partial)
		} else {
			l.line(p[at:end], true, event)
		}
		at = end + 1
	}
	l.own()
}

// own moves borrowed data into the buffer.
func (l *Lines) own() {
	if l.borrows {
		l.data = append(l.buffer[:0], l.data...)
		l.borrows = false
	}
}

// keep stores a piece of a line until the line ends.
func (l *Lines) keep(p []byte) {
	if !l.huge && len(l.partial)+len(l.data)+len(p) > MaxEvent {
		l.huge = true
		l.data = nil
		l.partial = bytes.Clone(l.partial[:min(len(l.partial), enoughOfLine)])
	}
	if l.huge {
		p = p[:max(0, min(len(p), enoughOfLine-len(l.partial)))]
	}
	l.partial = append(l.partial, p...)
}

// line takes one whole line. A lasting line stays valid until the end of the write.
func (l *Lines) line(line []byte, lasting bool, event func([]byte)) {
	if !l.started {
		l.started = true
		line = TrimByteOrderMark(line)
	}
	if len(line) == 0 {
		l.dispatch(event)
		return
	}
	if l.bare || !l.some && (line[0] == '{' || line[0] == '[') {
		l.bare = true
		l.add(line, lasting)
		return
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	if string(field) == "data" {
		l.add(bytes.TrimPrefix(value, []byte(" ")), lasting)
		return
	}
	l.strange = true
}

// Strange reports whether there was a line that is no data, such as a comment.
func (l *Lines) Strange() bool { return l.strange }

func (l *Lines) add(value []byte, lasting bool) {
	switch {
	case l.huge || len(l.data)+len(value) > MaxEvent:
		l.huge, l.data, l.borrows = true, nil, false
	case !l.some && lasting:
		l.data, l.borrows = value, true
	case l.some:
		l.own()
		l.data = append(append(l.data, '\n'), value...)
	default:
		l.data = append(l.data, value...)
	}
	l.some = true
}

// dispatch ends the event at a blank line.
func (l *Lines) dispatch(event func([]byte)) {
	switch {
	case l.some && l.huge:
		event(nil)
	case l.some && len(l.data) == 0:
		event([]byte{})
	case l.some:
		event(l.data)
	}
	l.clear()
}

func (l *Lines) clear() {
	if !l.borrows {
		l.buffer = Reuse(l.data)
	}
	l.data, l.partial = l.buffer, Reuse(l.partial)
	l.borrows, l.some, l.bare, l.huge, l.lineful = false, false, false, false, false
	l.waiting = 0
}

// Close takes the last line and the last event although nothing ends them. It reports whether the
// last event was cut; a cut event does not count.
func (l *Lines) Close(event func([]byte)) (cut bool) {
	if len(l.partial) > 0 {
		l.line(l.partial, true, event)
		l.partial = nil
	}
	if !l.some {
		return false
	}
	if l.huge || !json.Valid(l.data) && string(bytes.TrimSpace(l.data)) != "[DONE]" {
		return true
	}
	waiting, lineful := l.waiting, l.lineful
	l.dispatch(event)
	// An event written by Spillway must still be set off from this one.
	l.waiting, l.lineful = waiting, lineful
	return false
}

// Pending is the number of bytes of an event whose end is missing.
func (l *Lines) Pending() int { return l.waiting }

// Drop forgets an event without its end.
func (l *Lines) Drop() {
	if l.waiting > 0 {
		l.clear()
		l.cr = false
	}
}

// BreakOff returns the text that ends a cut event, so that another event can follow. The SDK splits
// at the first LF LF, and only if there is none at CR LF CR LF. It takes a third line end for the
// beginning of a line. So the line ends must be of the stream's own kind, and just enough of them.
func (l *Lines) BreakOff() (before, eol string) {
	eol = "\n"
	if l.crlf || l.cr {
		eol = "\r\n"
	}
	if l.cr {
		before = "\n"
	}
	switch {
	case l.waiting > 0 && l.lineful:
		before += eol + eol
	case l.waiting > 0:
		before += eol
	}
	return before, eol
}

// Reuse empties a buffer. It drops a buffer that is too large to keep.
func Reuse(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b[:0]
}

// MaxEvent is the size of the largest event that is read. An image comes as one event of up to 20
// MB.
const MaxEvent = 32 << 20
