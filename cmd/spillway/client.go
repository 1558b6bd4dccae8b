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
	"time"
)

// client is one call of a client: the response as it is written, and what the router gave for it.
type client struct {
	http.ResponseWriter

	sidecar  *sidecar
	control  *http.ResponseController
	patience time.Duration // how long the client may take to accept a piece of its response
	guest    *guest        // whose token it has sent; nil: nobody's
	trusted  bool          // it has shown the operators' token
	url      *url.URL
	page     string // the origin of the web page that may read the response
	options  bool   // the call asks what the page may do
	begun    bool   // the response's header is written
	body     clientBody
	response io.Closer // the router's response; its end is the end of the lease
}

// newClient begins a call.
func (s *sidecar) newClient(w http.ResponseWriter, req *http.Request, rules *rules) *client {
	c := &client{ResponseWriter: w, sidecar: s, control: http.NewResponseController(w), url: req.URL, patience: rules.bounds.WriteTimeout}
	_ = c.control.SetWriteDeadline(time.Time{}) // of the request before on this connection
	return c
}

// WriteHeader writes the response's header with the names that clients look for.
func (c *client) WriteHeader(code int) {
	if code >= http.StatusOK {
		c.begun = true
		h := c.Header()
		if c.sidecar.phase.Load() == int32(phaseDraining) {
			h.Set("Connection", "close") // the next call goes to another sidecar
		}
		share(h, c.page, c.options)
		spell(h)
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c *client) Write(p []byte) (n int, err error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	c.patiently(func() { n, err = c.ResponseWriter.Write(p) }) //nolint:gosec,nolintlint // it cannot always tell that this is JSON, a response or a profile
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
	_ = c.control.SetWriteDeadline(time.Now().Add(c.patience)) // not supported by a test's recorder
	write()
	_ = c.control.SetWriteDeadline(time.Time{})
}

// end ends the call with its handler, whatever happened below it: then the lease is given back. A
// panic is logged without its value, which may hold a credential.
func (c *client) end(problem any) {
	if c.response != nil {
		_ = c.response.Close()
	}
	if c.guest != nil {
		c.guest.running.Add(-1)
	}
	c.body.end()
	// The server writes what is left to write after the handler.
	_ = c.control.SetWriteDeadline(time.Now().Add(c.patience))
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

// routing is a client's call on its way to the router.
type routing struct {
	*client

	in *http.Request
}

// RoundTrip gives the request to the router. ReverseProxy would pass on interim responses, such as
// 103; they are of one attempt, and the client's response may be another's.
func (c routing) RoundTrip(out *http.Request) (*http.Response, error) {
	req := out.WithContext(c.in.Context())
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
	// A client that expects 100 Continue gets it when its body is read. Google gets the body at once.
	req.Header.Del("Expect")
	// ReverseProxy removes the headers of one connection and ties the call to the client's
	// connection. It sends every piece of a stream on at once, and breaks the client's connection
	// when a response breaks off.
	proxy := httputil.ReverseProxy{
		Transport: routing{c, req},
		// The router sets host, path and credentials. ReverseProxy would drop the parameters of a
		// query that has semicolons, as Google's has.
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.RawQuery = scheme(p.In), p.In.URL.RawQuery
		},
		ModifyResponse: c.rewriteUploadURLs,
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
		refuseBody(w, *broken)
		return
	}
	if req.Context().Err() != nil {
		refuse(w, statusClientGone, "CANCELLED", "the client has disconnected")
		return
	}
	refuse(w, http.StatusBadGateway, "UNAVAILABLE", err.Error())
}
