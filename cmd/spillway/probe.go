package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	// probeModel is asked where a file names no model that can be.
	probeModel = "gemini-3.5-flash"
	// probesAtOnce is how many probes are under way.
	probesAtOnce = 4
	// probeBody is a prompt of one token.
	probeBody = `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`
)

// probe is one call that costs nothing: countTokens, which both back ends have. It takes the
// credential, the API, the project, the location and the model that a call to generate takes, and no
// quota of that. See https://ai.google.dev/api/tokens.
type probe struct {
	project  pool.Project // with one credential, in one location
	location string
	model    string
	usual    bool // the model is none of the file's: it may be missing
}

// probed is what became of a probe.
type probed struct {
	Project  string `json:"project"`
	Backend  string `json:"backend"`
	Key      string `json:"key,omitempty"` // a short hash; absent: the project has no keys
	Location string `json:"location"`
	Model    string `json:"model"`
	OK       bool   `json:"ok"`
	Took     string `json:"took"`
	// Problem is what a router would make of Google's answer; absent: it is a good one, or there is
	// none. Failed is what kept the call from an answer.
	Problem *cooldownSnapshot `json:"problem,omitempty"`
	Failed  string            `json:"failed,omitempty"`
}

// countable reports whether a model of a file's can be asked to count tokens: those of other
// families, and for embeddings, may lack it where they are.
func countable(model string) bool {
	return strings.HasPrefix(model, "gemini-") && !strings.Contains(model, "embedding") && !strings.ContainsAny(model, `*?[\`)
}

// probesOf returns the probes of a file: every location of each project with every model, and with
// every key. The models are those asked for, else those that the file names.
func probesOf(cfg *config.Config, plan func(model string) pool.Plan, asked []string) []probe {
	models := asked
	if len(models) == 0 {
		models = slices.DeleteFunc(named(cfg), func(m string) bool { return !countable(m) })
	}
	var probes []probe
	for _, p := range cfg.Pool.Projects {
		places := placesOf(p.Name, plan, models)
		usual := len(places) == 0 && len(asked) == 0
		if usual {
			places = placesOf(p.Name, plan, []string{probeModel})
		}
		for i, at := range places {
			keys := max(1, len(p.Keys))
			if slices.ContainsFunc(places[:i], func(before place) bool { return before.location == at.location }) {
				keys = 1 // each key was tried there; a model is not a key's
			}
			for k := range keys {
				one := pool.Project{Name: p.Name, Backend: p.Backend, BaseURL: p.BaseURL}
				if len(p.Keys) > 0 {
					one.Keys = p.Keys[k : k+1]
				} else {
					one.Credentials = p.Credentials
				}
				if p.Backend == pool.BackendVertex {
					one.ProjectID, one.Locations = p.ProjectID, []string{at.location}
				}
				probes = append(probes, probe{one, at.location, at.model, usual})
			}
		}
	}
	return probes
}

// place is where a project serves a model.
type place struct{ location, model string }

func placesOf(project string, plan func(model string) pool.Plan, models []string) (places []place) {
	for _, model := range models {
		p := plan(model)
		for _, tier := range p.Tiers {
			for _, e := range tier {
				if at := (place{e.Location, p.Model}); e.Project == project && !slices.Contains(places, at) {
					places = append(places, at)
				}
			}
		}
	}
	return places
}

// runProbes makes the probes, a few at a time, and returns what became of each.
func runProbes(ctx context.Context, probes []probe, timeout time.Duration) []probed {
	results := make([]probed, len(probes))
	slots := make(chan struct{}, probesAtOnce)
	var all sync.WaitGroup
	for i := range probes {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			results[i] = probes[i].run(ctx, timeout)
		})
	}
	all.Wait()
	return results
}

// run makes the call through a router of its own, so that what judges a call of the service judges
// this one, and no probe keeps another from being made.
func (p *probe) run(ctx context.Context, timeout time.Duration) probed {
	result := probed{Project: p.project.Name, Backend: string(p.project.Backend), Location: p.location, Model: p.model}
	if len(p.project.Keys) > 0 {
		result.Key = p.project.Keys[0].String()
	}
	began := time.Now()
	outcome, err := p.call(ctx, timeout)
	result.Took = time.Since(began).Round(time.Millisecond).String()
	switch {
	case err != nil:
		result.Failed = plain.Text(err.Error(), maxShown)
	case outcome.Unsent, outcome.Class == pool.ClassTransport:
		result.Failed = plain.Text(outcome.Message, maxShown)
	case outcome.Class == pool.ClassOK, outcome.Class == pool.ClassModelMissing && p.usual:
		result.OK = true // nobody asks for the usual model: who says that it is missing has let the call in
	default:
		result.Problem = p.problem(&outcome)
	}
	return result
}

// problem says what is wrong with what was probed, in the words of a cooldown.
func (p *probe) problem(o *pool.Outcome) *cooldownSnapshot {
	vertex := p.project.Backend == pool.BackendVertex
	cause := remedy.For(string(o.Class), o.Cause, o.Quota, vertex)
	id := p.project.ProjectID
	if vertex {
		id = cmp.Or(id, p.project.Name) // as the router has it
	}
	do, page := remedy.Of(cause, vertex, id)
	return cooldownOf(pool.Cooldown{
		Class: o.Class, Cause: string(cause), Quota: o.Quota, Message: o.Message, Remedy: do, Page: page,
	})
}

// call sends the probe and returns what the router made of the answer. An error means that there is
// none.
func (p *probe) call(ctx context.Context, timeout time.Duration) (o pool.Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var mu sync.Mutex // an attempt may end in another goroutine
	trace := &router.Trace{AttemptEnd: func(_ context.Context, a router.AttemptEnd) {
		mu.Lock()
		defer mu.Unlock()
		o = a.Outcome
	}}
	r, err := router.New(pool.Config{Projects: []pool.Project{p.project}},
		router.Config{Backend: p.project.Backend, MaxWait: -1, MaxAttempts: 1}, router.WithTrace(trace))
	if err != nil {
		return o, err
	}
	defer func() { _ = r.Close() }()
	path := "/v1beta/models/" + p.model
	if p.project.Backend == pool.BackendVertex {
		path = "/v1beta1/projects/any/locations/" + p.location + "/publishers/google/models/" + p.model
	}
	address := url.URL{Scheme: "http", Host: "spillway", Path: path + ":countTokens"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(probeBody))
	if err != nil {
		return o, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.RoundTrip(req)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxRemote))
		_ = resp.Body.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return o, fmt.Errorf("no response within %s", timeout)
	case err != nil && (o.Class == "" || o.Class == pool.ClassTransport):
		return o, err // it says more than the outcome
	case o.Class != "":
		return o, nil
	default: // the router has refused the call itself
		return o, fmt.Errorf("the call was refused with status %d", resp.StatusCode)
	}
}

// printProbes prints what became of the probes, as a table.
func printProbes(out io.Writer, probes []probed, v view) {
	var table strings.Builder
	writef(&table, "PROBED\tKEY\tLOCATION\tMODEL\tSTATE\n")
	told := told{}
	for _, p := range probes {
		state := "ready, in " + p.Took
		switch {
		case p.Failed != "":
			state = "failed: " + p.Failed
		case p.Problem != nil:
			state = p.Problem.words(time.Time{})
		}
		writef(&table, "%s\t%s\t%s\t%s\t%s\n", p.Project, cmp.Or(p.Key, "-"), p.Location, p.Model, state)
		told.explain(&table, "\t\t\t\t", p.Problem, reasonSnapshot{})
	}
	printText(out, "\n"+v.table(table.String(), tone))
}
