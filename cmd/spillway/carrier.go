package main

import (
	"net"

	"github.com/spillway-go/spillway/internal/turns"
)

// carrier is a connection that takes turns with the others while it carries much.
type carrier struct {
	net.Conn

	turns turns.Carrier
}

func (c *carrier) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.turns.Carried(n)
	return n, err
}

func (c *carrier) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.turns.Carried(n)
	return n, err
}

// CloseWrite is [seated.CloseWrite].
func (c *carrier) CloseWrite() error { return closeWrite(c.Conn) }
