package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

const (
	defaultInterval = 2 * time.Second
	// minInterval keeps --watch from being a load.
	minInterval = 100 * time.Millisecond
)

// interval is the value of --watch: it may be missing.
type interval time.Duration

func (i *interval) String() string { return time.Duration(*i).String() }

// IsBoolFlag lets --watch stand without a value.
func (i *interval) IsBoolFlag() bool { return true }

// Set reads a duration. "true" is what package flag gives in place of a missing one.
func (i *interval) Set(text string) error {
	if text == "true" {
		text = defaultInterval.String()
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("it is not a duration such as 2s")
	}
	if d < minInterval {
		return fmt.Errorf("it is less than %s", minInterval)
	}
	*i = interval(d)
	return nil
}

func isDuration(text string) bool {
	_, err := time.ParseDuration(text)
	return err == nil
}

// repeat shows the state again and again, until ctx ends. A sidecar that does not respond for a
// while is waited for, if it did at first.
func (f *statusFlags) repeat(ctx context.Context, stdout, stderr io.Writer) int {
	screen, redraw := terminalOf(stdout)
	redraw = redraw && !f.json
	tick := time.NewTicker(time.Duration(f.watch))
	defer tick.Stop()
	for first := true; ; first = false {
		text, err := f.once(ctx, stdout)
		switch {
		case ctx.Err() != nil:
			return statusOK
		case err != nil && (first || !redraw):
			writef(stderr, "spillway status: %s\n", err)
		case err != nil:
			text = plain.Text("spillway status: "+err.Error(), maxShown)
		}
		switch {
		case err != nil && first:
			return statusFailed
		case redraw:
			_, _ = io.WriteString(screen, screen.view().frame(text, first))
		default:
			if !first && !f.json && err == nil {
				text = "----\n" + text
			}
			printText(stdout, text)
		}
		if lost(stdout) {
			return statusOK // run says that it is
		}
		select {
		case <-ctx.Done():
			return statusOK
		case <-tick.C:
		}
	}
}
