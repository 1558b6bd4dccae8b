package main

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// dialed counts connections.
var dialed atomic.Uint32

// dial connects to the sidecar, until ctx ends.
func dial(ctx context.Context, to *target) (*net.TCPConn, error) {
	c, err := connect(ctx, to)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = c.Close() })
	}
	return c, err
}

// connect connects to the sidecar. Connections come from several addresses of loopback, as one has
// too few ports.
func connect(ctx context.Context, to *target) (*net.TCPConn, error) {
	from := net.IPv4(127, 0, 0, byte(2+dialed.Add(1)%8))
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).DialContext(ctx, "tcp", to.address)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		<-ctx.Done() // which is that timeout
	}
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil //nolint:forcetypeassert // "tcp" has no other
}

// head is the header of a request for content.
func head(model string, stream bool, rest string) string {
	method := ":generateContent"
	if stream {
		method = ":streamGenerateContent?alt=sse"
	}
	return "POST /v1beta/models/" + model + method + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + rest + "\r\n"
}
