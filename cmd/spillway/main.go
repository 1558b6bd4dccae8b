// Command spillway checks Spillway's configuration, serves the Gemini API to programs in any
// language, and emulates Google's back ends.
//
//	spillway init
//	spillway check spillway.toml --probe
//	spillway discover spillway.toml
//	spillway serve spillway.toml --listen 127.0.0.1:8080
//	spillway status http://127.0.0.1:8080 --watch
//	spillway events --follow
//	spillway explain gemini-3.5-flash
//	spillway pause project:prod --for 10m --why "the bill"
//	spillway report calls.jsonl --since 24h
//	spillway pace requests.jsonl --out responses.jsonl --until 06:00
//	spillway plan calls.jsonl
//	spillway sla --csv
//	spillway emulate --listen 127.0.0.1:9090
//
// # The sidecar
//
// "spillway serve" is the library behind an HTTP server. It speaks the Gemini API in the dialect
// that [router] backend says: the Developer API's or Vertex AI's. Official SDKs of every language
// take its address as their base URL, and any API key:
//
//	# Python
//	client = genai.Client(api_key="any", http_options={"base_url": "http://127.0.0.1:8080"})
//	// JavaScript
//	const client = new GoogleGenAI({apiKey: "any", httpOptions: {baseUrl: "http://127.0.0.1:8080"}})
//
// It passes streams on event by event, and errors are Google's. When a client disconnects, its call
// to Google ends. By default only this machine can reach it, and clients need no token. [serve] in the
// file names other addresses, TLS, and tokens that clients send in place of an API key; see package
// config. An address that other machines can reach needs tokens, or open = true. Web pages in a
// browser may not call it, and requests under a name that is not the sidecar's are refused. It serves
// the paths of the Gemini API alone, over HTTP/1.1 and HTTP/2. SIGTERM lets calls under way end
// (--drain), SIGHUP reloads the file. To try it without keys:
//
//	spillway emulate > spillway.toml &
//	sleep 1 # until the file is there
//	spillway serve spillway.toml &
//	sleep 1
//	curl http://127.0.0.1:8080/v1beta/models/gemini-3.5-flash:generateContent \
//		-d '{"contents":[{"parts":[{"text":"Hi"}]}]}'
//	spillway status
//
// The exit status is 0 on success, 1 on failure and 2 on wrong use.
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
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/spelling"
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

// command is one command of the program. `spillway help NAME` prints its help.
type command struct {
	name, summary, help string
	run                 func(ctx context.Context, args []string, stdout, stderr io.Writer) int
}

// commands returns the commands in the order of the help. It is a function because a command may
// look at it.
func commands() []command {
	return []command{
		{"init", "write a file from what the environment has", initHelp, initialize},
		{"check", "show how each model is served, or the mistakes in a file", checkHelp, check},
		{"discover", "ask Google which limits and orders projects have", discoverHelp, discoverProjects},
		{"serve", "serve the Gemini API to programs in any language", serveHelp, serve},
		{"status", "show the state of a running sidecar", statusHelp, status},
		{"events", "show what a running sidecar has told its log", eventsHelp, showEvents},
		{"explain", "say where a call would go now, and why not elsewhere", explainHelp, explain},
		{"pause", "take a project, key, order or model out for a while", pauseHelp, pause},
		{"resume", "bring back what was paused", resumeHelp, resume},
		{"report", "sum up call logs", reportHelp, runReport},
		{"pace", "send a file of requests, slowly, at batch priority", paceHelp, runPace},
		{"plan", "say how much Provisioned Throughput some traffic needs", planHelp, runPlan},
		{"sla", "show what orders failed to serve, to be claimed from Google", slaHelp, sla},
		{"emulate", "serve an emulator of Google's back ends on this machine", emulateHelp, emulate},
		{"completion", "print a script with which a shell completes commands", completionHelp, completion},
		{"version", "print the version of this program", versionHelp, printVersion},
	}
}

const usageHead = `Spillway routes calls to Gemini over keys, projects and locations.

Usage:

`

// usage returns the help of the whole program.
func usage() string {
	var b strings.Builder
	b.WriteString(usageHead)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  spillway %-10s %s\n", c.name, c.summary)
	}
	b.WriteString("  spillway help COMMAND\n\nExit status: 0 success, 1 failure, 2 wrong use.\n")
	return b.String()
}

// run does what args say and returns the exit status. A command whose output is lost has failed,
// but for serve, whose purpose is another.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out, problems := &output{w: stdout}, &output{w: stderr}
	status := dispatch(ctx, args, out, problems)
	if status == statusOK && out.err != nil && args[0] != "serve" {
		writef(problems, "spillway: the output cannot be written: %s\n", out.err)
		return statusFailed
	}
	return status
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printText(stderr, usage())
		return statusUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		return help(args[1:], stdout, stderr)
	case "-v", "-version", "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	if c := find(args[0]); c != nil {
		return c.run(ctx, args[1:], stdout, stderr)
	}
	writef(stderr, "spillway: unknown command %q%s\n\n%s", args[0], meant(args[0]), usage())
	return statusUsage
}

// help prints the help of one command, or of the program.
func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printText(stdout, usage())
		return statusOK
	}
	c := find(args[0])
	if c == nil || len(args) > 1 {
		writef(stderr, "spillway: no help for %q%s\n\n%s", strings.Join(args, " "), meant(args[0]), usage())
		return statusUsage
	}
	printText(stdout, c.help)
	return statusOK
}

func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return &c
		}
	}
	return nil
}

// meant returns which command a misspelled one most likely is, as the end of a sentence.
func meant(name string) string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	if likely, ok := spelling.Nearest(name, names); ok {
		return "; did you mean " + likely + "?"
	}
	return ""
}

// parse reads a command's flags, which may stand before and after its other arguments, and returns
// the latter. If ok is false, the command exits with status.
func parse(
	flags *flag.FlagSet, args []string, help string, stdout, stderr io.Writer,
) (rest []string, status int, ok bool) {
	flags.SetOutput(io.Discard)
	for {
		err := flags.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			printText(stdout, help)
			return nil, statusOK, false
		case err != nil:
			return nil, misused(flags.Name(), stderr, wrongFlag(flags, err, help)), false
		case flags.NArg() == 0:
			return rest, statusOK, true
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// wrongFlag says what is wrong with a flag. Of an unknown one it says which was meant, that the
// command takes it without a flag, or which flags there are.
func wrongFlag(flags *flag.FlagSet, err error, help string) string {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return wrongValue(flags, err)
	}
	var known []string
	flags.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
	text := "unknown flag --" + name
	if grammar := grammarOf(help); grammar.takes(name) {
		place := strings.ToUpper(name)
		return text + "; write the " + place + " without a flag: spillway " + flags.Name() + " " + place
	}
	switch likely, ok := spelling.Nearest(name, known); {
	case ok:
		return text + "; did you mean --" + likely + "?"
	case len(known) == 0:
		return text + "; it takes none"
	default:
		return text + "; it takes --" + strings.Join(known, ", --")
	}
}

// wrongValue says what is wrong with a flag's value, in the words of package flag but for durations
// and numbers, of which that says no more than "parse error".
func wrongValue(flags *flag.FlagSet, err error) string {
	text := strings.Replace(err.Error(), "flag -", "flag --", 1)
	flags.VisitAll(func(f *flag.Flag) {
		getter, ok := f.Value.(flag.Getter)
		if !ok {
			return
		}
		fix := ""
		switch getter.Get().(type) {
		case time.Duration:
			fix = "write a duration with its unit, such as 10m"
		case float64:
			fix = "write a number, such as 0.3"
		case int:
			fix = "write a whole number, such as 30"
		}
		if before, ok := strings.CutSuffix(text, "flag --"+f.Name+": parse error"); ok && fix != "" {
			text = before + "flag --" + f.Name + ": " + fix
		}
	})
	return strings.Replace(text, "flag needs an argument: -", "flag needs an argument: --", 1)
}

// misused reports wrong use.
func misused(name string, stderr io.Writer, problem string) int {
	writef(stderr, "spillway %s: %s; see `spillway help %s`\n", name, problem, name)
	return statusUsage
}

// writef prints to w, which may be a terminal: names and messages of others come without what moves
// its cursor. An error has no reader left and is dropped.
func writef(w io.Writer, format string, values ...any) {
	_, _ = io.WriteString(w, plain.Lines(fmt.Sprintf(format, values...)))
}

// printText prints a text as it is.
func printText(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
