package calls_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	flash  = "gemini-3.5-flash"
	pro    = "gemini-3.1-pro-preview"
	prompt = "CANARY-PROMPT"
)

// heard are the records in the order in which the calls ended.
type heard struct {
	mu  sync.Mutex
	all []*calls.Record
}

func (h *heard) Add(r *calls.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, r)
}

func (h *heard) records() []*calls.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// last returns the record of the call that ended last, out of n.
func (h *heard) last(t *testing.T, n int) *calls.Record {
	t.Helper()
	all := h.records()
	if len(all) != n {
		t.Fatalf("%d calls were recorded, want %d: %v", len(all), n, all)
	}
	return all[n-1]
}

// bed is a router over an emulator, whose calls are heard.
type bed struct {
	*geminitest.Emulator
	heard

	router *router.Router
}

// keyed returns n projects of the Gemini back end, "a" and so on, each in a tier of its own.
func keyed(n int) []pool.Project {
	var all []pool.Project
	for i, name := range []string{"a", "b", "c"}[:n] {
		all = append(all, pool.Project{
			Name: name, Backend: pool.BackendGemini, Priority: i, Keys: []pool.Secret{pool.NewSecret("CANARY-KEY-" + name)},
		})
	}
	return all
}

// token is an access token that is always the same.
type token string

func (t token) Token(context.Context) (*auth.Token, error) { return &auth.Token{Value: string(t)}, nil }

// vertexed returns a project on Vertex AI.
func vertexed(name string, locations ...string) pool.Project {
	return pool.Project{Name: name, Backend: pool.BackendVertex, Locations: locations, Credentials: token("CANARY-KEY-" + name)}
}

func newBed(t *testing.T, projects []pool.Project, cfg router.Config, google geminitest.Config, sinks ...calls.Sink) *bed {
	t.Helper()
	for _, p := range projects {
		g := geminitest.Project{ID: p.Name}
		for _, k := range p.Keys {
			g.Keys = append(g.Keys, k.Reveal())
		}
		if p.Credentials != nil {
			g.Tokens = []string{"CANARY-KEY-" + p.Name}
		}
		for _, o := range p.Provisioned {
			g.Orders = append(g.Orders, geminitest.Order{Model: o.Model, Location: o.Location, GSUs: o.GSUs})
		}
		google.Projects = append(google.Projects, g)
	}
	b := &bed{Emulator: geminitest.New(google)}
	r, err := router.New(pool.Config{Projects: projects}, cfg, router.WithTransport(b.Emulator),
		router.WithTrace(calls.Trace(append(sinks, &b.heard)...)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	b.router = r
	return b
}

// send makes a call, in the router's dialect, and reads its response.
func (b *bed) send(ctx context.Context, t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	resp, err := b.router.RoundTrip(b.request(ctx, t, method, path, body))
	if err != nil {
		return nil
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

func (b *bed) request(ctx context.Context, t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	address := "https://generativelanguage.googleapis.com/v1beta/"
	if b.router.Backend() == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/"
		path = strings.Replace(path, "models/", "publishers/google/models/", 1)
	}
	req, err := http.NewRequestWithContext(ctx, method, address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

const (
	generate = "models/" + flash + ":generateContent"
	stream   = "models/" + flash + ":streamGenerateContent?alt=sse"
	asks     = `{"contents":[{"role":"user","parts":[{"text":"` + prompt + `"}]}]}`
)

// ask makes one call.
func (b *bed) ask(t *testing.T) *http.Response {
	t.Helper()
	return b.send(t.Context(), t, http.MethodPost, generate, asks)
}
