package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	// maxLiveMessage bounds a message of a client's, of which a piece is held at a time.
	maxLiveMessage = 16 << 20
	// goodbye is the part of the time to drain that is left for closes: a fifth of it.
	goodbye = 5
)

// livePath matches the paths of the Live API, which the SDKs build from their base URL.
var livePath = regexp.MustCompile(`^/*ws/google\.(?:ai\.generativelanguage\.(v[0-9]+(?:(?:alpha|beta)[0-9]*)?)\.GenerativeService[./]BidiGenerateContent|` +
	`cloud\.aiplatform\.(v[0-9]+(?:(?:alpha|beta)[0-9]*)?)\.LlmBidiService/BidiGenerateContent)(Constrained)?$`)

// relays are the Live sessions under way. The zero value is ready for use.
type relays struct {
	setups setupSlots

	mu     sync.Mutex
	open   map[*relay]struct{}
	ending bool
	done   chan struct{} // closed when the last one is over, once they are ending
}

// relay is one session: a client on one side, Google on the other.
type relay struct {
	client *websocket.Conn
	google *router.LiveConn
	ctx    context.Context //nolint:containedctx // of the session
	cancel context.CancelFunc

	ready  chan struct{} // closed when google is there
	over   chan struct{} // closed when the client's messages are over
	once   sync.Once
	pinged atomic.Bool // a ping is on its way to Google

	patience time.Duration // for a client that does not read
}

// serveLive serves a WebSocket: a session of the Live API, or nothing.
func (s *sidecar) serveLive(c *client, req *http.Request) {
	path := livePath.FindStringSubmatch(req.URL.Path)
	switch {
	case path == nil:
		refuse(c, http.StatusNotFound, "NOT_FOUND", "this is not a path of the Live API, such as "+
			"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent; no other WebSocket is carried")
		return
	case req.ProtoMajor != 1:
		refuse(c, http.StatusNotImplemented, "UNIMPLEMENTED", "WebSockets are served over HTTP/1.1")
		return
	}
	r := &relay{ready: make(chan struct{}), patience: c.patience}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(req.Context()))
	defer r.cancel()
	var err error
	r.client, err = websocket.Accept(c.ResponseWriter, req, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // [serve] origins has said whether the page may call
		OnPingReceived:     r.passPing,
	})
	if c.begun = true; err != nil {
		return // Accept has told the client
	}
	defer func() { _ = r.client.CloseNow() }()
	if path[3] != "" { // a close is seen by clients that do not see the response to their handshake
		r.close(int(websocket.StatusPolicyViolation), ephemeral)
		return
	}
	if !s.live.begin(r) {
		r.close(stopping())
		return
	}
	defer s.live.end(r)
	asked := router.LiveRequest{Backend: pool.BackendGemini, Version: path[1], Header: req.Header}
	if path[2] != "" {
		asked.Backend, asked.Version = pool.BackendVertex, path[2]
	}
	if google, ok := r.dial(s, asked); ok {
		r.run(google)
	}
}

// run carries the session's messages until either side ends it.
func (r *relay) run(google *router.LiveConn) {
	defer r.end()
	r.google = google
	close(r.ready)
	defer google.Close(int(websocket.StatusGoingAway), "") // if nothing has closed it before
	r.down()
}

// end ends what goes on with the client.
func (r *relay) end() {
	r.cancel()
	<-r.over
}

// up carries the client's messages to Google. It reads before Google is there, to notice that the
// client leaves.
func (r *relay) up() {
	for {
		kind, message, err := r.client.Reader(r.ctx)
		if err != nil {
			r.left(err)
			return
		}
		select {
		case <-r.ready:
		case <-r.ctx.Done():
			return
		}
		said := &clientMessage{Reader: message}
		if err = r.google.Send(r.ctx, kind == websocket.MessageBinary, said); err == nil {
			continue
		}
		if said.err != nil {
			r.left(said.err)
		} else { // it is Google who accepts nothing, and down reads why
			r.discard(message)
		}
		return
	}
}

// clientMessage is a message of the client's. It notes why it cannot be read.
type clientMessage struct {
	io.Reader

	err error
}

func (m *clientMessage) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// discard reads on, so that the client's close is seen, until Google has said why it accepts nothing.
func (r *relay) discard(message io.Reader) {
	for {
		if _, err := io.Copy(io.Discard, message); err != nil {
			return
		}
		var err error
		if _, message, err = r.client.Reader(r.ctx); err != nil {
			return
		}
	}
}

// left ends the session because the client has: with its close, or without one.
func (r *relay) left(err error) {
	code, reason := int(websocket.StatusGoingAway), ""
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		code, reason = int(closed.Code), closed.Reason
	}
	select {
	case <-r.ready:
		r.google.Close(code, reason)
	default:
	}
	r.cancel()
}

// down carries Google's messages to the client. A client that accepts none of one for a minute
// loses the session.
func (r *relay) down() {
	for {
		binary, message, err := r.google.Receive(r.ctx)
		if err != nil {
			r.close(ending(err))
			return
		}
		if r.write(binary, message) != nil {
			r.cancel()
			return
		}
	}
}

func (r *relay) write(binary bool, message []byte) error {
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.patience)
	defer cancel()
	return r.client.Write(ctx, kind, message)
}

// close closes the client's side. It is what ended the session, unless something has before.
func (r *relay) close(code int, reason string) {
	r.once.Do(func() {
		if r.ctx.Err() == nil {
			_ = r.client.Close(websocket.StatusCode(code), reason)
		}
	})
}

// passPing lets Google know that the client is there. The client gets its pong from the sidecar.
func (r *relay) passPing(context.Context, []byte) bool {
	select {
	case <-r.ready:
	default:
		return true
	}
	if r.pinged.CompareAndSwap(false, true) {
		go func() {
			defer r.pinged.Store(false)
			ctx, cancel := context.WithTimeout(r.ctx, r.patience)
			defer cancel()
			_ = r.google.Ping(ctx)
		}()
	}
	return true
}

// begin counts a session in, unless no more may begin.
func (l *relays) begin(r *relay) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return false
	}
	if l.open == nil {
		l.open = make(map[*relay]struct{})
	}
	l.open[r] = struct{}{}
	return true
}

func (l *relays) end(r *relay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, r)
	if l.ending && len(l.open) == 0 {
		close(l.done)
	}
}

// drain tells every session that it has to end, and closes those that have not when most of the
// time is over. It returns when all are over, or soon after the time is.
func (l *relays) drain(within time.Duration) {
	l.mu.Lock()
	if l.ending {
		l.mu.Unlock()
		return
	}
	l.ending, l.done = true, make(chan struct{})
	if len(l.open) == 0 {
		close(l.done)
	}
	open := slices.Collect(maps.Keys(l.open))
	l.mu.Unlock()
	for _, r := range open {
		go r.goAway(within - within/goodbye)
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-l.done:
		return
	case <-timer.C:
	}
	for _, r := range open { // they have got their close, and do not answer it
		r.cancel()
	}
	timer.Reset(lastMoment)
	select {
	case <-l.done:
	case <-timer.C:
	}
}

// lastMoment is the time for leases to end when their sessions are cut off.
const lastMoment = time.Second

// goAway says to the client what Google says before its servers stop, and closes the session if the
// client has not done so in time.
func (r *relay) goAway(left time.Duration) {
	message := fmt.Sprintf(`{"goAway":{"timeLeft":"%ss"}}`, strconv.FormatFloat(left.Seconds(), 'f', -1, 64))
	select {
	case <-r.ready:
		go func() { _ = r.write(true, []byte(message)) }()
	default:
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		r.close(stopping())
		r.cancel()
	case <-r.ctx.Done():
	}
}
