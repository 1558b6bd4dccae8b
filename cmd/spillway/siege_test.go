package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// What bench/siege measures with real processes, one thing at a time.

func TestAConnectionThatIsAcceptedGetsItsResponseAtTheEnd(t *testing.T) {
	for name, first := range map[string]bool{"a new connection": false, "an idle connection": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemory()
				s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{FirstToken: 2 * time.Second})), defaultListen, config.Serve{}, slog.New(slog.DiscardHandler))
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				ended := make(chan error, 1)
				go func() { ended <- s.serveOn(ctx, []door{{Listener: l}}, 30*time.Second) }()
				c, err := l.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				if first {
					exchangeOn(t, c, "GET "+healthPath+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
				}
				synctest.Wait()
				stop()
				time.Sleep(lastCalls / 2)
				if _, err := l.dial(t.Context(), "", ""); err == nil {
					t.Error("another connection is accepted")
				}
				resp := exchangeOn(t, c, head(generatePath, len(hello))+hello)
				if resp.StatusCode != http.StatusOK || !resp.Close {
					t.Errorf("the call gets %s, and the connection closes: %t", resp.Status, resp.Close)
				}
				if err := <-ended; err != nil {
					t.Errorf("the sidecar ends with %v", err)
				}
			})
		})
	}
}

// HTTP/2 can take requests back as fast as it makes them.
func TestARequestThatIsTakenBackAtOnceIsNotServed(t *testing.T) {
	google := newGoogle(geminitest.Latency{})
	s := newSidecar(newRouter(t, google), defaultListen, testServe, slog.New(slog.DiscardHandler))
	ctx, takeBack := context.WithCancel(t.Context())
	takeBack()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello)))
	if n := len(google.Requests()); n != 0 || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("Google was asked %d times, and the client gets %v %s", n, w.Header(), w.Body)
	}
}

// The kernel takes megabytes on loopback for a client that reads nothing, unless it is told.
func TestAClientThatDoesNotReadIsSentLittle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	c, err := newSeats(1).on(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	sent := 0
	piece := []byte(strings.Repeat("x", 32<<10))
	for sent < 8<<20 {
		if err := c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Write(piece)
		if sent += n; err != nil {
			break
		}
	}
	if sent > 1<<20 {
		t.Errorf("the kernel takes %d bytes", sent)
	}
	go func() { _, _ = io.Copy(io.Discard, server) }()
	if err := c.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	for range 100 { // and a client that reads gets all
		if _, err := c.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
}
