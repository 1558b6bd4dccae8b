package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"cloud.google.com/go/auth"
	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const flash = "gemini-2.5-flash"

// amount returns how much of something a test does: all of it if SPILLWAY_LONG is 1, as it is in
// .ci/run, and little otherwise, so that go test ./... stays quick.
func amount[T any](little, all T) T {
	if os.Getenv("SPILLWAY_LONG") == "1" {
		return all
	}
	return little
}

// project is a project as Google has it, and as the pool knows it.
type project struct {
	google geminitest.Project
	pool   pool.Project
}

// keyed returns a project of the Gemini back end.
func keyed(name string, keys ...string) project {
	p := project{geminitest.Project{ID: name, Keys: keys}, pool.Project{Name: name, Backend: pool.BackendGemini}}
	for _, k := range keys {
		p.pool.Keys = append(p.pool.Keys, pool.NewSecret(k))
	}
	return p
}

// vertexed returns a project of Vertex AI.
func vertexed(name string, locations ...string) project {
	return project{
		geminitest.Project{ID: name, Tokens: []string{"token-of-" + name}},
		pool.Project{Name: name, Backend: pool.BackendVertex, Locations: locations, Credentials: token("token-of-" + name)},
	}
}

// region is the i-th of 2,000 locations that no test asks for anything.
func region(i int) string { return fmt.Sprintf("x-%c%d", 'a'+i/90, 10+i%90) }

// farAway returns a project that has n of them, for calls that allow what other calls do not. It
// serves none of the tests' models.
func farAway(n int) pool.Project {
	var locations []string
	for i := range n {
		locations = append(locations, region(i))
	}
	p := vertexed("regions", locations...).pool
	p.Models = []string{"none"}
	return p
}

// order buys the project an order, and lets the pool know of it.
func (p *project) order(model, location string, gsus int) {
	p.google.Orders = append(p.google.Orders, geminitest.Order{Model: model, Location: location, GSUs: gsus})
	p.pool.Provisioned = append(p.pool.Provisioned, pool.Order{Model: model, Location: location, GSUs: gsus})
}

// poolOf is a pool of these projects.
func poolOf(projects ...project) pool.Config {
	var c pool.Config
	for _, p := range projects {
		c.Projects = append(c.Projects, p.pool)
	}
	return c
}

// googleOf is an emulator with these projects.
func googleOf(c geminitest.Config, projects ...project) *geminitest.Emulator {
	for _, p := range projects {
		c.Projects = append(c.Projects, p.google)
	}
	return geminitest.New(c)
}

// setup is what a bed is made of, apart from its projects.
type setup struct {
	google geminitest.Config
	router router.Config
	opts   []router.Option
}

// bed is a router over an emulator, with an unmodified client of each dialect on top.
type bed struct {
	*geminitest.Emulator
	router *router.Router
	http   *http.Client
}

// bed makes a bed. A transport among the options takes the emulator's place.
func (s setup) bed(t *testing.T, projects ...project) *bed {
	t.Helper()
	return s.over(t, googleOf(s.google, projects...), projects...)
}

// over makes a bed over an emulator that is there already, as a program does that starts again.
func (s setup) over(t *testing.T, google *geminitest.Emulator, projects ...project) *bed {
	t.Helper()
	opts := append([]router.Option{router.WithTransport(google)}, s.opts...)
	r := newRouter(t, poolOf(projects...), s.router, opts...)
	return &bed{Emulator: google, router: r, http: &http.Client{Transport: r}}
}

// newRouter makes a router and closes it when the test ends.
func newRouter(t testing.TB, p pool.Config, cfg router.Config, opts ...router.Option) *router.Router {
	t.Helper()
	r, err := router.New(p, cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// client returns the SDK's client, in the router's dialect.
func (b *bed) client(t *testing.T) *genai.Client {
	t.Helper()
	return clientOver(t, b.router.Backend(), b.http.Transport)
}

// clientOver returns the SDK's client, in a dialect and over a transport.
func clientOver(t *testing.T, dialect pool.Backend, rt http.RoundTripper) *genai.Client {
	t.Helper()
	cc := &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "placeholder", HTTPClient: &http.Client{Transport: rt}}
	if dialect == pool.BackendVertex {
		cc = &genai.ClientConfig{Backend: genai.BackendVertexAI, Project: "placeholder", Location: "global", HTTPClient: cc.HTTPClient}
	}
	c, err := genai.NewClient(context.Background(), cc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask makes one small call.
func ask(ctx context.Context, c *genai.Client, model string) (*genai.GenerateContentResponse, error) {
	return c.Models.GenerateContent(ctx, model, genai.Text("hi"), nil)
}

// endpoint is the endpoint that answered.
func endpoint(r *genai.GenerateContentResponse) string {
	return r.SDKHTTPResponse.Headers.Get("Spillway-Endpoint")
}

// apiError returns Google's error, as callers look for it.
func apiError(t *testing.T, err error) genai.APIError {
	t.Helper()
	var e genai.APIError
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, no genai.APIError", err)
	}
	return e
}

// token gives the same access token for ever.
type token string

func (t token) Token(context.Context) (*auth.Token, error) { return &auth.Token{Value: string(t)}, nil }

// toVertex is a small call to the Vertex AI back end. Its verb follows the model:
// ":generateContent" or another.
func toVertex(ctx context.Context, verb string) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodPost,
		"https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/publishers/google/models/"+flash+verb,
		strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`))
}

// transport is a function as a RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const okBody = `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}`

// answerOf is an answer with this status, body and further header.
func answerOf(status int, body string, kv ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(kv); i += 2 {
		h.Set(kv[i], kv[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// routerOver is a router over a transport; without projects it has one, with one key.
func routerOver(t *testing.T, f transport, cfg router.Config, ps ...pool.Project) *router.Router {
	t.Helper()
	if len(ps) == 0 {
		ps = []pool.Project{keyed("a", "k-a").pool}
	}
	return newRouter(t, pool.Config{Projects: ps}, cfg, router.WithTransport(f))
}

// gen is a request to the Gemini back end.
func gen(ctx context.Context, path, body string) *http.Request {
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://generativelanguage.googleapis.com/v1beta/"+path, strings.NewReader(body))
	return req
}

const genPath = "models/" + flash + ":generateContent"
