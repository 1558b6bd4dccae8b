package main

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// model is what all calls ask for.
const model = "gemini-2.5-flash"

// scenario is a row of the table: a law from which each seed draws a trial, and the figures that
// the router has to reach in it.
type scenario struct {
	name    string
	about   string
	figures []figure
	trial   func(d draw) *trial
}

// draw is what a seed gives a trial.
type draw struct {
	seed   uint64
	of     uint64  // how many seeds there are
	burst  float64 // of the arrivals, see there
	length float64 // scales how long the trial is
}

func (d draw) rng(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(d.seed, purpose)) }

// spread is a number between 0 and 1 that the seeds cover evenly.
func (d draw) spread() float64 { return (float64((d.seed-1)%d.of) + 0.5) / float64(d.of) }

func (d draw) scaled(t time.Duration) time.Duration {
	return time.Duration(float64(t) * d.length).Round(time.Minute)
}

// trial is one world, the calls that are offered in it, and how to judge what becomes of them.
type trial struct {
	start  time.Time // when it plays; zero: when the bubble begins
	google geminitest.Config
	pool   pool.Config
	router router.Config
	calls  []call
	length time.Duration // in which they come
	sizes  sizes         // of the calls, where an order has to know them before
	doors  []door        // for those who have no router: orders first

	oracle    func() []result // nil: asking the orders first on every call
	judge     func(got, oracle []result) outcome
	baselines []baseline
}

// policy makes a transport that finds a way through the network for calls.
type policy func(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper

// baseline is what the router is compared with.
type baseline struct {
	name string
	make func(google http.RoundTripper, doors []door) http.RoundTripper
}

func (b baseline) policy(_ *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	return b.make(google, tr.doors)
}

var everyBaseline = []baseline{
	{"one key, the SDK's retries", sdkRetries},
	{"round robin, 60 s cooldown", roundRobin},
	{"elsewhere at once, no memory", elsewhere},
}

// spillway is the router itself.
func spillway(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	t.Helper()
	r, err := router.New(tr.pool, tr.router, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// run plays the trial in a bubble, where time passes as fast as it can be computed.
func (tr *trial) run(t *testing.T, p policy) (results []result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if !tr.start.IsZero() {
			time.Sleep(time.Until(tr.start))
		}
		emulator := geminitest.New(tr.google)
		tr.accustom(emulator)
		start := time.Now()
		google := &network{google: emulator, start: start, rng: rand.New(rand.NewPCG(tr.google.Seed, 77))}
		url := door{}
		if tr.pool.Projects[0].Backend == pool.BackendVertex {
			url = door{project: "spillway", location: "global"}
		}
		results = offer(start, tr.calls, p(t, tr, google), "https://"+url.host()+url.path())
	})
	return results
}

// accustom uses the orders a little, and lets their windows empty again: Google estimates a call by
// those before, and would otherwise take the first ones for the largest there can be.
func (tr *trial) accustom(emulator http.RoundTripper) {
	rng := rand.New(rand.NewPCG(tr.google.Seed, 78))
	used := false
	for _, d := range tr.doors {
		if !d.dedicated {
			continue
		}
		used = true
		n := &network{google: emulator, start: time.Now(), rng: rng}
		calls := arrivals{rate: 0.05, to: time.Hour, sizes: tr.sizes}.draw(rng)
		via := roundTripper(func(req *http.Request) (*http.Response, error) { return d.through(n, req) })
		offer(n.start, calls, via, "https://"+d.host()+d.path())
	}
	if used {
		time.Sleep(5 * time.Minute)
	}
}

// reference is what the oracle makes of the trial.
func (tr *trial) reference(t *testing.T) []result {
	t.Helper()
	if tr.oracle != nil {
		return tr.oracle()
	}
	return tr.run(t, baseline{"", orderFirst}.policy)
}

// google is an emulator in which answers take their time, and are as long as the network tells it.
func google(seed uint64, projects ...geminitest.Project) geminitest.Config {
	return geminitest.Config{
		Projects: projects, Models: []string{model}, Output: leastTokens, Thoughts: mostOutput, Seed: seed, Log: -1,
		Latency: geminitest.Latency{FirstToken: firstToken, PerToken: perToken, Jitter: 0.2},
	}
}
