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
	// replicaHeader is what a client tells Google through a replica: its address.
	replicaHeader = "X-Fleet-Replica"
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
	over           bool           // the load has ended: callers that left are still counted for a moment
	by             map[string]int // of those under way, by replica
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
	g := &google{Emulator: geminitest.New(cfg), by: map[string]int{}, url: "http://" + listener.Addr().String()}
	g.Keep(geminitest.Match{Model: slotsModel}, geminitest.Answer{Delay: slotsTake})
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func() { _ = g.server.Serve(listener) }()
	return g, nil
}

// ServeHTTP counts slow calls and has the emulator answer.
func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, slotsModel) {
		by := r.Header.Get(replicaHeader)
		g.enter(by, 1)
		slow := &slowWriter{ResponseWriter: w, leave: sync.OnceFunc(func() { g.enter(by, -1) })}
		defer slow.leave()
		w = slow
	}
	g.Emulator.ServeHTTP(w, r)
}

// slowWriter counts a slow call as ended when its answer begins: soon after, the caller knows.
type slowWriter struct {
	http.ResponseWriter

	leave func()
}

func (w *slowWriter) WriteHeader(status int) {
	w.leave()
	w.ResponseWriter.WriteHeader(status)
}

func (w *slowWriter) Write(b []byte) (int, error) {
	w.leave()
	return w.ResponseWriter.Write(b)
}

func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (g *google) enter(by string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay += n
	g.by[by] += n
	if !g.over {
		g.peak = max(g.peak, g.underWay)
	}
}

// ended ends the count of the most slow calls.
func (g *google) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
}

// slow returns how many slow calls are under way, and the most that ever were.
func (g *google) slow() (underWay, peak int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.underWay, g.peak
}

// slowest returns which of some replicas has most slow calls under way.
func (g *google) slowest(fleet []*replica) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := 0
	for k, r := range fleet {
		if g.by[r.url] > g.by[fleet[i].url] {
			i = k
		}
	}
	return i
}

// most returns the most requests of any project in any minute that begins at or after from. Google
// counts none against a quota whose key it refuses.
func (g *google) most(from time.Time) (n int) {
	times := map[string][]time.Time{}
	for _, r := range g.Requests() {
		if r.Model == model && r.Status != http.StatusForbidden {
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
func (g *google) file(timeout time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[store]\nredis = \"env:REDIS_URL\"\ntimeout = %q\n", timeout)
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
