package router

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	gorilla "github.com/gorilla/websocket"

	"github.com/coder/websocket"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/pool"
)

const (
	// maxLiveMessage bounds a message of Google's. A second of sound has 48 kB, as base64 64 kB.
	maxLiveMessage = 16 << 20
	// livePiece is how much of a client's message is held.
	livePiece = 32 << 10
	// liveStall is how long Google may take to accept a piece of a message.
	liveStall = time.Minute
	// maxCloseReason is how many bytes a close has for its reason, see RFC 6455, section 5.5.
	maxCloseReason = 123
)

// LiveCloseError is the error of a session that was closed: a close of RFC 6455, as Google sent it,
// without any credential.
type LiveCloseError struct {
	// Code is that of the close, such as 1000, or 1005 for a close without one. Reason has at most
	// 123 bytes.
	Code   int
	Reason string
}

func (c *LiveCloseError) Error() string {
	return fmt.Sprintf("the session was closed with %d: %s", c.Code, plain.Text(c.Reason, maxMessage))
}

// LiveConn is a session of the Live API at Google, as messages of its WebSocket. It holds a lease of
// its endpoint until [LiveConn.Close]. One goroutine may receive while another sends, and others may
// ping and close.
type LiveConn struct {
	// Model is the model that the session is with. Endpoint is where: "project/location/traffic".
	Model, Endpoint string

	live  *Live
	ws    *websocket.Conn
	first *liveMessage // that accepted the session; nil: it was received
	once  sync.Once
	piece []byte // of the message that is being sent

	mu    sync.Mutex
	usage stream.Usage // of all turns
}

type liveMessage struct {
	binary bool
	text   []byte
}

// Receive returns the next message of Google's, the first of which is the answer to the setup. The
// end of ctx ends the session. It fails with a [*LiveCloseError] when Google has closed the session,
// else when the connection has broken. An error that it returns shows no credential, and ends the
// lease with the verdict on it.
func (c *LiveConn) Receive(ctx context.Context) (binary bool, message []byte, err error) {
	if m := c.first; m != nil {
		c.first = nil
		return m.binary, m.text, nil
	}
	kind, message, err := c.ws.Read(ctx)
	if err != nil {
		closed := closeOf(err)
		if closed != nil {
			err = closed
		}
		c.end(err, ctx.Err() != nil)
		return false, nil, c.live.attempt.exit.liveErr(err)
	}
	return kind == websocket.MessageBinary, c.heard(message), nil
}

// heard takes note of what a message says of tokens and of resumption.
func (c *LiveConn) heard(message []byte) []byte {
	a := c.live.attempt
	if bytes.Contains(message, []byte("sage")) {
		if u := stream.ParseUsage(message); u.Known || u.Traffic != "" {
			o := pool.Outcome{Class: pool.ClassOK, Evidence: pool.Evidence{Running: true}}
			c.mu.Lock()
			c.usage.Add(u)
			use(&o, c.usage)
			c.mu.Unlock()
			a.exit.outcome(&o)
			a.lease.Settle(time.Now(), o)
		}
	}
	if bytes.Contains(message, []byte("andle")) {
		var update struct {
			SessionResumptionUpdate struct {
				NewHandle string `json:"newHandle"`
			} `json:"sessionResumptionUpdate"`
		}
		if json.Unmarshal(message, &update) == nil && update.SessionResumptionUpdate.NewHandle != "" {
			a.exchange.in.router.pool.Own(handleName(update.SessionResumptionUpdate.NewHandle), a.endpoint.Home())
		}
	}
	if mayHoldError(message) {
		return a.scrub(message)
	}
	return message
}

// Send sends a client's message as it is read. The end of ctx ends the session, and so does Google
// by accepting nothing for a minute. An error of message's comes back as it is.
func (c *LiveConn) Send(ctx context.Context, binary bool, message io.Reader) error {
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stalled := time.AfterFunc(liveStall, cancel)
	defer stalled.Stop()
	stalled.Stop()
	if c.piece == nil {
		c.piece = make([]byte, livePiece)
	}
	piece := c.piece
	n, err := io.ReadFull(message, piece)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		stalled.Reset(liveStall)
		return c.sendErr(c.ws.Write(ctx, kind, piece[:n]))
	case err != nil:
		return err
	}
	w, err := c.ws.Writer(ctx, kind)
	for read := error(nil); err == nil && !errors.Is(read, io.EOF); n, read = message.Read(piece) {
		if read != nil {
			return read
		}
		stalled.Reset(liveStall)
		_, err = w.Write(piece[:n])
		stalled.Stop()
	}
	if err == nil {
		stalled.Reset(liveStall)
		_, err = w.Write(piece[:n])
	}
	if err == nil {
		err = w.Close()
	}
	return c.sendErr(err)
}

func (c *LiveConn) sendErr(err error) error {
	if err == nil {
		return nil
	}
	return c.live.attempt.exit.liveErr(err)
}

// Ping asks Google whether it is there. It returns when the answer is received, so Receive must be
// called meanwhile.
func (c *LiveConn) Ping(ctx context.Context) error { return c.sendErr(c.ws.Ping(ctx)) }

// Close closes the session with a code and a reason of RFC 6455, waits for Google's close for at
// most 5 seconds, and ends the lease. A code that cannot be sent becomes 1001.
func (c *LiveConn) Close(code int, reason string) {
	c.end(nil, false)
	if c.ws.Close(websocket.StatusCode(code), cutReason(reason)) != nil {
		_ = c.ws.Close(websocket.StatusGoingAway, "")
	}
	_ = c.ws.CloseNow()
}

// end ends the lease, once: with how the session ended. left says that it was not Google's doing.
func (c *LiveConn) end(err error, left bool) {
	c.once.Do(func() {
		o := pool.Outcome{Class: pool.ClassOK}
		if err != nil && !left {
			v, body := c.live.judge(gorillaErr(err))
			if o = (pool.Outcome{Class: v.Class, Hint: v.Hint, Message: v.Message}); body != nil {
				o = outcome(v, v.Code, body)
			}
			if o.Class.Fault() || o.Class == pool.ClassCallerFault || o.Class == pool.ClassCancelled {
				o = pool.Outcome{Class: pool.ClassOK} // a common end of sessions
			}
		}
		c.mu.Lock()
		use(&o, c.usage)
		c.mu.Unlock()
		c.live.end(&o)
	})
}

// closeOf returns the close that an error stands for, if it does.
func closeOf(err error) *LiveCloseError {
	if e, ok := errors.AsType[websocket.CloseError](err); ok {
		return &LiveCloseError{int(e.Code), e.Reason}
	}
	return nil
}

// gorillaErr is an error in the words of the library that the SDK uses.
func gorillaErr(err error) error {
	if e, ok := errors.AsType[*LiveCloseError](err); ok {
		return &gorilla.CloseError{Code: e.Code, Text: e.Reason}
	}
	return io.ErrUnexpectedEOF
}

// liveErr takes credentials out of the error of a session.
func (e *exit) liveErr(err error) error {
	if closed, ok := errors.AsType[*LiveCloseError](err); ok {
		return &LiveCloseError{closed.Code, cutReason(e.scrubber().ScrubText(closed.Reason))}
	}
	return e.err(err)
}

// cutReason cuts a reason to what a close has room for, between two characters.
func cutReason(reason string) string {
	if reason = plain.Text(reason, maxMessage); len(reason) <= maxCloseReason {
		return reason
	}
	n := maxCloseReason
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}
