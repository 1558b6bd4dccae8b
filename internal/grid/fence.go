package grid

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// fence is a pool of which only some locations may be used, under random faults, calls of every
// kind, Live sessions and reloads.
type fence struct {
	seed  uint64
	mixed bool // clients speak to the Developer API, and one project is there

	mu      sync.Mutex
	inside  int
	outside []string
}

const fenceSeeds = 40

func fences() (all []Case) {
	for seed := range uint64(fenceSeeds) {
		run := func(t *testing.T) Outcome { return (&fence{seed: seed, mixed: seed%2 == 1}).run(t) }
		all = append(all, Case{Group: "fence", Name: fmt.Sprintf("fence/seed %d", seed), run: run})
	}
	return all
}

// fenced are the locations that may be used.
func fenced() []string { return []string{"eu", "europe-*"} }

func within(location string) bool {
	return slices.ContainsFunc(fenced(), func(glob string) bool {
		ok, _ := path.Match(glob, location)
		return ok
	})
}

// goesTo is the location that a request reaches: that of its host.
func goesTo(host string) string {
	if name, ok := strings.CutSuffix(host, "-aiplatform.googleapis.com"); ok {
		return name
	}
	if name, ok := strings.CutPrefix(host, "aiplatform."); ok {
		if name, ok = strings.CutSuffix(name, ".rep.googleapis.com"); ok {
			return name
		}
	}
	return "global"
}

// watch is the rule: it notes where a request goes, and answers three in ten with a fault.
func (f *fence) watch(q *query) *answer {
	location := goesTo(q.req.URL.Host)
	_, named, ok := strings.Cut(q.req.URL.Path, "/locations/")
	named, _, _ = strings.Cut(named, "/")
	f.mu.Lock()
	if !within(location) || ok && !within(named) {
		f.outside = append(f.outside, q.req.Method+" "+q.req.URL.Host+q.req.URL.Path)
	} else {
		f.inside++
	}
	f.mu.Unlock()
	rng := q.draw(f.seed)
	if rng.Float64() < 0.3 {
		all := faults()
		return all[rng.IntN(len(all))].answerOf(q, rng.Int()&0xff)
	}
	if q.method != "" && q.method != "embedContent" {
		return nil
	}
	name := strings.TrimPrefix(q.req.URL.Path[1:], "v1beta1/")
	return &answer{status: http.StatusOK, body: `{"name":` + quote(name+"/123") + `}`}
}

// config is the pool after so many reloads.
func (f *fence) config(reloads int) pool.Config {
	all := []pool.Project{
		located("global")("a"), located("us-central1")("b"), located("europe-west4")("c"), located("eu")("d"),
	}
	all[0].Locations = []string{"global", "europe-west1", "us"}
	all[2].Locations = []string{"europe-west4", "asia-northeast3"}
	if f.mixed {
		all = append(all, keyed("e"))
	}
	if reloads%2 == 1 {
		all = slices.Delete(all, 3, 4)
		all[0].Locations = []string{"global", "us", "europe-north1"}
	}
	return pool.Config{Projects: all, Locations: fenced()}
}

// calls are of every kind: each with a path, a body or neither, and some with locations of their
// own, which may be outside.
func (f *fence) calls(dialect pool.Backend) []*call {
	rng := rand.New(rand.NewPCG(f.seed, 6))
	base := pathTo(dialect, "")
	parent, _, _ := strings.Cut(base, "publishers/")
	cached := `{"model":"` + strings.TrimPrefix(base, "/v1beta1/") + "models/" + model + `","contents":[]}`
	kinds := []call{
		{}, {}, {stream: true},
		{path: base + "models/" + model + ":countTokens"},
		{path: base + "models/" + model + ":embedContent", body: `{"content":{"parts":[{"text":"x"}]}}`},
		{path: parent + "cachedContents", body: cached},
		{path: parent + "cachedContents", get: true},
		{path: parent + "cachedContents/123", get: true},
		{path: parent + "batchPredictionJobs", get: true},
		{path: parent + "operations/456", get: true},
		{path: "/v1beta/files", get: true},
		{path: "/v1beta/files/abc", get: true},
		{path: base + "models", get: true},
		{locations: "eu"}, {locations: "europe-west4, global"}, {locations: "us-central1"},
	}
	return line(200, 100*time.Millisecond, func(c *call) {
		k := &kinds[rng.IntN(len(kinds))]
		c.path, c.get, c.stream, c.locations = k.path, k.get, k.stream, k.locations
		if k.body != "" {
			c.body = k.body
		}
		c.dialect, c.deadline = dialect, 2*time.Second
	})
}

func (f *fence) run(t *testing.T) Outcome {
	t.Helper()
	cfg := router.Config{MaxWait: time.Second, Backend: pool.BackendVertex}
	if f.mixed {
		cfg.Backend = pool.BackendGemini
	}
	first := f.config(0)
	var o Outcome
	seen := setup{projects: first.Projects, locations: first.Locations, cfg: cfg, rule: f.watch}.play(t, func(w *world) {
		var all sync.WaitGroup
		all.Go(func() {
			for i := range 6 {
				time.Sleep(3 * time.Second)
				f.live(w, i)
				if err := w.router.Reload(f.config(i), cfg); err != nil {
					o.wantf(false, "reload: %v", err)
				}
			}
		})
		calls := f.calls(w.router.Backend())
		w.offer(calls)
		all.Wait()
		o.Calls = len(calls)
	})
	o.wantf(f.inside > 0, "no request was sent")
	o.wantf(len(f.outside) == 0, "%d requests left the fence, %d did not; %q", len(f.outside), f.inside, first3(f.outside))
	o.Leaks = seen.found()
	return o
}

// live leases an endpoint for a session.
func (f *fence) live(w *world, n int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l, err := w.router.LiveConfig(ctx, fmt.Sprintf("gemini-live-%d", n%2))
	if err != nil {
		return
	}
	defer l.Release(nil)
	parts := strings.Split(l.Endpoint, "/")
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(parts) > 1 && within(parts[1]) {
		f.inside++
	} else {
		f.outside = append(f.outside, "Live at "+l.Endpoint)
	}
}

func first3(all []string) []string { return all[:min(len(all), 3)] }
