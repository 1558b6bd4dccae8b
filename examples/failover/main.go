// Failover shows Spillway under load while one thing after another fails at Google. Every call
// succeeds.
//
//	go run ./examples/failover        # an order fills up, a key is revoked, a quota runs out, a region fails
//	go run ./examples/failover keys   # two API keys: a minute quota is used up, a key is revoked
//
// It needs no keys and no network, and takes 10 to 14 seconds. Package geminitest's emulator, in
// memory, replaces Google. Everything else is as in a service, including the files spillway.toml
// and keys.toml. It exits with status 1 if a call fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spillway-go/spillway"
	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/router"
)

const model = "gemini-3.5-flash"

func main() {
	told := orders
	if len(os.Args) > 1 {
		told = keys
	}
	if len(os.Args) > 2 || len(os.Args) == 2 && os.Args[1] != "keys" {
		fmt.Fprintln(os.Stderr, "usage: failover [keys]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, told)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints a story to out. The error says which calls failed, if any.
func run(ctx context.Context, out io.Writer, told story) error {
	google := told.google()

	// A service writes spillway.Open(ctx, "spillway.toml") for these lines. Here the program embeds
	// the file, a table replaces the environment, and the emulator replaces the network.
	cfg, err := config.Parse("spillway.toml", told.file, config.WithEnv(told.lookup))
	if err != nil {
		return err
	}
	client, err := spillway.New(ctx, cfg, router.WithTransport(google))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	calls := &tally{}
	show := newChart(out, client.Router.Plan(model))
	traffic := &load{client: client, tally: calls}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		traffic.run(ctx)
	}()

	acts := told.acts(google, traffic)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for elapsed := range int(told.length / time.Second) {
		for _, a := range acts {
			if a.at == time.Duration(elapsed)*time.Second {
				a.happens()
				show.remark(elapsed, a.remark)
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-second.C:
		}
		show.second(elapsed+1, calls.take(), google, client.Router.Stat().Stat) //nolint:contextcheck // it does not wait
	}
	stop()
	<-done // no further call begins, and those under way have ended
	show.summary(calls, google)
	return calls.err()
}
