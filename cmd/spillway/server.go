package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
)

const (
	// maxStreams is how many calls an HTTP/2 client may have under way on one connection. The
	// pool's limits bound calls; the connection need not.
	maxStreams = 1000
	// pingAfter is how long an HTTP/2 connection may be silent before the client is asked whether
	// it is there.
	pingAfter = time.Minute
	// lastCalls is the time for calls on connections that are accepted already. Once it shuts down,
	// net/http drops what it reads, without a response.
	lastCalls = 250 * time.Millisecond
)

// phase is where a sidecar is in its life.
type phase int32

const (
	phaseStarting phase = iota
	phaseServing
	phaseDraining
)

// errBrokenOff means that calls were cut off at the end.
var errBrokenOff = errors.New("calls were still under way and were cut off; see --drain")

// door is an address on which clients are served.
type door struct {
	net.Listener

	tls bool
}

// url returns the address as clients write it.
func (d door) url() string {
	switch at := d.Addr(); {
	case at.Network() == "unix":
		return "unix:" + at.String()
	case d.tls:
		return "https://" + at.String()
	default:
		return "http://" + at.String()
	}
}

// openDoors opens the addresses for clients.
func (s *sidecar) openDoors(ctx context.Context, cfg *config.Serve) (doors []door, err error) {
	defer func() {
		if err != nil {
			closeAll(doors)
		}
	}()
	for _, a := range addressesOf(s.listen, cfg) {
		l, err := listenOn(ctx, a)
		if err != nil {
			return doors, err
		}
		d := door{l, cfg.Certificate.TLS() != nil && a.Network == "tcp"}
		doors = append(doors, d)
		if isLocal(l.Addr()) {
			continue
		}
		s.exposed.Store(true)
		if err := guard(true, cfg); err != nil {
			return doors, fmt.Errorf("%s: %w", a, err)
		}
		if cfg.Open {
			s.log.Warn("everyone who can reach this address can spend the pool's quota",
				slog.String("address", l.Addr().String()))
		}
	}
	return doors, nil
}

func closeAll(doors []door) {
	for _, d := range doors {
		_ = d.Close()
	}
}

// urls returns the addresses of doors, for people.
func urls(doors []door) string {
	var all []string
	for _, d := range doors {
		all = append(all, d.url())
	}
	return strings.Join(all, " and ")
}

// newServer returns a server within bounds. Its connections take seats.
func newServer(h http.Handler, b config.Bounds, free *seats, log *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, ReadHeaderTimeout: b.HeaderTimeout, IdleTimeout: b.IdleTimeout, Protocols: &protocols,
		MaxHeaderBytes: int(b.Header), ConnState: free.note,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: pingAfter},
		ErrorLog: slog.NewLogLogger(connectionLog{log.Handler()}, slog.LevelWarn),
	}
}

// connectionLog has what net/http tells. What one client does on its connection, such as a handshake that
// it breaks off, is for debugging: anyone who reaches an address can do it any number of times.
type connectionLog struct{ slog.Handler }

func (l connectionLog) Handle(ctx context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "http: Accept error") {
		r.Level = slog.LevelDebug
	}
	if !l.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// serveOn serves clients until ctx ends. Then it says that it is not ready, accepts no more calls after
// [serve] drain_delay, and waits up to drain for the calls under way.
func (s *sidecar) serveOn(ctx context.Context, doors []door, drain time.Duration) error {
	b := s.rules.Load().bounds
	free := newSeats(b.Connections)
	server := newServer(s, b, free, s.log)
	server.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.rules.Load().certificate, nil // the file's as it is now
		},
	}
	failed := make(chan error, len(doors))
	for _, d := range doors {
		go func() {
			if d.tls {
				failed <- server.ServeTLS(free.on(d), "", "")
			} else {
				failed <- server.Serve(halfClosing{free.on(d)})
			}
		}()
	}
	s.phase.Store(int32(phaseServing))
	select {
	case err := <-failed:
		_ = server.Close()
		return err
	case <-ctx.Done():
	}
	s.phase.Store(int32(phaseDraining))
	delay := s.rules.Load().drainDelay
	s.log.Info("ending; the sidecar is not ready for more", slog.Duration("delay", delay), slog.Duration("drain", drain))
	time.Sleep(delay)
	return s.shutDown(ctx, doors, server, drain)
}

// shutDown accepts no more connections, and waits for the calls under way.
func (s *sidecar) shutDown(ctx context.Context, doors []door, server *http.Server, drain time.Duration) error {
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.live.drain(drain)
	}()
	closeAll(doors)
	time.Sleep(min(lastCalls, drain/2))
	err := server.Shutdown(patience)
	if err != nil {
		_ = server.Close()
	}
	if <-ended; err != nil { // the server's own end does not wait for Live sessions
		return errBrokenOff
	}
	s.log.Info("ended; every call was answered")
	return nil
}
