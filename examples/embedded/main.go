// Embedded is an HTTP service that embeds the client: POST /ask with a question returns text.
//
//	go run ./examples/embedded -config spillway.toml
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/spillway-go/spillway"
)

func main() {
	file := flag.String("config", "spillway.toml", "Spillway's configuration file")
	address := flag.String("listen", "127.0.0.1:8081", "the address to serve on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := serve(ctx, *file, *address)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve serves until ctx ends, and then finishes the requests under way.
func serve(ctx context.Context, file, address string) error {
	client, err := spillway.Open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	server := &http.Server{Addr: address, Handler: handler(client), ReadHeaderTimeout: 5 * time.Second}
	finished := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		finished <- server.Shutdown(patience)
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-finished
}
