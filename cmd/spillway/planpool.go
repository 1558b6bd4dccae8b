package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/internal/standin"
	"github.com/spillway-go/spillway/pool"
)

// defaultWait is max_wait of a file that has none.
const defaultWait = 10 * time.Second

// plannedPool is what "plan --pool --json" prints. Times are in milliseconds.
type plannedPool struct {
	File  string        `json:"file"`
	From  string        `json:"from"`
	Calls int           `json:"calls"`
	Left  []plannedLeft `json:"left_out,omitempty"`
	// OutOfForce are orders that are not in force in all of the log's time, in words.
	OutOfForce []string `json:"out_of_force,omitempty"`
	// Undiscovered are the projects with discover = true, of which the file alone counts.
	Undiscovered []string `json:"undiscovered,omitempty"`

	Refused int            `json:"refused"`
	Waited  int            `json:"waited"`
	Median  float64        `json:"wait_p50_ms"`
	P95     float64        `json:"wait_p95_ms"`
	Longest float64        `json:"wait_max_ms"`
	Served  map[string]int `json:"served"` // by endpoint
	// USD is what each endpoint is paid by the token in 30 days; of what has no price it is absent.
	USD map[string]float64 `json:"usd_on_demand,omitempty"`
	// Fallbacks are the calls that other models served.
	Fallbacks []plannedFallback `json:"fallbacks,omitempty"`

	Causes []plannedRefusal `json:"causes,omitempty"`
	Limits []plannedBound   `json:"limits,omitempty"` // the bottleneck first
}

type plannedFallback struct {
	Model string `json:"model"`
	By    string `json:"served_by"`
	Calls int    `json:"calls"`
}

type plannedRefusal struct {
	Cause   string `json:"cause"`
	Subject string `json:"subject,omitempty"`
	Calls   int    `json:"calls"`
}

type plannedBound struct {
	Limit   string  `json:"limit"`
	Asked   float64 `json:"asked"`
	Allowed float64 `json:"allowed"`
}

// within shows what becomes of calls in the pool of a file.
func (f *planFlags) within(ctx context.Context, log *demand.Log, prices *price.Table, stdout, stderr io.Writer) error {
	cfg, err := load(ctx, f.pool)
	if err != nil {
		return err
	}
	shape := cfg.Pool
	if cfg.Store.Redis.Reveal() != "" {
		shape.Share = 0 // replicas have all of it together
	}
	shape.Projects = slices.Clone(shape.Projects)
	for i := range shape.Projects { // nothing is sent
		if p := &shape.Projects[i]; len(p.Keys) == 0 {
			p.Credentials = pool.NoCredentials
		}
	}
	calls := log.Calls
	if len(cfg.Router.Models) > 0 {
		calls = slices.Clone(calls)
	}
	for i := range calls {
		calls[i].Model = cmp.Or(cfg.Router.Models[calls[i].Model], calls[i].Model)
	}
	if f.model != "" {
		calls = (&demand.Log{Calls: calls}).Only(cmp.Or(cfg.Router.Models[f.model], f.model))
	}
	w := plan.World{
		Pool: shape, MaxWait: max(cmp.Or(cfg.Router.MaxWait, defaultWait), 0), Policy: cfg.Router.Policy, MaxAttempts: cfg.Router.MaxAttempts,
		StandIns: cfg.Router.StandIns, FallbackAfter: cmp.Or(cfg.Router.FallbackAfter, standin.After),
	}
	bar := progressOn(stderr)
	fit, err := w.Within(ctx, calls, prices, func(done int) { bar.set(int64(done), int64(len(calls))) })
	bar.clear()
	if err != nil {
		return err
	}
	first, span := log.Span()
	p := f.plannedPool(fit, log)
	p.OutOfForce, p.Undiscovered = plan.OutOfForce(&shape, first, first.Add(span)), undiscovered(&shape)
	if f.json {
		printJSON(stdout, p)
		return nil
	}
	f.printPool(stdout, fit, log, p)
	return nil
}

// undiscovered returns the projects of which a router would know more than the file says.
func undiscovered(cfg *pool.Config) (names []string) {
	for i := range cfg.Projects {
		if cfg.Projects[i].Discover {
			names = append(names, cfg.Projects[i].Name)
		}
	}
	return names
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (f *planFlags) plannedPool(fit *plan.Fit, log *demand.Log) *plannedPool {
	p := &plannedPool{
		File: f.pool, From: log.Format, Calls: fit.Calls, Left: leftOf(log), Refused: fit.Refused, Waited: fit.Waits,
		Median: milliseconds(fit.Median), P95: milliseconds(fit.P95), Longest: milliseconds(fit.Longest), Served: map[string]int{}, USD: map[string]float64{},
	}
	for _, s := range fit.Served {
		p.Served[s.Endpoint] = s.Calls
		if s.ByToken.Known {
			p.USD[s.Endpoint] = s.ByToken.USD
		}
	}
	for _, s := range fit.StoodIn {
		p.Fallbacks = append(p.Fallbacks, plannedFallback{s.Model, s.By, s.Calls})
	}
	for _, c := range fit.Causes {
		p.Causes = append(p.Causes, plannedRefusal{c.Cause, c.Subject, c.Calls})
	}
	for _, b := range fit.Bounds {
		p.Limits = append(p.Limits, plannedBound{b.Name, b.Asked, b.Allowed})
	}
	return p
}

func (f *planFlags) printPool(out io.Writer, fit *plan.Fit, log *demand.Log, p *plannedPool) {
	var v view
	if t, ok := terminalOf(out); ok {
		v = t.view()
	}
	to := shown(out)
	v.linef(to, "%s from %s, in the pool of %s", plain.Plural(fit.Calls, "call"), log.Format, f.pool)
	for _, note := range leftOut(log) {
		v.linef(to, "%s", note)
	}
	for _, note := range p.OutOfForce {
		v.linef(to, "%s: outside of that time it serves none of the calls", note)
	}
	if len(p.Undiscovered) > 0 {
		v.linef(to, "nothing is asked of Google here: of %s only what the file says counts; add what `spillway discover %s` prints",
			strings.Join(p.Undiscovered, ", "), f.pool)
	}
	v.linef(to, "%s refused, %s waited: half of all at most %s, 95 %% at most %s, the longest %s", plain.Number(int64(fit.Refused)),
		plain.Number(int64(fit.Waits)), fit.Median.Round(time.Millisecond), fit.P95.Round(time.Millisecond), fit.Longest.Round(time.Millisecond))
	var b strings.Builder
	b.WriteString("ENDPOINT\tSERVES\tUSD BY THE TOKEN, 30 DAYS\n")
	for _, s := range fit.Served {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", s.Endpoint, plain.Number(int64(s.Calls)), dollars(s.ByToken))
	}
	printText(to, "\n"+v.table(b.String(), nil))
	if b.Reset(); len(fit.StoodIn) > 0 {
		b.WriteString("FALLBACK FOR\tSERVED BY\tCALLS\n")
		for _, s := range fit.StoodIn {
			fmt.Fprintf(&b, "%s\t%s\t%s\n", s.Model, s.By, plain.Number(int64(s.Calls)))
		}
		printText(to, "\n"+v.table(b.String(), nil))
	}
	if b.Reset(); len(fit.Causes) > 0 {
		b.WriteString("REFUSED FOR\tBY\tCALLS\n")
		for _, c := range fit.Causes {
			fmt.Fprintf(&b, "%s\t%s\t%s\n", c.Cause, c.Subject, plain.Number(int64(c.Calls)))
		}
		printText(to, "\n"+v.table(b.String(), nil))
	}
	if b.Reset(); len(fit.Bounds) > 0 {
		b.WriteString("LIMIT\tBUSIEST\tALLOWED\tUSED\n")
		for _, l := range fit.Bounds {
			fmt.Fprintf(&b, "%s\t%s\t%s\t%.0f %%\n", l.Name, whole(l.Asked), whole(l.Allowed), 100*l.Asked/l.Allowed)
		}
		printText(to, "\n"+v.table(b.String(), nil))
		printText(to, "\n")
		if l := fit.Bounds[0]; l.Asked > l.Allowed {
			v.linef(to, "the bottleneck is %s: the busiest calls ask for %s, and %s are allowed", l.Name, whole(l.Asked), whole(l.Allowed))
		} else {
			v.linef(to, "no limit in the file is a bottleneck")
		}
	}
}
