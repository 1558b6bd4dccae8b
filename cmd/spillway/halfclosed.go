package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// halfClosedWithin is how soon after its request a client may close its side of the connection and
// still be served. TCP shows the same when a client closes its side and when it leaves, but no
// client that waits for a response leaves that soon.
const halfClosedWithin = 250 * time.Millisecond

// halfClosing is a listener whose clients may close their side behind the request, as `nc -N` does.
type halfClosing struct{ net.Listener }

func (l halfClosing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &halfClosable{Conn: c, changed: make(chan struct{})}, nil
}

// halfClosable is a connection of such a client. While net/http serves a request, it watches for
// the client's leaving with reads of one byte, and would cancel the call at the end of the input.
// There these reads wait until net/http takes them back. All other reads see the end.
type halfClosable struct {
	net.Conn

	// Used by one reader at a time.
	heard time.Time // when something came last
	begun bool
	half  bool // the client has closed its side
	http2 bool // which reads single bytes in another way, and has no half-closed connections

	mu       sync.Mutex
	changed  chan struct{} // closed when deadline or closed changes
	deadline time.Time
	closed   bool
}

func (c *halfClosable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard = time.Now()
		if !c.begun {
			c.begun, c.http2 = true, bytes.HasPrefix(p[:n], []byte("PRI"))
		}
	}
	if n > 0 || !errors.Is(err, io.EOF) || c.http2 {
		return n, err
	}
	if c.half = c.half || time.Since(c.heard) < halfClosedWithin; c.half && len(p) == 1 {
		return 0, c.wait()
	}
	return n, err
}

// wait waits until the read's deadline passes or the connection is closed.
func (c *halfClosable) wait() error {
	for {
		c.mu.Lock()
		deadline, closed, changed := c.deadline, c.closed, c.changed
		c.mu.Unlock()
		var expires <-chan time.Time
		switch left := time.Until(deadline); {
		case closed:
			return net.ErrClosed
		case deadline.IsZero():
		case left <= 0:
			return os.ErrDeadlineExceeded
		default:
			expires = time.After(left)
		}
		select {
		case <-expires:
		case <-changed:
		}
	}
}

func (c *halfClosable) SetReadDeadline(t time.Time) error {
	c.change(func() { c.deadline = t })
	return c.Conn.SetReadDeadline(t)
}

func (c *halfClosable) SetDeadline(t time.Time) error {
	c.change(func() { c.deadline = t })
	return c.Conn.SetDeadline(t)
}

func (c *halfClosable) Close() error {
	c.change(func() { c.closed = true })
	return c.Conn.Close()
}

// CloseWrite is [seated.CloseWrite].
func (c *halfClosable) CloseWrite() error { return closeWrite(c.Conn) }

func (c *halfClosable) change(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
	close(c.changed)
	c.changed = make(chan struct{})
}
