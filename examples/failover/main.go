// Failover shows Spillway under load while one thing after another fails at Google. An order of
// Provisioned Throughput fills up, a key is revoked, a day quota runs out, and a region fails and
// recovers. Every call succeeds.
//
//	go run ./examples/failover
//
// It needs no keys and no network, and takes 14 seconds. Package geminitest's emulator, in memory,
// replaces Google. Everything else is as in a service, including the file spillway.toml. It exits
// with status 1 if a call fails.
package main

import (
	"context"
	_ "embed"
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

//go:embed spillway.toml
var file []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints the story to out. The error says which calls failed, if any.
func run(ctx context.Context, out io.Writer) error {
	google := newGoogle()

	// A service writes spillway.Open(ctx, "spillway.toml") for these lines. Here the program embeds
	// the file, a table replaces the environment, and the emulator replaces the network.
	cfg, err := config.Parse("spillway.toml", file, config.WithEnv(lookup))
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

	acts := story(google, traffic)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for elapsed := range int(length / time.Second) {
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
