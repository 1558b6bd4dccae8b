package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"
)

// excess is a request of which something is too large. The sidecar may say so, with a status of 4xx,
// or close the connection.
type excess struct {
	what string
	ask  func() io.Reader
}

// excesses are all of them.
func excesses() []excess {
	of := func(parts ...io.Reader) func() io.Reader { return func() io.Reader { return io.MultiReader(parts...) } }
	text := func(parts ...string) func() io.Reader {
		return func() io.Reader { return strings.NewReader(strings.Join(parts, "")) }
	}
	chunked := "Transfer-Encoding: chunked\r\n"
	many := func(n int, each string) string { return strings.Repeat(each, n) }
	deep := many(5<<20, "[")
	field := hpack.HeaderField{Name: "x-a", Value: many(100, "b")}
	fields := make([]hpack.HeaderField, 10_000)
	for i := range fields {
		fields[i] = field
	}
	big := block(plainModel, fields...)
	frames := preface
	for i := 0; len(big) > 0; i++ {
		n, kind := min(len(big), 16<<10), byte(frameContinuation)
		if i == 0 {
			kind = frameHeaders
		}
		frames += frame(kind, 0, 1, big[:n])
		big = big[n:]
	}
	return []excess{
		{"URL", text(head(many(1<<20, "a"), false, ""))},
		{"query", text("POST /v1beta/models/a:generateContent?" + many(1<<20, "a=b&") + " HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"header", text(head(plainModel, false, "X-A: "+many(1<<20, "b")+"\r\n"))},
		{"headers", text(head(plainModel, false, many(100_000, "X-A: b\r\n")))},
		{"header without end", func() io.Reader { return endlessly(head(plainModel, false, "")[:20], "X-A: b\r\n") }},
		{"declared body", text(head(plainModel, false, "Content-Length: 3000000000\r\n"), hello)},
		{"declared body of a number too large", text(head(plainModel, false, "Content-Length: 99999999999999999999\r\n"), hello)},
		{"depth of JSON", text(head(plainModel, false, fmt.Sprintf("Content-Length: %d\r\n", len(deep))), deep)},
		{"depth of contents", text(head(plainModel, false, fmt.Sprintf("Content-Length: %d\r\n", 13+5*(1<<20))), `{"contents":[`, many(1<<20, `{"a":`))},
		{"extension of a chunk", of(strings.NewReader(head(plainModel, false, chunked)), strings.NewReader("2;"+many(1<<20, "a")))},
		{"extensions of small chunks", func() io.Reader {
			return endlessly(head(plainModel, false, chunked), "1;"+many(1000, "a")+"\r\n \r\n")
		}},
		{"trailers", text(head(plainModel, false, chunked), "2\r\n{}\r\n0\r\n", many(1<<20, "X-A: b\r\n"))},
		{"trailer", text(head(plainModel, false, chunked), "2\r\n{}\r\n0\r\nX-A: ", many(10<<20, "b"))},
		{"header list of HTTP/2", text(frames)},
	}
}

// endlessly reads as opening, and then as more for ever.
func endlessly(opening, more string) io.Reader {
	return io.MultiReader(strings.NewReader(opening), &repeated{strings.Repeat(more, 1000), 0})
}

// repeated is a text without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// oversize is clients that send too much of everything.
func oversize(lasts time.Duration) row {
	all := excesses()
	const each = 4
	return row{name: "oversize", lasts: lasts, least: each * len(all), siege: func(ctx context.Context, to *target, met *report) {
		var under sync.WaitGroup
		for _, one := range all {
			for range each {
				under.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						outcome, err := exceed(ctx, to, one.ask())
						if ctx.Err() != nil {
							break
						}
						if err != nil {
							met.wrong("%s: %v", one.what, err)
							return
						}
						if n == 0 {
							met.saw("%s: %s", one.what, outcome)
						}
						time.Sleep(100 * time.Millisecond)
					}
					met.client()
				})
			}
		}
		under.Wait()
	}}
}

// exceed sends a request that is too large, and says what became of it.
func exceed(ctx context.Context, to *target, ask io.Reader) (outcome string, err error) {
	c, err := dial(ctx, to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	go func() { _, _ = io.Copy(struct{ io.Writer }{c}, ask) }()
	said := bufio.NewReader(c)
	if first, _ := said.Peek(5); len(first) == 5 && string(first) != "HTTP/" { // HTTP/2
		_, _ = io.Copy(io.Discard, said)
		return "an error of HTTP/2", nil
	}
	resp, err := http.ReadResponse(said, nil)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed):
		return "the connection is closed", nil
	case err != nil:
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 || resp.StatusCode > 499 {
		body, _ := io.ReadAll(resp.Body)
		return "", fmt.Errorf("%s: %.100s", resp.Status, body)
	}
	return resp.Status, nil
}
