package geminitest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Server is an emulator that listens on loopback. All of Google's hosts are reached there: the path
// says which back end and, for Vertex AI, which location is meant.
type Server struct {
	*Emulator
	URL string // "http://127.0.0.1:port", for base_url

	http    *http.Server
	stop    context.CancelFunc // ends requests that hang or stream
	serving chan struct{}      // closed when the listener's goroutine has ended

	mu       sync.Mutex
	closed   bool // no further handler may begin
	handlers sync.WaitGroup
}

// NewServer starts an emulator on a free port of loopback, and closes it when the test ends. It
// fails the test if it cannot.
func NewServer(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	s, err := Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start is [NewServer] for programs. The caller closes it. The error is that of [Config.Validate],
// or of listening.
func Start(cfg Config) (*Server, error) {
	return Listen(cfg, "127.0.0.1:0")
}

// Listen is [Start] on an address of choice.
func Listen(cfg Config, address string) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("geminitest: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{Emulator: New(cfg), URL: "http://" + listener.Addr().String(), stop: stop, serving: make(chan struct{})}
	s.http = &http.Server{
		Handler:     http.HandlerFunc(s.handle),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(io.Discard, "", 0), // connections that the emulator breaks on purpose
	}
	go func() {
		defer close(s.serving)
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// handle is ServeHTTP, known to Close.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.handlers.Add(1)
	s.mu.Unlock()
	defer s.handlers.Done()
	s.ServeHTTP(w, r)
}

// Close stops listening, breaks off what is being answered, and waits until nothing of the server
// is left. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	_ = s.http.Close()
	<-s.serving
	s.handlers.Wait()
}
