package main

import (
	"context"
	"encoding/hex"
	"flag"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const explainHelp = `Usage: spillway explain MODEL|CALL-ID [URL] [--batch] [--label L] [--json]

Explain asks a running "spillway serve" where a call for MODEL would go now, and why
not elsewhere: the endpoints of the model in the order of their tiers, each with what
keeps a call from it, until when, and what to do; then the models that stand in for
it. MODEL may be an alias. Nothing is sent to Google, and nothing changes. The call
is one like the last that was refused, if that is at most 10 s ago, else one of the
usual size. The default URL is http://127.0.0.1:8080. URL/spillway/explain?model=MODEL
has the same as JSON, and with &priority=batch&label=L that of a batch call with a label.

With a CALL-ID, which every response has as Spillway-Call, it says why that call
went where it went, if it is one of the last 10,000. A call with the header
Spillway-Explain: 1 has a line in a header of that name of its response, too.

Flags:

  --batch  explains a batch call, which may go to other service tiers.
  --label  explains a call with this label, which may have projects of its own.
  --json   prints JSON.

Exit status: 1 if the call would be refused, is not known, or no sidecar responds.
`

// explanation is the body of /spillway/explain. Names stay, others may be added.
type explanation struct {
	At      time.Time       `json:"at"`
	Asked   string          `json:"asked"`
	Batch   bool            `json:"batch,omitempty"`   // of a batch call
	Label   string          `json:"label,omitempty"`   // of a call with this label
	Model   string          `json:"model,omitempty"`   // that would serve it; absent: none would
	Next    []string        `json:"next,omitempty"`    // the endpoints to one of which it would go now
	RetryAt time.Time       `json:"retry_at,omitzero"` // when it would go, or when to come back
	Refused string          `json:"refused,omitempty"` // why it would be refused
	Plans   []explainedPlan `json:"plans"`             // the model, then those that stand in for it
}

type explainedPlan struct {
	Model string              `json:"model"`
	Ahead int                 `json:"ahead,omitempty"` // calls that wait and go first
	Tiers [][]explainedChoice `json:"tiers"`
}

type explainedChoice struct {
	Endpoint       string `json:"endpoint"`
	reasonSnapshot        // what keeps the call from it; absent: nothing does
}

// explain serves GET /spillway/explain.
func (s *sidecar) explain(w *client, req *http.Request) {
	model := strings.TrimPrefix(req.URL.Query().Get("model"), "models/")
	if model == "" {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "name the model: "+explainPath+"?model=gemini-3.5-flash")
		return
	}
	query := req.URL.Query()
	call := router.Call{Priority: router.Priority(query.Get("priority")), Label: query.Get("label")}
	x := explanationOf(s.router.Explain(model, call))
	x.Batch, x.Label = call.Priority == router.PriorityBatch, visible(call.Label, "")
	writeJSON(w, http.StatusOK, x)
}

// explanationOf returns an explanation as it is served. Reasons may have Google's own words.
func explanationOf(e router.Explanation) explanation {
	x := explanation{
		At: e.At.UTC(), Asked: visible(e.Asked, ""), Model: visible(e.Model, ""), Next: visibles(e.Next), RetryAt: e.RetryAt.UTC(),
		Plans: []explainedPlan{},
	}
	if e.Model == "" {
		x.Refused = visible(e.String(), "")
	}
	for _, p := range e.Plans {
		x.Plans = append(x.Plans, planOf(p))
	}
	return x
}

func planOf(p pool.Plan) explainedPlan {
	x := explainedPlan{Model: visible(p.Model, ""), Ahead: p.Ahead, Tiers: [][]explainedChoice{}}
	for _, tier := range p.Tiers {
		var choices []explainedChoice
		for i, e := range tier {
			if renews(&tier[i], tier) {
				continue // the reasons are about the one before it
			}
			choice := explainedChoice{Endpoint: visible(e.Name, "")}
			if i := slices.IndexFunc(p.Reasons, func(r pool.Reason) bool { return r.Endpoint == e.Name }); i >= 0 {
				choice.reasonSnapshot = reasonOf(&p.Reasons[i])
				choice.show()
			}
			choices = append(choices, choice)
		}
		x.Tiers = append(x.Tiers, choices)
	}
	return x
}

// renews reports whether an endpoint is for an order that follows another one of the tier.
func renews(e *pool.Endpoint, tier []pool.Endpoint) bool {
	return e.Order != nil && slices.ContainsFunc(tier, func(other pool.Endpoint) bool {
		return other.Name == e.Name && other.Order != nil && other.Order.Model == e.Order.Model && other.Order.From.Before(e.Order.From)
	})
}

func visibles(list []string) []string {
	list = slices.Clone(list)
	for i := range list {
		list[i] = visible(list[i], "")
	}
	return list
}

// explain runs the command "explain".
func explain(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	asJSON, batch := flags.Bool("json", false, ""), flags.Bool("batch", false, "")
	label := flags.String("label", "", "")
	rest, code, ok := parse(flags, args, explainHelp, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) == 0 || len(rest) > 2 {
		return misused("explain", stderr, "it needs one MODEL or CALL-ID, and may have a URL")
	}
	at, _ := remoteOf(rest[1:])
	if isCallID(rest[0]) {
		return explainCall(ctx, rest[0], at, *asJSON, stdout, stderr)
	}
	query := "?model=" + url.QueryEscape(rest[0])
	if *batch {
		query += "&priority=" + string(router.PriorityBatch)
	}
	if *label != "" {
		query += "&label=" + url.QueryEscape(*label)
	}
	return explainModel(ctx, query, at, *asJSON, stdout, stderr)
}

// isCallID reports whether a word is the id of a call, which no model's name looks like.
func isCallID(word string) bool {
	raw, err := hex.DecodeString(word)
	return err == nil && len(raw) == 8
}

// explainCall says why a call went where it went.
func explainCall(ctx context.Context, id string, at remote, asJSON bool, stdout, stderr io.Writer) int {
	var r calls.Record
	text, err := at.ask(ctx, http.MethodGet, callsPath+"?id="+url.QueryEscape(strings.ToLower(id)), nil, &r)
	switch {
	case err != nil:
		writef(stderr, "spillway explain: %s\n", err)
		return statusFailed
	case asJSON:
		writef(stdout, "%s\n", strings.TrimSpace(string(text)))
	default:
		writef(stdout, "%s\n", strings.Join(r.Explain(), "\n"))
	}
	return statusOK
}

// explainModel shows where a call that a query describes would go.
func explainModel(ctx context.Context, query string, at remote, asJSON bool, stdout, stderr io.Writer) int {
	var x explanation
	text, err := at.ask(ctx, http.MethodGet, explainPath+query, nil, &x)
	switch {
	case err != nil:
		writef(stderr, "spillway explain: %s\n", err)
		return statusFailed
	case asJSON:
		writef(stdout, "%s\n", strings.TrimSpace(string(text)))
	default:
		x.print(stdout)
	}
	if x.Model == "" {
		return statusFailed
	}
	return statusOK
}

// print prints an explanation as a table.
func (x explanation) print(out io.Writer) {
	var v view
	if t, ok := terminalOf(out); ok {
		v = t.view()
		v.colour = false
	}
	call := "a call"
	if x.Batch {
		call = "a batch call"
	}
	if x.Label != "" {
		call += " with the label " + x.Label
	}
	v.linef(out, "%s at %s: %s %s", x.Asked, plain.Instant(x.At), call, x.fate())
	told := told{}
	for _, p := range x.Plans {
		writef(out, "\n%s\n", p.title(x.Asked))
		if len(p.Tiers) == 0 {
			writef(out, "  no project serves it\n")
			continue
		}
		var table strings.Builder
		for i, tier := range p.Tiers {
			for _, c := range tier {
				writef(&table, "  tier %d\t%s\t%s\n", i+1, c.Endpoint, x.state(&p, &c))
				told.explain(&table, "\t\t", nil, c.reasonSnapshot)
			}
		}
		printText(out, v.table(table.String(), nil))
	}
}

// fate says what would become of the call.
func (x explanation) fate() string {
	switch {
	case x.Model == "":
		return "would be " + x.Refused
	case len(x.Next) == 0:
		return "for " + x.Model + " would wait until " + plain.Instant(x.RetryAt)
	case len(x.Next) == 1:
		return "would go to " + x.Next[0]
	default:
		return "would go to one of " + strings.Join(x.Next, ", ")
	}
}

// title names a plan's model, and what waits before the call.
func (p explainedPlan) title(asked string) string {
	title := p.Model
	if title != asked {
		title += ", for " + asked
	}
	if p.Ahead > 0 {
		title += ": " + plain.Plural(p.Ahead, "call") + " before it"
	}
	return title
}

// state says in a few words how an endpoint of a plan stands.
func (x explanation) state(p *explainedPlan, c *explainedChoice) string {
	next := p.Model == x.Model && slices.Contains(x.Next, c.Endpoint)
	switch why := (endpointSnapshot{reasonSnapshot: c.reasonSnapshot}).readiness(); {
	case c.Why != "" && next:
		return why + "; asked all the same, for nothing else is left"
	case c.Why != "":
		return why
	case next:
		return "next"
	default:
		return "ready"
	}
}
