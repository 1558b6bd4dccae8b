package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
)

const statusHelp = `Usage: spillway status [URL] [--watch [2s]] [--json] [--quiet] [--model MODEL]

Status shows the state of a running "spillway serve": projects and their keys (as
short hashes), and the endpoints of every model called so far or restored, in the
order of their tiers, with calls in flight (ACTIVE) and their tokens, cooldowns,
limits and orders. Limits that the file does not declare say where they are known
from, "discovered" at Google or "learned" from a refusal, as do orders. Below what
refuses calls stand its subject, Google's own words, what to do, and Google's page
for that; docs/429.md explains each cause. What operators have paused stands apart,
as does what orders failed to serve within their purchase. Then come the calls since
the start: how many came, got no endpoint, or waited, and what became of the attempts
at each endpoint. If replicas share a store, it shows whether that answers, how many
they are, and how many calls of shared limits this one has in hand. Each [[cache]]
has a line with its hits, misses and bytes. Times are UTC. The default URL is
http://127.0.0.1:8080, or else http://127.0.0.1:8081, which is for operators.
unix:/path is a socket.
SPILLWAY_ADMIN_TOKEN in the environment is sent as the sidecar's admin_token.

Flags:

  --watch  shows it again and again, every 2 s or as long as it says, until it is
           interrupted. On a terminal the new state takes the place of the old;
           elsewhere each follows the one before after a line of dashes.
  --json   prints the state as JSON, on one line: what URL/spillway/status has.
  --quiet  prints nothing. The exit status says whether something can serve: for
           health checks. Without it, whether the sidecar serves: for probes of pods,
           which are not to end because a quota is used up.
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
		v.drawn = f.watch > 0
	}
	s.print(&b, string(f.at), v)
	return b.String(), nil
}

// print prints a snapshot as tables.
func (s snapshot) print(out io.Writer, address string, v view) {
	v.linef(out, "%s: %s, clients speak %s, at %s", address, plain.Plural(len(s.Projects), "project"), s.Backend, plain.Instant(s.At))
	if s.Store != nil {
		v.linef(out, "store: %s", s.Store.words())
	}
	for i := range s.Caches {
		v.linef(out, "%s", s.Caches[i].words())
	}
	var table strings.Builder
	writef(&table, "PROJECT\tBACK END\tKEY\tSTATE\n")
	told := told{}
	for _, p := range s.Projects {
		if len(p.Keys) == 0 || p.Cooldown != nil {
			writef(&table, "%s\t%s\t\t%s\n", p.Name, p.Backend, p.Cooldown.words(s.At))
			told.explain(&table, "\t\t\t", p.Cooldown, reasonSnapshot{})
		}
		for _, k := range p.Keys {
			state := k.Cooldown.words(s.At)
			if k.Cooldown == nil && p.Cooldown != nil {
				state = "out with its project"
			}
			writef(&table, "%s\t%s\t%s\t%s\n", p.Name, p.Backend, k.Key, state)
			told.explain(&table, "\t\t\t", k.Cooldown, reasonSnapshot{})
		}
	}
	printText(out, "\n"+v.table(table.String(), tone))
	if len(s.Paused) > 0 {
		printText(out, "\n")
		printPaused(out, s.Paused)
	}
	if len(s.Endpoints) == 0 {
		printText(out, "\nNo model was called yet.\n")
		return
	}
	table.Reset()
	gap := "\n"
	for _, m := range s.Models {
		if m.Refused > 0 {
			printText(out, gap)
			gap = ""
			v.linef(out, "%s: %s of %s refused since the start", title(m.Model, m.Method), plain.Number(m.Refused), plain.Plural(int(m.Calls), "call"))
		}
	}
	writef(&table, "MODEL\tTIER\tENDPOINT\tACTIVE\tTOKENS\tSTATE\n")
	for _, e := range s.Endpoints {
		writef(&table, "%s\t%d\t%s\t%d\t%s\t%s\n", title(e.Model, e.Method), e.Tier, e.Endpoint, e.Calls,
			plain.Number(e.Tokens), strings.Join(e.notes(s.At), ", "))
		told.explain(&table, "\t\t\t\t\t", e.Cooldown, e.reasonSnapshot)
		if e.Warning != nil {
			told.explain(&table, "\t\t\t\t\t", nil, *e.Warning)
		}
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
		note := "breaker_" + e.Breaker.State // open is a cause of docs/429.md
		switch {
		case e.Breaker.Until.After(at):
			note += " until " + plain.Instant(e.Breaker.Until)
		case !e.Breaker.Until.IsZero():
			note += ", tried again with the next call"
		}
		notes = append(notes, note)
	}
	if e.Warning != nil && e.Warning.Cause != e.Cause {
		notes = append(notes, e.Warning.Cause)
	}
	if e.Warning != nil {
		notes = append(notes, e.Warning.Why)
	}
	if e.Refused > 0 {
		notes = append(notes, fmt.Sprintf("served %s, could not serve %s", plain.Plural(int(e.Served), "call"), plain.Number(e.Refused)))
	}
	if e.Downgraded > 0 {
		notes = append(notes, fmt.Sprintf("%s of %s answered at another service tier", plain.Number(e.Downgraded), plain.Plural(int(e.Served), "call")))
	}
	if o := e.Order; o != nil {
		used := 100 * o.Used / max(o.Capacity, 1)
		what := "order"
		if o.Discovered {
			what = "discovered order"
		}
		notes = append(notes, fmt.Sprintf("%s used to %.0f %%, %s served, %s refused", what, used, plain.Number(o.Served), plain.Number(o.Refused)))
		notes = append(notes, o.failures()...)
	}
	for _, l := range e.Limits {
		note := fmt.Sprintf("%s %s of %s", l.Name, plain.Number(l.Used), plain.Number(l.Limit))
		if l.From != "declared" && l.From != "" { // of an older sidecar
			note += " (" + l.From + ")"
		}
		notes = append(notes, note)
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
	why := readable(e.Why)
	switch {
	case e.Cause != "" && strings.HasPrefix(why, e.Cause):
		return why
	case why != "" && e.Cause != "":
		return e.Cause + ", " + why
	case why != "":
		return why
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

// readable writes the moment in a reason, which may have words behind it, as all others.
func readable(why string) string {
	what, rest, ok := strings.Cut(why, " until ")
	moment, _, _ := strings.Cut(rest, " ")
	moment = strings.TrimSuffix(moment, ":")
	t, err := time.Parse(time.RFC3339, moment)
	if !ok || err != nil {
		return why
	}
	return what + " until " + plain.Instant(t) + rest[len(moment):]
}

// words says why and until when something is not asked, as it stands at a moment; of nil "ready".
func (c *cooldownSnapshot) words(at time.Time) string {
	if c == nil {
		return "ready"
	}
	text := cmp.Or(c.Cause, c.Class)
	if c.Only != "" {
		text += " for " + c.Only
	}
	if c.Until.After(at) {
		text += " until " + plain.Instant(c.Until)
	}
	switch {
	case c.Probe.IsZero() && c.Until.IsZero(), c.Until.After(at) && (c.Probe.IsZero() || !c.Probe.Before(c.Until)):
	case c.Probe.After(at):
		text += ", tried again at " + plain.Instant(c.Probe)
	default:
		text += ", tried again with the next call"
	}
	if c.Quota != "" {
		text += " (" + c.Quota + ")"
	}
	return text
}

// told are the subjects and causes that a table has explained.
type told map[[2]string]bool

// explain adds below a row of a table whose state is the last column what refuses calls, Google's own
// words, and what to do: of a cooldown, or else of a reason. It does so once for each.
func (t told) explain(table io.Writer, column string, c *cooldownSnapshot, r reasonSnapshot) {
	message := ""
	if c != nil {
		message = c.Message
		r = reasonSnapshot{Cause: cmp.Or(c.Cause, c.Class), Subject: c.Subject, Remedy: c.Remedy, Page: c.Page}
	}
	key := [2]string{r.Subject, r.Cause}
	if r.Cause == "" || t[key] {
		return
	}
	t[key] = true
	who := "Google"
	if r.Cause == string(pool.ClassPaused) {
		who = "the operator"
	}
	for _, line := range [...]struct{ label, text string }{
		{"about", r.Subject}, {who + " says", message}, {"to do", r.Remedy}, {"see", r.Page},
	} {
		if line.text != "" {
			writef(table, "%s  %s: %s\n", column, line.label, line.text)
		}
	}
}
