// Package router is an [http.RoundTripper] that sends requests for Gemini to whichever of a pool's endpoints can serve them now.
//
// A client (google.golang.org/genai, or anything that speaks the Gemini API over HTTP) makes a request for a placeholder key or
// project. The router picks an endpoint, puts that one's host, path and credential into the request, sends it, judges the answer, and
// tries elsewhere where that helps. So every method of the client is routed, and nothing of the client is replaced.
//
// Most programs use package spillway, which makes the client as well.
package router

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// ErrClosed is returned for calls that begin, or still wait for an endpoint, after [Router.Close].
var ErrClosed = errors.New("router: closed")

// Router is an [http.RoundTripper] over a pool of endpoints. Make one with [New]. It is safe for concurrent use.
type Router struct {
	cfg       atomic.Pointer[Config]
	pool      *pool.Pool
	transport http.RoundTripper
	own       *http.Transport // the transport if it is the router's, to be closed
	budget    budget
	queues    queues
	log       *slog.Logger
	saver     saver
	lookups   lookups

	reloading sync.Mutex
	closing   sync.Once
	closed    chan struct{}
}

// New makes a router over the pool that p describes. Errors are those of [pool.New] and [Config.Validate].
func New(p pool.Config, cfg Config, opts ...Option) (*Router, error) {
	o := choose(opts)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	made, err := pool.New(p, o.log)
	if err != nil {
		return nil, err
	}
	r := &Router{pool: made, transport: o.transport, log: o.log, closed: make(chan struct{})}
	r.recall(cfg.State)
	r.configure(cfg.effective(p.Projects))
	r.queues.byKey = make(map[queueKey]*queue)
	if r.transport == nil {
		r.own = newTransport()
		r.transport = r.own
	}
	return r, nil
}

// Backend returns the dialect that clients of the router speak.
func (r *Router) Backend() pool.Backend { return r.cfg.Load().Backend }

// RoundTrip sends one request by way of the pool, as an [http.RoundTripper] does. It returns when the answer, or of a stream its first
// piece, is there. Failures of Google's come back as Google's own answers; an error means that the request's context ended, that no
// answer came from anywhere, or [ErrClosed].
//
// When no endpoint can serve the call in time, the answer is HTTP 429 in Google's shape: status RESOURCE_EXHAUSTED, with a RetryInfo for
// the earliest moment that any endpoint could, and an ErrorInfo {reason: "POOL_EXHAUSTED", domain: "spillway"} whose metadata says why,
// endpoint by endpoint.
//
// Answers carry Spillway-Endpoint (project/location/traffic), Spillway-Attempts and Spillway-Traffic, and Spillway-Model where another
// model than the one asked for has answered. The request's own credential, and its Spillway-… headers (see [Call]), are not sent on.
//
// Cancelling the request's context ends waiting, attempts and the reading of the answer at once.
func (r *Router) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.isClosed() {
		closeBody(req.Body)
		return nil, ErrClosed
	}
	s, refused, err := r.newSession(req)
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return refused, nil
	}
	defer s.close()
	if s.lists() {
		return s.list()
	}
	if refused, err = s.bind(); refused != nil || err != nil {
		return refused, err
	}
	return s.run()
}

// Stat returns a snapshot of every project, key and endpoint: what rests, what is in flight, what is left of limits and orders.
func (r *Router) Stat() pool.Stat { return r.pool.Stat(time.Now()) }

// Plan returns how calls for a model (or an alias) are served, tier by tier.
func (r *Router) Plan(model string) *pool.Plan {
	return r.pool.Plan(time.Now(), r.cfg.Load().alias(model))
}

// Close ends the router: calls that wait for an endpoint fail with [ErrClosed], as do later ones. Calls that are under way go on to
// their end. It closes idle connections of the default transport, not of one given by [WithTransport], and writes [Config.State] a last
// time, of which it returns the error. It may be called more than once.
func (r *Router) Close() (err error) {
	r.closing.Do(func() {
		close(r.closed)
		err = r.saver.stop()
	})
	if r.own != nil {
		r.own.CloseIdleConnections()
	}
	return err
}

func closeBody(b io.Closer) {
	if b != nil {
		_ = b.Close()
	}
}
