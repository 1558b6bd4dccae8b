package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// startDoor is startServing within other bounds, over an emulator.
func startDoor(t *testing.T, google http.RoundTripper, cfg config.Serve) *serving {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &serving{newMemory(), &lockedBuilder{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	ended := make(chan error, 1)
	go func() {
		ended <- newSidecar(newRouter(t, google), defaultListen, cfg, log).serveOn(ctx, []door{{Listener: s.memory}}, time.Second)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return s
}

// head is the header of a request with a body of some length.
func head(path string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", path, length)
}

// answers reads all responses on a connection until it ends: their statuses.
func answers(c net.Conn) (codes []int) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return codes
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		codes = append(codes, resp.StatusCode)
	}
}

func TestAClientThatFallsSilentInItsBodyLosesItsConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		path  string
		want  int
		after time.Duration
	}{
		"of a call":        {generatePath, http.StatusRequestTimeout, 20 * time.Second},
		"that is refused":  {"/no/path", http.StatusNotFound, leftover},
		"for operators":    {pausePath, http.StatusForbidden, leftover},
		"without its name": {"//x", http.StatusNotFound, leftover},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{})
				s := startDoor(t, google, config.Serve{Bounds: config.Bounds{BodyTimeout: 20 * time.Second}})
				c, err := s.memory.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				go func() { _, _ = io.WriteString(c, head(tt.path, 1000)+hello[:10]) }()
				codes := answers(c)
				if took := time.Since(began); took < tt.after || took > tt.after+2*time.Second {
					t.Errorf("its connection ends after %v", took)
				}
				if len(codes) != 1 || codes[0] != tt.want {
					t.Errorf("it gets %v, want %d", codes, tt.want)
				}
				if n := len(google.Requests()); n != 0 {
					t.Errorf("Google was asked %d times", n)
				}
			})
		})
	}
}

func TestOversizeRequestsAreRefused(t *testing.T) {
	const most = 1000
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"a header":            {"GET /v1beta/models HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", 431},
		"many headers":        {"GET /v1beta/models HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-A: b\r\n", 10<<10) + "\r\n", 431},
		"a URL":               {"GET /v1beta/models?" + strings.Repeat("x", 80<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
		"a body, announced":   {head(generatePath, most+1) + strings.Repeat(" ", most+1), 413},
		"a body, in pieces":   {"POST " + generatePath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + "3e9\r\n" + strings.Repeat(" ", most+1) + "\r\n0\r\n\r\n", 413},
		"a body that fits":    {head(generatePath, most) + strings.Repeat(" ", most-len(hello)) + hello, 200},
		"a body that may fit": {"POST " + generatePath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x", len(hello)) + "\r\n" + hello + "\r\n0\r\n\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{})
				s := startDoor(t, google, config.Serve{Bounds: config.Bounds{Body: most}})
				resp := s.say(t, tt.text)
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != tt.want {
					t.Errorf("it gets %s %s, want %d", resp.Status, body, tt.want)
				}
				if tt.want == http.StatusRequestEntityTooLarge && !strings.Contains(string(body), "max_body") {
					t.Errorf("it is told %s", body)
				}
				if n := len(google.Requests()); (n > 0) != (tt.want == http.StatusOK) {
					t.Errorf("Google was asked %d times", n)
				}
			})
		})
	}
}

// A proxy before the sidecar may take another end of a request for the true one. What follows must
// then be no request of its own.
func TestNoRequestIsSmuggledInAnother(t *testing.T) {
	const hidden = "GET /v1beta/models/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
	post := "POST " + generatePath + " HTTP/1.1\r\nHost: localhost\r\n"
	for name, text := range map[string]string{
		"both lengths":          post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"both, the other way":   post + "Transfer-Encoding: chunked\r\nContent-Length: " + strconv.Itoa(5+len(hidden)) + "\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":           post + "Content-Length: 0\r\nContent-Length: " + strconv.Itoa(len(hidden)) + "\r\n\r\n" + hidden,
		"a list of lengths":     post + "Content-Length: 0, 6\r\n\r\n" + hidden,
		"a signed length":       post + "Content-Length: +0\r\n\r\n" + hidden,
		"a negative length":     post + "Content-Length: -1\r\n\r\n" + hidden,
		"an unknown coding":     post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"two codings":           post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"a space in the name":   post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a folded header":       post + "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n" + hidden,
		"a chunk with a sign":   post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden,
		"a chunk out of bounds": post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n\r\n" + hidden,
		"HTTP/1.0 in chunks":    "POST " + generatePath + " HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{})
				s := startDoor(t, google, config.Serve{})
				c, err := s.memory.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				go func() { _, _ = io.WriteString(c, text) }()
				if codes := answers(c); len(codes) > 1 {
					t.Errorf("it gets %v", codes)
				}
				for _, r := range google.Requests() {
					if strings.Contains(r.Method, "get") {
						t.Errorf("the hidden request went out: %+v", r)
					}
				}
			})
		})
	}
}

func TestClientsThatDoNotReadHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := newGoogle(geminitest.Latency{})
		s := startDoor(t, google, config.Serve{})
		const deaf = 300
		for range deaf {
			c, err := s.memory.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			if _, err := io.WriteString(c, head(streamPath, len(hello))+hello); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		resp := s.say(t, head(generatePath, len(hello))+hello)
		if took := time.Since(began); resp.StatusCode != http.StatusOK || took > time.Second {
			t.Errorf("another client gets %s after %v", resp.Status, took)
		}
	})
}

// Ten thousand calls are under way while the file changes.
func TestNoCallFailsWhileTheFileChanges(t *testing.T) {
	calls, changes := amount(500, 10_000), amount(20, 100)
	synctest.Test(t, func(t *testing.T) {
		google := newGoogle(geminitest.Latency{FirstToken: time.Minute})
		google.Revoke("main_key")
		r := newRouter(t, google)
		var said lockedBuilder
		s := newSidecar(r, defaultListen, twoGuests(), slog.New(slog.NewTextHandler(&said, nil)))
		call := func() *httptest.ResponseRecorder {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
			req.Header.Set(keyHeader, tokenB)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			return w
		}
		if w := call(); w.Code != http.StatusOK { // and main's key is known as dead
			t.Fatalf("the first call gets %d %s", w.Code, w.Body)
		}
		cooldown := func() string { return string(r.Stat().Projects[0].Keys[0].Cooldown.Class) }
		before := cooldown()
		var all sync.WaitGroup
		failed := make(chan string, calls)
		for range calls {
			all.Go(func() {
				if w := call(); w.Code != http.StatusOK {
					failed <- w.Body.String()
				}
			})
		}
		time.Sleep(time.Second)
		env := config.WithEnv(func(name string) (string, bool) { return strings.ToLower(name), true })
		for i := range changes {
			text := fmt.Sprintf("[serve]\nhosts = [\"sidecar\"]\nmax_body = \"%dMB\"\n[[serve.token]]\nname = \"team-b\"\ntoken = %q\nconcurrency = %d\n", i+1, tokenB, 20_000+i) + twoProjects
			if i%2 == 1 {
				text = text[:len(text)-20-i] + "\n[[proj" // half of it is written
			}
			cfg, err := config.Parse("test", []byte(text), env)
			if err == nil {
				err = s.reload(cfg)
			}
			if broken := i%2 == 1; (err != nil) != broken {
				t.Fatalf("change %d: %v", i, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if w := call(); w.Code != http.StatusOK {
			t.Errorf("after the changes a call gets %d %s", w.Code, w.Body)
		}
		all.Wait()
		close(failed)
		for text := range failed {
			t.Fatalf("%d of %d calls failed, one with %s", len(failed)+1, calls, text)
		}
		if after := cooldown(); before == "" || after != before {
			t.Errorf("the cooldown was %q and is %q", before, after)
		}
	})
}

// A client may fall silent anywhere. Its connection ends, and so does its hold on a seat.
func TestASilentClientLosesItsConnectionInEveryPhase(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00" // with empty settings
	for name, tt := range map[string]struct {
		text string
		tls  bool
		most time.Duration
	}{
		"before it says anything": {"", false, 10 * time.Second},
		"in the request line":     {"POST /v1be", false, 10 * time.Second},
		"in the header":           {"POST /v1beta/models HTTP/1.1\r\nHost: localho", false, 10 * time.Second},
		"in the second header":    {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /heal", false, 10 * time.Second},
		"between requests":        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", false, 3 * time.Minute},
		"in the body":             {head(generatePath, 1000) + "{", false, time.Minute},
		"in a chunk":              {"POST " + generatePath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", false, time.Minute},
		"before TLS":              {"", true, 10 * time.Second},
		"in TLS":                  {"\x16\x03\x01\x02\x00\x01\x00", true, 10 * time.Second},
		"in HTTP/2's preface":     {preface[:10], false, 10 * time.Second},
		"behind HTTP/2's preface": {preface, false, 3 * time.Minute},
		"in a frame of HTTP/2":    {preface + "\x00\x00\xff\x01\x04\x00", false, 3 * time.Minute},
		"in a header of HTTP/2":   {preface + "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82", false, 3 * time.Minute},
		"in a body of no call":    {head("/no/path", 1000), false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, log := newMemory(), slog.New(slog.DiscardHandler)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, config.Serve{}, log)
				go func() { ended <- s.serveOn(ctx, []door{{Listener: l, tls: tt.tls}}, time.Second) }()
				c, err := l.dial(ctx, "", "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				go func() { _, _ = io.WriteString(c, tt.text) }()
				_, _ = io.Copy(io.Discard, c)
				if took := time.Since(began); took > tt.most+10*time.Second || took < time.Second {
					t.Errorf("its connection ends after %v, want %v", took, tt.most)
				}
				_ = c.Close()
				stop()
				<-ended
			})
		})
	}
}

func TestASilentStreamLosesItsCallAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := newGoogle(geminitest.Latency{})
		s := startDoor(t, google, config.Serve{})
		client := http2Client(t, s, 64<<10)
		body, writer := io.Pipe()
		go func() { _, _ = io.WriteString(writer, hello[:10]) }()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+generatePath, body)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(began); resp.StatusCode != http.StatusRequestTimeout || took != time.Minute {
			t.Errorf("it gets %s after %v", resp.Status, took)
		}
		_ = writer.Close()
		other, err := client.Post("http://localhost"+generatePath, "application/json", strings.NewReader(hello))
		if err != nil || other.StatusCode != http.StatusOK {
			t.Fatalf("another call on the connection: %v, %v", other, err)
		}
		_ = other.Body.Close()
		if n := len(google.Requests()); n != 1 {
			t.Errorf("Google was asked %d times", n)
		}
	})
}
