package grid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// answer is an answer that is not the one that was asked for. The zero value is a connection that is
// reset at once.
type answer struct {
	status int           // 0: reset
	html   bool          // in place of JSON
	body   string        // ECHO stands for the credential that was sent
	after  time.Duration // until its first byte, zero: soon
	silent bool          // no header ever comes
	stalls bool          // nothing comes after the body
	events bool          // the body is an event stream
}

// soon is how long a refusal takes.
const soon = 30 * time.Millisecond

// send answers a request so. The credential that came comes back in whatever there is room in.
func (a *answer) send(q *query) (*http.Response, error) {
	if a.silent {
		<-q.ctx.Done()
		return nil, q.ctx.Err()
	}
	after := a.after
	if after == 0 {
		after = soon
	}
	if err := sleep(q.ctx, after); err != nil {
		return nil, err
	}
	if a.status == 0 {
		return nil, fmt.Errorf("read tcp 10.0.0.1:4711->10.0.0.2:443 (sent %q): %w", q.credential, syscall.ECONNRESET)
	}
	header := http.Header{
		"Content-Type":     {"application/json; charset=UTF-8"},
		"Www-Authenticate": {`Bearer realm="` + q.credential + `"`},
		"X-Echo":           {q.credential},
	}
	switch {
	case a.html:
		header.Set("Content-Type", "text/html; charset=utf-8")
	case a.events:
		header.Set("Content-Type", "text/event-stream")
	}
	text := strings.NewReader(strings.ReplaceAll(a.body, "ECHO", q.credential))
	resp := &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(text), ContentLength: -1, Request: q.req}
	if a.stalls {
		resp.Body = &stalled{text: text, ctx: q.ctx, closed: make(chan struct{})}
	}
	return resp, nil
}

// sleep returns early, with an error, if the request is cancelled.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stalled is a body of which no more comes after its text.
type stalled struct {
	text   *strings.Reader
	ctx    context.Context
	closed chan struct{}
	once   sync.Once
}

func (s *stalled) Read(p []byte) (int, error) {
	if s.text.Len() > 0 {
		return s.text.Read(p)
	}
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-s.closed:
		return 0, errors.New("http: read on closed response body")
	}
}

func (s *stalled) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// pause is between the two events of a good stream.
const pause = 20 * time.Millisecond

// paused is a body that comes in two parts.
type paused struct {
	first, second *strings.Reader
	ctx           context.Context
	slept         bool
}

func (p *paused) Read(b []byte) (int, error) {
	if p.first.Len() > 0 {
		return p.first.Read(b)
	}
	if !p.slept {
		if err := sleep(p.ctx, pause); err != nil {
			return 0, err
		}
		p.slept = true
	}
	return p.second.Read(b)
}

func (p *paused) Close() error { return nil }

// goodSign is in the text of every good answer, once it is whole.
const goodSign = `"finishReason":"STOP"`

// good is the answer that was asked for. The signature, if there is one, is that of a thought.
func good(q *query, signature string) *http.Response {
	if signature != "" {
		signature = `,"thoughtSignature":"` + signature + `"`
	}
	const (
		candidate = `{"candidates":[{"content":{"role":"model","parts":[{"text":"well"`
		usage     = `"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":1,"totalTokenCount":5}`
	)
	end := usage + `,"modelVersion":"` + q.model + `","responseId":"r"}`
	header := http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	resp := &http.Response{StatusCode: http.StatusOK, Header: header, ContentLength: -1, Request: q.req}
	if !q.stream {
		resp.Body = io.NopCloser(strings.NewReader(candidate + signature + `}]},` + goodSign + `,"index":0}],` + end))
		return resp
	}
	header.Set("Content-Type", "text/event-stream")
	resp.Body = &paused{
		ctx:    q.ctx,
		first:  strings.NewReader("data: " + candidate + `}]},"index":0}],` + end + "\r\n\r\n"),
		second: strings.NewReader("data: " + candidate + signature + `}]},` + goodSign + `,"index":0}],` + end + "\r\n\r\n"),
	}
	return resp
}
