package main

import (
	"context"
	"flag"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const checkHelp = `Usage: spillway check FILE [MODEL…] [--probe] [--timeout 10s] [--json]

Check reads a file as a service would, and shows how calls for each model are
served: the tiers in order, with their endpoints, limits and provisioned
throughput, what replicas of the service share, and what each response cache
keeps. Without MODEL it shows every model that the file names: in orders, limits,
aliases and fallbacks, and in the models of a project.

The variables and files that the file names must exist, as for the service.
Without --probe, check makes no requests and asks no store: application default
credentials may be missing, and keys may be made up. It prints all mistakes in
the file at once, to standard error. It never prints a key.

Flags:

  --probe    asks Google too: it counts the tokens of one word, which costs
             nothing, with each key, in each location, for each model. It says
             what is wrong with those that fail, and what to do. It uses no quota
             for generating, and does not see whether that is used up. It asks
             the store who is there.
  --timeout  how long one probe may take.
  --json     prints all of it as one JSON object, mistakes included.

Exit status: 1 if the file is wrong, if no project serves one of the models, if a
MODEL was unknown when this program was made and the file does not name it, or if
a probe fails.
`

// checkFlags is what a user of the command "check" asks for.
type checkFlags struct {
	file        string
	models      []string
	probe, json bool
	timeout     time.Duration
}

// check runs the command "check".
func check(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	var f checkFlags
	flags.BoolVar(&f.probe, "probe", false, "")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "")
	flags.BoolVar(&f.json, "json", false, "")
	rest, status, ok := parse(flags, args, checkHelp, stdout, stderr)
	switch {
	case !ok:
		return status
	case len(rest) == 0:
		return misused("check", stderr, "it needs a FILE")
	case f.timeout <= 0:
		return misused("check", stderr, "--timeout is not above zero")
	}
	f.file = rest[0]
	for _, m := range rest[1:] {
		f.models = append(f.models, bareModel(m))
	}
	if !f.json {
		return f.run(ctx, stdout, stderr).status()
	}
	c := f.run(ctx, io.Discard, io.Discard)
	printJSON(stdout, c)
	return c.status()
}

func (c *checked) status() int {
	if c.OK {
		return statusOK
	}
	return statusFailed
}

// run checks the file, prints what it finds, and returns it.
func (f *checkFlags) run(ctx context.Context, stdout, stderr io.Writer) *checked {
	c := &checked{File: f.file}
	cfg, err := load(ctx, f.file)
	if err != nil {
		writef(stderr, "%s\n", err)
		c.Problems = mistakesOf(err)
		return c
	}
	r, err := planner(cfg)
	if err != nil {
		writef(stderr, "%s: %s\n", f.file, err)
		c.Problems = mistakesOf(err)
		return c
	}
	defer func() { _ = r.Close() }()
	for _, w := range cfg.Warnings {
		writef(stderr, "%s (warning)\n", w)
	}
	c.describe(cfg, r.Backend())
	for _, w := range orderAges(cfg, time.Now()) {
		writef(stderr, "%s: %s; %s (warning)\n", f.file, w.Problem, w.Fix)
		c.Warnings = append(c.Warnings, w)
	}
	c.OK = true
	f.plans(cfg, r, c, stdout, stderr) //nolint:contextcheck // nothing in a plan waits
	if f.probe {
		f.probes(ctx, cfg, r, c, stdout, stderr)
	}
	return c
}

// planner returns a router that plans calls and makes none. A plan needs no requests, so application
// default credentials may be missing, and a store is not asked: its replicas have all of the limits
// together.
func planner(cfg *config.Config) (*router.Router, error) {
	asked := cfg.Pool
	if cfg.Store.Redis.Reveal() != "" {
		asked.Share = 0
	}
	asked.Projects = slices.Clone(asked.Projects)
	for i := range asked.Projects {
		if p := &asked.Projects[i]; p.Credentials == nil && (len(p.Keys) == 0 || p.Discover) {
			p.Credentials = pool.NoCredentials
		}
	}
	asked.Discover = func(context.Context, pool.Project) (pool.Project, error) { return pool.Project{}, nil }
	return router.New(asked, cfg.Router)
}

// plans shows how each model is served.
func (f *checkFlags) plans(cfg *config.Config, r *router.Router, c *checked, stdout, stderr io.Writer) {
	models := f.models
	if len(models) == 0 {
		models = named(cfg)
	}
	page := &page{out: stdout, cfg: cfg, router: r}
	page.head(f.file)
	for _, m := range models {
		page.model(m)
		c.plan(cfg, m, r.Plan(m))
	}
	if len(models) == 0 {
		writef(stdout, "\nThe file names no model; name one to see how it is served: spillway check %s gemini-3.5-flash\n", f.file)
	}
	wrong := unknown(cfg, f.models)
	if len(page.unserved) > 0 {
		wrong = append([]string{"no project takes " + strings.Join(page.unserved, ", ") +
			"; add it to the models of one, or do not name it"}, wrong...)
	}
	for _, text := range wrong {
		writef(stderr, "%s: %s\n", f.file, text)
		c.Problems, c.OK = append(c.Problems, mistake{Problem: text}), false
	}
}

// probes asks Google and the store.
func (f *checkFlags) probes(
	ctx context.Context, cfg *config.Config, r *router.Router, c *checked, stdout, stderr io.Writer,
) {
	c.Probes = runProbes(ctx, probesOf(cfg, r.Plan, f.models), f.timeout)
	var v view
	if t, ok := terminalOf(stdout); ok {
		v = t.view()
	}
	if len(c.Probes) > 0 {
		printProbes(shown(stdout), c.Probes, v)
	}
	failed := 0
	for _, p := range c.Probes {
		if !p.OK {
			failed++
		}
	}
	if failed > 0 {
		writef(stderr, "%s: %d of %s failed\n", f.file, failed, plain.Plural(len(c.Probes), "probe"))
		c.OK = false
	}
	if c.Store = probeStore(ctx, cfg, f.timeout); c.Store != nil {
		v.linef(stdout, "\n%s", c.Store.words())
		c.OK = c.OK && c.Store.Answers
	}
}

// bareModel returns the id in the name of a model of Google's, which the API's own lists give.
func bareModel(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "publishers/google/"), "models/")
}

// unknown says which of the models are perhaps misspelled: those that neither the file names nor
// this program knows.
func unknown(cfg *config.Config, models []string) []string {
	var all []string
	for _, m := range models {
		_, alias := cfg.Router.Models[m]
		known, meant := config.KnownModel(m)
		switch {
		case strings.ContainsAny(m, `*?[\`):
			all = append(all, m+" is a glob, and a call names one model; name that")
		case known || alias || slices.Contains(named(cfg), m):
		case meant != "":
			all = append(all, m+" is not a known model; did you mean "+meant+"?")
		default:
			all = append(all, m+" is not a known model; if it is newer than this program, name it in the file")
		}
	}
	return all
}

// named returns the models that a config names, sorted.
func named(cfg *config.Config) []string {
	found := map[string]bool{}
	add := func(model string) {
		if target, ok := cfg.Router.Models[model]; ok {
			model = target
		}
		if model != "" && !strings.ContainsAny(model, `*?[\`) { // a glob names no model
			found[model] = true
		}
	}
	for alias := range cfg.Router.Models {
		add(alias)
	}
	for _, f := range cfg.Router.Fallbacks {
		add(f.Model)
		for _, to := range f.To {
			add(to)
		}
	}
	for _, p := range cfg.Pool.Projects {
		for _, model := range p.Models {
			add(model)
		}
		for _, o := range p.Provisioned {
			add(o.Model)
		}
		for _, l := range p.Limits {
			add(l.Model)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// aliases returns the other names of a model, sorted.
func aliases(cfg *config.Config, model string) []string {
	var names []string
	for alias, target := range cfg.Router.Models {
		if target == model {
			names = append(names, alias)
		}
	}
	slices.Sort(names)
	return names
}
