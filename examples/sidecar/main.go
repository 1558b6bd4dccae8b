// Sidecar runs clients in other languages through "spillway serve": Google's SDKs for Python and
// JavaScript, OpenAI's client with LangChain, Java's HttpClient, and curl. README.md says what each
// run shows.
//
//	go run ./examples/sidecar              # the first run installs the SDKs, into the user's cache
//	go run ./examples/sidecar -only node
//
// Run it within this module. It skips a client whose language is not installed on this machine, and
// says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	only := flag.String("only", "", "the one client to run: "+strings.Join(names(), ", "))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

func names() (all []string) {
	for _, c := range clients {
		all = append(all, c.name)
	}
	return all
}

// run runs the clients, and fails if one of them does.
func run(ctx context.Context, out io.Writer, only string) error {
	var chosen []client
	for _, c := range clients {
		if only == "" || only == c.name {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("there is no client %q; write one of %s", only, strings.Join(names(), ", "))
	}
	work, err := os.MkdirTemp("", "spillway-sidecar-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	b := bench{binary: filepath.Join(work, "spillway"), dir: work}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "github.com/spillway-go/spillway/cmd/spillway") //nolint:gosec // a new folder's
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, said)
	}
	if err := writeCertificates(ctx, work); err != nil {
		return err
	}
	ready, err := install(ctx, out, work, chosen)
	if err != nil {
		return err
	}
	err = b.compareAll(ctx, out, ready, []road{{name: "plain"}, {name: "tls", dir: work}})
	_, _ = fmt.Fprintf(out, "sidecar: %d ran, %d skipped\n", len(ready), len(chosen)-len(ready))
	return err
}

// install installs clients, and says which it skips.
func install(ctx context.Context, out io.Writer, work string, chosen []client) (ready []program, err error) {
	for _, c := range chosen {
		p, err := c.install(ctx, out, work)
		if missing, ok := errors.AsType[missingError](err); ok {
			_, _ = fmt.Fprintf(out, "%-8s SKIPPED: %s\n", c.name, missing)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		ready = append(ready, p)
	}
	return ready, nil
}

// compareAll compares each program on each road, as many at a time as there are processors. It fails
// with what all of them say.
func (b bench) compareAll(ctx context.Context, out io.Writer, programs []program, roads []road) error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex // of out and errs
		errs []error
		free = make(chan struct{}, runtime.NumCPU())
	)
	for _, p := range programs {
		for _, on := range roads {
			free <- struct{}{}
			all.Go(func() {
				defer func() { <-free }()
				began := time.Now()
				summary, err := b.compare(ctx, p, on)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					summary = "FAILED"
					errs = append(errs, fmt.Errorf("%s, %s: %w", p.name, on.name, err))
				}
				_, _ = fmt.Fprintf(out, "%-8s %-6s %4.1f s  %s\n", p.name, on.name, time.Since(began).Seconds(), summary)
			})
		}
	}
	all.Wait()
	return errors.Join(errs...)
}
