package router_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestModelsOfAPoolOnVertexAIAreThoseThatItNames has no project of the Developer API, which alone has
// the list.
func TestModelsOfAPoolOnVertexAIAreThoseThatItNames(t *testing.T) {
	const none = `{"error":{"message":"spillway: the configuration does not name the model \"x\"; Vertex AI has no list of models in OpenAI's dialect, ` +
		`and may serve it all the same","type":"invalid_request_error","param":null,"code":"not_found","status":"NOT_FOUND"}}`
	const order = `{"id":"gemini-3.5-flash","object":"model","owned_by":"google"}`
	for path, want := range map[string]string{
		"/openai/v1/models": `{"data":[{"id":"fast","object":"model","owned_by":"google"},` + order + `,` +
			`{"id":"gemini-3.6-flash","object":"model","owned_by":"google"},{"id":"gemini-embedding-001","object":"model","owned_by":"google"}],"object":"list"}`,
		"/v1beta/openai/models/gemini-3.5-flash":                                            order,
		"/openai/v1/models/models%2Fgemini-3.5-flash":                                       order,
		"/v1/projects/any/locations/any/endpoints/openapi/models/gemini-3.5-flash":          order,
		"/v1/projects/any/locations/any/endpoints/openapi/models/google%2Fgemini-3.5-flash": order,
		"/openai/v1/models/x": none,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := two()
			p.Models = []string{"gemini-*"}
			p.Provisioned = []pool.Order{{Model: "gemini-3.5-flash", Location: "eu", GSUs: 1}}
			p.Limits = []pool.Limit{{Model: "gemini-3*", RPM: 1}, {Model: "gemini-embedding-001", RPM: 1}, {RPM: 9}}
			asked := 0
			r := routerOver(t, func(*http.Request) (*http.Response, error) { asked++; return answerOf(404, ""), nil },
				router.Config{Models: map[string]string{"fast": "gemini-3.6-flash"}}, p)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://h"+path, nil)
			resp, err := r.RoundTrip(req)
			if _, body := read(t, resp, err); strings.TrimSpace(body) != want || asked != 0 {
				t.Errorf("%s: %d requests, %s\nwant %s", path, asked, body, want)
			}
		})
	}
}

// TestModelsAreAskedOfTheDeveloperAPI whatever the path.
func TestModelsAreAskedOfTheDeveloperAPI(t *testing.T) {
	for _, path := range []string{"/openai/v1/models", "/v1/projects/any/locations/any/endpoints/openapi/models"} {
		synctest.Test(t, func(t *testing.T) {
			b := setup{}.bed(t, keyed("studio", "key-1"), vertexed("prod", "global"))
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://h"+path, nil)
			resp, err := b.router.RoundTrip(req)
			if status, body := read(t, resp, err); status != 200 || !strings.Contains(body, `"models/`+flash+`"`) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
	}
}

func TestAListOfModelsHasOnlyThoseOfTheCallersScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, nil, router.Config{Models: map[string]string{"fast": "gemini-3.6-flash", "good": "gemini-3.1-pro-preview"}}, two())
		ctx := router.WithCall(t.Context(), router.Call{Scope: router.Scope{Models: []string{"*flash"}}})
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://h/openai/v1/models", nil)
		resp, err := r.RoundTrip(req)
		if _, body := read(t, resp, err); !strings.Contains(body, `"fast"`) || !strings.Contains(body, `"gemini-3.6-flash"`) || strings.Contains(body, "pro") || strings.Contains(body, "good") {
			t.Error(body)
		}
	})
}
