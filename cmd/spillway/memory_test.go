package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

// memory is a listener without sockets, for the bubbles of synctest.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial connects a client.
func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case m.conns <- there:
		return here, nil
	case <-m.closed:
		return nil, errors.New("nobody listens")
	}
}

// service is a sidecar in a bubble.
type service struct {
	client *http.Client
	stop   context.CancelFunc
	ended  <-chan error // what hold returned
}

func startService(t *testing.T, r *router.Router, drain time.Duration) *service {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l, ended := newMemory(), make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	go func() { ended <- serveUntil(ctx, l, newSidecar(r, defaultListen, testServe, log), drain, log) }()
	transport := &http.Transport{DialContext: l.dial}
	t.Cleanup(func() {
		stop()
		transport.CloseIdleConnections()
	})
	return &service{&http.Client{Transport: transport}, stop, ended}
}

func (s *service) post(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sidecar"+path, strings.NewReader(hello))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Goog-Api-Key", "the-clients-own")
	return s.client.Do(req)
}

// serveUntil serves on a listener until ctx ends.
func serveUntil(ctx context.Context, l net.Listener, s *sidecar, drain time.Duration, _ *slog.Logger) error {
	return s.serveOn(ctx, []door{{Listener: l}}, drain)
}

// testServe names the sidecar of the tests.
var testServe = config.Serve{Hosts: []string{"sidecar", "example.com", "llm.example"}}

// testWrite is how long a client may take by default to accept a piece of its response.
const testWrite = time.Minute

// amount returns how much of something a test does: all of it if SPILLWAY_LONG is 1, and little
// otherwise.
func amount(little, all int) int {
	if os.Getenv("SPILLWAY_LONG") == "1" {
		return all
	}
	return little
}
