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
)

const statusHelp = `Usage: spillway status [URL]

Status shows what a running "spillway serve" knows: projects and their keys (as
short hashes), and the endpoints of every model that was asked for, in the order
in which they are tried, with the calls in flight and what keeps them from being
asked. URL is http://127.0.0.1:8080 if it is left out. The same as JSON is at
URL/spillway/status.

Exit status: 1 if nothing answers there.
`

// statusTimeout is for one answer from nearby.
const statusTimeout = 5 * time.Second

// status is the command "status".
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
	s.print(stdout, address)
	return statusOK
}

// fetchStatus asks a sidecar.
func fetchStatus(ctx context.Context, address string) (s snapshot, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+statusPath, nil) //nolint:gosec // whoever runs the command says where
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // as above
	if err != nil {
		return s, fmt.Errorf("no sidecar answers: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s is no sidecar: it answers %s", address, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return s, fmt.Errorf("%s is no sidecar: %w", address, err)
	}
	return s, nil
}

// print prints a snapshot as tables.
func (s snapshot) print(out io.Writer, address string) {
	writef(out, "%s: %s, clients speak %s, at %s\n\n", address, several(len(s.Projects), "project"), s.Backend, instant(s.At))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	writef(table, "PROJECT\tBACK END\tKEY\tSTATE\n")
	for _, p := range s.Projects {
		if len(p.Keys) == 0 || p.Rest != nil {
			writef(table, "%s\t%s\t\t%s\n", p.Name, p.Backend, p.Rest)
		}
		for _, k := range p.Keys {
			writef(table, "%s\t%s\t%s\t%s\n", p.Name, p.Backend, k.Key, k.Rest)
		}
	}
	_ = table.Flush()
	if len(s.Endpoints) == 0 {
		writef(out, "\nNo model was asked for yet.\n")
		return
	}
	writef(out, "\n")
	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	writef(table, "MODEL\tTIER\tENDPOINT\tCALLS\tTOKENS\tSTATE\n")
	for _, e := range s.Endpoints {
		writef(table, "%s\t%d\t%s\t%d\t%s\t%s\n", e.Model, e.Tier, e.Endpoint, e.Calls, thousands(e.Tokens), strings.Join(e.notes(), ", "))
	}
	_ = table.Flush()
}

// notes say how an endpoint is.
func (e endpointSnapshot) notes() []string {
	var notes []string
	if e.Rest != nil || e.Breaker == nil {
		notes = append(notes, e.Rest.String())
	}
	if e.Breaker != nil {
		note := "breaker " + e.Breaker.State
		if !e.Breaker.Until.IsZero() {
			note += " until " + instant(e.Breaker.Until)
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
	if e.Pace > 0 {
		notes = append(notes, fmt.Sprintf("paced to %.1f a second", e.Pace))
	}
	return notes
}

// String says what rests and for how long; of nil that it does not.
func (r *restSnapshot) String() string {
	if r == nil {
		return "ready"
	}
	text := r.Class
	switch {
	case !r.Until.IsZero():
		text += " until " + instant(r.Until)
	case !r.Probe.IsZero():
		text += ", tried again at " + instant(r.Probe)
	}
	if r.Quota != "" {
		text += " (" + r.Quota + ")"
	}
	return text
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
