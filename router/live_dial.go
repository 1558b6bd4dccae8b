package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// LiveRequest asks for a session of the Live API in the words of its WebSocket protocol.
type LiveRequest struct {
	// Backend is the one whose dialect the client speaks, and Version the version of its API, such
	// as "v1beta".
	Backend pool.Backend
	Version string
	// Header is that of the client's handshake. The router heeds what it would heed of a call's:
	// Spillway-… and X-Vertex-AI-LLM-Request-Type. Credentials and what is about the client's
	// connection are not sent on.
	Header http.Header
	// Setup is the client's first message.
	Setup []byte
}

// DialLive connects a session of the Live API for a client that speaks its WebSocket protocol. It
// reads the model in the setup, leases an endpoint as for any call, and sends it the setup, in which
// the model has the name that it has there. If the endpoint refuses the handshake or the setup, the
// next one is tried, within [Config.MaxAttempts]. The session stays where it was accepted. Setups
// with the handle of an earlier session go to the project and location that gave the handle. If no
// LiveConn has seen it, as after a restart, each endpoint is asked in turn whether it knows it.
//
// The session is one request against limits. The tokens in the usageMetadata of its messages are
// charged as they come, each turn's in full, as Google bills them. A session on an order of
// Provisioned Throughput is asked for as any call is, see [pool.Order]: all of it is served by the
// order or none.
//
// The request goes through the router's transport, which must return a body that can be written to
// with status 101, as [http.Transport] does. Cancelling ctx ends the waiting and the connecting, and
// not the session. DialLive fails with a [*LiveCloseError] if the setup is no setup, or for what Google
// has closed the session with, and as [Router.LiveConfig] does.
func (r *Router) DialLive(ctx context.Context, asked LiveRequest) (*LiveConn, error) {
	setup, err := readSetup(asked.Setup)
	if err != nil {
		return nil, &LiveCloseError{int(websocket.StatusInvalidFramePayloadData), "spillway: " + err.Error()}
	}
	to := liveService{asked.Backend, asked.Version}
	x, err := r.liveExchange(ctx, to, setup.model, liveHeader(asked.Header))
	if err != nil {
		return nil, err
	}
	if x.payload.resumes = setup.handle != ""; x.payload.resumes {
		if home, known, _ := r.pool.Owner(time.Now(), handleName(setup.handle)); known {
			x.request.Home = home
		}
	}
	var conn *LiveConn
	res := x.do(func(lease pool.Lease) result {
		a := x.newAttempt(lease)
		return a.run(func() (res result) {
			conn, res = dialing{a, to, &setup}.dial()
			return res
		})
	})
	switch {
	case res.served:
		return conn, nil
	case res.closed != nil:
		return nil, res.closed
	case res.err != nil:
		return nil, res.err
	default:
		return nil, errorOf(res.resp)
	}
}

// liveHeader returns what a client's handshake says of its call.
func liveHeader(of http.Header) http.Header {
	h := make(http.Header, len(of))
	for name, values := range of {
		switch canonical := http.CanonicalHeaderKey(name); {
		case strings.HasPrefix(canonical, "Sec-"), strings.HasPrefix(canonical, "X-Forwarded-"),
			canonical == "Origin", canonical == "Referer", canonical == "Forwarded", canonical == "X-Real-Ip":
		default:
			h[name] = values
		}
	}
	return h
}

// path returns the path of the service's WebSocket.
func (s liveService) path() string {
	if s.backend == pool.BackendVertex {
		return "/ws/google.cloud.aiplatform." + s.version + ".LlmBidiService/BidiGenerateContent"
	}
	return "/ws/google.ai.generativelanguage." + s.version + ".GenerativeService.BidiGenerateContent"
}

// dialing is an attempt at a session.
type dialing struct {
	attempt *attempt
	to      liveService
	setup   *liveSetup
}

// dial connects the session at the leased endpoint, and waits until its setup is accepted.
func (d dialing) dial() (*LiveConn, result) {
	a := d.attempt
	ws, failed := d.handshake()
	if ws == nil {
		return nil, failed
	}
	ws.SetReadLimit(maxLiveMessage)
	var kind websocket.MessageType
	var first []byte
	err := ws.Write(a.ctx, websocket.MessageText, d.setup.message(d.setup.nameFor(a)))
	if err == nil {
		kind, first, err = ws.Read(a.ctx)
	}
	if err != nil || refusesSetup(first) {
		_ = ws.CloseNow()
		return nil, d.refusedSetup(first, err)
	}
	a.watch.accepted()
	a.watch.stop() // who listens and says nothing may do so for long
	a.began, a.open = time.Now(), true
	a.lease.Accept(a.began)
	c := &LiveConn{
		Model: a.exchange.request.Model, Endpoint: a.endpoint.Name, ws: ws,
		live: &Live{Model: a.exchange.request.Model, Endpoint: a.endpoint.Name, lease: a.lease, attempt: a},
	}
	c.live.connected.Store(true)
	if d.setup.handle != "" {
		a.exchange.in.router.pool.Own(handleName(d.setup.handle), a.endpoint.Home())
	}
	c.first = &liveMessage{kind == websocket.MessageBinary, c.heard(first)}
	return c, result{lease: a.lease, class: pool.ClassOK, served: true, open: true}
}

// handshake opens a WebSocket at the leased endpoint, with its credential.
func (d dialing) handshake() (*websocket.Conn, result) {
	a := d.attempt
	base := baseOf(a.endpoint)
	address := base.JoinPath(d.to.path())
	address.Scheme = strings.Replace(address.Scheme, "ws", "http", 1)
	for refused := ""; ; {
		h, err := a.header(refused)
		if err != nil {
			return nil, a.failAuth(err)
		}
		carrier := &liveCarrier{attempt: a}
		ws, _, err := websocket.Dial(a.ctx, address.String(), &websocket.DialOptions{
			HTTPHeader: h, HTTPClient: &http.Client{Transport: carrier, CheckRedirect: noRedirect},
		})
		token, tokened := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
		switch {
		case err == nil:
			a.began = time.Now()
			return ws, result{}
		case carrier.refusal == nil:
			return nil, a.failTransport(err)
		case carrier.refusal.StatusCode == http.StatusUnauthorized && tokened && !a.endpoint.Keyed && refused == "":
			closeBody(carrier.refusal.Body)
			refused = token // it may have been revoked
			continue
		}
		a.resp, a.began = carrier.refusal, time.Now()
		a.awaited = awaited{carrier.refusal.Body, &a.watch}
		a.upstream = &a.awaited
		if a.resp.StatusCode < http.StatusBadRequest {
			return nil, a.foreign(a.resp.StatusCode, "no answer to a handshake")
		}
		return nil, a.refused()
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// liveCarrier carries the handshake over the router's transport. A response that is no handshake is
// kept to be judged.
type liveCarrier struct {
	attempt *attempt
	refusal *http.Response
}

func (c *liveCarrier) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := carry(c.attempt, req)
	if err != nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, err
	}
	c.refusal = c.attempt.exit.response(resp)
	return &http.Response{StatusCode: resp.StatusCode, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// refusesSetup reports whether the first message of a session is an error.
func refusesSetup(message []byte) bool {
	var said struct {
		Error json.RawMessage `json:"error"`
	}
	return mayHoldError(message) && json.Unmarshal(message, &said) == nil && len(said.Error) > 0
}

// refusedSetup ends an attempt whose session was closed, or broke, before it was accepted.
func (d dialing) refusedSetup(first []byte, err error) result {
	a := d.attempt
	a.resp = &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: a.exchange.in.req}
	if err == nil {
		return a.judged(0, first)
	}
	closed := closeOf(err)
	if closed == nil {
		a.resp = nil
		return a.failTransport(err)
	}
	closed.Reason = a.exit.scrubber().ScrubText(closed.Reason) // as it came: Google may have cut it
	status, known := closeStatus(closed.Code, closed.Reason)
	if !known {
		a.resp = nil
		return a.failTransport(fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, closed))
	}
	a.resp.StatusCode = status
	res := a.judged(status, verdict.ErrorBody(status, "", closed.Reason))
	if said, ok := errors.AsType[*LiveCloseError](a.exit.liveErr(closed)); ok {
		res.closed = said
	}
	return res
}
