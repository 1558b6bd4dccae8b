// Command spillway checks Spillway's configuration and emulates Google's back ends.
//
//	spillway check spillway.toml
//	spillway emulate --listen 127.0.0.1:9090
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
