package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// serving is a sidecar in a bubble, whose clients write what they like.
type serving struct {
	memory *memory
	log    *lockedBuilder
}

func startServing(t *testing.T, r *router.Router) *serving {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &serving{newMemory(), &lockedBuilder{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	ended := make(chan error, 1)
	go func() {
		ended <- serveUntil(ctx, s.memory, newSidecar(r, defaultListen, testServe, log), time.Second, log)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return s
}

// say sends text on a connection of its own and returns all that comes back.
func (s *serving) say(t *testing.T, text string) *http.Response {
	t.Helper()
	c, err := s.memory.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return exchangeOn(t, c, text)
}

func exchangeOn(t *testing.T, c net.Conn, text string) *http.Response {
	t.Helper()
	go func() { _, _ = io.WriteString(c, text) }()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

func textOf(resp *http.Response) string {
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// leased counts the calls that hold an endpoint.
func leased(r *router.Router) (n int) {
	for _, e := range r.Stat().Endpoints {
		n += e.Calls
	}
	return n
}

func postOf(header string, body string) string {
	return "POST " + generatePath + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + header + "\r\n" + body
}

func TestABodyThatCannotBeReadIsTheClientsMistake(t *testing.T) {
	for name, request := range map[string]string{
		"a size that is none":     postOf("Transfer-Encoding: chunked\r\n", "xyz\r\n{}\r\n0\r\n\r\n"),
		"a chunk without an end":  postOf("Transfer-Encoding: chunked\r\n", "2\r\n{}garbage\r\n0\r\n\r\n"),
		"a negative size":         postOf("Transfer-Encoding: chunked\r\n", "-1\r\n{}\r\n0\r\n\r\n"),
		"a size beyond all":       postOf("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
		"a broken second chunk":   postOf("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\nzz\r\n"),
		"a size of another's own": postOf("Transfer-Encoding: chunked\r\n", "2;a=\x00\r\n{}\r\n\x00\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{})
				resp := startServing(t, newRouter(t, google)).say(t, request)
				text := textOf(resp)
				if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "INVALID_ARGUMENT") {
					t.Errorf("the answer is %s %s", resp.Status, text)
				}
				if n := len(google.Requests()); n != 0 {
					t.Errorf("Google was asked %d times", n)
				}
			})
		})
	}
}

// halves is a connection whose sides close one by one, as TCP's.
type halves struct {
	net.Conn // what the server writes

	in net.Conn
}

func (h halves) Read(p []byte) (int, error)        { return h.in.Read(p) }
func (h halves) SetReadDeadline(t time.Time) error { return h.in.SetReadDeadline(t) }
func (h halves) SetDeadline(t time.Time) error {
	return errors.Join(h.in.SetDeadline(t), h.Conn.SetDeadline(t))
}
func (h halves) Close() error { return errors.Join(h.in.Close(), h.Conn.Close()) }

func TestAClientThatClosesItsSideIsServed(t *testing.T) {
	short := "GET /v1beta/models/gemini-2.5-flash HTTP/1.1\r\nHost: localhost\r\n\r\n"
	long := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", generatePath, len(hello), hello)
	chunked := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", generatePath, len(hello), hello)
	streamed := strings.Replace(long, generatePath, streamPath, 1)
	for name, tt := range map[string]struct {
		sent     string
		wait     time.Duration // between the request and the end of the client's side
		want     int           // responses
		wantCode int
	}{
		"without a body":         {short, 0, 1, http.StatusOK},
		"after a body":           {long, 0, 1, http.StatusOK},
		"after chunks":           {chunked, 0, 1, http.StatusOK},
		"before a stream":        {streamed, 0, 1, http.StatusOK},
		"a little later":         {long, 100 * time.Millisecond, 1, http.StatusOK},
		"after two in a row":     {long + long, 0, 2, http.StatusOK},
		"in the middle of it":    {long[:len(long)-5], 0, 1, http.StatusBadRequest},
		"in the middle of chunk": {chunked[:len(chunked)-9], 0, 1, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRouter(t, newGoogle(geminitest.Latency{FirstToken: 5 * time.Second, PerToken: time.Second}))
				s := startServing(t, r)
				toServer, in := net.Pipe()
				fromServer, out := net.Pipe()
				s.memory.conns <- halves{out, in}
				began := time.Now()
				go func() {
					_, _ = io.WriteString(toServer, tt.sent)
					time.Sleep(tt.wait)
					_ = toServer.Close()
				}()
				reader := bufio.NewReader(fromServer)
				for range tt.want {
					resp, err := http.ReadResponse(reader, nil)
					if err != nil {
						t.Fatal(err)
					}
					if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != tt.wantCode || len(text) == 0 {
						t.Errorf("after %v it gets %s %q %v", time.Since(began), resp.Status, text, err)
					}
				}
				if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 {
					t.Errorf("then comes %q %v, not the end of the connection", rest, err)
				}
				synctest.Wait()
				if n := leased(r); n != 0 {
					t.Errorf("%d calls hold an endpoint", n)
				}
			})
		})
	}
}

// What looks like a closed side at first is a client that has left.
func TestAClientThatLeavesAtOnceIsNotServedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter(t, newGoogle(geminitest.Latency{FirstToken: time.Second, PerToken: time.Second}))
		s := startServing(t, r)
		c, err := s.memory.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", streamPath, len(hello), hello)
		_ = c.Close()
		time.Sleep(10 * time.Second) // the first event finds nobody
		if n := leased(r); n != 0 {
			t.Errorf("%d calls hold an endpoint", n)
		}
	})
}

func TestAnOfferOfHTTP2IsDeclinedAndHTTP2IsServed(t *testing.T) {
	offer := "Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
	body := fmt.Sprintf("Content-Length: %d\r\n", len(hello))
	for name, header := range map[string]string{
		"Java's":             "Connection: Upgrade, HTTP2-Settings\r\n" + offer + body,
		"with another":       "Connection: Upgrade\r\nUpgrade: TLS/1.3, h2c\r\n" + body,
		"for this hop alone": "Connection: close, upgrade\r\n" + offer + body,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{})
				resp := startServing(t, newRouter(t, google)).say(t, "POST "+generatePath+" HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n"+hello)
				if text := textOf(resp); resp.StatusCode != http.StatusOK || resp.ProtoMajor != 1 || !strings.Contains(text, "candidates") {
					t.Errorf("the answer is %s %s", resp.Status, text)
				}
				for _, asked := range google.Requests() {
					if asked.Header.Get("Upgrade") != "" || asked.Header.Get("HTTP2-Settings") != "" {
						t.Errorf("Google was offered %v", asked.Header)
					}
				}
			})
		})
	}
	t.Run("prior knowledge", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := http2Client(t, startServing(t, newRouter(t, newGoogle(geminitest.Latency{FirstToken: time.Second, PerToken: 10 * time.Second}))), 0)
			for _, path := range []string{generatePath, streamPath} {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+path, strings.NewReader(hello))
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				// A stream that pauses longer than writes may take goes on.
				if text := textOf(resp); resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || !strings.Contains(text, "STOP") {
					t.Errorf("the answer is %s %s %q", resp.Proto, resp.Status, text)
				}
				_ = resp.Body.Close()
			}
		})
	})
}

// http2Client is a client that speaks HTTP/2 without asking, and takes no more than window bytes of
// a response that it does not read.
func http2Client(t *testing.T, s *serving, window int) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialContext: s.memory.dial, Protocols: &protocols, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: window},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

const event = `data: {"candidates":[{"content":{"parts":[{"text":"word "}]}}]}` + "\n\n"

// endless is a stream of events that never ends. The second takes a second.
type endless struct{ reads int }

func (e *endless) Read(p []byte) (int, error) {
	switch e.reads++; e.reads {
	case 1:
		return copy(p, event), nil
	case 2:
		time.Sleep(time.Second)
	}
	return copy(p, strings.Repeat(event, len(p)/len(event))), nil
}

// answering is a Google that answers every call alike.
func answering(status int, header http.Header, body io.Reader) transport {
	return func(req *http.Request) (*http.Response, error) {
		if header == nil {
			header = http.Header{}
		}
		return &http.Response{
			Status: http.StatusText(status), StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: header.Clone(), Body: io.NopCloser(body),
			ContentLength: -1, Request: req,
		}, nil
	}
}

var events = http.Header{"Content-Type": {"text/event-stream"}}

func TestAClientThatDoesNotReadLosesItsEndpoint(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(proto, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRouter(t, answering(http.StatusOK, events, &endless{}))
				s := startServing(t, r)
				if proto == "HTTP/2" {
					req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+streamPath, strings.NewReader(hello))
					resp, err := http2Client(t, s, 64<<10).Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = resp.Body.Close() }()
				} else {
					c, err := s.memory.dial(t.Context(), "", "")
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = c.Close() }()
					_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", streamPath, len(hello), hello)
					// It reads the first event. From then on ReverseProxy waits for it alone, not for
					// a lock of its own, which would stop the bubble's clock.
					piece := make([]byte, 32<<10)
					for got := ""; !strings.Contains(got, "word"); {
						n, err := c.Read(piece)
						if err != nil {
							t.Fatal(err)
						}
						got += string(piece[:n])
					}
				}
				time.Sleep(testWrite / 2)
				if n := leased(r); n != 1 {
					t.Errorf("%d calls hold an endpoint, want the one", n)
				}
				time.Sleep(testWrite)
				if n := leased(r); n != 0 {
					t.Errorf("%d calls hold an endpoint for a client that does not read", n)
				}
			})
		})
	}
}

// panicking is a body that panics after its first event.
type panicking struct {
	first io.Reader
	value any
}

func (p panicking) Read(b []byte) (int, error) {
	if n, _ := p.first.Read(b); n > 0 {
		return n, nil
	}
	panic(p.value)
}

func TestAPanicBelowEndsTheLease(t *testing.T) {
	for name, tt := range map[string]struct {
		google   transport
		wantCode int // 0: the connection breaks
	}{
		"of a stream":          {answering(http.StatusOK, events, panicking{strings.NewReader(event), "the-secret"}), 0},
		"of the transport":     {func(*http.Request) (*http.Response, error) { panic(errors.New("the-secret")) }, http.StatusInternalServerError},
		"of a response's body": {answering(http.StatusOK, nil, panicking{strings.NewReader(""), "the-secret"}), http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRouter(t, tt.google)
				s := startServing(t, r)
				c, err := s.memory.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				path := streamPath
				if tt.wantCode != 0 {
					path = generatePath
				}
				_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(hello), hello)
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
				}
				if tt.wantCode == 0 && err == nil || tt.wantCode != 0 && (err != nil || resp.StatusCode != tt.wantCode) {
					t.Errorf("the client gets %v and %v", resp, err)
				}
				synctest.Wait()
				if n := leased(r); n != 0 {
					t.Errorf("%d calls hold an endpoint", n)
				}
				if said := s.log.String(); !strings.Contains(said, "a call panicked") || strings.Contains(said, "the-secret") {
					t.Errorf("the log says %s", said)
				}
			})
		})
	}
}

func TestAStatusThatEndsNoCallIsAFaultBelow(t *testing.T) {
	for _, status := range []int{0, 7, 99, 100, 101, 102, 103, 199} {
		for _, path := range []string{generatePath, streamPath, "/v1beta/interactions"} {
			synctest.Test(t, func(t *testing.T) {
				r := newRouter(t, answering(status, nil, strings.NewReader("")))
				s := startServing(t, r)
				resp := s.say(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(hello), hello))
				if text := textOf(resp); resp.StatusCode != http.StatusBadGateway || !strings.Contains(text, "UNAVAILABLE") {
					t.Errorf("%03d for %s becomes %s %s", status, path, resp.Status, text)
				}
				synctest.Wait()
				if n := leased(r); n != 0 {
					t.Errorf("%03d for %s: %d calls hold an endpoint", status, path, n)
				}
				if said := s.log.String(); strings.Contains(said, "panic") {
					t.Errorf("%03d for %s: %s", status, path, said)
				}
			})
		}
	}
}
