package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

const pauseHelp = `Usage: spillway pause SUBJECT [--for 10m] [--why TEXT] [--url URL] [--json]

Pause takes something out of a running "spillway serve" at once: no call is sent to
it or by it, and no success brings it back. Calls under way go on. A reload and a
restart (with [router] state) keep the pause, and replicas that share a store hear of
it. If nothing else is left, calls are refused.

SUBJECT is what logs and "spillway status" show:

  project:PROD                  all of a project
  key:STUDIO/HASH               one API key; the first 8 digits of HASH will do
  order:PROD/eu/MODEL           a Provisioned Throughput order
  model:PROD/MODEL              a project's model, on demand
  model:PROD/eu/MODEL           the same in one location
  model:MODEL                   a model, whatever the project
  server:vertex/eu/MODEL        the servers of a model in a location
  host:NAME                     an address
  backend:vertex                one of Google's two APIs

Flags:

  --for   how long, such as 10m. Without it the pause lasts until "spillway resume".
  --why   a reason for others to read: in the status, in logs, and in what callers
          are told whom nothing can serve.
  --url   the sidecar, http://127.0.0.1:8080 by default. It takes this from its own
          machine alone, and not by way of a proxy, unless SPILLWAY_ADMIN_TOKEN in the
          environment is its admin_token.
  --json  prints what is paused as JSON.

Exit status: 1 if there is no such thing, or no sidecar responds.
`

const resumeHelp = `Usage: spillway resume SUBJECT [--url URL] [--json]

Resume ends what "spillway pause SUBJECT" began, in all replicas.

Flags:

  --url   the sidecar, http://127.0.0.1:8080 by default.
  --json  prints what is still paused as JSON.

Exit status: 1 if SUBJECT is not paused, or no sidecar responds.
`

// pauseAsk is the body of a request to pause or, without For and Why, to resume something.
type pauseAsk struct {
	Subject string `json:"subject"`
	For     string `json:"for,omitempty"` // a duration with its unit; absent: until it is resumed
	Why     string `json:"why,omitempty"`
}

// pausedList is the body of the response: everything that is paused then.
type pausedList struct {
	Paused []pausedSnapshot `json:"paused"`
}

// pausedSnapshot is one thing that is paused.
type pausedSnapshot struct {
	Subject string    `json:"subject"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"` // absent: until it is resumed
	Why     string    `json:"why,omitempty"`
}

// pausesOf returns what is paused, in the order of the subjects.
func pausesOf(stat map[string]pool.Cooldown) []pausedSnapshot {
	list := []pausedSnapshot{}
	for _, subject := range slices.Sorted(maps.Keys(stat)) {
		c := stat[subject]
		list = append(list, pausedSnapshot{visible(subject, ""), c.Since.UTC(), c.Until.UTC(), visible(c.Message, "")})
	}
	return list
}

// maxPauseAsk bounds a request to pause something, in bytes.
const maxPauseAsk = 8 << 10

// pause serves POST /spillway/pause.
func (s *sidecar) pause(w *client, req *http.Request) {
	s.change(w, req, func(ask pauseAsk) error {
		d := time.Duration(0)
		if ask.For != "" {
			var err error
			if d, err = time.ParseDuration(ask.For); err != nil || d <= 0 {
				return problem("for is " + strconv.Quote(plain.Text(ask.For, maxShown)) + "; write a duration with its unit, such as 10m")
			}
		}
		return s.router.Pause(ask.Subject, d, ask.Why)
	})
}

// resume serves POST /spillway/resume.
func (s *sidecar) resume(w *client, req *http.Request) {
	s.change(w, req, func(ask pauseAsk) error {
		if ask.For != "" || ask.Why != "" {
			return problem("resuming takes a subject alone")
		}
		return s.router.Resume(ask.Subject)
	})
}

// problem is what is wrong with a request.
type problem string

func (p problem) Error() string { return string(p) }

// change does what an operator asks, and responds with what is paused then.
func (s *sidecar) change(w *client, req *http.Request, do func(pauseAsk) error) {
	if why := foreigner(req); why != "" && !w.trusted {
		refuse(w, http.StatusForbidden, "PERMISSION_DENIED", why)
		return
	}
	var ask pauseAsk
	d := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxPauseAsk))
	d.DisallowUnknownFields()
	if err := d.Decode(&ask); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", `the body is not JSON such as {"subject": "project:prod", "for": "10m", "why": "…"}`)
		return
	}
	if err := do(ask); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", strings.TrimPrefix(err.Error(), "pool: "))
		return
	}
	writeJSON(w, http.StatusOK, pausedList{pausesOf(s.router.Stat().Pauses)})
}

// foreigner says why a request is not an operator's on this machine; "" if it may be. A proxy on this
// machine passes on what comes from elsewhere.
func foreigner(req *http.Request) string {
	host, _, _ := net.SplitHostPort(req.RemoteAddr)
	ip := net.ParseIP(host)
	_, socket := connectedTo(req).(*net.UnixAddr)
	switch {
	case !socket && (ip == nil || !ip.IsLoopback()):
		return "only this machine may pause and resume without admin_token; run the command beside the sidecar"
	case req.Header.Get("Origin") != "":
		return "a web page may not pause and resume"
	}
	if relayed(req) {
		return "pausing and resuming do not go through a proxy; run the command beside the sidecar"
	}
	return ""
}

// pause runs the command "pause".
func pause(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pause", flag.ContinueOnError)
	h := handOf(flags)
	d := flags.Duration("for", 0, "")
	why := flags.String("why", "", "")
	return h.run(ctx, args, pauseHelp, stdout, stderr, func(subject string) (path string, ask pauseAsk, problem string) {
		ask = pauseAsk{Subject: subject, Why: *why}
		set := false
		flags.Visit(func(f *flag.Flag) { set = set || f.Name == "for" })
		switch {
		case set && *d <= 0:
			return "", ask, "--for is not more than 0; leave it out for a pause without end"
		case set:
			ask.For = d.String()
		}
		return pausePath, ask, ""
	})
}

// resume runs the command "resume".
func resume(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("resume", flag.ContinueOnError)
	return handOf(flags).run(ctx, args, resumeHelp, stdout, stderr, func(subject string) (string, pauseAsk, string) {
		return resumePath, pauseAsk{Subject: subject}, ""
	})
}

// hand is a command that changes a running sidecar.
type hand struct {
	flags *flag.FlagSet
	url   *string
	json  *bool
}

func handOf(flags *flag.FlagSet) hand {
	return hand{flags, flags.String("url", "", ""), flags.Bool("json", false, "")}
}

// remote returns the sidecar that the flags name.
func (h hand) remote() remote {
	var args []string
	if *h.url != "" {
		args = append(args, *h.url)
	}
	at, _ := remoteOf(args)
	return at
}

// run asks the sidecar for what of says of the subject, and prints what is paused then.
func (h hand) run(
	ctx context.Context, args []string, help string, stdout, stderr io.Writer,
	of func(subject string) (path string, ask pauseAsk, problem string),
) int {
	name := h.flags.Name()
	rest, code, ok := parse(h.flags, args, help, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) != 1 {
		return misused(name, stderr, "it needs one SUBJECT, such as project:prod; --url names the sidecar")
	}
	path, ask, problem := of(rest[0])
	if problem != "" {
		return misused(name, stderr, problem)
	}
	var list pausedList
	text, err := h.remote().ask(ctx, http.MethodPost, path, ask, &list)
	switch {
	case err != nil:
		writef(stderr, "spillway %s: %s\n", name, err)
		return statusFailed
	case *h.json:
		writef(stdout, "%s\n", strings.TrimSpace(string(text)))
	default:
		printPaused(stdout, list.Paused)
	}
	return statusOK
}

// printPaused prints what is paused.
func printPaused(out io.Writer, list []pausedSnapshot) {
	if len(list) == 0 {
		writef(out, "Nothing is paused.\n")
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	writef(table, "PAUSED\tSINCE\tUNTIL\tWHY\n")
	for _, p := range list {
		until := "spillway resume " + p.Subject
		if !p.Until.IsZero() {
			until = plain.Instant(p.Until)
		}
		writef(table, "%s\t%s\t%s\t%s\n", p.Subject, plain.Instant(p.Since), until, p.Why)
	}
	_ = table.Flush()
}
