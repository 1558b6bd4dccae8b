package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// crowds are many clients that hold on to what they have.
func crowds(n int, lasts time.Duration) []row {
	idle, deaf := 10_000/n, 300/min(n, 3)
	ask := head(largeModel, true, "Content-Length: 60\r\n") + padded(60)
	const windows = 10 // streams of a connection of HTTP/2
	asks := preface
	for i := range uint32(windows) {
		asks += frame(frameHeaders, flagEndHeaders, 2*i+1, block(largeModel)) + frame(frameData, flagEndStream, 2*i+1, []byte(hello))
	}
	crowd := func(name string, n int, siege func(ctx context.Context, c *net.TCPConn) error) row {
		return row{name: name, lasts: lasts, least: n,
			siege: func(ctx context.Context, to *target, met *report) { gather(ctx, to, met, n, siege) }}
	}
	return []row{
		crowd("idle connections", idle, func(_ context.Context, c *net.TCPConn) error { return health(c) }),
		crowd("idle connections of HTTP/2", idle, func(_ context.Context, c *net.TCPConn) error {
			if _, err := io.WriteString(c, preface); err != nil {
				return err
			}
			_, err := c.Read(make([]byte, 64))
			return err
		}),
		crowd("clients that do not read", deaf, func(_ context.Context, c *net.TCPConn) error {
			_, err := io.WriteString(c, ask)
			return err
		}),
		crowd("clients that read a byte a second", deaf, func(ctx context.Context, c *net.TCPConn) error {
			_ = c.SetReadBuffer(4 << 10)
			if _, err := io.WriteString(c, ask); err != nil {
				return err
			}
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			for {
				if _, err := c.Read(make([]byte, 1)); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return nil
				case <-ticker.C:
				}
			}
		}),
		crowd("streams of HTTP/2 that are not read", deaf/windows, func(_ context.Context, c *net.TCPConn) error {
			_, err := io.WriteString(c, asks)
			return err
		}),
	}
}

// padded is the body hello with so many bytes in all.
func padded(n int) string {
	b := []byte(hello)
	for len(b) < n {
		b = append(b, ' ')
	}
	return string(b)
}

// gather connects n clients, who do something and then hold on.
func gather(ctx context.Context, to *target, met *report, n int, do func(ctx context.Context, c *net.TCPConn) error) {
	began := time.Now()
	tickets := make(chan struct{}, 64) // who connect at once, as the backlog of a listener has an end
	var all, here sync.WaitGroup
	for range n {
		here.Add(1)
		all.Go(func() {
			tickets <- struct{}{}
			c, err := dial(ctx, to)
			<-tickets
			here.Done()
			if err == nil {
				err = do(ctx, c)
			}
			if err != nil && ctx.Err() == nil {
				met.wrong("a client is not served: %v", err)
				return
			}
			<-ctx.Done()
			met.client()
		})
	}
	here.Wait()
	met.saw("ms until all were connected: %d", time.Since(began).Milliseconds())
	all.Wait()
}

// health makes a request and reads its response, after which the connection is idle.
func health(c net.Conn) error {
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
