package pool_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

// A log may be read on a terminal, by a handler that quotes nothing.
func TestNothingInALogMovesACursor(t *testing.T) {
	const evil = "x\x1b[2J\u009b31m\u202ey\nlevel=ERROR"
	var lines []string
	handler := recorder{&lines}
	for _, kind := range []pool.EventKind{
		pool.CooldownStarted, pool.CooldownEnded, pool.BreakerOpened, pool.LimitLearned, pool.UsageHigh,
		pool.OrderUnused, pool.MemoryFull, pool.CallsRefused, pool.LimitDisputed, pool.ProjectDiscovered, pool.DiscoveryIncomplete,
	} {
		pool.Log(slog.New(handler))(pool.Event{
			Kind: kind, Subject: pool.Subject{Kind: "model", Project: evil, Location: evil, Model: evil + strings.Repeat("long", 1000)},
			ProjectID: evil, Class: evil, Cause: evil, Remedy: evil, Page: evil, By: evil, Quota: evil, Message: evil, Traffic: evil, Share: 0.9,
		})
	}
	if len(lines) < 20 {
		t.Fatalf("only %d words were logged", len(lines))
	}
	for _, line := range lines {
		if !plain.Is(line) || len(line) > 400 {
			t.Errorf("logged: %q", line)
		}
	}
}

// recorder keeps the words of a log as they are.
type recorder struct{ lines *[]string }

func (r recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r recorder) WithGroup(string) slog.Handler            { return r }
func (r recorder) Handle(_ context.Context, rec slog.Record) error {
	*r.lines = append(*r.lines, rec.Message)
	rec.Attrs(func(a slog.Attr) bool { *r.lines = append(*r.lines, a.Value.String()); return true })
	return nil
}
