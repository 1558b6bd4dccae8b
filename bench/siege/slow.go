package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// slow are clients that stop in each phase of a call, and send as little as keeps them there. Those
// that lose their connection come back.
func slow(n int, lasts time.Duration) []row {
	phase := func(name, opening, more string) row {
		return row{name: "slow in " + name, lasts: lasts, least: n, tls: strings.Contains(name, "TLS"),
			siege: func(ctx context.Context, to *target, met *report) { drip(ctx, to, met, n, opening, more) }}
	}
	handshake := "GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent HTTP/1.1\r\nHost: localhost\r\n" +
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	ask := frame(frameHeaders, flagEndHeaders, 1, block(othersModel))
	return []row{
		phase("the TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00"),
		phase("the request line", "POST /v1beta/models/", "x"),
		phase("the header", "POST /v1beta/models HTTP/1.1\r\nHost: localhost\r\n", "X-A: b\r\n"),
		phase("the body", head(plainModel, false, "Content-Length: 1000000\r\n"), " "),
		phase("a chunked body", head(plainModel, false, "Transfer-Encoding: chunked\r\n"), "1\r\n \r\n"),
		phase("HTTP/2's preface", "PRI * HTTP/2.0\r\n", ""),
		phase("a frame of HTTP/2", preface+frame(frameHeaders, flagEndHeaders, 1, make([]byte, 16<<10))[:12], "\x00"),
		phase("the header of HTTP/2", preface+frame(frameHeaders, 0, 1, block(plainModel)[:8]), frame(frameContinuation, 0, 1, nil)),
		phase("the body of HTTP/2", preface+ask, frame(frameData, 0, 1, []byte(" "))),
		phase("the WebSocket handshake", handshake, "X-A: b\r\n"),
		phase("the first WebSocket message", handshake+"\r\n", "\x81"),
	}
}

// drip holds n connections on which little more comes each second.
func drip(ctx context.Context, to *target, met *report, n int, opening, more string) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			time.Sleep(time.Second * time.Duration(i) / time.Duration(n))
			for ctx.Err() == nil {
				c, err := dial(ctx, to)
				if err != nil {
					if ctx.Err() == nil {
						met.wrong("a connection is refused: %v", err)
					}
					return
				}
				if dripOn(ctx, c, opening, more); ctx.Err() != nil {
					met.client()
					return
				}
				met.saw("the sidecar closed a connection")
			}
		})
	}
	all.Wait()
}

// dripOn writes until the connection ends.
func dripOn(ctx context.Context, c net.Conn, opening, more string) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c)
	}()
	defer func() { _ = c.Close(); <-ended }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for next := opening; ; next = more {
		if _, err := io.WriteString(c, next); err != nil {
			return
		}
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
