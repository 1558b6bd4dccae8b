package main

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// settle is how long a connection without a call keeps its seat in any case. The end of its last response
// may still be on its way: HTTP/2 says that a connection is idle before it has sent all.
const settle = 100 * time.Millisecond

// seats bound the connections of some listeners together. When all are taken, a new connection gets the
// seat of the one that has been without a call for longest, which is closed. While all have calls, it
// waits.
type seats struct {
	most int

	mu      sync.Mutex
	changed sync.Cond // a seat is free, a connection has no call any more, or a listener is closed
	taken   int
	vacant  *list.List // of *seated without a call, the longest first
}

func newSeats(most int) *seats {
	s := &seats{most: most, vacant: list.New()}
	s.changed.L = &s.mu
	return s
}

// on returns a listener whose connections take seats.
func (s *seats) on(l net.Listener) net.Listener { return &seating{Listener: l, seats: s} }

// note is [http.Server.ConnState]: it notes which connections have a call.
func (s *seats) note(c net.Conn, state http.ConnState) {
	seat := seatOf(c)
	if seat == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew, http.StateIdle:
		s.vacate(seat)
	default:
		s.occupy(seat)
	}
}

// seatOf returns what has the seat below a server's connection.
func seatOf(c net.Conn) *seated {
	for {
		switch at := c.(type) {
		case *seated:
			return at
		case *halfClosable:
			c = at.Conn
		case *tls.Conn:
			c = at.NetConn()
		default:
			return nil
		}
	}
}

// vacate notes that a connection has no call. The caller holds the lock.
func (s *seats) vacate(c *seated) {
	if c.place == nil && !c.left {
		c.place, c.since = s.vacant.PushBack(c), time.Now()
		s.changed.Broadcast()
	}
}

// occupy notes that it has one. The caller holds the lock.
func (s *seats) occupy(c *seated) {
	if c.place != nil {
		s.vacant.Remove(c.place)
		c.place = nil
	}
}

// seating is a listener whose connections take seats.
type seating struct {
	net.Listener

	seats  *seats
	closed bool
}

func (l *seating) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	boundKernel(c)
	seat := &seated{Conn: c, seats: l.seats}
	gone, ok := l.take(seat)
	if gone != nil {
		_ = gone.Conn.Close()
	}
	if !ok {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	return seat, nil
}

// take gives a connection a seat. gone is the one that has lost it, and is to be closed. It is not ok
// when the listener is closed.
func (l *seating) take(c *seated) (gone *seated, ok bool) {
	s := l.seats
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.taken >= s.most && !l.closed {
		if first := s.vacant.Front(); first != nil {
			gone, _ = first.Value.(*seated)
			left := settle - time.Since(gone.since)
			if left <= 0 {
				s.leave(gone)
				break
			}
			gone = nil
			time.AfterFunc(left, s.wake)
		}
		s.changed.Wait()
	}
	if l.closed {
		return gone, false
	}
	s.taken++
	s.vacate(c)
	return gone, true
}

func (s *seats) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

func (l *seating) Close() error {
	l.seats.mu.Lock()
	l.closed = true
	l.seats.changed.Broadcast()
	l.seats.mu.Unlock()
	return l.Listener.Close()
}

// leave frees the seat of a connection, once. The caller holds the lock.
func (s *seats) leave(c *seated) {
	if !c.left {
		s.occupy(c)
		c.left = true
		s.taken--
		s.changed.Broadcast()
	}
}

// seated is a connection that has a seat until it is closed, or loses it to another.
type seated struct {
	net.Conn

	seats *seats
	place *list.Element // in vacant; nil while it has a call
	since time.Time     // when it was put there
	left  bool
}

func (c *seated) Close() error {
	c.seats.mu.Lock()
	c.seats.leave(c)
	c.seats.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends what goes to the client, who can then read the response to a request that it is
// still sending.
func (c *seated) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
