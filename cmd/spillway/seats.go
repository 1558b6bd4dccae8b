package main

import (
	"net"
	"sync"
)

// seats bound the connections of some listeners together. When all are taken, the next ones wait to be
// accepted.
type seats chan struct{}

// on returns a listener whose connections take seats.
func (s seats) on(l net.Listener) net.Listener {
	return &seating{Listener: l, seats: s, closed: make(chan struct{})}
}

// seating is a listener whose connections take seats.
type seating struct {
	net.Listener

	seats  seats
	closed chan struct{}
	once   sync.Once
}

func (l *seating) Accept() (net.Conn, error) {
	select {
	case l.seats <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.seats
		return nil, err
	}
	boundKernel(c)
	return &seated{Conn: &carrier{Conn: c}, leave: sync.OnceFunc(func() { <-l.seats })}, nil
}

func (l *seating) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// seated is a connection that has a seat until it is closed.
type seated struct {
	net.Conn

	leave func()
}

func (c *seated) Close() error {
	defer c.leave()
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
