package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// smuggled is a request that hides in another.
const smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

// healthy is in the response to smuggled, and in no other.
const healthy = `"backend"`

// disguises are requests whose end is ambiguous. RFC 9112, sections 6 and 7.
func disguises() []string {
	ask := func(rest, body string) string { return head(plainModel, false, rest) + body }
	long := strings.Repeat("e", 64<<10)
	return []string{
		ask("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "2\r\n{}\r\n0\r\n\r\n"+smuggled),
		ask("Content-Length: 2\r\nContent-Length: 50\r\n", "{}"+smuggled),
		ask("Content-Length: 2, 2\r\n", "{}"+smuggled),
		ask("Content-Length: +2\r\n", "{}"+smuggled),
		ask("Content-Length: 0x2\r\n", "{}"+smuggled),
		ask("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+smuggled),
		ask("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled),
		ask("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "2;"+long+"\r\n{}\r\n0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "2;a=\"\n\"\r\n{}\r\n0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "10000000000000002\r\n{}\r\n0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n"+smuggled),
		ask("Transfer-Encoding: chunked\r\n", "2 \r\n{}\r\n0\r\nContent-Length: 50\r\n\r\n"+smuggled),
		strings.ReplaceAll(ask("Content-Length: 6\nTransfer-Encoding: chunked\n", "0\r\n\r\n"+smuggled), "\r\n", "\n"),
		strings.Replace(ask("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+smuggled), "HTTP/1.1", "HTTP/1.0", 1),
	}
}

// smuggling is clients whose requests have two ends.
func smuggling(lasts time.Duration) row {
	all := disguises()
	return row{name: "smuggling", lasts: lasts, least: len(all), siege: func(ctx context.Context, to *target, met *report) {
		var under sync.WaitGroup
		for i, one := range all {
			under.Go(func() {
				for ctx.Err() == nil {
					said, err := tell(ctx, to, one)
					if ctx.Err() != nil {
						break
					}
					if err != nil || strings.Contains(said, healthy) {
						met.wrong("disguise %d: %v %q", i, err, said)
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
				met.client()
			})
		}
		under.Wait()
	}}
}

// tell sends something, closes nothing, and returns all that the sidecar says until it closes or is
// silent for a second.
func tell(ctx context.Context, to *target, what string) (said string, err error) {
	c, err := dial(ctx, to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	go func() { _, _ = io.WriteString(c, what) }()
	var all strings.Builder
	piece := make([]byte, 4<<10)
	for {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(piece)
		all.Write(piece[:n])
		if err != nil {
			return all.String(), nil // it has closed, or says no more
		}
	}
}
