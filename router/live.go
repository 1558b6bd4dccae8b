package router

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// The SDK dials the sessions of the Live API itself, past the HTTP client that it was given. For it
// the router picks the endpoint and returns what the SDK needs to dial it. Sessions of other clients
// the router dials itself, see [Router.DialLive].

// Live is an endpoint leased for one session of the Live API, see [Router.LiveConfig]. It is safe
// for concurrent use.
type Live struct {
	// Model is the model to connect to: the target of an alias, or a fallback.
	Model string
	// Endpoint is "project/location/traffic".
	Endpoint string

	lease     pool.Lease
	attempt   *attempt                   // for the trace
	config    func() *genai.ClientConfig // a closure, so that printing a Live shows no credential
	connected atomic.Bool
	ended     atomic.Bool
}

// LiveConfig leases an endpoint for a session of the Live API with a model, or an alias of one,
// until [Live.Release]:
//
//	live, err := r.LiveConfig(ctx, model)
//	if err != nil { … }
//	client, err := genai.NewClient(ctx, live.Config())
//	if err != nil { … }
//	session, err := client.Live.Connect(ctx, live.Model, config)
//	defer func() { live.Release(err) }()
//
// [Router.ConnectLive] does that, and tries another endpoint when connecting fails.
//
// The endpoint is chosen as for any call, by tiers and policy, in the client's own dialect, and as
// [WithCall] says in ctx. The session counts as one request against limits (rpm, rpd, concurrency).
// It reserves no tokens, because their number is unknown.
//
// An order of Provisioned Throughput goes first unless it is on cooldown. It is asked for as any call
// asks it, see [pool.Order]: by default it serves all of a session or refuses it. The router does not
// count what the session takes of it.
//
// LiveConfig queues for an endpoint as any call does. It fails with an [*ExhaustedError], a
// [genai.APIError] of Google's or the router's, ErrClosed, or ctx's error.
func (r *Router) LiveConfig(ctx context.Context, model string) (*Live, error) {
	x, err := r.liveExchange(ctx, r.service(), model, nil)
	if err != nil {
		return nil, err
	}
	return x.live(func(*Live) result { return result{served: true} })
}

// Config returns the configuration of a [genai.NewClient] whose Live service connects to the
// endpoint, a new copy each time. Other requests of that client go through the router.
//
// The configuration holds a credential of the pool: a key, or an access token that is valid for a
// few minutes. Do not log it, and note that errors of NewClient show it.
func (l *Live) Config() *genai.ClientConfig { return l.config() }

// Release ends the lease when the session has ended. The argument is the error of Connect or
// Receive that ended the session. Nil means that the session went well. The router puts on cooldown
// what the error is about: a dead key, a quota, servers that cannot be reached. Only the first
// Release counts. A lease that is not released expires after an hour; sessions may last longer.
func (l *Live) Release(err error) {
	if err == nil {
		o := pool.Outcome{Class: pool.ClassOK}
		if !l.settled() {
			o.Class = pool.ClassCancelled // it is unknown whether the order has served it
		}
		l.end(&o)
		return
	}
	l.settle(err)
}

// settled reports whether it is settled what serves the session: one on an order may be served on
// demand if Vertex AI spills over by itself.
func (l *Live) settled() bool {
	h := http.Header{}
	setTraffic(l.attempt, h)
	return l.lease.Endpoint().Traffic == pool.TrafficOnDemand || len(h) > 0
}

// end ends the lease, once, and tells the trace.
func (l *Live) end(o *pool.Outcome) {
	if l.ended.CompareAndSwap(false, true) {
		l.attempt.settle(o)
	}
}

// settle ends the lease with the outcome that an error stands for.
func (l *Live) settle(err error) verdict.Verdict {
	v, body := l.judge(err)
	o := pool.Outcome{Class: v.Class, Hint: v.Hint, Message: v.Message}
	if body != nil {
		o = outcome(v, v.Code, body)
	}
	if l.connected.Load() && (o.Class.Fault() || o.Class == pool.ClassCallerFault) {
		o = pool.Outcome{Class: pool.ClassOK} // a common end of sessions
	}
	l.end(&o)
	return v
}

// liveExchange returns the exchange of a session with a model. A session has no request of its own,
// so liveExchange makes one that names the model as the SDK would. header is the client's, if there
// is one.
func (r *Router) liveExchange(ctx context.Context, to liveService, model string, header http.Header) (*exchange, error) {
	if r.isClosed() {
		return nil, ErrClosed
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.address(model), nil)
	if err != nil {
		return nil, fmt.Errorf("router: %q is not the name of a model", model)
	}
	if header != nil {
		req.Header = header
	}
	x, refused, err := r.newExchange(req)
	if err == nil && refused == nil {
		if refused, err = (resolver{x}).resolve(); refused != nil || err != nil {
			res := x.ended(refused, err)
			refused, err = res.resp, res.err
		}
	}
	if err == nil && refused != nil {
		err = errorOf(refused)
	}
	return x, err
}

// liveService is what a session is asked of: a back end, in a version of its API.
type liveService struct {
	backend pool.Backend
	version string
}

// service returns the service that the SDK asks.
func (r *Router) service() liveService {
	if r.Backend() == pool.BackendVertex {
		return liveService{pool.BackendVertex, "v1beta1"}
	}
	return liveService{pool.BackendGemini, "v1beta"}
}

// address returns the address of a call that asks for a session with a model.
func (s liveService) address(model string) string {
	address := "https://generativelanguage.googleapis.com/" + s.version + "/"
	if s.backend == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/" + s.version + "/projects/-/locations/-/"
	}
	name := model
	if i := strings.LastIndexByte(name, '/'); i < 0 ||
		strings.HasSuffix("/"+name[:i], "/models") || name[:i] == "google" {
		name = "models/" + url.PathEscape(name[i+1:])
	} else if strings.HasPrefix(name, "projects/") { // a tuned model's endpoint
		address = strings.TrimSuffix(address, "projects/-/locations/-/")
	}
	return address + name + ":bidiGenerateContent"
}

// live leases an endpoint for the session, by the same loop as any call, and connects it.
func (x *exchange) live(connect func(*Live) result) (*Live, error) {
	res := x.do(func(lease pool.Lease) result {
		a := x.newAttempt(lease)
		return a.run(func() result {
			l, err := a.newLive()
			if err != nil {
				return a.failAuth(err)
			}
			a.end() // connecting has its own timeout
			res := connect(l)
			res.lease, res.live = lease, l
			a.open, res.open = res.served, res.served // the session goes on
			return res
		})
	})
	switch {
	case res.err != nil:
		return nil, res.err
	case res.served:
		return res.live, nil
	default:
		return nil, errorOf(res.resp)
	}
}

// newLive makes the configuration for a leased endpoint.
func (a *attempt) newLive() (*Live, error) {
	x, e, h := a.exchange, a.endpoint, http.Header{}
	if err := a.lease.Authorize(a.ctx, h, ""); err != nil {
		return nil, err
	}
	a.exit.sending(h)
	base := baseOf(e)
	// The SDK dials every scheme but ws and wss as wss.
	base.Scheme = strings.Replace(base.Scheme, "http", "ws", 1)
	cc := genai.ClientConfig{
		HTTPClient:  &http.Client{Transport: x.in.router},
		HTTPOptions: genai.HTTPOptions{BaseURL: base.String()},
	}
	if e.Backend == pool.BackendGemini {
		cc.Backend, cc.APIKey = genai.BackendGeminiAPI, h.Get("X-Goog-Api-Key")
	} else {
		cc.Backend, cc.Project, cc.Location = genai.BackendVertexAI, e.ProjectID, e.Location
		setTraffic(a, h)
		cc.HTTPOptions.Headers = h
	}
	l := &Live{
		Model: x.request.Model, Endpoint: e.Name, lease: a.lease, attempt: a,
	}
	if x.payload.pinned() {
		l.Model = x.model
	}
	l.config = func() *genai.ClientConfig {
		fresh := cc
		fresh.HTTPOptions.Headers = cc.HTTPOptions.Headers.Clone()
		return &fresh
	}
	return l, nil
}

// baseOf returns the address below which an endpoint has its services.
func baseOf(e *pool.Endpoint) url.URL {
	if e.BaseURL != nil {
		return *e.BaseURL
	}
	return url.URL{Scheme: "https", Host: request.Host(e.Backend, e.Location)}
}

// errorOf returns the error that the SDK would make of one of the router's responses.
func errorOf(resp *http.Response) error {
	var body struct {
		Error genai.APIError `json:"error"`
	}
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body)
	closeBody(resp.Body)
	if json.Unmarshal(text.Bytes(), &body) != nil || body.Error.Code == 0 {
		body.Error = genai.APIError{
			Code: resp.StatusCode, Status: resp.Status, Message: text.String(),
		}
	}
	if e, ok := Exhausted(body.Error); ok {
		return e
	}
	return body.Error
}

// LiveSession is a session of the Live API that holds a lease of its endpoint until it ends. Close
// it.
type LiveSession struct {
	*genai.Session
	// Model is the model that the session is with. Endpoint is where: "project/location/traffic".
	Model, Endpoint string

	live *Live
	once sync.Once
	err  error
}

// ConnectLive is client.Live.Connect through the pool. It connects a session of the Live API with a
// model, or an alias of one, through an endpoint that is ready. If connecting fails it tries the
// next endpoint, within [Config.MaxAttempts]. A connected session stays on its endpoint. Endpoints
// are chosen as in [Router.LiveConfig], with the same errors if there is none; other errors are the
// SDK's.
//
// Cancelling ctx ends the waiting and the connecting, not the session. The SDK cannot cancel a
// connection that hangs while it is made. ConnectLive abandons it after [Config.FirstByteTimeout]
// or with ctx, and closes it if it completes later.
func (r *Router) ConnectLive(
	ctx context.Context, model string, config *genai.LiveConnectConfig,
) (*LiveSession, error) {
	x, err := r.liveExchange(ctx, r.service(), model, nil)
	if err != nil {
		return nil, err
	}
	var session *genai.Session
	l, err := x.live(func(l *Live) result {
		var err error
		if session, err = l.connect(x.in.ctx, x.in.cfg.FirstByteTimeout, config); err == nil {
			l.connected.Store(true)
			if l.settled() {
				l.lease.Accept(time.Now())
			}
			return result{served: true}
		}
		v := l.settle(err)
		return result{class: v.Class, hint: v.Hint, err: l.attempt.exit.err(err)}
	})
	if err != nil {
		return nil, err
	}
	return &LiveSession{Session: session, Model: l.Model, Endpoint: l.Endpoint, live: l}, nil
}

// connect lets the SDK dial. The SDK takes its time even if the context ends.
func (l *Live) connect(
	ctx context.Context, timeout time.Duration, config *genai.LiveConnectConfig,
) (*genai.Session, error) {
	client, err := genai.NewClient(ctx, l.Config())
	if err != nil {
		// err may show the key.
		return nil, errors.New("router: cannot create the SDK's client for a Live session")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errFirstByte)
	type result struct {
		session *genai.Session
		err     error
	}
	came := make(chan result, 1)
	go func() {
		session, err := client.Live.Connect(ctx, l.Model, config)
		came <- result{session, err}
	}()
	defer cancel()
	select {
	case r := <-came:
		return r.session, r.err
	case <-ctx.Done():
		go func() {
			if r := <-came; r.err == nil {
				_ = r.session.Close()
			}
		}()
		return nil, fmt.Errorf("router: %s: %w", l.Endpoint, context.Cause(ctx))
	}
}

// Receive is the SDK's Receive. The error that ends the session ends the lease, as in
// [Live.Release].
func (s *LiveSession) Receive() (*genai.LiveServerMessage, error) {
	m, err := s.Session.Receive()
	if err != nil {
		s.live.Release(err)
		err = s.live.attempt.exit.err(err)
	}
	return m, err
}

// Close ends the session and its lease. It may be called more than once and returns the same error
// each time.
func (s *LiveSession) Close() error {
	s.once.Do(func() {
		s.live.Release(nil) // first: Receive's error after our own Close is not an outcome
		s.err = s.Session.Close()
	})
	return s.err
}
