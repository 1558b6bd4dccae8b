package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const statusHelp = `Usage: spillway status [URL]

Status shows the state of a running "spillway serve": projects and their keys (as
short hashes), and the endpoints of every model called so far or restored, in the
order of their tiers, with calls in flight, cooldowns, limits and orders. Below a
cooldown stand Google's own words and, unless time ends it, what to do. If
replicas share a store, it shows whether that answers, how many they are, and how
many calls of shared limits this one has in hand. What operators have paused stands
apart, as does what orders failed to serve within their purchase. The default URL is
http://127.0.0.1:8080. URL/spillway/status has the same as JSON.

Exit status: 1 if no sidecar responds there.
`

// statusTimeout is for one response from this machine or nearby.
const statusTimeout = 5 * time.Second

// status runs the command "status".
func status(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	rest, code, ok := parse(flags, args, statusHelp, stdout, stderr)
	if !ok {
		return code
	}
	address := "http://" + defaultListen
	switch len(rest) {
	case 0:
	case 1:
		address = strings.TrimSuffix(rest[0], "/")
	default:
		return misused("status", stderr, "it takes one URL")
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	s, err := fetchStatus(ctx, address)
	if err != nil {
		writef(stderr, "spillway status: %s\n", err)
		return statusFailed
	}
	s.visible().print(stdout, address)
	return statusOK
}

// fetchStatus fetches the snapshot of a sidecar.
func fetchStatus(ctx context.Context, address string) (s snapshot, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+statusPath, nil) //nolint:gosec // the user of the command gives the address
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // as above
	if err != nil {
		return s, fmt.Errorf("no sidecar responds: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s is not a sidecar: it responds with %s", address, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("%s is not a sidecar: %w", address, err)
	}
	if s.At.IsZero() && s.Backend == "" && s.Projects == nil && s.Endpoints == nil {
		return s, fmt.Errorf("%s is not a sidecar: its response is another one", address)
	}
	return s, nil
}

// print prints a snapshot as tables.
func (s snapshot) print(out io.Writer, address string) {
	writef(out, "%s: %s, clients speak %s, at %s\n", address, plural(len(s.Projects), "project"),
		s.Backend, instant(s.At))
	if s.Store != nil {
		writef(out, "store: %s\n", s.Store.words())
	}
	writef(out, "\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	writef(table, "PROJECT\tBACK END\tKEY\tSTATE\n")
	told := map[cooldownSnapshot]bool{}
	for _, p := range s.Projects {
		if len(p.Keys) == 0 || p.Cooldown != nil {
			writef(table, "%s\t%s\t\t%s\n", p.Name, p.Backend, p.Cooldown.words(s.At))
			p.Cooldown.explain(table, "\t\t\t", told)
		}
		for _, k := range p.Keys {
			writef(table, "%s\t%s\t%s\t%s\n", p.Name, p.Backend, k.Key, k.Cooldown.words(s.At))
			k.Cooldown.explain(table, "\t\t\t", told)
		}
	}
	_ = table.Flush()
	if len(s.Paused) > 0 {
		writef(out, "\n")
		printPaused(out, s.Paused)
	}
	if len(s.Endpoints) == 0 {
		writef(out, "\nNo model was called yet.\n")
		return
	}
	writef(out, "\n")
	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	writef(table, "MODEL\tTIER\tENDPOINT\tCALLS\tTOKENS\tSTATE\n")
	for _, e := range s.Endpoints {
		writef(table, "%s\t%d\t%s\t%d\t%s\t%s\n", strings.TrimSpace(e.Model+" "+e.Method), e.Tier, e.Endpoint, e.Calls,
			thousands(e.Tokens), strings.Join(e.notes(s.At), ", "))
		e.Cooldown.explain(table, "\t\t\t\t\t", told)
	}
	_ = table.Flush()
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
		notes = append(notes, o.failures()...)
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
		who := "Google"
		if c.Class == string(pool.ClassPaused) {
			who = "the operator"
		}
		writef(table, "%s  %s says: %s\n", column, who, c.Message)
	}
	if c.Remedy != "" {
		writef(table, "%s  to do: %s\n", column, c.Remedy)
	}
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
