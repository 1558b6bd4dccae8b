package geminitest

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"
)

// Answer is what a scripted call gets: an answer of its own, or a change to the one that the
// emulator gives. The zero Answer changes nothing: it lets one call through, which is how a script
// says "the first two fail, the third is served".
//
//	geminitest.Overloaded()                        HTTP 503
//	geminitest.Overloaded().AfterEvents(0)         HTTP 200, and the error as the first event of the stream
//	geminitest.Overloaded().AfterEvents(2)         the error after two good events
//	geminitest.Answer{Truncate: 40}                the real answer, but only 40 bytes of it
//	geminitest.Answer{Event: true, After: 2, Truncate: 10}   two events and 10 bytes of the third
//	geminitest.Answer{Status: 502, Body: page}     these bytes with this status
//	geminitest.Answer{Delay: 3 * time.Second}      the real answer, 3 s late
//	geminitest.Answer{Hang: true}                  nothing, for ever
//	geminitest.ConnectionReset()                   a connection that is reset
//	geminitest.ConnectionReset().AfterHeader()     the header of the real answer, then a reset
//	geminitest.Stall().AfterBytes(1)               one byte of the real answer, then nothing, for ever
//	geminitest.Page(403)                           a page of HTML
//
// An answer with a Status reaches whoever asks: neither credentials nor quotas are looked at, and
// none is used up.
type Answer struct {
	Status int         // HTTP status; 0: the emulator's own answer
	Header http.Header // set on the answer, whoever made it
	Body   []byte      // exactly these bytes; only with a Status

	Delay   time.Duration // before the first byte of the answer's header
	Trickle time.Duration // before every single byte of the body, each sent on its own

	Shape Shape // of the emulator's own answer

	Event bool // for a stream: Status and Body come as an event of a 200 stream, after After good events; other calls: as if not set
	After int  // see Event; a stream with fewer events gets it at its end
	Bare  bool // the event is a bare line of JSON, without "data:"

	// Truncate cuts the body after so many bytes; if negative, before the first byte, so that only
	// the header is sent. With Event it cuts so many bytes after After events.
	Truncate int

	// What happens at the cut, or, where there is none, instead of an answer. With neither, a cut
	// answer just ends, as if whole.
	Err  error // RoundTrip or the read of the body fails with it; a listener drops the connection
	Hang bool  // nothing more is sent until the caller gives up

	// Ping sends something that means nothing every so often while the answer hangs after its
	// header: a comment line in a stream of events, else a line break, which JSON allows.
	Ping time.Duration
}

// AfterEvents returns the answer as an event of a 200 stream, after n good events.
func (a Answer) AfterEvents(n int) Answer {
	a.Event, a.After, a.Truncate = true, n, max(0, a.Truncate)
	return a
}

// Late returns the answer with a delay before its first byte.
func (a Answer) Late(d time.Duration) Answer {
	a.Delay = d
	return a
}

// ConnectionReset is a connection that is reset before a byte of the answer.
func ConnectionReset() Answer {
	return Answer{Err: &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}
}

// errCut ends the writing of a body whose cut is reached.
var errCut = errors.New("geminitest: cut")

// reply writes one answer and breaks it off where the script says so.
type reply struct {
	w      http.ResponseWriter
	r      *http.Request
	answer Answer
	note   func(status int) // told once, when the header goes out

	stream bool   // the caller asked for events
	array  bool   // of which one is an element of a JSON array
	listed bool   // errors inside the stream come in a list of one
	lf     bool   // lines end with LF
	name   string // of the next event; "" for none
	sent   bool
	events int
	room   int // bytes left until the cut; < 0: no cut by bytes, or not yet
}

// newReply prepares to answer. An answer whose error stands inside a stream is one of these only
// for calls that stream.
func newReply(w http.ResponseWriter, r *http.Request, answer Answer, stream bool, note func(int)) *reply {
	if !stream {
		answer.Event = false
	}
	p := &reply{w: w, r: r, answer: answer, note: note, stream: stream, room: -1}
	if answer.Truncate != 0 && !answer.Event {
		p.room = max(0, answer.Truncate)
	}
	return p
}

// wait lets d pass. It reports false if the caller is gone before.
func (p *reply) wait(d time.Duration) bool {
	if d <= 0 {
		return p.r.Context().Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.r.Context().Done():
		return false
	}
}

// begin sends status and header, when their time has come. It reports false if the caller is gone
// before.
func (p *reply) begin(status int, contentType string) bool {
	if !p.wait(p.answer.Delay) {
		return false
	}
	h := p.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Server", "scaffolding on HTTPServer2")
	h["Vary"] = []string{"Origin", "X-Origin", "Referer"}
	maps.Copy(h, p.answer.Header)
	p.sent = true
	p.note(status)
	p.w.WriteHeader(status)
	return true
}

const (
	jsonType = "application/json; charset=UTF-8"
	sseType  = "text/event-stream"
)

// whole sends a complete body.
func (p *reply) whole(status int, contentType string, body []byte) {
	if bodiless(status) {
		body = nil
	}
	if p.begin(status, contentType) && p.write(body) == nil && p.room > 0 {
		p.end() // the body was shorter than its cut
	}
}

// refuse sends an error of Google's. To those who asked for a stream as a JSON array, it is an
// array of one.
func (p *reply) refuse(a Answer) {
	maps.Copy(p.w.Header(), a.Header)
	body, contentType := a.Body, jsonType
	if own := a.Header.Get("Content-Type"); own != "" {
		contentType = own
	} else if p.array {
		body = slices.Concat([]byte("["), bytes.TrimSpace(body), []byte("\n]\n"))
	}
	p.whole(a.Status, contentType, body)
}

// arranged sends an answer that stands for Google's: these bytes, or a failure.
func (p *reply) arranged() {
	if p.answer.fails() {
		if p.wait(p.answer.Delay) {
			p.end()
		}
		return
	}
	if p.answer.Status < 0 {
		p.statusless()
		return
	}
	if len(p.answer.Body) == 0 && p.room < 0 && !bodiless(p.answer.Status) {
		p.w.Header().Set("Content-Length", "0")
	}
	p.whole(p.answer.Status, jsonType, p.answer.Body)
}

// fails reports whether there is a failure instead of any answer.
func (a Answer) fails() bool { return !a.Event && a.Truncate == 0 && (a.Err != nil || a.Hang) }

// instead reports whether the script's answer takes the place of the emulator's own.
func (a Answer) instead() bool {
	return !a.Event && (a.Status != 0 || a.fails())
}

// event sends one event of a stream. An error means that no more may follow.
func (p *reply) event(payload []byte) error {
	if p.answer.Event && p.events == p.answer.After {
		if err := p.reachEvent(); err != nil {
			return err
		}
	}
	p.events++
	return p.write(p.frame(payload, false))
}

// finish ends a stream.
func (p *reply) finish() {
	if p.answer.Event && p.events <= p.answer.After {
		if p.reachEvent() != nil {
			return
		}
	}
	if p.array {
		_ = p.write([]byte("\n]\n"))
	}
}

// reachEvent does what the script says about the place between two events: an error event, a cut,
// or a cut some bytes later.
func (p *reply) reachEvent() error {
	if p.answer.Status != 0 {
		p.events++
		payload := bytes.TrimSpace(p.answer.Body)
		if p.listed {
			payload = p.answer.Listed().Body
		}
		if problem, ok := bytes.CutPrefix(payload, []byte("{")); ok && p.name != "" { // the events have types
			p.name, payload = "error", append([]byte(`{"event_type":"error",`), problem...)
		}
		if err := p.write(p.frame(payload, p.answer.Bare)); err != nil {
			return err
		}
		if p.array && p.answer.Err == nil && !p.answer.Hang {
			_ = p.write([]byte("\n]\n"))
		}
	} else if p.answer.Truncate > 0 {
		if p.room < 0 {
			p.room = p.answer.Truncate
		}
		return nil
	}
	p.end()
	return errCut
}

// frame wraps the payload of an event.
func (p *reply) frame(payload []byte, bare bool) []byte {
	if p.array {
		if p.events <= 1 {
			return append([]byte("["), payload...)
		}
		return append([]byte("\n,\r\n"), payload...)
	}
	nl := "\r\n"
	if p.lf {
		nl = "\n"
	}
	// An event is one line here; a payload of several would need a "data:" for each.
	payload = bytes.ReplaceAll(payload, []byte("\n"), nil)
	prefix := "data: "
	if bare {
		prefix = ""
	} else if p.name != "" {
		prefix = "event: " + p.name + nl + prefix
	}
	return append(append([]byte(prefix), payload...), nl+nl...)
}

// write sends bytes, up to the cut, and flushes them.
func (p *reply) write(b []byte) error {
	cut := p.room >= 0 && len(b) >= p.room
	if cut {
		b = b[:p.room]
	}
	if p.room >= 0 {
		p.room -= len(b)
	}
	if err := p.flush(b); err != nil {
		return err
	}
	if cut {
		_ = http.NewResponseController(p.w).Flush() // the header, if there was no byte
		p.end()
		return errCut
	}
	return nil
}

// flush puts bytes on the wire, one at a time if they trickle.
func (p *reply) flush(b []byte) error {
	step := len(b)
	if p.answer.Trickle > 0 {
		step = 1
	}
	controller := http.NewResponseController(p.w)
	for len(b) > 0 {
		if p.answer.Trickle > 0 && !p.wait(p.answer.Trickle) {
			return p.r.Context().Err()
		}
		if _, err := p.w.Write(b[:step]); err != nil {
			return err
		}
		b = b[step:]
		_ = controller.Flush() // a writer that cannot flush sends when it likes
	}
	return p.r.Context().Err()
}

// end is the end of an answer that breaks off, or was never begun: fail, hang, or just stop.
func (p *reply) end() {
	if p.answer.Hang {
		p.ping()
		<-p.r.Context().Done()
		return // whoever called ServeHTTP breaks the connection of a caller who is gone
	}
	if p.answer.Err != nil {
		p.abort(p.answer.Err)
	}
}

// ping sends signs of life until the caller is gone, if the script says so.
func (p *reply) ping() {
	if p.answer.Ping <= 0 || !p.sent {
		return
	}
	sign := "\n"
	if p.stream && !p.array {
		sign = ": ping\n\n"
	}
	for p.wait(p.answer.Ping) {
		if _, err := p.w.Write([]byte(sign)); err != nil {
			return
		}
		_ = http.NewResponseController(p.w).Flush()
	}
}

// aborter is a ResponseWriter that can end in an error of our choice. The in-memory transport has
// one.
type aborter interface{ abort(err error) }

// abort breaks the connection.
func (p *reply) abort(err error) {
	if a, ok := p.w.(aborter); ok {
		a.abort(err)
		return
	}
	if !p.sent { // a real reset; after the first byte it might swallow what was sent
		if conn, _, hijackErr := http.NewResponseController(p.w).Hijack(); hijackErr == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}
