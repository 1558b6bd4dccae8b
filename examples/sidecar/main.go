// Sidecar runs Google's official Python and JavaScript SDKs, and OpenAI's Python client with
// LangChain, through "spillway serve". client.py, client.mjs and chat.py each get a sidecar and an
// emulator of their own. In the middle of each run, the key in use is revoked.
//
//	go run ./examples/sidecar                     # the first run installs the SDKs, into the user's cache
//	go run ./examples/sidecar -only javascript
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
	"time"
)

func main() {
	only := flag.String("only", "", "the one client to run: python, javascript or openai")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

// run runs the clients, and fails if one of them does.
func run(ctx context.Context, out io.Writer, only string) error {
	work, err := os.MkdirTemp("", "spillway-sidecar-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	binary := filepath.Join(work, "spillway")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/spillway-go/spillway/cmd/spillway") //nolint:gosec // a new folder's
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w\n%s", err, said)
	}

	passed, skipped := 0, 0
	for _, c := range []client{python, javascript, openAI} {
		if only != "" && only != c.name {
			continue
		}
		began := time.Now()
		dir, err := c.install(ctx, out)
		if missing, ok := errors.AsType[missingError](err); ok {
			_, _ = fmt.Fprintf(out, "%s: SKIPPED: %s\n", c.name, missing)
			skipped++
			continue
		}
		if err == nil {
			err = c.drive(ctx, out, binary, work, dir)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		_, _ = fmt.Fprintf(out, "%s: passed in %.1f s\n", c.name, time.Since(began).Seconds())
		passed++
	}
	if passed+skipped == 0 {
		return fmt.Errorf("there is no client %q; write python, javascript or openai", only)
	}
	_, _ = fmt.Fprintf(out, "sidecar: %d passed, %d skipped\n", passed, skipped)
	return nil
}
