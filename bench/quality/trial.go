package main

import (
	"math"
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
	trial   func(d draw) *trial // nil: there is none for this seed
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

	refusal time.Duration // how long a refusal takes at least
	fleet   *fleet        // whose replicas get the calls; nil: one router does
	events  []event

	oracle    func() []result // nil: what beside makes of the calls
	beside    policy          // nil: asking the orders first on every call
	judge     func(got, oracle []result) outcome
	baselines []baseline
}

// policy makes a transport that finds a way through the network for calls.
type policy func(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper

// event is something that happens in the middle of a trial.
type event struct {
	at time.Duration
	do func(w world)
}

// world is what a trial plays in.
type world struct {
	google   *geminitest.Emulator
	replicas *replicas // nil: there are none
}

// baseline is what the router is compared with.
type baseline struct {
	name   string
	policy policy
}

var everyBaseline = []baseline{
	{"one key, the SDK's retries", through(sdkRetries)},
	{"round robin, 60 s cooldown", through(roundRobin)},
	{"elsewhere at once, no memory", through(elsewhere)},
}

// through is the policy of a program without a router.
func through(program func(google http.RoundTripper, doors []door) http.RoundTripper) policy {
	return func(_ *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
		return program(google, tr.doors)
	}
}

// spillway is the router itself, or the trial's fleet of it.
func spillway(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	t.Helper()
	if tr.fleet != nil {
		return sharing(t, tr, google)
	}
	return oneRouter(t, tr, google)
}

// oneRouter is a router on its own.
func oneRouter(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	t.Helper()
	r, err := router.New(tr.pool, tr.router, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// played is what came of a trial.
type played struct {
	results    []result
	operations float64 // of the store, a second; NaN without one
}

// outcome judges what came of the trial.
func (tr *trial) outcome(got played, oracle []result) outcome {
	o := tr.judge(got.results, oracle)
	o[operations] = got.operations
	return o
}

// run plays the trial, and returns what became of the calls.
func (tr *trial) run(t *testing.T, p policy) []result {
	t.Helper()
	return tr.play(t, p).results
}

// play plays the trial in a bubble, where time passes as fast as it can be computed.
func (tr *trial) play(t *testing.T, p policy) played {
	t.Helper()
	got := played{operations: math.NaN()}
	synctest.Test(t, func(t *testing.T) {
		if !tr.start.IsZero() {
			time.Sleep(time.Until(tr.start))
		}
		emulator := geminitest.New(tr.google)
		tr.accustom(emulator)
		start := time.Now()
		google := &network{google: emulator, start: start, refusal: tr.refusal, rng: rand.New(rand.NewPCG(tr.google.Seed, 77))}
		url := door{}
		if tr.pool.Projects[0].Backend == pool.BackendVertex {
			url = door{project: "spillway", location: "global"}
		}
		via := p(t, tr, google)
		rs, _ := via.(*replicas)
		for _, e := range tr.events {
			time.AfterFunc(e.at, func() { e.do(world{emulator, rs}) })
		}
		got.results = offer(start, tr.calls, via, "https://"+url.host()+url.path())
		if rs != nil && rs.memory != nil {
			got.operations = float64(rs.memory.Operations()) / time.Since(start).Seconds()
		}
	})
	return got
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
	if tr.beside != nil {
		return tr.run(t, tr.beside)
	}
	return tr.run(t, through(orderFirst))
}

// google is an emulator in which answers take their time, and are as long as the network tells it.
func google(seed uint64, projects ...geminitest.Project) geminitest.Config {
	return geminitest.Config{
		Projects: projects, Models: []string{model}, Output: leastTokens, Thoughts: mostOutput, Seed: seed, Log: -1,
		Latency: geminitest.Latency{FirstToken: firstToken, PerToken: perToken, Jitter: 0.2},
	}
}
