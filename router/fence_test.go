package router_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// europe is the fence of these tests.
var europe = []string{"eu", "europe-*"}

func inEurope(location string) bool {
	return slices.ContainsFunc(europe, func(glob string) bool { ok, _ := path.Match(glob, location); return ok })
}

// fenced is a world inside a fence. It looks at every request.
type fenced struct {
	*world
	asked int
}

func (f *fenced) RoundTrip(req *http.Request) (*http.Response, error) {
	location := locationOf(req)
	segments := strings.Split(req.URL.Path, "/")
	if i := slices.Index(segments, "locations"); i >= 0 && segments[i+1] != location {
		f.t.Errorf("%s is asked for what is in %s", location, segments[i+1])
	}
	if !inEurope(location) {
		f.t.Errorf("%s is outside the fence: %s %s", location, req.Method, req.URL)
	}
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	return f.google.RoundTrip(req)
}

// pool draws a configuration of the pool: its projects reach beyond the fence.
func (f *fenced) pool(gemini bool) pool.Config {
	cfg := pool.Config{Locations: europe}
	if gemini {
		cfg.Projects = append(cfg.Projects, keyed("studio", "key-a", "key-b").pool)
	}
	for _, name := range []string{"a", "b", "c"} {
		p := vertexed(name, f.some(everywhere)...)
		p.pool.Priority = f.rng.IntN(2)
		if name == "a" {
			p.pool.Locations = append(slices.DeleteFunc(p.pool.Locations, inEurope), "eu", "europe-west4")
		}
		if f.rng.IntN(2) == 0 {
			p.order(pro, everywhere[f.rng.IntN(len(everywhere))], 1)
		}
		cfg.Projects = append(cfg.Projects, p.pool)
	}
	return cfg
}

func newFenced(t *testing.T, seed uint64) (f *fenced, gemini bool) {
	t.Helper()
	f = &fenced{world: &world{residency: &residency{t: t}, rng: rand.New(rand.NewPCG(seed, 11))}}
	gemini = seed%2 == 1
	cfg := router.Config{Backend: pool.BackendVertex, Fallbacks: []router.Fallback{{Model: pro, To: []string{flash, lite}}}}
	if gemini {
		cfg.Backend = pool.BackendGemini
	}
	all := []project{keyed("studio", "key-a", "key-b"), vertexed("a"), vertexed("b"), vertexed("c")}
	for i := range all {
		all[i].google.Limits = []geminitest.Limit{{RPM: 6}}
		for _, at := range everywhere {
			all[i].google.Orders = append(all[i].google.Orders, geminitest.Order{Model: pro, Location: at, GSUs: 1, TokensPerSecond: 2})
		}
	}
	all[0].google.Orders = nil
	f.google = googleOf(geminitest.Config{Seed: seed}, all...)
	f.router = newRouter(t, f.pool(gemini), cfg, router.WithTransport(f))
	f.client = clientOver(t, f.router.Backend(), f.router)
	f.calls = append(append(f.modelCalls(), f.cacheCalls()...), f.live)
	if gemini {
		f.calls = append(f.calls, f.fileCalls()...)
	} else {
		f.calls = append(f.calls, f.jobCalls()...)
	}
	return f, gemini
}

// live leases an endpoint for a Live session and looks where it would be dialled.
func (f *fenced) live(ctx context.Context) error {
	l, err := f.router.LiveConfig(ctx, pro)
	if err != nil {
		return err
	}
	defer l.Release(nil)
	cc := l.Config()
	u, err := url.Parse(cc.HTTPOptions.BaseURL)
	if err != nil {
		return err
	}
	if location := locationOf(&http.Request{URL: u}); !inEurope(location) || !inEurope(strings.Split(l.Endpoint, "/")[1]) {
		f.t.Errorf("a Live session is dialled at %s by %s", cc.HTTPOptions.BaseURL, l.Endpoint)
	}
	return nil
}

// TestNoByteLeavesTheFence makes calls of every kind in a pool with a fence, while everything that
// can fail does and the configuration is replaced again and again.
func TestNoByteLeavesTheFence(t *testing.T) {
	t.Parallel()
	asked, served, failed := 0, 0, 0
	seeds := amount[uint64](8, 40)
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			f, gemini := newFenced(t, seed)
			for range 12 {
				f.fail()
				var wg sync.WaitGroup
				for i := range 8 {
					kind, wait := f.rng.IntN(len(f.calls)), time.Duration(f.rng.IntN(1000))*time.Millisecond
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						err := f.calls[kind](ctx)
						f.mu.Lock()
						defer f.mu.Unlock()
						if err == nil {
							served++
						} else {
							failed++
						}
					})
					time.Sleep(wait)
					if i == 4 {
						if err := f.router.Reload(f.pool(gemini), router.Config{Backend: f.router.Backend()}); err != nil {
							t.Error(err)
						}
					}
				}
				wg.Wait()
				time.Sleep(time.Duration(f.rng.IntN(120)) * time.Second)
			}
			asked += f.asked
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	// A test in which nothing is asked, or everything is well, would prove nothing.
	if n := int(seeds); asked < 25*n || served < 13*n || failed < 13*n {
		t.Errorf("%d requests, %d calls served and %d failed: too few of one of them", asked, served, failed)
	}
}

// TestFenceTakesFilesThatLieOutside: a file's owner that was known before the fence came is not
// asked any more.
func TestFenceTakesFilesThatLieOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, outside := vertexed("a", "eu", "us"), keyed("studio", "key-a")
		b := setup{router: router.Config{Backend: pool.BackendGemini}}.bed(t, inside, outside)
		c := b.client(t)
		file, err := c.Files.Upload(t.Context(), strings.NewReader("hello"), &genai.UploadFileConfig{MIMEType: "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		cfg := poolOf(inside, outside)
		cfg.Locations = europe
		if err := b.router.Reload(cfg, router.Config{Backend: pool.BackendGemini}); err != nil {
			t.Fatal(err)
		}
		before := len(b.Requests())
		if _, err := c.Files.Get(t.Context(), file.Name, nil); err == nil {
			t.Error("the file is read, though its project is outside the fence")
		}
		if _, err := c.Files.Upload(t.Context(), strings.NewReader("hello"), &genai.UploadFileConfig{MIMEType: "text/plain"}); err == nil {
			t.Error("a file is uploaded, though nothing inside the fence takes files")
		}
		if n := len(b.Requests()) - before; n != 0 {
			t.Errorf("%d requests were made", n)
		}
		resp, err := ask(t.Context(), c, flash)
		if err != nil || endpoint(resp) != "a/eu/on_demand" {
			t.Errorf("a call is served by %v, %v; want a/eu/on_demand", resp, err)
		}
	})
}
