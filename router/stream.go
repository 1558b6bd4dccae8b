package router

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// maxHeld bounds what of a stream is held back while it has no content yet. More than that is handed on.
const maxHeld = 1 << 20

// streamChunk is how much of a stream is read at once.
const streamChunk = 32 << 10

// stream holds an answer that comes in pieces until the first one with content: until then an error in it is an answer like any
// other, and another endpoint can take the call.
func (t *transfer) stream() answer {
	if t.translation != nil {
		t.upstream = translated{t.translation.Events(t.upstream), t.upstream}
	}
	b := &streaming{transfer: t, events: stream.New(t.session.wire.SSE)}
	for {
		err := b.more()
		switch {
		case b.events.FailureFirst():
			return t.judged(0, b.events.Failure())
		case b.events.Content(), b.ready > maxHeld:
			t.accept(b.events.Usage())
			t.resp.Body = b
			return answer{candidate: t.lease.Candidate(), class: pool.ClassOK, served: true, resp: t.resp}
		case errors.Is(err, io.EOF):
			return t.broken(io.ErrUnexpectedEOF)
		case err != nil:
			return t.broken(err)
		}
	}
}

// translated is the body of a stream as the caller's own back end would have sent it.
type translated struct {
	io.Reader
	io.Closer
}

// streaming is the body of an answer that comes in pieces. The bytes are Google's, or their translation, handed on event by event; only after an end before
// its time there is an error event of ours, in place of the event that was cut.
type streaming struct {
	*transfer

	mu      sync.Mutex // Close may come while Read waits
	events  *stream.Stream
	held    []byte   // read, but not handed on
	ready   int      // so much of held is whole events
	err     error    // how the upstream ended
	done    bool     // the lease is settled
	faulted bool     // an error event of ours was added
	tokens  []string // the last continuations that were learned of it
}

// more reads on, and returns how the upstream ended once it has. It waits for the upstream without holding b.mu.
func (b *streaming) more() error {
	var chunk [streamChunk]byte
	n, err := b.upstream.Read(chunk[:])

	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = append(b.held, chunk[:n]...)
	_, _ = b.events.Write(chunk[:n])
	b.ready = max(len(b.held)-b.events.Pending(), 0)
	if len(b.held)-b.ready > maxHeld {
		b.ready = len(b.held) // an event as large as that is handed on as it comes
	}
	if err != nil {
		b.endLocked(err)
	}
	b.learnLocked()
	return b.err
}

// mostTokens is how many continuations of one stream are remembered: Google gives checkpoints all along it, of which the last counts, but
// its caller may not have read so far.
const mostTokens = 16

// learnLocked notes where the answer can be continued, before the caller reads how. The caller holds b.mu.
func (b *streaming) learnLocked() {
	token := b.events.Continuation()
	if token == "" || len(b.tokens) > 0 && b.tokens[len(b.tokens)-1] == token {
		return
	}
	p := b.session.router.pool
	p.Own(token, b.lease.Candidate().Home())
	if b.tokens = append(b.tokens, token); len(b.tokens) > mostTokens {
		p.Disown(b.tokens[0])
		b.tokens = b.tokens[1:]
	}
}

// endLocked takes note of the upstream's end. The caller holds b.mu.
func (b *streaming) endLocked(err error) {
	b.err = err
	last := *b.events
	if last.Close(); errors.Is(err, io.EOF) && !last.Cut() {
		*b.events, b.ready = last, len(b.held)
		return
	}
	// Half an event would fail its reader before whatever follows is read.
	if cut := b.events.Pending(); cut <= len(b.held) { // else a part of it was handed on already
		b.events.Drop()
		b.held = b.held[:len(b.held)-cut]
	}
	b.ready = len(b.held)
	b.events.Close()
}

func (b *streaming) Read(p []byte) (int, error) {
	for {
		if n := b.hand(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if b.ended() {
			if b.finish() {
				continue
			}
			return 0, b.end()
		}
		_ = b.more()
	}
}

// hand hands on what is ready.
func (b *streaming) hand(p []byte) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.held[:b.ready])
	b.held, b.ready = b.held[n:], b.ready-n
	return n
}

func (b *streaming) ended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

// end is the error that the caller reads at last.
func (b *streaming) end() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.session.ctx.Err(); err != nil && !b.events.Finished() {
		return err
	}
	if b.faulted || errors.Is(b.err, io.EOF) || b.events.Finished() {
		return io.EOF
	}
	return b.err
}

// finish settles the call at the stream's end. One that ended before its time gets an error event, so that the caller does not take a
// part for the whole; it reports whether there is one to hand on.
func (b *streaming) finish() bool {
	b.mu.Lock()
	if b.done {
		b.mu.Unlock()
		return false
	}
	b.done = true
	o := b.outcomeLocked()
	if o.Class == pool.ClassTransport {
		b.held = append(b.held, b.events.ErrorEvent(verdict.ErrorBody(http.StatusServiceUnavailable, "UNAVAILABLE",
			"spillway: the stream broke off before its end; "+b.lease.Candidate().String()+" gave no finishReason"))...)
		b.ready = len(b.held)
		b.faulted = b.ready > 0
		if !b.faulted {
			b.err = io.ErrUnexpectedEOF
		}
	}
	faulted := b.faulted
	b.mu.Unlock()
	b.settle(o)
	return faulted
}

// outcomeLocked is how the stream ended. The caller holds b.mu.
func (b *streaming) outcomeLocked() pool.Outcome {
	o := pool.Outcome{Class: pool.ClassOK}
	switch failure := b.events.Failure(); {
	case failure != nil:
		body := verdict.Scrub(failure, b.lease.Secrets()...)
		v := verdict.Judge(verdict.Answer{Backend: b.lease.Candidate().Backend(), Keyed: b.lease.Keyed(), Body: body, Now: time.Now()})
		o = outcome(v, v.Code, body)
	case !b.events.Finished():
		o.Class = b.breach()
	}
	use(&o, b.events.Usage())
	return o
}

// Close ends the call. A caller who leaves before the end is held against nobody, but one who leaves because of an error of Google's has
// read it: the SDK reads no further.
func (b *streaming) Close() error {
	b.mu.Lock()
	if b.done {
		b.mu.Unlock()
		return nil
	}
	b.done = true
	o := pool.Outcome{Class: pool.ClassCancelled}
	if b.events.Finished() || b.events.Failure() != nil {
		o = b.outcomeLocked()
	} else {
		use(&o, b.events.Usage())
	}
	b.mu.Unlock()
	b.settle(o)
	return nil
}
