package main

import (
	"context"
	"flag"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const checkHelp = `Usage: spillway check FILE [MODEL…]

Check reads a file as a service would, and shows how calls for each model are
served: the tiers in order, with their endpoints, limits and provisioned
throughput, and what replicas of the service share. Without MODEL it shows every
model that the file names: in orders, limits, aliases and fallbacks, and in the
models of a project.

The variables and files that the file names must exist, as for the service.
Check makes no requests and asks no store: application default credentials may
be missing, and keys may be made up. It prints all mistakes in the file at once,
to standard error. It never prints a key.

Exit status: 1 if the file is wrong, if no project serves one of the models, or
if a MODEL was unknown when this program was made and the file does not name it.
`

// check runs the command "check".
func check(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	rest, status, ok := parse(flags, args, checkHelp, stdout, stderr)
	if !ok {
		return status
	}
	if len(rest) == 0 {
		return misused("check", stderr, "it needs a FILE")
	}
	cfg, err := load(ctx, rest[0])
	if err != nil {
		writef(stderr, "%s\n", err)
		return statusFailed
	}
	// A plan needs no requests, so application default credentials may be missing, and a store is
	// not asked: its replicas have all of the limits together.
	asked := cfg.Pool
	if cfg.Store.Redis.Reveal() != "" {
		asked.Share = 0
	}
	asked.Projects = slices.Clone(asked.Projects)
	for i := range asked.Projects {
		if p := &asked.Projects[i]; p.Credentials == nil && len(p.Keys) == 0 {
			p.Credentials = pool.NoCredentials
		}
	}
	r, err := router.New(asked, cfg.Router)
	if err != nil {
		writef(stderr, "%s: %s\n", rest[0], err)
		return statusFailed
	}
	defer func() { _ = r.Close() }()

	for _, w := range cfg.Warnings {
		writef(stderr, "%s (warning)\n", w)
	}
	asks := make([]string, 0, len(rest)-1)
	for _, m := range rest[1:] {
		asks = append(asks, bareModel(m))
	}
	models := asks
	if len(models) == 0 {
		models = named(cfg)
	}
	page := &page{out: stdout, cfg: cfg, router: r}
	page.head(rest[0])
	for _, m := range models {
		page.model(m) //nolint:contextcheck // nothing in a plan waits
	}
	if len(models) == 0 {
		writef(stdout, "\nThe file names no model; name one to see how it is served: spillway check %s gemini-3.5-flash\n", rest[0])
	}
	if len(page.unserved) > 0 {
		writef(stderr, "%s: no project takes %s; add it to the models of one, or do not name it\n",
			rest[0], strings.Join(page.unserved, ", "))
		status = statusFailed
	}
	for _, m := range unknown(cfg, asks) {
		writef(stderr, "%s: %s\n", rest[0], m)
		status = statusFailed
	}
	return status
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

// fallbacks returns the fallbacks of a model, in order.
func fallbacks(cfg *config.Config, model string) []string {
	for _, f := range cfg.Router.Fallbacks {
		if f.Model == model {
			return f.To
		}
	}
	return nil
}
