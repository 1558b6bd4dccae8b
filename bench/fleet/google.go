package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// What there is to be had, and how much of it is asked for.
const (
	projects = 10
	limit    = 60 // calls in a minute, of each project
	overload = 1.5
	model    = "gemini-3.5-flash"
	// answering is how long Google takes.
	answering = 100 * time.Millisecond

	// One more project serves slow calls of a model of its own, a few at once and without a limit of
	// their rate.
	slotsProject = "slots"
	slotsKey     = "AIzaSy-the-key-of-slots"
	slotsModel   = "gemini-3.1-pro-preview"
	slots        = 8
	slotsTake    = time.Second
)

func projectName(i int) string { return fmt.Sprintf("project-%d", i) }

// keysOf returns the keys of a project.
func keysOf(i int) []string {
	return []string{fmt.Sprintf("AIzaSy-key-%d-a", i), fmt.Sprintf("AIzaSy-key-%d-b", i)}
}

// google is the emulator on a port, with a count of the slow calls that are under way.
type google struct {
	*geminitest.Emulator
	url    string
	server *http.Server

	mu             sync.Mutex
	underWay, peak int
}

func startGoogle(ctx context.Context) (*google, error) {
	cfg := geminitest.Config{
		Projects: []geminitest.Project{{ID: slotsProject, Keys: []string{slotsKey}}},
		Latency:  geminitest.Latency{FirstToken: answering}, Log: 1 << 20,
	}
	for i := range projects {
		cfg.Projects = append(cfg.Projects, geminitest.Project{
			ID: projectName(i), Keys: keysOf(i), Limits: []geminitest.Limit{{RPM: limit, Paid: true}},
		})
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &google{Emulator: geminitest.New(cfg), url: "http://" + listener.Addr().String()}
	g.Keep(geminitest.Match{Model: slotsModel}, geminitest.Answer{Delay: slotsTake})
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func() { _ = g.server.Serve(listener) }()
	return g, nil
}

// ServeHTTP counts slow calls and has the emulator answer.
func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, slotsModel) {
		g.enter(1)
		defer g.enter(-1)
	}
	g.Emulator.ServeHTTP(w, r)
}

func (g *google) enter(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay += n
	g.peak = max(g.peak, g.underWay)
}

// slow returns how many slow calls are under way, and the most that ever were.
func (g *google) slow() (underWay, peak int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.underWay, g.peak
}

// most returns the most requests of any project in any minute that begins at or after from.
func (g *google) most(from time.Time) (n int) {
	times := map[string][]time.Time{}
	for _, r := range g.Requests() {
		if r.Model == model {
			times[r.Project] = append(times[r.Project], r.Time)
		}
	}
	for _, t := range times {
		slices.SortFunc(t, time.Time.Compare)
		n = max(n, most(t, time.Minute, from))
	}
	return n
}

// file is the configuration of the sidecars.
func (g *google) file() string {
	var b strings.Builder
	b.WriteString("[store]\nredis = \"env:REDIS_URL\"\n")
	project := func(name, serves string, keys []string, limits string) {
		fmt.Fprintf(&b, "\n[[project]]\nname = %q\nbackend = \"gemini\"\nbase_url = %q\nmodels = [%q]\nkeys = [\"%s\"]\n\n[[project.limits]]\n%s\n",
			name, g.url, serves, strings.Join(keys, `", "`), limits)
	}
	for i := range projects {
		project(projectName(i), model, keysOf(i), fmt.Sprintf("rpm = %d", limit))
	}
	project(slotsProject, slotsModel, []string{slotsKey}, fmt.Sprintf("concurrency = %d", slots))
	return b.String()
}
