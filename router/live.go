package router

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// The SDK dials the sessions of the Live API by itself, past the HTTP client that it was given. So the router does not carry them: it picks
// the endpoint and gives the SDK what it needs to dial there.

// Live is a place in the pool for one session of the Live API, see [Router.LiveConfig]. It is safe for concurrent use.
type Live struct {
	// Model is the model to be connected to: what an alias stands for, or what stands in for one that is exhausted.
	Model string
	// Endpoint is "project/location/traffic".
	Endpoint string

	lease     pool.Lease
	config    func() *genai.ClientConfig // a closure, for it holds a credential, which nothing that prints a Live must show
	connected atomic.Bool
}

// LiveConfig finds an endpoint for a session of the Live API with a model, or an alias of one, and keeps the place until [Live.Release]:
//
//	live, err := r.LiveConfig(ctx, model)
//	if err != nil { … }
//	client, err := genai.NewClient(ctx, live.Config())
//	if err != nil { … }
//	session, err := client.Live.Connect(ctx, live.Model, config)
//	defer func() { live.Release(err) }()
//
// [Router.ConnectLive] does that, and goes elsewhere where it fails.
//
// The endpoint is chosen as for any call, by tiers and policy, in the client's own dialect, also as [WithCall] asks in ctx. The session is
// one request against limits (rpm, rpd, concurrency) and no tokens, for how many it will take is not known. An order of Provisioned
// Throughput goes first while it does not rest; the router does not count what the session takes of it, and Vertex AI spills over by
// itself when it is full.
//
// It waits for an endpoint as any call does, and fails as any call does: with an [*ExhaustedError], a [genai.APIError] of Google's or the
// router's, ErrClosed, or ctx's error.
func (r *Router) LiveConfig(ctx context.Context, model string) (*Live, error) {
	s, err := r.liveSession(ctx, model)
	if err != nil {
		return nil, err
	}
	return s.live()
}

// Config returns what [genai.NewClient] needs to make the client whose Live service connects to the endpoint; another one each time. It
// holds the credential of the pool's project, as a key or as an access token that is good for the next minutes: it is not to be logged, and
// NewClient's errors show it. Requests of the client other than for Live go by way of the router, like all others.
func (l *Live) Config() *genai.ClientConfig { return l.config() }

// Release gives the place back when the session has ended. The error that ended it, of Connect or of a session's Receive, tells the router
// what must rest: a dead key, a quota that is used up, servers that cannot be reached. nil is a session that went well. Only the first
// Release counts. A place that is not released is given back after an hour; sessions may last longer.
func (l *Live) Release(err error) {
	if err == nil {
		o := pool.Outcome{Class: pool.ClassOK}
		if l.lease.Candidate().Traffic() == pool.TrafficProvisioned {
			o.Class = pool.ClassCancelled // whether the order has served it is not known
		}
		l.lease.Settle(time.Now(), o)
		return
	}
	l.settle(err)
}

// settle ends the place with what an error means.
func (l *Live) settle(err error) verdict.Verdict {
	v, body := l.judge(err)
	o := pool.Outcome{Class: v.Class, Hint: v.Hint, Message: v.Message}
	if body != nil {
		o = outcome(v, v.Code, body)
	}
	if l.connected.Load() && (o.Class.Fault() || o.Class == pool.ClassCallerFault) {
		o = pool.Outcome{Class: pool.ClassOK} // sessions end like that all the time
	}
	l.lease.Settle(time.Now(), o)
	return v
}

// liveCodes are the HTTP statuses that stand for the codes with which Google closes a session: inferred from how Google words them, no list
// of them is public; a policy violation (1008) is told by its words.
var liveCodes = map[int]int{
	websocket.CloseInvalidFramePayloadData: http.StatusBadRequest,
	websocket.ClosePolicyViolation:         http.StatusBadRequest,
	websocket.CloseInternalServerErr:       http.StatusInternalServerError,
	websocket.CloseServiceRestart:          http.StatusServiceUnavailable,
	websocket.CloseTryAgainLater:           http.StatusServiceUnavailable,
}

// judge says what the error of a session means, with the answer of Google's that it stands for, if it is one.
func (l *Live) judge(err error) (v verdict.Verdict, body []byte) {
	c := l.lease.Candidate()
	heard := verdict.Answer{Backend: c.Backend(), Keyed: l.lease.Keyed(), Header: http.Header{}, Now: time.Now()}
	var closed *websocket.CloseError
	var network *net.OpError
	_, said, isError := strings.Cut(err.Error(), "received error in response: ")
	switch {
	case errors.As(err, &closed):
	case isError:
		heard.Body = verdict.Scrub([]byte(said), l.lease.Secrets()...)
		return verdict.Judge(heard), heard.Body
	case errors.Is(err, websocket.ErrBadHandshake):
		// Refused, and the SDK keeps the reason to itself: the project rests for the model, but not for long.
		return verdict.Verdict{Class: pool.ClassQuotaUnknown, Message: "the websocket's handshake was refused"}, nil
	case errors.Is(err, errFirstByte):
		return verdict.Verdict{Class: pool.ClassTransport}, nil
	case errors.Is(err, net.ErrClosed), !errors.As(err, &network) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return verdict.Verdict{Class: pool.ClassCancelled}, nil
	case network != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.HasPrefix(err.Error(), "Connect to "):
		return verdict.Verdict{Class: pool.ClassTransport}, nil
	default:
		return verdict.Verdict{Class: pool.ClassCallerFault}, nil // of the SDK: a field that the back end does not take
	}
	code, known := liveCodes[closed.Code]
	text := strings.ToLower(closed.Text)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case closed.Code == websocket.CloseNormalClosure, closed.Code == websocket.CloseGoingAway:
		return verdict.Verdict{Class: pool.ClassOK}, nil
	case !known: // 1006: it broke off
		return verdict.Verdict{Class: pool.ClassTransport}, nil
	case has("quota", "resource exhausted", "resource has been exhausted", "too many requests", "rate limit"):
		code = http.StatusTooManyRequests
	case code == http.StatusBadRequest && has("is not found", "was not found"):
		code = http.StatusNotFound
	case code == http.StatusBadRequest && has("leaked", "permission", "denied", "suspended", "blocked"):
		code = http.StatusForbidden
	case has("unavailable", "overloaded", "high demand"):
		code = http.StatusServiceUnavailable
	}
	heard.Status, heard.Body = code, verdict.Scrub(verdict.ErrorBody(code, "", closed.Text), l.lease.Secrets()...)
	return verdict.Judge(heard), heard.Body
}

// liveSession is a call for a session with a model. It has no request of its own: one is made up that names the model as the SDK would.
func (r *Router) liveSession(ctx context.Context, model string) (*session, error) {
	if r.isClosed() {
		return nil, ErrClosed
	}
	address := "https://generativelanguage.googleapis.com/v1beta/"
	if r.Backend() == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/v1beta1/projects/-/locations/-/"
	}
	name := model
	if i := strings.LastIndexByte(name, '/'); i < 0 || strings.HasSuffix("/"+name[:i], "/models") || name[:i] == "google" {
		name = "models/" + url.PathEscape(name[i+1:])
	} else if strings.HasPrefix(name, "projects/") { // a tuned model's endpoint
		address = strings.TrimSuffix(address, "projects/-/locations/-/")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+name+":bidiGenerateContent", nil)
	if err != nil {
		return nil, fmt.Errorf("router: %q is no name of a model", model)
	}
	s, refused, err := r.newSession(req)
	if err == nil && refused == nil {
		refused, err = s.bind()
	}
	if err == nil && refused != nil {
		err = errorOf(refused)
	}
	return s, err
}

// live leases an endpoint for the session.
func (s *session) live() (*Live, error) {
	for {
		lease, err := s.acquire()
		switch {
		case errors.Is(err, errExhausted) && s.fallBack():
			continue
		case errors.Is(err, errExhausted):
			resp, err := s.giveUp()
			if err != nil {
				return nil, err
			}
			return nil, errorOf(resp)
		case err != nil:
			return nil, err
		}
		s.attempts++
		l, err := s.place(lease)
		if err == nil {
			return l, nil
		}
		// No access token.
		cancelled := s.ctx.Err() != nil
		class := pool.ClassProjectMisconfigured
		if cancelled {
			class = pool.ClassCancelled
		}
		lease.Settle(time.Now(), pool.Outcome{Class: class, Message: "no access token: " + err.Error()})
		s.look()
		a := answer{candidate: lease.Candidate(), class: class, err: fmt.Errorf("router: access token for %s: %w", lease.Candidate(), err)}
		if s.last = &a; cancelled || !s.again(&a) {
			return nil, a.err
		}
	}
}

// place makes the config for a leased endpoint.
func (s *session) place(lease pool.Lease) (*Live, error) {
	c := lease.Candidate()
	h := http.Header{}
	if err := lease.Authorize(s.ctx, h); err != nil {
		return nil, err
	}
	base := url.URL{Scheme: "https", Host: request.Host(c.Backend(), c.Location())}
	if b := c.BaseURL(); b != nil {
		base = *b
	}
	// The SDK dials what is neither ws nor wss as wss.
	base.Scheme = strings.Replace(base.Scheme, "http", "ws", 1)
	cc := genai.ClientConfig{HTTPClient: &http.Client{Transport: s.router}, HTTPOptions: genai.HTTPOptions{BaseURL: base.String()}}
	if c.Backend() == pool.BackendGemini {
		cc.Backend, cc.APIKey = genai.BackendGeminiAPI, h.Get("X-Goog-Api-Key")
	} else {
		cc.Backend, cc.Project, cc.Location = genai.BackendVertexAI, c.ProjectID(), c.Location()
		if c.Traffic() == pool.TrafficOnDemand {
			h[requestType] = []string{shared}
		}
		cc.HTTPOptions.Headers = h
	}
	l := &Live{Model: s.plan.Model, Endpoint: c.String(), lease: lease}
	if s.belongs {
		l.Model = s.model
	}
	l.config = func() *genai.ClientConfig {
		fresh := cc
		fresh.HTTPOptions.Headers = cc.HTTPOptions.Headers.Clone()
		return &fresh
	}
	return l, nil
}

// errorOf is the error that the SDK would make of an answer of ours.
func errorOf(resp *http.Response) error {
	var body struct {
		Error genai.APIError `json:"error"`
	}
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body)
	closeBody(resp.Body)
	if json.Unmarshal(text.Bytes(), &body) != nil || body.Error.Code == 0 {
		body.Error = genai.APIError{Code: resp.StatusCode, Status: resp.Status, Message: text.String()}
	}
	if e, ok := Exhausted(body.Error); ok {
		return e
	}
	return body.Error
}

// LiveSession is a session of the Live API that holds its place in the pool until it ends: close it.
type LiveSession struct {
	*genai.Session
	// Model is the model that it is with, Endpoint where: "project/location/traffic".
	Model, Endpoint string

	live *Live
	once sync.Once
	err  error
}

// ConnectLive is client.Live.Connect by way of the pool: it connects a session of the Live API with a model, or an alias of one, through
// whichever endpoint can take it now, and goes on to the next where connecting fails, within [Config.MaxAttempts]. A session that is
// connected stays where it is. How endpoints are chosen, and the errors when none can be, are those of [Router.LiveConfig]; other errors are
// the SDK's.
//
// Cancelling ctx ends the waiting and the connecting, not the session. The SDK does not let go of a connection that hangs while it is made;
// it is given up after [Config.FirstByteTimeout] or with ctx, and closed if it ever comes to be.
func (r *Router) ConnectLive(ctx context.Context, model string, config *genai.LiveConnectConfig) (*LiveSession, error) {
	s, err := r.liveSession(ctx, model)
	if err != nil {
		return nil, err
	}
	for {
		l, err := s.live()
		if err != nil {
			return nil, err
		}
		session, err := l.connect(s.ctx, s.cfg.FirstByteTimeout, config)
		if err == nil {
			l.connected.Store(true)
			if l.lease.Candidate().Traffic() == pool.TrafficOnDemand {
				l.lease.Accept(time.Now())
			}
			return &LiveSession{Session: session, Model: l.Model, Endpoint: l.Endpoint, live: l}, nil
		}
		v := l.settle(err)
		s.look()
		err = l.scrubbed(err)
		a := answer{candidate: l.lease.Candidate(), class: v.Class, hint: v.Hint, err: err}
		if s.last = &a; s.ctx.Err() != nil || !a.class.Elsewhere() || !s.again(&a) {
			return nil, err
		}
	}
}

// connect has the SDK dial, which takes its time whatever becomes of the context.
func (l *Live) connect(ctx context.Context, timeout time.Duration, config *genai.LiveConnectConfig) (*genai.Session, error) {
	client, err := genai.NewClient(ctx, l.Config())
	if err != nil {
		return nil, errors.New("router: the SDK makes no client for a Live session") // its own words may show the key
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

// scrubbed takes the pool's keys out of an error that somebody else has worded.
func (l *Live) scrubbed(err error) error {
	text := err.Error()
	if clean := string(verdict.Scrub([]byte(text), l.lease.Secrets()...)); clean != text {
		return errors.New(clean)
	}
	return err
}

// Receive is the SDK's. The error that ends the session tells the router what must rest.
func (s *LiveSession) Receive() (*genai.LiveServerMessage, error) {
	m, err := s.Session.Receive()
	if err != nil {
		s.live.Release(err)
		err = s.live.scrubbed(err)
	}
	return m, err
}

// Close ends the session and gives its place back. It may be called more than once; all return what the first did.
func (s *LiveSession) Close() error {
	s.once.Do(func() {
		s.live.Release(nil) // first: what Receive says of a connection that we close is not the router's business
		s.err = s.Session.Close()
	})
	return s.err
}
