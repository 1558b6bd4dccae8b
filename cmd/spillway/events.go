package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

const eventsHelp = `Usage: spillway events [URL] [--follow] [--json] [--kind KIND] [--since 10m]

Events shows what a running "spillway serve" has told its log of late: cooldowns
that started and ended, circuit breakers, limits that were learned or are nearly
used, orders that serve nothing, calls that were refused. A line each, as in the
log. The sidecar keeps the last 1,000. Contention and full orders, which come
several times a second, are not among them; "spillway status" shows those. The
default URL is http://127.0.0.1:8080.

Flags:

  --follow  goes on with all that come, until it is interrupted. While the sidecar
            is away it tries to connect again, and then misses nothing that the
            sidecar still has.
  --json    prints JSON, a line each: what URL/spillway/events has.
  --kind    shows events of one kind alone, such as cooldown_started, or of
            several that are separated by commas.
  --since   shows only events that are no older: 10m, 2h, or a time such as
            2026-11-26T11:00:00Z.

Exit status: 1 if no sidecar responds there.
`

const (
	// maxEventLine bounds one event.
	maxEventLine = 64 << 10
	// silence is how long a sidecar may say nothing to who follows it: three heartbeats.
	silence = 3 * heartbeat
	// mostPause is the longest pause before another attempt to connect. The first is a second.
	mostPause = 10 * time.Second
)

// eventReader prints the events of a sidecar.
type eventReader struct {
	at          remote
	out         io.Writer
	json        bool
	kind, since string
	last        string // the id of the last event
}

// showEvents runs the command "events".
func showEvents(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("events", flag.ContinueOnError)
	r := eventReader{out: stdout}
	follow := flags.Bool("follow", false, "")
	flags.BoolVar(&r.json, "json", false, "")
	flags.StringVar(&r.kind, "kind", "", "")
	flags.StringVar(&r.since, "since", "", "")
	rest, status, ok := parse(flags, args, eventsHelp, stdout, stderr)
	if !ok {
		return status
	}
	if r.at, ok = remoteOf(rest); !ok {
		return misused("events", stderr, "it takes one URL")
	}
	if _, err := kindsOf(r.kind); err != nil {
		return misused("events", stderr, err.Error())
	}
	if r.since != "" {
		if _, err := sinceOf(r.since, time.Now()); err != nil {
			return misused("events", stderr, err.Error())
		}
	}
	var err error
	if *follow {
		err = r.follow(ctx, stderr)
	} else {
		err = r.list(ctx)
	}
	if err != nil && ctx.Err() == nil {
		writef(stderr, "spillway events: %s\n", err)
		return statusFailed
	}
	return statusOK
}

// path returns the path to ask for. What was missed while the sidecar was away is asked for by the
// last id alone.
func (r *eventReader) path(follow bool) string {
	query := url.Values{}
	if follow {
		query.Set("follow", "1")
	}
	if r.kind != "" {
		query.Set("kind", r.kind)
	}
	if r.since != "" && r.last == "" {
		query.Set("since", r.since)
	}
	if len(query) == 0 {
		return eventsPath
	}
	return eventsPath + "?" + query.Encode()
}

// list prints the events that the sidecar keeps.
func (r *eventReader) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	resp, err := r.at.open(ctx, r.path(false), nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	err = r.lines(resp.Body, r.print)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("no sidecar responds: its response has not ended after %s", remoteTimeout)
	}
	return err
}

// lines calls each with every line of a body, without its end, until that fails or the body ends.
func (r *eventReader) lines(body io.Reader, each func(line []byte) error) error {
	for b := bufio.NewReaderSize(body, maxEventLine); !lost(r.out); {
		line, err := b.ReadSlice('\n')
		switch {
		case err == nil:
			err = each(bytes.TrimRight(line, "\r\n"))
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("%s %w: it sends lines that are larger than any event", r.at, errOther)
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			err = fmt.Errorf("%s %w: its response ends within a line", r.at, errOther)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow prints events as they come, until ctx ends. It connects again when the connection is lost.
func (r *eventReader) follow(ctx context.Context, stderr io.Writer) error {
	pause := time.Second
	for connected := false; ; {
		before := r.last
		began, err := r.connection(ctx)
		connected = connected || began
		if began || r.last != before {
			pause = time.Second
		}
		switch {
		case ctx.Err() != nil || lost(r.out):
			return nil //nolint:nilerr // its user has ended it
		case !connected || useless(err):
			return err
		case began:
			writef(stderr, "spillway events: the connection was lost (%s); trying again\n", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, mostPause)
	}
}

var errEnded = errors.New("the sidecar has ended it")

// connection follows the events on one connection, to its end. It reports whether that began.
func (r *eventReader) connection(ctx context.Context) (began bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(remoteTimeout, cancel) // of the header
	defer watchdog.Stop()
	header := http.Header{}
	if r.last != "" {
		header.Set("Last-Event-ID", r.last)
	}
	resp, err := r.at.open(ctx, r.path(true), header)
	if err != nil && ctx.Err() != nil {
		return false, fmt.Errorf("no sidecar responds within %s", remoteTimeout)
	} else if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return false, fmt.Errorf("%s %w: its response is another one", r.at, errOther)
	}
	watchdog.Reset(silence)
	err = r.lines(resp.Body, func(line []byte) error {
		watchdog.Reset(silence)
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			r.last = plain.Text(string(value), maxShown)
		case "data":
			return r.print(value)
		}
		return nil
	})
	switch {
	case err == nil:
		return true, errEnded
	case ctx.Err() != nil:
		return true, fmt.Errorf("it was silent for %s", silence)
	}
	return true, err
}

// print prints one event, which is a JSON object.
func (r *eventReader) print(line []byte) error {
	text, err := logLine(line)
	if err != nil {
		return fmt.Errorf("%s %w: %s", r.at, errOther, plain.Text(err.Error(), maxShown))
	}
	if r.json {
		text = string(bytes.TrimSpace(line))
	}
	writef(r.out, "%s\n", strings.TrimSpace(text))
	return nil
}

// logLine returns the text that the log has for an event, from the JSON that it has: the same names
// and values, in the same order. The id is for those who follow.
func logLine(line []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", errors.New("it sends what is no event")
	}
	var at time.Time
	var level slog.Level
	var message string
	var attrs []slog.Attr
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		switch text, _ := value.(string); name {
		case slog.TimeKey:
			if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return "", errors.New("it sends an event without its time")
			}
		case slog.LevelKey:
			_ = level.UnmarshalText([]byte(text)) // of another is INFO
		case slog.MessageKey:
			message = text
		case "id":
		default:
			if moment, err := time.Parse(time.RFC3339Nano, text); err == nil {
				value = moment
			}
			attrs = append(attrs, slog.Any(fmt.Sprint(name), value))
		}
	}
	if at.IsZero() || message == "" {
		return "", errors.New("it sends an event without its time or message")
	}
	record := slog.NewRecord(at, level, message, 0)
	record.AddAttrs(attrs...)
	var b strings.Builder
	err := slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.Level(-1000)}).Handle(context.Background(), record)
	return b.String(), err
}
