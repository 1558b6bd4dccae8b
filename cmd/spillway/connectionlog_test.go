package main

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
)

// Whoever reaches an address can break off any number of handshakes, and must not fill the log with them.
func TestWhatAClientDoesOnItsConnectionIsForDebugging(t *testing.T) {
	const handshake, full = "http: TLS handshake error from 10.0.0.1:5: EOF", "http: Accept error: accept: too many open files; retrying in 1s"
	for level, want := range map[slog.Level]int{slog.LevelInfo: 1, slog.LevelDebug: 2} {
		var said strings.Builder
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: level}))
		server := newServer(http.NotFoundHandler(), config.Bounds{}.WithDefaults(), newSeats(1), log)
		server.ErrorLog.Print(handshake)
		server.ErrorLog.Print(full)
		if n := strings.Count(said.String(), "\n"); n != want || !strings.Contains(said.String(), "level=WARN msg=\"http: Accept") {
			t.Errorf("at %s the log says\n%s", level, &said)
		}
	}
}
