package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// writeTimeout is how long a client may take to accept a piece of its response. One that does not
// read would hold its endpoint's concurrency for ever.
const writeTimeout = time.Minute

// client is one call of a client: the response as it is written, and what the router gave for it.
type client struct {
	http.ResponseWriter

	sidecar  *sidecar
	control  *http.ResponseController
	url      *url.URL
	page     string // the origin of the web page that may read the response
	options  bool   // the call asks what the page may do
	begun    bool   // the response's header is written
	body     clientBody
	response io.Closer // the router's response; its end is the end of the lease
}

// WriteHeader writes the response's header with the names that clients look for.
func (c *client) WriteHeader(code int) {
	if code >= http.StatusOK {
		c.begun = true
		h := c.Header()
		share(h, c.page, c.options)
		spell(h)
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c *client) Write(p []byte) (n int, err error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	c.patiently(func() { n, err = c.ResponseWriter.Write(p) })
	return n, err
}

// FlushError is [http.Flusher] for an [http.ResponseController].
func (c *client) FlushError() (err error) {
	c.patiently(func() { err = c.control.Flush() })
	return err
}

// patiently does one write, which the client may not hold up for long. In HTTP/2 a deadline that
// passes between two writes would end the response, so it is taken back.
func (c *client) patiently(write func()) {
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not supported by a test's recorder
	write()
	_ = c.control.SetWriteDeadline(time.Time{})
}

// end ends the call with its handler, whatever happened below it: then the lease is given back. A
// panic is logged without its value, which may hold a credential.
func (c *client) end(problem any) {
	if c.response != nil {
		_ = c.response.Close()
	}
	// The server writes what is left to write after the handler.
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if problem == nil {
		return
	}
	if err, ok := problem.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		what := fmt.Sprintf("%T", problem)
		if err, ok := problem.(runtime.Error); ok {
			what = err.Error()
		}
		c.sidecar.log.Error("a call panicked", slog.String("panic", what), slog.String("stack", string(debug.Stack())))
		if !c.begun {
			clear(c.Header())
			refuse(c, http.StatusInternalServerError, "INTERNAL", "the call failed by a fault of Spillway's; its log says more")
			return
		}
	}
	panic(http.ErrAbortHandler) // breaks the connection off, so that no response looks whole
}

// RoundTrip gives the request to the router.
func (c *client) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.sidecar.router.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	c.response = resp.Body
	if resp.StatusCode < http.StatusOK || resp.StatusCode > 999 {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the response has the status %03d, which ends no call", resp.StatusCode)
	}
	return resp, nil
}

// forward sends the request on its way through the router.
func (c *client) forward(req *http.Request) {
	// An offer of HTTP/2 for the rest of the connection is declined by not answering it.
	req.Header.Del("Upgrade")
	req.Header.Del("HTTP2-Settings")
	if req.Body != nil && req.Body != http.NoBody {
		c.body.ReadCloser = req.Body
		req.Body = &c.body
	}
	// ReverseProxy removes the headers of one connection and ties the call to the client's
	// connection. It sends every piece of a stream on at once, and breaks the client's connection
	// when a response breaks off.
	proxy := httputil.ReverseProxy{
		Transport: c,
		// The router sets host, path and credentials. ReverseProxy would drop the parameters of a
		// query that has semicolons, as Google's has.
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.RawQuery = scheme(p.In), p.In.URL.RawQuery
		},
		ModifyResponse: rewriteUploadURLs,
		ErrorHandler:   c.failed,
		ErrorLog:       c.sidecar.proxyLog,
		BufferPool:     &c.sidecar.buffers,
	}
	proxy.ServeHTTP(c, req)
}

// statusClientGone is the status that nginx and Google use when the client of a call has
// disconnected. No client reads it.
const statusClientGone = 499

// failed writes the response to a call that no endpoint responded to.
func (c *client) failed(w http.ResponseWriter, req *http.Request, err error) {
	if broken := c.body.broken.Load(); broken != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the request's body cannot be read: "+(*broken).Error())
		return
	}
	if req.Context().Err() != nil {
		refuse(w, statusClientGone, "CANCELLED", "the client has disconnected")
		return
	}
	refuse(w, http.StatusBadGateway, "UNAVAILABLE", err.Error())
}

// clientBody is the body of a client's request. It notes what is wrong with it, to tell the
// client's mistakes from Google's.
type clientBody struct {
	io.ReadCloser

	broken atomic.Pointer[error]
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.broken.Store(&err)
	}
	return n, err
}
