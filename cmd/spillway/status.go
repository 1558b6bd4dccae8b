package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const statusHelp = `Usage: spillway status [URL] [--watch [2s]] [--json] [--quiet] [--model MODEL]

Status shows the state of a running "spillway serve": projects and their keys (as
short hashes), and the endpoints of every model called so far or restored, in the
order of their tiers, with calls in flight, cooldowns, limits and orders. Below a
cooldown stand Google's own words and, unless time ends it, what to do. Then come
the calls since the start: how many came, got no endpoint, or waited, and what
became of the attempts at each endpoint. If replicas share a store, it shows
whether that answers, how many they are, and how many calls of shared limits this
one has in hand. The default URL is http://127.0.0.1:8080.

Flags:

  --watch  shows it again and again, every 2 s or as long as it says, until it is
           interrupted. On a terminal the new state takes the place of the old;
           elsewhere each follows the one before after a line of dashes.
  --json   prints the state as JSON, on one line: what URL/spillway/status has.
  --quiet  prints nothing. The exit status says whether something can serve: for
           health checks.
  --model  shows one model alone.

Lines fit a terminal's width, and have colours there unless NO_COLOR is set.

Exit status: 1 if no sidecar responds there, if no call for the MODEL was made
yet, or with --quiet if every endpoint of the model, or of all models, refuses
calls. Before the first call --quiet looks at projects and keys.
`

// statusFlags is what a user of the command "status" asks for.
type statusFlags struct {
	at          remote
	watch       interval // 0: once
	json, quiet bool
	model       string
}

// status runs the command "status".
func status(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	var f statusFlags
	flags.Var(&f.watch, "watch", "")
	flags.BoolVar(&f.json, "json", false, "")
	flags.BoolVar(&f.quiet, "quiet", false, "")
	flags.StringVar(&f.model, "model", "", "")
	rest, code, ok := parse(flags, args, statusHelp, stdout, stderr)
	if !ok {
		return code
	}
	// A duration may stand behind --watch as a word of its own: it is no URL.
	if i := slices.IndexFunc(rest, isDuration); i >= 0 && f.watch > 0 {
		if err := f.watch.Set(rest[i]); err != nil {
			return misused("status", stderr, "--watch "+rest[i]+": "+err.Error())
		}
		rest = slices.Delete(rest, i, i+1)
	}
	f.model = bareModel(f.model)
	if f.at, ok = remoteOf(rest); !ok {
		return misused("status", stderr, "it takes one URL")
	}
	if f.quiet && (f.watch > 0 || f.json) {
		return misused("status", stderr, "--quiet prints nothing, so it takes neither --watch nor --json")
	}
	if f.watch > 0 {
		return f.repeat(ctx, stdout, stderr)
	}
	text, err := f.once(ctx, stdout)
	switch {
	case err != nil && f.quiet:
		return statusFailed
	case err != nil:
		writef(stderr, "spillway status: %s\n", err)
		return statusFailed
	}
	_, _ = io.WriteString(shown(stdout), text) // an output that is lost is noticed by run
	return statusOK
}

// errNothingServes is what --quiet says by the exit status.
var errNothingServes = errors.New("nothing can serve")

// once fetches the state and returns it as a text that fits stdout.
func (f *statusFlags) once(ctx context.Context, stdout io.Writer) (string, error) {
	s, err := f.at.snapshot(ctx)
	if err != nil {
		return "", err
	}
	if f.quiet {
		if !s.serves(f.model) {
			return "", errNothingServes
		}
		return "", nil
	}
	if f.model != "" {
		if s, err = s.of(f.model); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	if f.json {
		printJSON(&b, s)
		return b.String(), nil
	}
	var v view
	if t, ok := terminalOf(stdout); ok {
		v = t.view()
	}
	s.print(&b, string(f.at), v)
	return b.String(), nil
}

// print prints a snapshot as tables.
func (s snapshot) print(out io.Writer, address string, v view) {
	v.linef(out, "%s: %s, clients speak %s, at %s", address, plural(len(s.Projects), "project"), s.Backend, instant(s.At))
	if s.Store != nil {
		v.linef(out, "store: %s", s.Store.words())
	}
	var table strings.Builder
	writef(&table, "PROJECT\tBACK END\tKEY\tSTATE\n")
	told := map[cooldownSnapshot]bool{}
	for _, p := range s.Projects {
		if len(p.Keys) == 0 || p.Cooldown != nil {
			writef(&table, "%s\t%s\t\t%s\n", p.Name, p.Backend, p.Cooldown.words(s.At))
			p.Cooldown.explain(&table, "\t\t\t", told)
		}
		for _, k := range p.Keys {
			writef(&table, "%s\t%s\t%s\t%s\n", p.Name, p.Backend, k.Key, k.Cooldown.words(s.At))
			k.Cooldown.explain(&table, "\t\t\t", told)
		}
	}
	printText(out, "\n"+v.table(table.String(), tone))
	if len(s.Endpoints) == 0 {
		printText(out, "\nNo model was called yet.\n")
		return
	}
	table.Reset()
	writef(&table, "MODEL\tTIER\tENDPOINT\tCALLS\tTOKENS\tSTATE\n")
	for _, e := range s.Endpoints {
		writef(&table, "%s\t%d\t%s\t%d\t%s\t%s\n", title(e.Model, e.Method), e.Tier, e.Endpoint, e.Calls,
			thousands(e.Tokens), strings.Join(e.notes(s.At), ", "))
		e.Cooldown.explain(&table, "\t\t\t\t\t", told)
	}
	printText(out, "\n"+v.table(table.String(), tone)+"\n"+v.table(s.counts(), nil))
}

// title returns a model with the method that its calls have, if they do not generate.
func title(model, method string) string { return strings.TrimSpace(model + " " + method) }

// tone returns the colour of a state.
func tone(state string) string {
	switch {
	case strings.HasPrefix(state, " "): // below one
		return faint
	case strings.HasPrefix(state, "ready"):
		return green
	case state == "":
		return ""
	default:
		return yellow
	}
}

// notes returns the state of an endpoint at a moment, in words.
func (e endpointSnapshot) notes(at time.Time) []string {
	var notes []string
	switch {
	case e.Cooldown != nil:
		notes = append(notes, e.Cooldown.words(at))
	case e.Breaker == nil:
		notes = append(notes, e.readiness())
	}
	if e.Breaker != nil {
		note := "breaker " + strings.ReplaceAll(e.Breaker.State, "_", "-")
		switch {
		case e.Breaker.Until.After(at):
			note += " until " + instant(e.Breaker.Until)
		case !e.Breaker.Until.IsZero():
			note += ", tried again with the next call"
		}
		notes = append(notes, note)
	}
	if o := e.Order; o != nil {
		used := 100 * o.Used / max(o.Capacity, 1)
		notes = append(notes, fmt.Sprintf("order used to %.0f %%, %s served, %s refused", used, thousands(o.Served), thousands(o.Refused)))
	}
	for _, l := range e.Limits {
		notes = append(notes, fmt.Sprintf("%s %s of %s", l.Name, thousands(l.Used), thousands(l.Limit)))
	}
	if e.Shared != nil {
		notes = append(notes, e.Shared.words(e.Limits))
	}
	if e.Pace > 0 {
		notes = append(notes, fmt.Sprintf("paced to %.1f a second", e.Pace))
	}
	return notes
}

// readiness says whether an endpoint without a cooldown has room for a call: what callers are told
// who get none.
func (e endpointSnapshot) readiness() string {
	if what, when, ok := strings.Cut(e.Why, " until "); ok {
		if t, err := time.Parse(time.RFC3339, when); err == nil {
			return what + " until " + instant(t)
		}
	}
	if e.Why != "" {
		return e.Why
	}
	for _, l := range e.Limits {
		if l.Used >= l.Limit {
			return "limit reached"
		}
	}
	if o := e.Order; o != nil && o.Used >= o.Capacity {
		return "order full"
	}
	return "ready"
}

// words says why and until when something is not asked, as it stands at a moment; of nil "ready".
func (c *cooldownSnapshot) words(at time.Time) string {
	if c == nil {
		return "ready"
	}
	text := c.Class
	if c.Only != "" {
		text += " for " + c.Only
	}
	if c.Until.After(at) {
		text += " until " + instant(c.Until)
	}
	switch {
	case c.Probe.IsZero() && c.Until.IsZero(), c.Until.After(at) && (c.Probe.IsZero() || !c.Probe.Before(c.Until)):
	case c.Probe.After(at):
		text += ", tried again at " + instant(c.Probe)
	default:
		text += ", tried again with the next call"
	}
	if c.Quota != "" {
		text += " (" + c.Quota + ")"
	}
	return text
}

// explain adds Google's own words and the remedy below a row of a table whose state is the last
// column. What an earlier row has told is not told again.
func (c *cooldownSnapshot) explain(table io.Writer, column string, told map[cooldownSnapshot]bool) {
	if c == nil || told[*c] {
		return
	}
	told[*c] = true
	if c.Message != "" {
		writef(table, "%s  Google says: %s\n", column, c.Message)
	}
	if c.Remedy != "" {
		writef(table, "%s  to do: %s\n", column, c.Remedy)
	}
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
