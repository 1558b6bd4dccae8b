package router

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

const (
	// maxHeld bounds what of a stream is held back while it has no content yet. More than that is
	// handed on.
	maxHeld = 1 << 20
	// firstBuffer is the size of a stream's buffer. It grows when there is no room for leastRead
	// bytes.
	firstBuffer = 4 << 10
	// leastRead is the least room that is given to a read.
	leastRead = 512
)

// stream holds a response that comes in pieces until the first one with content. Until then an
// error in it is a response like any other, and another endpoint can take the call.
func (a *attempt) stream(f stream.Form) result {
	b := &streamBody{attempt: a, events: stream.New(f)}
	switch {
	case f.Dialect == stream.OpenAI:
		b.chat = &translate.Chat{
			HideUsage:   request.HidesUsage(&a.exchange.payload.call, a.endpoint.Backend),
			Rewrite:     func(failure []byte) []byte { return verdict.OpenAI(0, failure) },
			Translation: a.translation,
		}
		a.upstream = translated{b.chat.Events(a.upstream), a.upstream}
	case a.translation != nil:
		a.upstream = translated{a.translation.Events(a.upstream), a.upstream}
	}
	for {
		b.more()
		switch {
		case b.events.FailureFirst():
			return a.judged(0, b.failure())
		case b.events.Content(), b.ready > maxHeld:
			a.accept(b.events.Usage())
			a.open = true
			unsized(a.resp)
			a.resp.Body = b
			return result{lease: a.lease, class: pool.ClassOK, served: true, open: true, resp: a.resp}
		case errors.Is(b.err, io.EOF) && b.events.Empty():
			return b.empty()
		case errors.Is(b.err, io.EOF) && !b.events.Known():
			return noAnswer(a, "a stream without an event of Google's")
		case errors.Is(b.err, io.EOF):
			return a.failTransport(io.ErrUnexpectedEOF)
		case b.err != nil:
			return a.failTransport(b.err)
		}
	}
}

// unsized makes the header of a response fit a body that may grow.
func unsized(resp *http.Response) {
	resp.ContentLength = -1
	for _, name := range []string{"Content-Length", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest"} {
		delete(resp.Header, name)
	}
}

// translated is the body of a stream as the caller's own back end would have sent it.
type translated struct {
	io.Reader
	io.Closer
}

// streamBody is the body of a response that comes in pieces. Its bytes are Google's, or their
// translation, handed on event by event. A stream that ends too early gets an error event of the
// router's, in place of the event that was cut.
//
// Read alone uses the fields above the mutex. It may look at what the mutex guards without holding
// it, for Read alone changes the events.
type streamBody struct {
	attempt *attempt
	buffer  []byte          // read from the upstream
	at      int             // so much of the buffer is handed on
	ready   int             // so much of the buffer after at can be handed on
	err     error           // how the upstream ended
	faulted bool            // an error event of ours was added
	chat    *translate.Chat // how a chat in OpenAI's dialect is handed on; else nil
	tokens  []string        // the last continuations that were learned of it
	large   bool            // the beginning of an event that is too large to be held was handed on

	mu     sync.Mutex // Close may come while Read waits
	events *stream.Stream
	failed []byte // a chat's first error, as Google sent it
	done   bool   // the lease is settled
}

func (b *streamBody) Read(p []byte) (int, error) {
	for {
		switch {
		case b.ready > 0 || len(p) == 0:
			n := copy(p, b.buffer[b.at:b.at+b.ready])
			b.at, b.ready = b.at+n, b.ready-n
			return n, nil
		case b.err != nil:
			if !b.finish() {
				return 0, b.end()
			}
		case b.at == len(b.buffer) && len(p) >= leastRead:
			if n := b.pass(p); n > 0 {
				return n, nil
			}
		default:
			b.more()
		}
	}
}

// more reads on into the buffer.
func (b *streamBody) more() {
	b.makeRoom()
	old := len(b.buffer)
	n, err := b.attempt.upstream.Read(b.buffer[old:cap(b.buffer)])
	b.buffer = b.buffer[:old+n]
	held := len(b.buffer) - b.at
	left, ready := b.follow(b.buffer[old:], held, err)
	b.buffer, b.ready = b.buffer[:b.at+left], ready
	b.scrub(b.buffer[b.at:b.at+ready], b.buffer[b.at+ready:])
}

// pass reads on into p, and returns how much of p can be handed on. It holds an incomplete event
// back. The buffer is empty.
func (b *streamBody) pass(p []byte) int {
	n, err := b.attempt.upstream.Read(p)
	left, ready := b.follow(p[:n], n, err)
	b.buffer, b.at = append(b.buffer[:0], p[ready:left]...), 0
	if b.scrub(p[:ready], b.buffer) {
		return 0 // what is ready is in the buffer now
	}
	return ready
}

// scrub takes credentials out of what is ready, which held follows. If that changes anything, both
// are put into the buffer.
func (b *streamBody) scrub(ready, held []byte) (changed bool) {
	goesOn := b.events.Pending() > len(held) && b.err == nil
	clean, used := b.attempt.exit.piece(ready, b.large || goesOn || b.events.Strange(), goesOn)
	b.large = goesOn
	if used == len(ready) && (used == 0 || &clean[0] == &ready[0]) {
		return false
	}
	b.buffer, b.at, b.ready = slices.Concat(clean, ready[used:], held), 0, len(clean)
	return true
}

// makeRoom makes room in the buffer for a read.
func (b *streamBody) makeRoom() {
	if cap(b.buffer)-len(b.buffer) >= leastRead {
		return
	}
	held := b.buffer[b.at:]
	if size := cap(b.buffer); len(held) > size/2 || size-len(held) < leastRead {
		b.buffer = make([]byte, 0, max(2*size, firstBuffer))
	}
	b.buffer, b.at = append(b.buffer[:0], held...), 0
}

// follow takes note of the bytes that were read, and of the upstream's end. held is the number of
// bytes that are read and not handed on. It returns how many of them are left, and how many of
// these can be handed on.
func (b *streamBody) follow(read []byte, held int, err error) (left, ready int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = b.events.Write(read)
	if b.chat != nil {
		stream.Charge(b.events, b.chat.Usage())
		b.failed = b.chat.Failure()
	}
	if err != nil {
		held = b.endLocked(held, err)
	}
	b.learn()
	pending := b.events.Pending()
	switch {
	case err != nil:
		return held, held
	case pending > maxHeld: // the event is too large to be held
		return held, held
	case pending > held: // a part of the event was handed on
		return held, held
	default:
		return held, held - pending
	}
}

// mostTokens is how many continuations of one stream are remembered. Google gives checkpoints all
// along a stream. The last one counts, but the caller may not have read so far.
const mostTokens = 16

// learn notes where the response can be continued, before the caller reads how.
func (b *streamBody) learn() {
	b.attempt.exchange.in.router.signatures.put(b.events.Signatures(), b.attempt.endpoint.Backend)
	token := b.events.Continuation()
	if token == "" || len(b.tokens) > 0 && b.tokens[len(b.tokens)-1] == token {
		return
	}
	p := b.attempt.exchange.in.router.pool
	p.Own(token, b.attempt.endpoint.Home())
	if b.tokens = append(b.tokens, token); len(b.tokens) > mostTokens {
		p.Own(b.tokens[0], pool.Home{})
		b.tokens = b.tokens[1:]
	}
}

// endLocked takes note of the upstream's end. It returns how many of the held bytes are left. The
// caller holds b.mu.
func (b *streamBody) endLocked(held int, err error) int {
	b.err = err
	last := *b.events
	if last.Close(); errors.Is(err, io.EOF) && !last.Cut() {
		*b.events = last
		return held
	}
	// Half an event would fail its reader before the reader comes to what follows.
	if cut := b.events.Pending(); cut <= held { // else a part of it was handed on already
		b.events.Drop()
		held -= cut
	}
	b.events.Close()
	return held
}

// end returns the error that the caller reads at last.
func (b *streamBody) end() error {
	left := b.attempt.exchange.in.ctx.Err()
	switch {
	case left != nil && !b.events.Finished():
		return left
	case left != nil, b.faulted, errors.Is(b.err, io.EOF), b.whole():
		return io.EOF
	default:
		return b.err
	}
}

// whole reports whether the stream has all that there is so far: its body did not break, and what it
// says of itself is that it is finished.
func (b *streamBody) whole() bool {
	broken := b.err != nil && !errors.Is(b.err, io.EOF)
	return b.events.Finished() && (!broken || b.events.Ended())
}

// finish settles the call at the stream's end. A stream that ended too early gets an error event,
// so that the caller does not take a part for the whole. It reports whether there is one to hand
// on.
func (b *streamBody) finish() bool {
	b.mu.Lock()
	if b.done {
		b.mu.Unlock()
		return false
	}
	b.done = true
	o := b.outcomeLocked()
	b.mu.Unlock()
	if o.Class == pool.ClassTransport {
		b.fault()
	}
	b.attempt.settle(&o)
	return b.faulted
}

// fault adds an error event to the stream, or fails its reader where none can follow.
func (b *streamBody) fault() {
	why := " gave no finishReason"
	if b.events.Finished() {
		why = " broke the connection"
	}
	b.buffer, b.at, b.ready = b.buffer[:0], 0, 0
	if !b.events.Opaque() {
		body := verdict.ErrorBody(http.StatusServiceUnavailable, "UNAVAILABLE", "spillway: the stream "+
			"broke off before its end; "+b.attempt.endpoint.Name+why)
		if b.chat != nil {
			body = b.chat.Rewrite(body)
		}
		b.buffer = append(b.buffer, b.events.ErrorEvent(body)...)
		b.ready = len(b.buffer)
	}
	if b.faulted = b.ready > 0; !b.faulted && errors.Is(b.err, io.EOF) {
		b.err = io.ErrUnexpectedEOF
	}
}

// failure returns the first error event as Google sent it; nil if none came.
func (b *streamBody) failure() []byte {
	if b.failed != nil {
		return b.failed
	}
	return b.events.Failure()
}

// outcomeLocked returns how the stream ended. The caller holds b.mu.
func (b *streamBody) outcomeLocked() pool.Outcome {
	o := pool.Outcome{Class: pool.ClassOK}
	switch failure := b.failure(); {
	case failure != nil:
		body := b.attempt.scrub(failure)
		v := verdict.Judge(verdict.Answer{
			Backend: b.attempt.endpoint.Backend, Keyed: b.attempt.endpoint.Keyed,
			Body: body, Now: time.Now(),
		})
		o = outcome(v, v.Code, body)
	case !b.whole():
		o.Class = b.attempt.transportClass()
		if o.Class == pool.ClassCancelled && b.events.Finished() {
			o.Class = pool.ClassOK // the caller has all
		}
	}
	use(&o, b.events.Usage())
	return o
}

// Close ends the call. A caller who leaves before the end says nothing about the endpoint. A caller
// who leaves because of an error of Google's has read it: the SDK reads no further.
func (b *streamBody) Close() error {
	b.mu.Lock()
	if b.done {
		b.mu.Unlock()
		return nil
	}
	b.done = true
	o := pool.Outcome{Class: pool.ClassCancelled}
	if b.whole() || b.events.Failure() != nil {
		o = b.outcomeLocked()
	} else {
		use(&o, b.events.Usage())
	}
	b.mu.Unlock()
	b.attempt.settle(&o)
	return nil
}
