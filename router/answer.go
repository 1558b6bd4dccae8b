package router

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// whole reads an answer to its end before handing it on, so that one that is cut off can be asked for again.
func (t *transfer) whole() answer {
	s := t.session
	if s.req.Method == http.MethodHead {
		return t.pass(nil)
	}
	var buf bytes.Buffer
	if n := t.resp.ContentLength; n > 0 && n <= maxAnswer {
		buf.Grow(int(n) + bytes.MinRead)
	}
	most := int64(maxAnswer)
	if t.translation != nil {
		most = maxTranslated
	}
	_, err := buf.ReadFrom(io.LimitReader(t.upstream, most+1))
	body := buf.Bytes()
	switch {
	case err != nil:
		return t.broken(err)
	case int64(len(body)) > most && t.translation != nil:
		return t.broken(errTooLong)
	case int64(len(body)) > most:
		return t.pass(body)
	case t.resp.StatusCode == http.StatusOK && isJSON(t.resp.Header) && cut(body):
		return t.broken(io.ErrUnexpectedEOF)
	case s.wire.Generates && stream.IsError(body):
		return t.judged(0, body)
	}
	o := pool.Outcome{Class: pool.ClassOK}
	var usage stream.Usage
	if s.metered() {
		usage = stream.ParseUsage(body)
		use(&o, usage)
	}
	t.settle(o)
	s.learn(t.lease.Candidate(), t.resp.Header, body)
	if t.translation != nil {
		body = t.translation.Response(body)
	}
	setBody(t.resp, body)
	t.sign(usage)
	return answer{candidate: t.lease.Candidate(), class: pool.ClassOK, served: true, resp: t.resp}
}

// setBody puts another body into an answer.
func setBody(resp *http.Response, body []byte) {
	resp.Header.Del("Content-Length")
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
}

// use puts what Google counted into an outcome.
func use(o *pool.Outcome, u stream.Usage) {
	o.Traffic = u.Traffic
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
	o.Details = pool.Details{
		Prompt: prompt, Cached: cached, ToolUse: int64(u.ToolUse), Thoughts: int64(u.Thoughts),
	}
}

func isJSON(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/json")
}

// cut reports whether a JSON text has lost its end, as it does behind proxies that end a broken answer as if it were whole.
func cut(body []byte) bool {
	body = bytes.TrimRight(body, " \t\r\n")
	if len(body) == 0 {
		return false
	}
	last := body[len(body)-1]
	switch bytes.TrimLeft(body, " \t\r\n\ufeff")[0] {
	case '{':
		return last != '}'
	case '[':
		return last != ']'
	default:
		return false
	}
}

// pass hands an answer on as it comes, after the head that was read already.
func (t *transfer) pass(head []byte) answer {
	t.accept(stream.Usage{})
	t.resp.Body = &passing{transfer: t, head: head}
	return answer{candidate: t.lease.Candidate(), class: pool.ClassOK, served: true, resp: t.resp}
}

// accept notes that Google has begun to answer well.
func (t *transfer) accept(u stream.Usage) {
	t.patience.Stop()
	t.lease.Accept(time.Now())
	t.sign(u)
}

// sign puts our headers on a good answer: usage is what it says of itself so far.
func (t *transfer) sign(u stream.Usage) {
	traffic := translate.Traffic(t.resp.Header, u.Traffic)
	if t.translation != nil {
		t.translation.ResponseHeader(t.resp.Header, traffic)
	}
	t.session.sign(t.resp.Header, t.lease.Candidate(), traffic)
}

// passing is the body of an answer that passes through unread.
type passing struct {
	*transfer
	head []byte
	done atomic.Bool // the lease is settled
}

func (p *passing) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	n, err := p.upstream.Read(b)
	if err != nil && p.done.CompareAndSwap(false, true) {
		class := pool.ClassOK
		if !errors.Is(err, io.EOF) {
			class = p.breach()
		}
		p.settle(pool.Outcome{Class: class})
	}
	return n, err
}

func (p *passing) Close() error {
	if p.done.CompareAndSwap(false, true) {
		p.settle(pool.Outcome{Class: pool.ClassCancelled})
	}
	return nil
}
