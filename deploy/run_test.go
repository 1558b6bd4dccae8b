package deploy_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/metrics"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

// The models of the run, by what happens to them.
const (
	ordered   = "gemini-3.5-flash"       // its order is too small
	faulty    = "gemini-3.6-flash"       // its order fails, and is passed by, now and then
	unordered = "gemini-3.5-flash-lite"  // its order does not exist
	limited   = "gemini-3.8-flash"       // nearly uses its limit up
	retired   = "gemini-2.5-flash"       // another model answers
	daily     = "gemini-3.1-pro-preview" // its day quota is used up
	broken    = "gemini-3.7-flash"       // always fails
	narrow    = "gemini-3.1-flash-lite"  // one call at a time
	waiting   = "gemini-3-flash-preview" // its minute quota is used up at the end, and one of its keys is dead
	repeated  = "gemini-2.5-flash-lite"  // the response cache has most of its responses
)

// The run is quiet for a while, then there is trouble of every kind. Both moments are evaluated.
const (
	tick       = 3 * time.Second
	scrapeEach = 15 * time.Second
	quietFor   = 20 * time.Minute
	troubleFor = 25 * time.Minute
	window     = 20 * time.Minute // of rates
	rpm        = 21
	keptFor    = time.Minute // by the response cache
	alike      = 4           // calls of repeated in a row that are equal
)

// slow are the models that take their time. The others answer at once, so that what is used of their
// orders is what was answered.
var slow = []string{limited, retired, narrow}

var burndown = geminitest.Burndown{Input: 1, Output: 6}

// order is a Provisioned Throughput order.
type order struct {
	location, model string
	perSecond       float64
	real            bool // Google has it
}

const orderWindow = time.Minute

var orders = []order{{"eu", ordered, 200, true}, {"us", faulty, 1000, true}, {"us", unordered, 1000, false}}

// made is a call, as its caller saw it.
type made struct {
	id           int
	model, label string
	began, ended time.Time
	status       int
	as           int    // the id of the first call that is equal
	cache        string // what the cache did
}

// run is what happened, as the emulator and the callers know it, and what a Prometheus has of it.
type run struct {
	*geminitest.Emulator
	*scrapes

	router     *router.Router
	quiet, end time.Time // the moments that are evaluated

	page, idlePage []byte // the last ones

	mu       sync.Mutex
	calls    []*made
	caches   []router.CacheStat // at the end
	bypassed []time.Time        // when the order of faulty was passed by
	requests []geminitest.Request
	group    sync.WaitGroup
}

// perform makes the run, in virtual time.
func perform(t *testing.T) *run {
	t.Helper()
	r := &run{scrapes: newScrapes()}
	synctest.Test(t, func(t *testing.T) { r.inBubble(t) })
	return r
}

func (r *run) inBubble(t *testing.T) {
	r.Emulator = geminitest.New(r.google())
	registry, m := prometheus.NewRegistry(), metrics.New()
	var err error
	r.router, err = router.New(r.pool(), router.Config{
		MaxWait: time.Minute, Caches: []router.Cache{{Model: repeated, TTL: keptFor, MaxBytes: 1 << 20, Namespace: "all"}},
	}, router.WithTransport(r.Emulator), router.WithTrace(m.Trace()))
	if err != nil {
		t.Fatal(err)
	}
	registry.MustRegister(m.Collector(r.router))
	replica := store.NewMemory(time.Millisecond).Replica()
	idle, idleRegistry := r.replica(t, replica)

	began := time.Now()
	r.quiet, r.end = began.Add(quietFor), began.Add(quietFor+troubleFor)
	stop := make(chan struct{})
	r.group.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(scrapeEach):
			}
			r.scrape(t, "a", registry)
			r.scrape(t, "b", idleRegistry)
		}
	})
	time.Sleep(tick / 2) // nothing happens at the same time as a scrape
	for i := 0; time.Since(began) < quietFor; i++ {
		r.quietTick(t, i)
		time.Sleep(tick)
	}
	replica.SetFault(store.Fault{Err: errors.New("the store is gone")})
	for i := 0; time.Since(began) < quietFor+troubleFor; i++ {
		r.troubleTick(t, i)
		time.Sleep(tick)
	}
	close(stop)
	r.caches = r.router.Stat().Caches
	r.page, r.idlePage = page(t, registry), page(t, idleRegistry)
	for range 400 { // so that it shows when the cooldown of its order ends
		r.call(t, unordered)
		time.Sleep(tick / 30)
	}
	r.group.Wait()
	r.requests = r.Requests()
	_ = r.router.Close()
	_ = idle.Close()
}

func (r *run) google() geminitest.Config {
	acme := geminitest.Project{ID: "acme", Keys: []string{"k-acme"}}
	for _, o := range orders {
		if o.real {
			acme.Orders = append(acme.Orders, geminitest.Order{
				Model: o.model, Location: o.location, TokensPerSecond: o.perSecond, Burndown: burndown, Window: orderWindow,
			})
		}
	}
	return geminitest.Config{
		Projects: []geminitest.Project{
			{ID: "studio", Keys: []string{"k-studio"}, Limits: []geminitest.Limit{{Model: daily, RPD: 5, Paid: true}}}, acme,
		},
		Reroutes: []geminitest.Reroute{{Model: retired, To: unordered}},
		Bodies:   true, Log: 1e6,
	}
}

func (r *run) pool() pool.Config {
	prod := pool.Project{
		Name: "prod", ProjectID: "acme", Backend: pool.BackendVertex, Locations: []string{"eu", "us"}, Priority: 1,
		Keys: []pool.Secret{pool.NewSecret("k-acme")}, Models: []string{ordered, faulty, unordered},
	}
	for _, o := range orders {
		prod.Provisioned = append(prod.Provisioned, pool.Order{
			Model: o.model, Location: o.location, TokensPerSecond: o.perSecond, Window: orderWindow,
			Burndown: &quota.Burndown{Input: burndown.Input, Output: burndown.Output},
		})
	}
	return pool.Config{Projects: []pool.Project{
		{
			Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-studio")}, Priority: 2,
			Limits: []pool.Limit{{Model: limited, RPM: rpm}, {Model: narrow, Concurrency: 1}},
		},
		{
			Name: "old", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-dead")}, Models: []string{waiting},
		},
		prod,
	}}
}

// replica is a second instance, which serves nothing and has a store.
func (r *run) replica(t *testing.T, s store.Store) (*router.Router, *prometheus.Registry) {
	registry, m := prometheus.NewRegistry(), metrics.New()
	idle, err := router.New(pool.Config{Projects: []pool.Project{{
		Name: "studio", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-studio")},
	}}}, router.Config{}, router.WithTransport(r.Emulator), router.WithTrace(m.Trace()), router.WithStore(s))
	if err != nil {
		t.Fatal(err)
	}
	registry.MustRegister(m.Collector(idle))
	return idle, registry
}

// quietTick makes the calls of an uneventful time.
func (r *run) quietTick(t *testing.T, i int) {
	if i%2 == 0 {
		r.call(t, ordered)
	}
	r.call(t, faulty)
}

// troubleTick makes the calls of a time in which something of everything happens.
func (r *run) troubleTick(t *testing.T, i int) {
	for range 10 {
		r.call(t, ordered)
	}
	switch {
	case i%7 == 3:
		r.Script(geminitest.Match{Model: faulty, Traffic: "dedicated"}, geminitest.Answer{
			Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":"a dam"}]},"finishReason":"STOP"}],` +
				`"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":20,"totalTokenCount":27,"trafficType":"ON_DEMAND"}}`),
		})
		r.mu.Lock()
		r.bypassed = append(r.bypassed, time.Now())
		r.mu.Unlock()
	case i%5 == 1:
		r.Script(geminitest.Match{Model: faulty, Traffic: "dedicated"}, geminitest.Overloaded())
	}
	for range 10 {
		r.Script(geminitest.Match{Model: broken}, geminitest.Internal())
	}
	for _, model := range []string{faulty, unordered, limited, retired, repeated} {
		r.call(t, model)
	}
	r.call(t, daily, "Spillway-Max-Wait", "0s")
	if i%4 == 0 {
		r.call(t, broken)
	}
	if i%8 == 0 {
		r.call(t, narrow)
		r.call(t, narrow)
		for range 3 {
			r.call(t, narrow, "Spillway-Max-Wait", "0s")
		}
	}
	left := time.Until(r.end)
	last := left > 18*time.Second && left < 18*time.Second+tick // its cooldown lasts beyond the end
	if i%5 == 0 && left > time.Minute || last {
		hint := 5 * time.Second
		if last {
			hint = 40 * time.Second
		}
		r.Script(geminitest.Match{Model: waiting, Project: "studio"}, geminitest.MinuteQuota(waiting, 10, hint))
		r.call(t, waiting)
	}
}

// call makes one call, whose prompt says its number.
func (r *run) call(t *testing.T, model string, headers ...string) {
	r.mu.Lock()
	c := &made{id: len(r.calls), model: model, label: []string{"team-a", "team-b"}[len(r.calls)%2], began: time.Now()}
	if c.as = c.id; model == repeated {
		c.as = r.firstAlike()
	}
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"https://generativelanguage.googleapis.com/v1beta/models/"+model+":generateContent",
		strings.NewReader(fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":"This is call %06d."}]}]}`, c.as)))
	if err != nil {
		t.Error(err)
		return
	}
	if slices.Contains(slow, model) { // 5 to 10 s, spread evenly
		_, part := math.Modf(float64(c.id) * math.Phi)
		r.Script(geminitest.Match{Model: model}, geminitest.Answer{Delay: 5*time.Second + time.Duration(part*float64(5*time.Second))})
	}
	req.Header.Set("Spillway-Label", c.label)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	r.group.Go(func() {
		resp, err := r.router.RoundTrip(req)
		status, cache := 0, ""
		if err == nil {
			status, cache = resp.StatusCode, resp.Header.Get("Spillway-Cache")
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		c.status, c.cache, c.ended = status, cache, time.Now()
	})
}

// firstAlike returns the id of the call that the next one of repeated is equal to, which may be its own.
// The caller holds r.mu.
func (r *run) firstAlike() int {
	before := slices.DeleteFunc(slices.Clone(r.calls), func(c *made) bool { return c.model != repeated })
	if n := len(before) % alike; n > 0 {
		return before[len(before)-n].id
	}
	return len(r.calls)
}

var numbered = regexp.MustCompile(`This is call (\d+)\.`)

// callOf returns the call that a request was made for.
func (r *run) callOf(q *geminitest.Request) *made {
	found := numbered.FindSubmatch(q.Body)
	if found == nil {
		return nil
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return nil
	}
	return r.calls[n]
}
