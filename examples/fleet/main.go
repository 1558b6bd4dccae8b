// Fleet shows three replicas of a service that keep to the quotas of two projects together, through
// a store that they share: one of them joins late, the store is lost and comes back, and a key is
// revoked. Every call succeeds, and no quota is exceeded.
//
//	go run ./examples/fleet
//	SPILLWAY_REDIS=redis://localhost:6379 go run ./examples/fleet
//
// It needs no keys and no network, and takes 18 seconds. The replicas are three clients in this
// program, and package geminitest's emulator replaces Google. The store is the server that
// SPILLWAY_REDIS names; else a redis-server of its own, if that is installed; else store.Memory. It
// exits with status 1 if a call fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

const model = "gemini-3.5-flash"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	e, err := newEngine()
	if err == nil {
		err = errors.Join(run(ctx, os.Stdout, e), e.end())
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// length is how long the story takes.
const length = 18

// act is an event of the story.
type act struct {
	at      int // seconds from the beginning
	remark  string
	happens func() error
}

// story returns what happens, in the order of time.
func story(f *fleet, e *engine, google *geminitest.Emulator) []act {
	acts := []act{
		{0, "replicas a and b start, and hear of each other through the store", func() error { return errors.Join(f.join("a"), f.join("b")) }},
		{3, "20 calls a second: together they may send north 120 a minute", func() error { f.rate.Store(20); return nil }},
		{6, "replica c joins: it has its part of what the others left", func() error { return f.join("c") }},
		{9, "north's minute is used up: south goes on alone", nil},
	}
	if e.lose != nil {
		acts = append(acts,
			act{10, "the store is lost: each replica keeps to its part of the limits", e.lose},
			act{12, "the store is back, and empty: the replicas tell it what they have used", e.back},
		)
	}
	return append(acts, act{16, "a key of south is revoked: who finds out tells the others", func() error {
		google.Revoke(environment["SOUTH_KEY_1"])
		return nil
	}})
}

// run prints the story to out. The error says which calls failed, if any.
func run(ctx context.Context, out io.Writer, e *engine) error {
	google := newGoogle()
	f := &fleet{google: google, engine: e}
	defer f.close()
	show := &chart{out: out}
	show.head(e.name)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.load(ctx)
	}()
	acts := story(f, e, google)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for elapsed := range length {
		for len(acts) > 0 && acts[0].at == elapsed {
			if acts[0].happens != nil {
				if err := acts[0].happens(); err != nil {
					return err
				}
			}
			show.remark(elapsed, acts[0].remark)
			acts = acts[1:]
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-second.C:
		}
		show.second(elapsed+1, f)
	}
	stop()
	<-done // no further call begins, and those under way have ended
	show.summary(f)
	return f.tally.err()
}
