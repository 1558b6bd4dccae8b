package router

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

const (
	// maxAnswer bounds what is read of a response before it is handed on. A longer one passes
	// through as it comes.
	maxAnswer = 32 << 20
	// maxTranslated is the same for a response in the other dialect, which cannot pass: no caller
	// would understand it.
	maxTranslated = 256 << 20
)

// errTooLong ends an attempt whose response is too long to be translated.
var errTooLong = errors.New("router: the answer is too long to be translated")

// readUnary reads a response to its end before it hands it on, so that one that is cut off can be
// asked for again.
func (a *attempt) readUnary() result {
	x := a.exchange
	if x.in.req.Method == http.MethodHead {
		return a.passthrough(nil)
	}
	most := maxAnswer
	if a.translation != nil {
		most = maxTranslated
	}
	body, err := readMost(a.upstream, a.resp.ContentLength, most)
	switch {
	case err != nil:
		return a.failTransport(err)
	case len(body) > most && a.translation != nil:
		return a.failTransport(errTooLong)
	case len(body) > most:
		return a.passthrough(body)
	case a.resp.StatusCode == http.StatusOK && isJSON(a.resp.Header) && cut(body):
		return a.failTransport(io.ErrUnexpectedEOF)
	}
	read, failed := readWhole(x, body)
	if failed {
		return a.judged(0, body)
	}
	if why := arrivalOf(a).foreignBody(body, &read); why != "" {
		return noAnswer(a, why)
	}
	o := pool.Outcome{Class: pool.ClassOK}
	usage, continuation := a.understand(&read, body)
	use(&o, usage)
	a.settle(&o)
	if continuation != "" {
		x.in.router.pool.Own(continuation, a.endpoint.Home())
	}
	x.in.router.signatures.put(read.Signatures(), a.endpoint.Backend)
	if !x.payload.call.Generates {
		x.learn(a.endpoint, a.resp.Header, body)
	}
	if a.translation != nil {
		body = a.translation.Response(body)
	}
	setBody(a.resp, body)
	a.sign(usage)
	return result{lease: a.lease, class: pool.ClassOK, served: true, resp: a.resp}
}

// readMost reads a response to its end, or to the byte after most. size is what it says of its
// length, negative if it does not.
func readMost(r io.Reader, size int64, most int) ([]byte, error) {
	room := 4 << 10
	if size >= 0 && size <= maxAnswer {
		room = max(int(size), bytes.MinRead) + 1 // the end is found without more room
	}
	body := make([]byte, 0, room)
	for {
		n, err := r.Read(body[len(body):min(cap(body), most+1)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		case len(body) > most:
			return body, nil
		case len(body) == cap(body):
			body = slices.Grow(body, len(body))
		}
	}
}

// understand returns what a good response says of its cost, and the name of its continuation.
func (a *attempt) understand(read *stream.Stream, body []byte) (u stream.Usage, continuation string) {
	switch x := a.exchange; {
	case x.payload.call.Generates && x.payload.metered():
		return read.Usage(), read.Continuation()
	case x.payload.metered():
		return stream.ParseUsage(body), ""
	default:
		return u, read.Continuation()
	}
}

// setBody puts another body into an answer.
func setBody(resp *http.Response, body []byte) {
	unsized(resp)
	whole := &wholeBody{}
	whole.Reset(body)
	resp.Body = whole
	resp.ContentLength = int64(len(body))
}

// wholeBody is a response's body that has been read.
type wholeBody struct{ bytes.Reader }

func (*wholeBody) Close() error { return nil }

// use puts what Google counted into an outcome.
func use(o *pool.Outcome, u stream.Usage) {
	o.Traffic, o.Served = u.Traffic, u.Served
	if o.Counted = u.Known; !u.Known {
		return
	}
	prompt, cached, output := u.PromptDetails, u.CachedDetails, u.OutputDetails
	o.Usage = quota.Usage{
		Input: int64(u.Prompt + u.ToolUse), InputAudio: prompt.Audio, InputImage: prompt.Image,
		Cached: int64(u.Cached), CachedAudio: cached.Audio,
		Output:      max(int64(u.Output)-output.Image-output.Audio, 0) + int64(u.Thoughts),
		OutputImage: output.Image, OutputAudio: output.Audio,
	}
	o.Prompt, o.Cached, o.ToolUse, o.Thoughts = prompt, cached, int64(u.ToolUse), int64(u.Thoughts)
}

func isJSON(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/json")
}

// cut reports whether a JSON text has lost its end, as it does behind proxies that end a broken
// answer as if it were whole.
func cut(body []byte) bool {
	body = bytes.Trim(body, " \t\r\n\ufeff")
	if len(body) == 0 {
		return false
	}
	last := body[len(body)-1]
	switch body[0] {
	case '{':
		return last != '}'
	case '[':
		return last != ']'
	default:
		return false
	}
}

// passthrough hands a response on as it comes, after the head that was read already.
func (a *attempt) passthrough(head []byte) result {
	a.accept(stream.Usage{})
	a.open = true
	a.resp.Body = &passthroughBody{attempt: a, head: head}
	return result{lease: a.lease, class: pool.ClassOK, served: true, open: true, resp: a.resp}
}

// accept notes that Google has begun to answer well.
func (a *attempt) accept(u stream.Usage) {
	a.watch.accepted()
	a.lease.Accept(time.Now())
	a.sign(u)
}

// sign puts our headers on a good response: usage is what it says of itself so far.
func (a *attempt) sign(u stream.Usage) {
	traffic := translate.Traffic(a.resp.Header, u.Traffic)
	if a.translation != nil {
		a.translation.ResponseHeader(a.resp.Header, traffic)
	}
	a.exchange.sign(a.resp.Header, a.endpoint, traffic)
}

// passthroughBody is the body of a response that passes through unread.
type passthroughBody struct {
	attempt *attempt
	head    []byte
	done    atomic.Bool // the lease is settled
}

func (p *passthroughBody) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	n, err := p.attempt.upstream.Read(b)
	if err != nil && p.done.CompareAndSwap(false, true) {
		class := pool.ClassOK
		if !errors.Is(err, io.EOF) {
			class = p.attempt.transportClass()
		}
		p.attempt.settle(&pool.Outcome{Class: class})
	}
	return n, err
}

func (p *passthroughBody) Close() error {
	if p.done.CompareAndSwap(false, true) {
		p.attempt.settle(&pool.Outcome{Class: pool.ClassCancelled})
	}
	return nil
}
