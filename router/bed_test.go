package router_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const flash = "gemini-2.5-flash"

// amount returns how much of something a test does: all of it if SPILLWAY_LONG is 1, as it is in .ci/run,
// and little otherwise, so that go test ./... stays quick.
func amount[T any](little, all T) T {
	if os.Getenv("SPILLWAY_LONG") == "1" {
		return all
	}
	return little
}

// bed is a router over an emulator, with an unmodified client of each dialect on top.
type bed struct {
	*geminitest.Emulator
	router *router.Router
	http   *http.Client
}

func newBed(t *testing.T, google geminitest.Config, p pool.Config, cfg router.Config, opts ...router.Option) *bed {
	t.Helper()
	e := geminitest.New(google)
	r, err := router.New(p, cfg, append([]router.Option{router.WithTransport(e)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return &bed{Emulator: e, router: r, http: &http.Client{Transport: r}}
}

// client returns the SDK's client, in the router's dialect.
func (b *bed) client(t *testing.T) *genai.Client {
	t.Helper()
	cc := &genai.ClientConfig{Backend: genai.BackendGeminiAPI, APIKey: "placeholder", HTTPClient: b.http}
	if b.router.Backend() == pool.BackendVertex {
		cc = &genai.ClientConfig{Backend: genai.BackendVertexAI, Project: "placeholder", Location: "global", HTTPClient: b.http}
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

// keyed returns a project of the Gemini back end, for the emulator and for the pool.
func keyed(name string, limits []geminitest.Limit, keys ...string) (geminitest.Project, pool.Project) {
	p := pool.Project{Name: name, Backend: pool.BackendGemini}
	for _, k := range keys {
		p.Keys = append(p.Keys, pool.NewSecret(k))
	}
	return geminitest.Project{ID: name, Keys: keys, Limits: limits}, p
}

// token gives the same access token for ever.
type token string

// vertexed returns a project of Vertex AI.
func vertexed(name string, locations ...string) (geminitest.Project, pool.Project) {
	return geminitest.Project{ID: name, Tokens: []string{"token-of-" + name}},
		pool.Project{Name: name, Backend: pool.BackendVertex, Locations: locations, Credentials: token("token-of-" + name)}
}

// toVertex is a small call of a caller's to the Vertex AI back end: verb is what follows the model, ":generateContent" or another.
func toVertex(ctx context.Context, verb string) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodPost,
		"https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/publishers/google/models/"+flash+verb,
		strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`))
}
