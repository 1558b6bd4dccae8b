package router_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
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

// bounds are the locations that one call may go to; nil: all that are configured. They travel in
// the call's context, so that every request that is made for it, the search for the owner of what
// it names included, can be told from others.
type bounds []string

type boundsKey struct{}

// residency stands between the router and Google, and between the SDK and the router.
type residency struct {
	t      *testing.T
	google *geminitest.Emulator
	router *router.Router

	mu        sync.Mutex
	places    map[string][]string // of each project: where the configuration lets it be asked
	bounded   int                 // requests for calls with bounds
	unbounded int
}

// RoundTrip is Google's side: it looks where a request goes before it goes there.
func (r *residency) RoundTrip(req *http.Request) (*http.Response, error) {
	host, location := req.URL.Host, locationOf(req)
	segments := strings.Split(req.URL.Path, "/")
	project := "studio"
	if i := slices.Index(segments, "projects"); i >= 0 {
		project = segments[i+1]
	} else if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer token-of-"); ok {
		project = token
	}
	if i := slices.Index(segments, "locations"); i >= 0 && segments[i+1] != location {
		r.t.Errorf("%s is asked for what is in %s", host, segments[i+1])
	}
	b, _ := req.Context().Value(boundsKey{}).(bounds)
	r.mu.Lock()
	if b != nil {
		r.bounded++
	} else {
		r.unbounded++
	}
	places := r.places[project]
	r.mu.Unlock()
	if b != nil && !slices.Contains(b, location) {
		r.t.Errorf("a call that may go to %v only went to %s: %s %s", b, location, req.Method, req.URL)
	}
	if !slices.Contains(places, location) {
		r.t.Errorf("project %s is asked in %s, and may only be in %v: %s %s", project, location, places, req.Method, req.URL)
	}
	return r.google.RoundTrip(req)
}

// locationOf is the location that a request's host stands for.
func locationOf(req *http.Request) string {
	host := req.URL.Host
	switch host {
	case "generativelanguage.googleapis.com", "aiplatform.googleapis.com":
		return "global"
	case "aiplatform.us.rep.googleapis.com", "aiplatform.eu.rep.googleapis.com":
		return strings.Split(host, ".")[1]
	}
	return strings.TrimSuffix(host, "-aiplatform.googleapis.com")
}

// caller is the SDK's side: it says the bounds in one of the ways that there are.
type caller struct{ *residency }

func (c caller) RoundTrip(req *http.Request) (*http.Response, error) {
	b, _ := req.Context().Value(boundsKey{}).(bounds)
	if b == nil {
		return c.router.RoundTrip(req)
	}
	switch rand.IntN(4) {
	case 0:
		req = req.WithContext(router.WithCall(req.Context(), router.Call{Locations: b}))
	case 1:
		req.Header.Set("Spillway-Locations", strings.Join(b, " , "))
	case 2:
		req.Header["spillway-locations"] = []string{strings.ToUpper(strings.Join(b, ","))}
	case 3:
		req.Header["Spillway-Locations"] = b
	}
	return c.router.RoundTrip(req)
}

// TestNoOrderOfFailuresSendsAByteElsewhere makes calls of every kind, each with its bounds, while
// everything that can fail does, in an order that chance decides, and looks at every single
// request.
func TestNoOrderOfFailuresSendsAByteElsewhere(t *testing.T) {
	bounded, served, failed := 0, 0, 0
	seeds := amount[uint64](8, 40)
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			for range 12 {
				w.fail()
				var wg sync.WaitGroup
				for range 8 {
					b, kind, wait := w.bounds(), w.rng.IntN(len(w.calls)), time.Duration(w.rng.IntN(20))*time.Second
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), boundsKey{}, b), time.Minute)
						defer cancel()
						err := w.calls[kind](ctx)
						w.mu.Lock()
						defer w.mu.Unlock()
						if err == nil {
							served++
						} else {
							failed++
						}
					})
					time.Sleep(wait / 20)
				}
				wg.Wait()
				time.Sleep(time.Duration(w.rng.IntN(120)) * time.Second)
			}
			bounded += w.bounded
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	// A test in which nothing is asked, or everything is well, would prove nothing.
	if n := int(seeds); bounded < 25*n || served < 13*n || failed < 13*n {
		t.Errorf("%d requests with bounds, %d calls served and %d failed: too few of one of them", bounded, served, failed)
	}
}

var everywhere = []string{"global", "us", "eu", "us-central1", "europe-west1", "europe-west4"}

// world is a pool, a Google that fails, and what is called.
type world struct {
	*residency
	rng    *rand.Rand
	client *genai.Client
	calls  []func(ctx context.Context) error
	undo   []func()

	made struct {
		sync.Mutex
		caches, files []string
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{rng: rand.New(rand.NewPCG(seed, 7))}
	w.residency = &residency{t: t, places: map[string][]string{}}
	gemini := seed%2 == 1
	cfg := router.Config{Fallbacks: []router.Fallback{{Model: pro, To: []string{flash, lite}}}, Backend: pool.BackendVertex}
	var all []project
	if gemini {
		cfg.Backend = pool.BackendGemini
	}
	if gemini || seed%4 == 0 {
		p := keyed("studio", "key-a", "key-b")
		p.google.Limits = []geminitest.Limit{{RPM: 5}}
		all = append(all, p)
		w.places["studio"] = []string{"global"}
	}
	for _, name := range []string{"a", "b", "c"} {
		places := w.some(everywhere)
		p := vertexed(name, places...)
		p.google.Limits, p.pool.Priority = []geminitest.Limit{{RPM: 6}}, w.rng.IntN(2)
		if w.rng.IntN(2) == 0 {
			at := everywhere[w.rng.IntN(len(everywhere))]
			places = append(slices.Clone(places), at)
			p.google.Orders = []geminitest.Order{{Model: pro, Location: at, GSUs: 1, TokensPerSecond: 2}}
			p.pool.Provisioned = []pool.Order{{Model: pro, Location: at, GSUs: 1}}
		}
		all = append(all, p)
		w.places[name] = places
	}
	b := setup{google: geminitest.Config{Seed: seed}, router: cfg, opts: []router.Option{router.WithTransport(w.residency)}}.bed(t, all...)
	b.http = &http.Client{Transport: caller{w.residency}}
	w.google, w.router, w.client = b.Emulator, b.router, b.client(t)
	w.calls = append(w.modelCalls(), w.cacheCalls()...)
	if gemini {
		w.calls = append(w.calls, w.fileCalls()...)
	} else {
		w.calls = append(w.calls, w.jobCalls()...)
	}
	return w
}

// some draws one to three.
func (w *world) some(of []string) []string {
	of = slices.Clone(of)
	w.rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:1+w.rng.IntN(3)]
}

func (w *world) bounds() bounds {
	if w.rng.IntN(4) == 0 {
		return nil
	}
	return w.some(append(slices.Clone(everywhere), "me-west1"))
}

// fail changes what fails.
func (w *world) fail() {
	project := []string{"a", "b", "c", "studio"}[w.rng.IntN(4)]
	at := everywhere[w.rng.IntN(len(everywhere))]
	model := []string{pro, flash, lite}[w.rng.IntN(3)]
	answers := []geminitest.Answer{
		geminitest.PaidMinuteQuota(model, 10, 20*time.Second), geminitest.DayQuota(model, 10, 0), geminitest.NoQuota(model),
		geminitest.QuotaUnknown(), geminitest.Contention(), geminitest.ProvisionedFull(), geminitest.Overloaded(), geminitest.Internal(),
		geminitest.Cancelled(), geminitest.DeadlineExpired(), geminitest.ConnectionReset(), {Hang: true}, {Status: 200, Truncate: 10},
		geminitest.KeyInvalid(), geminitest.TokenInvalid(), geminitest.PrepayDepleted(402), geminitest.ServiceDisabled(project),
		geminitest.LocationUnsupported(), geminitest.ModelMissing(model, "generateContent"),
		geminitest.PublisherModelMissing(project, at, model), geminitest.PermissionDenied(project, at, model),
		geminitest.InvalidArgument("no"), geminitest.Unavailable().AfterEvents(0), geminitest.Internal().AfterEvents(1),
		{Status: 307, Header: http.Header{"Location": {"https://us-central1-aiplatform.googleapis.com/v1beta1/publishers/google/models"}}},
	}
	answer := answers[w.rng.IntN(len(answers))]
	switch w.rng.IntN(6) {
	case 0:
		w.undo = append(w.undo, w.google.Keep(geminitest.Match{Project: project}, answer))
	case 1:
		w.undo = append(w.undo, w.google.Keep(geminitest.Match{Location: at}, answer))
	case 2:
		w.undo = append(w.undo, w.google.Keep(geminitest.Match{Project: project, Location: at}, answer))
	case 3:
		w.google.Script(geminitest.Match{}, answer, answers[w.rng.IntN(len(answers))], answers[w.rng.IntN(len(answers))])
	case 4:
		w.undo = append(w.undo, w.google.SetOutage(geminitest.Outage{Location: at, Reset: w.rng.IntN(2) == 0}))
	case 5:
		for _, undo := range w.undo {
			undo()
		}
		w.undo = nil
	}
}

func (w *world) modelCalls() []func(context.Context) error {
	c := w.client
	return []func(context.Context) error{
		func(ctx context.Context) error { _, err := ask(ctx, c, pro); return err },
		func(ctx context.Context) error { _, err := ask(ctx, c, flash); return err },
		func(ctx context.Context) (err error) {
			for _, e := range c.Models.GenerateContentStream(ctx, pro, genai.Text("hi"), nil) {
				err = e
			}
			return err
		},
		func(ctx context.Context) error {
			_, err := c.Models.CountTokens(ctx, pro, genai.Text("hi"), nil)
			return err
		},
		func(ctx context.Context) error {
			_, err := c.Models.EmbedContent(ctx, "gemini-embedding-001", genai.Text("hi"), nil)
			return err
		},
		func(ctx context.Context) error { _, err := c.Models.Get(ctx, flash, nil); return err },
		func(ctx context.Context) error { _, err := c.Models.List(ctx, nil); return err },
	}
}

// cacheCalls make and use caches: those that were made in other worlds' bounds too, and those that
// nobody knows.
func (w *world) cacheCalls() []func(context.Context) error {
	c := w.client
	name := func() string {
		w.made.Lock()
		defer w.made.Unlock()
		if n := len(w.made.caches); n > 0 && rand.IntN(3) > 0 {
			return w.made.caches[rand.IntN(n)]
		}
		if w.router.Backend() == pool.BackendVertex {
			return fmt.Sprintf("projects/placeholder/locations/global/cachedContents/%d", 1000+rand.IntN(50))
		}
		return fmt.Sprintf("cachedContents/c%d", rand.IntN(50))
	}
	return []func(context.Context) error{
		func(ctx context.Context) error {
			made, err := c.Caches.Create(ctx, flash, &genai.CreateCachedContentConfig{Contents: genai.Text(strings.Repeat("hi ", 5000))})
			if err == nil {
				w.made.Lock()
				defer w.made.Unlock()
				w.made.caches = append(w.made.caches, made.Name)
			}
			return err
		},
		func(ctx context.Context) error { _, err := c.Caches.Get(ctx, name(), nil); return err },
		func(ctx context.Context) error {
			_, err := c.Models.GenerateContent(ctx, flash, genai.Text("hi"), &genai.GenerateContentConfig{CachedContent: name()})
			return err
		},
		func(ctx context.Context) (err error) {
			for _, e := range c.Caches.All(ctx) {
				err = e
			}
			return err
		},
		func(ctx context.Context) error { _, err := c.Caches.Delete(ctx, name(), nil); return err },
	}
}

// fileCalls are of the Gemini API, which is global.
func (w *world) fileCalls() []func(context.Context) error {
	c := w.client
	name := func() string {
		w.made.Lock()
		defer w.made.Unlock()
		if n := len(w.made.files); n > 0 && rand.IntN(3) > 0 {
			return w.made.files[rand.IntN(n)]
		}
		return fmt.Sprintf("files/f%d", rand.IntN(50))
	}
	return []func(context.Context) error{
		func(ctx context.Context) error {
			f, err := c.Files.Upload(ctx, strings.NewReader("hello"), &genai.UploadFileConfig{MIMEType: "text/plain"})
			if err == nil {
				w.made.Lock()
				defer w.made.Unlock()
				w.made.files = append(w.made.files, f.Name)
			}
			return err
		},
		func(ctx context.Context) error { _, err := c.Files.Get(ctx, name(), nil); return err },
		func(ctx context.Context) error { _, err := c.Files.List(ctx, nil); return err },
		func(ctx context.Context) error {
			uri := "https://generativelanguage.googleapis.com/v1beta/" + name()
			_, err := c.Models.GenerateContent(ctx, pro, []*genai.Content{genai.NewContentFromURI(uri, "text/plain", genai.RoleUser)}, nil)
			return err
		},
	}
}

// jobCalls are of Vertex AI, with names that say where things are.
func (w *world) jobCalls() []func(context.Context) error {
	c := w.client
	at := func() string {
		return "projects/" + []string{"a", "b", "c", "placeholder"}[rand.IntN(4)] + "/locations/" + everywhere[rand.IntN(len(everywhere))]
	}
	return []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := c.Batches.Create(ctx, flash, &genai.BatchJobSource{Format: "jsonl", GCSURI: []string{"gs://bucket/in"}},
				&genai.CreateBatchJobConfig{Dest: &genai.BatchJobDestination{Format: "jsonl", GCSURI: "gs://bucket/out"}})
			return err
		},
		func(ctx context.Context) error { _, err := c.Batches.List(ctx, nil); return err },
		func(ctx context.Context) error { _, err := c.Tunings.List(ctx, nil); return err },
		func(ctx context.Context) error { _, err := ask(ctx, c, at()+"/endpoints/123"); return err },
		func(ctx context.Context) error {
			_, err := ask(ctx, c, at()+"/publishers/google/models/"+pro)
			return err
		},
		func(ctx context.Context) error {
			_, err := c.Caches.Get(ctx, at()+"/cachedContents/77", nil)
			return err
		},
	}
}

func TestLocationHeaderThatIsEmptyIsRefused(t *testing.T) {
	for name, h := range map[string]http.Header{
		"no value":              {"Spillway-Locations": {""}},
		"only commas":           {"Spillway-Locations": {" , "}},
		"spelled in lower case": {"spillway-locations": {""}},
	} {
		t.Run(name, func(t *testing.T) {
			b := twoProjects(t)
			req := gen(t.Context(), genPath, "{}")
			maps.Copy(req.Header, h)
			resp, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if n := len(b.Requests()); resp.StatusCode != http.StatusBadRequest || n != 0 {
				t.Errorf("got %d after %d requests, want 400 and none", resp.StatusCode, n)
			}
		})
	}
}

// TestSearchWithinBoundsDoesNotHideWhatIsElsewhere: who may not look everywhere must not make
// others believe that a thing is gone.
func TestSearchWithinBoundsDoesNotHideWhatIsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("a", "eu", "us")
		before := setup{}.bed(t, p)
		within := func(locations ...string) context.Context {
			return router.WithCall(t.Context(), router.Call{Locations: locations})
		}
		made, err := before.client(t).Caches.Create(within("us"), flash, &genai.CreateCachedContentConfig{Contents: genai.Text(strings.Repeat("hi ", 5000))})
		if err != nil {
			t.Fatal(err)
		}
		c := setup{}.over(t, before.Emulator, p).client(t) // which knows nothing
		_, id, _ := strings.Cut(made.Name, "cachedContents/")
		name := "projects/placeholder/locations/global/cachedContents/" + id
		if _, err := c.Caches.Get(within("eu"), name, nil); apiError(t, err).Code != http.StatusNotFound {
			t.Errorf("a call bound to eu got %v, want that it is not there", err)
		}
		if got, err := c.Caches.Get(within(), name, nil); err != nil || got.Name != made.Name {
			t.Errorf("a call without bounds got %v, %v; want what is in us", got, err)
		}
		if _, err := c.Caches.Get(within("eu"), name, nil); err == nil {
			t.Error("a call bound to eu reached us")
		}
	})
}

// TestProjectThatCannotBeAskedIsNotSaidToHaveNothing: a dead key's 400 says nothing of the resource
// that was looked for.
func TestProjectThatCannotBeAskedIsNotSaidToHaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pa, pb := keyed("a", "key-a"), keyed("b", "key-b")
		before := setup{}.bed(t, pa, pb)
		f, err := before.client(t).Files.Upload(t.Context(), strings.NewReader("hello"), &genai.UploadFileConfig{MIMEType: "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		c := setup{}.over(t, before.Emulator, pa, pb).client(t) // which knows nothing
		before.Revoke("key-a")
		for range 2 {
			if _, err := c.Files.Get(t.Context(), f.Name, nil); apiError(t, err).Code != http.StatusServiceUnavailable {
				t.Errorf("while its project's key is dead, the file's owner is: %v; want that it cannot be found out", err)
			}
		}
		before.Restore("key-a")
		time.Sleep(2 * time.Minute)
		if got, err := c.Files.Get(t.Context(), f.Name, nil); err != nil || got.Name != f.Name {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
