// Command spillway checks Spillway's configuration, serves the Gemini API by way of it to programs in any language, and emulates Google's
// back ends.
//
//	spillway check spillway.toml
//	spillway serve spillway.toml --listen 127.0.0.1:8080
//	spillway status http://127.0.0.1:8080
//	spillway emulate --listen 127.0.0.1:9090
//
// # The sidecar
//
// "spillway serve" is the library behind an HTTP server. It speaks the Gemini API: the dialect of the Developer API or of Vertex AI,
// whichever [router] backend says. Official SDKs of every language take its address as their base URL, and any API key:
//
//	client = genai.Client(api_key="any", http_options={"base_url": "http://127.0.0.1:8080"})               # Python
//	const client = new GoogleGenAI({apiKey: "any", httpOptions: {baseUrl: "http://127.0.0.1:8080"}})       // JavaScript
//
// Streams are sent on event by event, errors are Google's, and when a client leaves, its call to Google ends. There is no password:
// who can reach the address spends the pool's quota, so it is this machine alone unless --listen says otherwise. SIGTERM lets running
// calls end (--drain), SIGHUP makes it read the file again. To try it without keys:
//
//	spillway emulate > spillway.toml &
//	spillway serve spillway.toml &
//	curl http://127.0.0.1:8080/v1beta/models/gemini-2.5-flash:generateContent -d '{"contents":[{"parts":[{"text":"Hi"}]}]}'
//	spillway status
//
// Its exit status is 0 if all went well, 1 if it failed and 2 if it was used wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit statuses.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// command is one thing that the program does. Its help is printed by `spillway help NAME`.
type command struct {
	name, summary, help string
	run                 func(ctx context.Context, args []string, stdout, stderr io.Writer) int
}

var commands = []command{
	{"check", "show how each model is served, or what is wrong with a file", checkHelp, check},
	{"serve", "serve the Gemini API to programs in any language", serveHelp, serve},
	{"status", "show what a running sidecar knows", statusHelp, status},
	{"emulate", "serve an emulator of Google's back ends on this machine", emulateHelp, emulate},
}

const usageHead = `Spillway routes calls to Gemini over keys, projects and locations.

Usage:

`

// usage is the help of the program as a whole.
func usage() string {
	var b strings.Builder
	b.WriteString(usageHead)
	for _, c := range commands {
		fmt.Fprintf(&b, "  spillway %-9s %s\n", c.name, c.summary)
	}
	b.WriteString("  spillway help COMMAND\n\nExit status: 0 well, 1 it failed, 2 wrong use.\n")
	return b.String()
}

// run does what args say and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		say(stderr, usage())
		return statusUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return help(args[1:], stdout, stderr)
	}
	if c := find(args[0]); c != nil {
		return c.run(ctx, args[1:], stdout, stderr)
	}
	writef(stderr, "spillway: unknown command %q\n\n%s", args[0], usage())
	return statusUsage
}

// help prints the help of one command, or of all.
func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		say(stdout, usage())
		return statusOK
	}
	c := find(args[0])
	if c == nil || len(args) > 1 {
		writef(stderr, "spillway: no help for %q\n\n%s", strings.Join(args, " "), usage())
		return statusUsage
	}
	say(stdout, c.help)
	return statusOK
}

func find(name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

// parse reads a command's flags, which may stand before and after its other arguments; those are returned. With ok false, status is
// how the command ends.
func parse(flags *flag.FlagSet, args []string, help string, stdout, stderr io.Writer) (rest []string, status int, ok bool) {
	flags.SetOutput(io.Discard)
	for {
		err := flags.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			say(stdout, help)
			return nil, statusOK, false
		case err != nil:
			return nil, misused(flags.Name(), stderr, err.Error()), false
		case flags.NArg() == 0:
			return rest, statusOK, true
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// misused tells of wrong use.
func misused(name string, stderr io.Writer, problem string) int {
	writef(stderr, "spillway %s: %s; see `spillway help %s`\n", name, problem, name)
	return statusUsage
}

// writef prints. What cannot be printed is lost: there is nobody left to tell.
func writef(w io.Writer, format string, values ...any) { _, _ = fmt.Fprintf(w, format, values...) }

// say prints a text as it is.
func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
