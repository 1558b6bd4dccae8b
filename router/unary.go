package router

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
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

var (
	// errTooLong ends an attempt whose response is too long to be translated.
	errTooLong = errors.New("router: the answer is too long to be translated")
	// errNoRoom ends one for whose response there is neither memory nor disk.
	errNoRoom = errors.New("router: there is no room for the answer, which has to be translated")
)

// unary is the reading of a response that comes whole.
type unary struct{ a *attempt }

// read reads a response to its end before it hands it on, so that one that is cut off can be
// asked for again. One for which there is no room is handed on while it is read.
func (u unary) read() result {
	a := u.a
	switch {
	case a.exchange.in.req.Method == http.MethodHead:
		return a.passthrough(nil, nil)
	case a.translation != nil:
		return u.readTranslated()
	case a.resp.ContentLength > maxAnswer:
		return a.passthrough(nil, nil)
	}
	body, s, read, err := a.exchange.in.router.bodies.read(a.upstream, a.resp.ContentLength, maxAnswer)
	switch {
	case err != nil:
		return a.failTransport(err)
	case read != whole:
		return a.passthrough(body, s)
	}
	res := u.conclude(u.examine(body))
	if !res.served {
		s.release()
		return res
	}
	if x := a.exchange; !x.payload.call.Generates {
		x.learn(a.endpoint, a.resp.Header, body)
	}
	setBody(a.resp, u.clean(u.packed(body)), s)
	return res
}

// readTranslated reads a response that has to be translated, which takes all of it.
func (u unary) readTranslated() result {
	a, m := u.a, u.a.exchange.in.router.bodies
	k, err := m.keepAnswer(a.upstream, a.resp.ContentLength)
	if err != nil {
		return a.failRead(err)
	}
	var e examined
	var small []byte
	var long *kept
	defer func() {
		if k.release(); long != k {
			long.release()
		}
	}()
	translate := func(body []byte) {
		if e = u.examine(body); e.broken || e.foreign != "" || e.failure != nil {
			return
		}
		switch small = u.packed(a.translation.Response(body)); {
		case len(small) <= smallBody:
		case unchanged(body, small):
			small, long = nil, k
		default:
			small, long = nil, m.put(small)
		}
	}
	if !k.inFile() && k.size > longBody {
		err = m.atDesk(a.ctx, func() error { translate(k.body); return nil })
	} else {
		err = k.with(a.ctx, translate)
	}
	if err != nil {
		return a.failRead(err)
	}
	res := u.conclude(e)
	switch {
	case !res.served:
	case long == nil:
		setBody(a.resp, u.clean(small), nil)
	default:
		a.resp.Header.Del("Content-Length")
		a.resp.ContentLength = long.size
		if a.resp.Body, err = long.open(); err != nil {
			a.resp.Body = http.NoBody // never: long is not released yet
		}
	}
	return res
}

// failRead ends an attempt whose response could not be read as a whole. If that was for want of room
// on this side, it says nothing of the endpoint, and another attempt would be billed again.
func (a *attempt) failRead(err error) result {
	if _, ofDisk := errors.AsType[*fs.PathError](err); !ofDisk && !errors.Is(err, errTooLong) && !errors.Is(err, errNoRoom) {
		return a.failTransport(err)
	}
	return a.abandon(false, fmt.Errorf("router: %s: %w", a.endpoint.Name, err))
}

// keepAnswer reads a whole response to where there is room.
func (m *bodyMemory) keepAnswer(upstream io.Reader, size int64) (*kept, error) {
	body, s, read, err := m.read(upstream, size, maxTranslated)
	switch {
	case err != nil:
		return nil, err
	case read == whole:
		return m.keep(body, s), nil
	}
	defer s.release()
	if read == over {
		return nil, errTooLong
	}
	k, read, _, err := m.spool(body, upstream, maxTranslated)
	switch read {
	case whole:
	case noRoom:
		err = errNoRoom
	case over:
		err = errTooLong
	}
	if err != nil {
		k.release()
	}
	return k, err
}

// examined is what a whole response says of itself.
type examined struct {
	broken       bool   // its end is missing
	foreign      string // why it is no answer of Google's; "" if it is one
	failure      []byte // it is an error: the response itself
	signatures   []string
	usage        stream.Usage
	continuation string
}

// examine reads what a whole response says of itself. It calls nothing that others have set.
func (u unary) examine(body []byte) (e examined) {
	x, resp := u.a.exchange, u.a.resp
	if isJSON(resp.Header) && cut(body) && !arrivalOf(u.a).partial() {
		e.broken = true
		return e
	}
	read, failed := readWhole(x, body)
	if failed {
		e.failure = body
		return e
	}
	if e.foreign = arrivalOf(u.a).foreignBody(body, &read); e.foreign == "" {
		e.usage, e.continuation = u.understand(&read, body)
		e.signatures = read.Signatures()
	}
	return e
}

// conclude ends the attempt by what a whole response says.
func (u unary) conclude(e examined) result {
	a := u.a
	switch {
	case e.broken:
		return a.failTransport(io.ErrUnexpectedEOF)
	case e.failure != nil:
		return a.judged(0, e.failure)
	case e.foreign != "":
		return noAnswer(a, e.foreign)
	}
	o := pool.Outcome{Class: pool.ClassOK}
	use(&o, e.usage)
	a.settle(&o)
	if e.continuation != "" {
		a.exchange.in.router.pool.Own(e.continuation, a.endpoint.Home())
	}
	a.exchange.in.router.signatures.put(e.signatures, a.endpoint.Backend)
	a.sign(e.usage)
	return result{lease: a.lease, class: pool.ClassOK, served: true, resp: a.resp}
}

// packed returns embeddings as their caller wants them. Google may not heed it.
func (u unary) packed(body []byte) []byte {
	if request.WantsPacked(&u.a.exchange.payload.call) {
		return translate.Packed(body)
	}
	return body
}

// clean takes credentials out of a body that a model has not generated, or that holds an error.
func (u unary) clean(body []byte) []byte {
	if !u.a.exchange.payload.call.Generates || mayHoldError(body) {
		return u.a.scrub(body)
	}
	return body
}

// understand returns what a good response says of its cost, and the name of its continuation.
func (u unary) understand(read *stream.Stream, body []byte) (cost stream.Usage, continuation string) {
	switch x := u.a.exchange; {
	case x.payload.metered() && (x.payload.call.Generates || x.payload.call.OpenAI()):
		return read.Usage(), read.Continuation()
	case x.payload.metered():
		return stream.ParseUsage(body), ""
	default:
		return cost, read.Continuation()
	}
}

// setBody puts another body into an answer, with its share of the memory for bodies.
func setBody(resp *http.Response, body []byte, s *share) {
	unsized(resp)
	w := &wholeBody{}
	w.Reset(body)
	if w.share = s; s != nil { // callers may forget to close what they have read
		w.forgotten = runtime.AddCleanup(w, (*share).release, s)
	}
	resp.Body = w
	resp.ContentLength = int64(len(body))
}

// wholeBody is a response's body that has been read.
type wholeBody struct {
	bytes.Reader

	share     *share
	forgotten runtime.Cleanup
}

// Close lets go of the body.
func (w *wholeBody) Close() error {
	if w.share != nil {
		w.Reset(nil)
		w.share.release()
	}
	return nil
}

// peek returns the whole body, which nobody has read yet. It shares its memory.
func (w *wholeBody) peek() []byte {
	b := make(borrowed, 0)
	_, _ = w.WriteTo(&b)
	w.Reset(b)
	return b
}

// handOver returns the share, which is another's now.
func (w *wholeBody) handOver() *share {
	w.forgotten.Stop()
	s := w.share
	w.share = nil
	return s
}

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

// passthrough hands a response on as it comes, after the head that was read already and its share of
// the memory for bodies.
func (a *attempt) passthrough(head []byte, s *share) result {
	a.accept(stream.Usage{})
	a.open = true
	p := &passthroughBody{attempt: a, head: head, share: s}
	if s != nil {
		runtime.AddCleanup(p, (*share).release, s)
	}
	if isJSON(a.resp.Header) && a.resp.StatusCode == http.StatusOK && a.exchange.in.req.Method != http.MethodHead {
		p.end = new(lastBytes)
	}
	a.resp.Body = p
	return result{lease: a.lease, class: pool.ClassOK, served: true, open: true, resp: a.resp}
}

// passEvents is passthrough for a stream of a kind that only its caller knows. It may hold errors.
func (a *attempt) passEvents() result {
	res := a.passthrough(nil, nil)
	if a.exchange.in.req.Method != http.MethodHead {
		res.resp.Header.Del("Content-Length")
		res.resp.ContentLength = -1
	}
	res.resp.Body = &scrubbedEvents{ReadCloser: res.resp.Body, exit: &a.exit}
	return res
}

// accept notes that Google has begun to answer well.
func (a *attempt) accept(u stream.Usage) {
	a.watch.accepted()
	a.began = time.Now()
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
