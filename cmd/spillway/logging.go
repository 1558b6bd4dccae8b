package main

import (
	"io"
	"log/slog"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/config"
)

// logging is where a sidecar logs, as [log] says. Its level may change while it serves.
type logging struct {
	log   *slog.Logger
	level *slog.LevelVar
}

func newLogging(cfg *config.Log, to io.Writer) logging {
	l := logging{level: new(slog.LevelVar)}
	l.level.Set(cfg.Level)
	options := &slog.HandlerOptions{Level: l.level}
	if cfg.Format == config.LogJSON {
		l.log = slog.New(slog.NewJSONHandler(to, options))
	} else {
		l.log = slog.New(slog.NewTextHandler(to, options))
	}
	return l
}

// openCalls opens the call log that cfg names, and returns it among the sinks of records. end ends
// it.
func openCalls(cfg *config.Log, stdout io.Writer, log *slog.Logger, sinks ...calls.Sink) (_ []calls.Sink, end func() error) {
	var l *calls.Log
	switch cfg.Calls {
	case "":
		return sinks, func() error { return nil }
	case calls.Stdout:
		l = calls.NewLog(stdout, log)
	default:
		l = calls.OpenLog(cfg.Calls, calls.FileConfig{MaxSize: cfg.MaxSize, MaxFiles: cfg.MaxFiles}, log)
	}
	return append(sinks, l), l.Close
}
