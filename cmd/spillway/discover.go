package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/config"
	googlecredential "github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/discover"
	"github.com/spillway-go/spillway/pool"
)

const discoverHelp = `Usage: spillway discover [FILE] [--project PROJECT] [--timeout 2m] [--json]

Discover asks Google what the projects of FILE really have: the quotas of each
model, the orders of Provisioned Throughput, and the models that they may call. It
prints the [[project]] tables of FILE with both, what FILE declares and what Google
shows where FILE declares nothing. An order that a router would not use is a
comment that says why. Below, as comments, is where the two differ. What FILE
declares wins. FILE itself is not changed.

It asks Cloud Quotas, or Service Usage where that cannot be asked; Cloud Monitoring
for the orders, which no API lists; Cloud Billing, whether a project of the
Developer API pays. That takes Google credentials, those of the project or of the
machine ("gcloud auth application-default login"), with the roles

  roles/cloudquotas.viewer  for the limits
  roles/monitoring.viewer   for the orders
  roles/browser             for the tier

Where one is missing, or an API is off, discover says so, with the command that
mends it, and goes on. A project of the Developer API has API keys alone, which
cannot ask anything: write discover = true and project_id, and perhaps credentials,
into it. Google shows the quotas of all paid tiers, and not which one it is: the
highest is printed. Limits of Vertex AI, which each location has for itself, are
added up over the project's locations; newer models have none there.

With discover = true in a project, a running router does the same by itself, at the
start and each hour, and uses what it finds. See package config.

Tested on Spillway's emulator only.

Flags:

  --project  a Google Cloud project to ask about with the machine's credentials, in
             place of FILE. It may be given more than once.
  --timeout  how long all questions about a project may take.
  --json     prints all that was found, the differences and the file as one JSON
             object.

Exit status: 1 if the file is wrong, or if the limits or the orders of a project
could not be read.
`

// discoverFlags is what a user of the command "discover" asks for.
type discoverFlags struct {
	file     string
	projects []string
	timeout  time.Duration
	json     bool
}

var projectSyntax = regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]{0,99}$`)

// discoverProjects runs the command "discover".
func discoverProjects(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("discover", flag.ContinueOnError)
	var f discoverFlags
	flags.Func("project", "", func(id string) error {
		if !projectSyntax.MatchString(id) || googlecredential.Looks(id) {
			return errors.New("it is not a Google Cloud project id")
		}
		f.projects = append(f.projects, id)
		return nil
	})
	flags.DurationVar(&f.timeout, "timeout", 2*time.Minute, "")
	flags.BoolVar(&f.json, "json", false, "")
	rest, status, ok := parse(flags, args, discoverHelp, stdout, stderr)
	switch {
	case !ok:
		return status
	case len(rest) > 1:
		return misused("discover", stderr, "it takes one FILE")
	case (len(rest) == 0) == (len(f.projects) == 0):
		return misused("discover", stderr, "it needs either a FILE or --project")
	case f.timeout <= 0:
		return misused("discover", stderr, "--timeout is not above zero")
	}
	cfg := projectsOf(f.projects)
	if len(rest) == 1 {
		var err error
		if cfg, err = load(ctx, rest[0]); err != nil {
			writef(stderr, "%s\n", err)
			return statusFailed
		}
		f.file = rest[0]
	}
	all := f.ask(ctx, cfg)
	if f.file == "" { // a project is used through one back end, or both
		all = slices.DeleteFunc(all, func(d discoveredProject) bool { return !d.has() && len(d.facts.Problems) == 0 })
	}
	if f.json {
		printJSON(stdout, f.data(cfg, all))
	} else {
		printText(stdout, f.toml(cfg, all)+f.differences(all))
	}
	failed := statusOK
	for i := range all {
		d := &all[i]
		for _, line := range problemsOf(d) {
			writef(stderr, "%s: %s\n", d.Name, line)
		}
		if d.incomplete() {
			failed = statusFailed
		}
	}
	return failed
}

// then returns what to do as the end of a sentence.
func then(remedy string) string {
	if remedy == "" {
		return ""
	}
	return "; " + remedy
}

// projectsOf describes Google Cloud projects of which nothing is known, each through both back ends.
func projectsOf(ids []string) *config.Config {
	cfg := &config.Config{}
	taken := map[string]bool{}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		cfg.Pool.Projects = append(cfg.Pool.Projects,
			pool.Project{Name: nameOf(id, taken), Backend: pool.BackendGemini, ProjectID: id, Discover: true},
			pool.Project{Name: nameOf(id+"-vertex", taken), Backend: pool.BackendVertex, ProjectID: id, Discover: true})
	}
	return cfg
}

// nameOf makes a name of a project's id, which headers and paths allow, and takes it.
func nameOf(id string, taken map[string]bool) string {
	name := strings.ReplaceAll(id, ":", "-")
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", strings.ReplaceAll(id, ":", "-"), n)
	}
	taken[name] = true
	return name
}

// discoveredProject is a project of a file, and what Google shows of it.
type discoveredProject struct {
	pool.Project

	facts discover.Facts
	at    time.Time // when it was read
}

// has reports whether Google shows something.
func (d *discoveredProject) has() bool { return len(d.facts.Limits)+len(d.facts.Orders) > 0 }

// incomplete reports whether its limits or its orders could not be read.
func (d *discoveredProject) incomplete() bool {
	return d.facts.Limits == nil || d.Backend == pool.BackendVertex && d.facts.Orders == nil
}

// locations are those of a project's calls on demand.
func (d *discoveredProject) locations() []string {
	if len(d.Locations) == 0 {
		return []string{"global"}
	}
	return d.Locations
}

// ask asks about every project, a few at a time.
func (f *discoverFlags) ask(ctx context.Context, cfg *config.Config) []discoveredProject {
	machine := sync.OnceValues(googlecredential.Default)
	all := make([]discoveredProject, len(cfg.Pool.Projects))
	slots := make(chan struct{}, probesAtOnce)
	var wait sync.WaitGroup
	for i, p := range cfg.Pool.Projects {
		all[i].Project, all[i].at = p, time.Now()
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, f.timeout)
			defer cancel()
			all[i].facts = readFacts(ctx, &all[i], machine)
		})
	}
	wait.Wait()
	return all
}

// readFacts asks about one project.
func readFacts(ctx context.Context, d *discoveredProject, machine func() (auth.TokenProvider, error)) discover.Facts {
	if d.Backend == pool.BackendGemini && d.ProjectID == "" {
		return discover.Facts{Problems: []*discover.ReadError{{
			What: "limits", Host: "Google", Message: "the file does not say which Google Cloud project the keys belong to, and keys cannot ask",
			Do: "write discover = true and project_id into the project",
		}}}
	}
	tokens := d.Credentials
	if tokens == nil {
		var err error
		if tokens, err = machine(); err != nil {
			tokens = noCredentials{err}
		}
	}
	s := discover.Source{
		ProjectID: cmp.Or(d.ProjectID, d.Name), Vertex: d.Backend == pool.BackendVertex, Locations: d.locations(), Tokens: tokens,
		APIs: d.DiscoverURL, Models: d.BaseURL, Transport: http.DefaultTransport,
	}
	if len(d.Keys) > 0 {
		s.Key = d.Keys[0].Reveal
	}
	return discover.Read(ctx, s)
}

// noCredentials has no tokens, and says why.
type noCredentials struct{ why error }

func (n noCredentials) Token(context.Context) (*auth.Token, error) { return nil, n.why }
