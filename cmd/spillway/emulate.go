package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

const emulateHelp = `Usage: spillway emulate [--listen 127.0.0.1:9090]

Emulate serves both of Google's back ends for Gemini on this machine until it is
interrupted. It lets you try Spillway, or any other client, without keys or
costs. It prints a file for Spillway that uses it:

  spillway emulate > spillway.toml &
  sleep 1    # until the file is there
  spillway check spillway.toml gemini-3.5-flash

Project "small" has a quota of 10 requests a minute and, on Vertex AI, 1 GSU of
Provisioned Throughput for gemini-3.5-flash in europe-west4. Project "large" has
no limits. The emulator runs no models: its responses are made-up words.

Flags:

  --listen  the address to serve on. Everyone who can reach it may use it.
`

// emulated is the emulator's configuration.
var emulated = geminitest.Config{
	Projects: []geminitest.Project{
		{
			ID: "small", Keys: []string{"small-key"}, Tokens: []string{"small-token"},
			Limits: []geminitest.Limit{{RPM: 10}},
			Orders: []geminitest.Order{{Model: "gemini-3.5-flash", Location: "europe-west4", GSUs: 1}},
		},
		{ID: "large", Keys: []string{"large-key"}, Tokens: []string{"large-token"}},
	},
	Latency: geminitest.Latency{FirstToken: 100 * time.Millisecond, PerToken: 2 * time.Millisecond, Jitter: 0.3},
}

// snippet is a file for Spillway that uses the emulator; %[1]s is its address.
const snippet = `# Google's back ends are emulated at %[1]s until you press Ctrl-C. A file for Spillway:

[[project]]
name     = "small"
backend  = "gemini"
keys     = ["small-key"]    # the emulator's own, not a secret
base_url = "%[1]s"

[[project]]
name     = "large"
backend  = "gemini"
keys     = ["large-key"]
base_url = "%[1]s"
priority = 1

# To have limits and orders read from there, export SMALL_TOKEN=small-token LARGE_TOKEN=large-token, add
# these lines to "small" and, with its own name and token, to "large", and try "spillway discover FILE":
#
#   discover     = true
#   discover_url = "%[1]s"
#   project_id   = "small"
#   credentials  = "env:SMALL_TOKEN"
#
# For Vertex AI, write backend = "vertex" in both and add to the first:
#
#   [[project.provisioned]]
#   model    = "gemini-3.5-flash"
#   location = "europe-west4"
#   gsus     = 1
`

// emulate runs the command "emulate".
func emulate(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("emulate", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9090", "")
	rest, status, ok := parse(flags, args, emulateHelp, stdout, stderr)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return misused("emulate", stderr, "it takes no arguments")
	}
	server, err := geminitest.Listen(emulated, *listen) //nolint:contextcheck // it is closed when ctx ends
	if err != nil {
		writef(stderr, "spillway emulate: %s\n", err)
		return statusFailed
	}
	defer server.Close()
	if _, err := fmt.Fprintf(stdout, snippet, server.URL); err != nil {
		writef(stderr, "spillway emulate: the file for Spillway cannot be written: %s\n", err)
		return statusFailed
	}
	<-ctx.Done()
	return statusOK
}
