package main

import (
	"net"
	"runtime"
)

// manyBytes is what one read or write carries where more is to come: the buffers of net/http have
// that size.
const manyBytes = 4 << 10

// yielding is a connection that lets the others run after each piece of what is long. A goroutine
// that always finds more to carry would run for 10 ms at a time, and one call has to wait for several
// goroutines in turn: a hundred clients that send or take without a pause would make that a second.
type yielding struct{ net.Conn }

func (c yielding) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return yield(n), err
}

func (c yielding) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return yield(n), err
}

// CloseWrite is [seated.CloseWrite].
func (c yielding) CloseWrite() error { return closeWrite(c.Conn) }

func yield(n int) int {
	if n >= manyBytes {
		runtime.Gosched()
	}
	return n
}
