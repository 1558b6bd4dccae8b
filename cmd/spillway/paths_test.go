package main

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/sdktour"
)

func TestThePathsOfTheGeminiAPIAreServed(t *testing.T) {
	const vertex = "/v1beta1/projects/any/locations/global/"
	for _, path := range []string{
		"/v1beta/models", "/v1beta/models/", "/v1beta/models/gemini-3.5-flash", "/v1/models/gemini-3.5-flash:countTokens",
		"/v1beta/models/gemini-3.5-flash%3AgenerateContent", "/v1beta/models%2Fgemini-3.5-flash:generateContent",
		"//v1beta/models", "/gemini/v1beta/models/x:generateContent", "/v1alpha/auth_tokens",
		"/v1beta/tunedModels/x:generateContent", "/v1beta/tunedModels/x/permissions/p", "/v1beta/models/veo/operations/o",
		"/v1beta/files", "/v1beta/files:register", "/v1beta/files/x:download", "/download/v1beta/files/x:download", "/v1beta/generatedFiles/x",
		"/upload/v1beta/files", "/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore",
		"/v1beta/cachedContents/x", "/v1beta/batches/x:cancel", "/v1beta/operations/x",
		"/v1beta/fileSearchStores/s/documents/d", "/v1beta/fileSearchStores/s/upload/operations/o", "/v1beta/fileSearchStores/s/media/m",
		"/v1beta/corpora/c/documents/d/chunks/k", "/v1beta/corpora/c:query",
		"/v1beta/interactions", "/v1beta/interactions/i/cancel", "/v1beta/agents/a", "/v1beta/triggers/t/executions",
		"/v1beta/environments/e/files/a/b/c.txt", "/upload/v1beta/environments/e/files/a/b", "/v1beta/webhooks/w:rotateSigningSecret",
		"/v1beta/openai/chat/completions", "/v1beta/openai/models", "/openai/v1/chat/completions", "/openai/v1/models", "/openai/v1/embeddings",
		"/v1beta1/publishers/google/models", "/v1/publishers/google/models/gemini-3.5-flash:generateContent",
		vertex + "publishers/google/models/gemini-3.5-flash:streamGenerateContent", vertex + "publishers/anthropic/models/claude:rawPredict",
		"/projects/any/locations/global/publishers/anthropic/models/claude:rawPredict",
		vertex + "endpoints/123:generateContent", vertex + "endpoints/openapi/chat/completions", vertex + "endpoints/123/chat/completions",
		vertex + "cachedContents", vertex + "cachedContents/x", vertex + "operations/x", vertex + "batchPredictionJobs/x:cancel",
		vertex + "tuningJobs/x", vertex + "tuningJobs:validateReinforcementTuningReward", vertex + "models/123", vertex + "models/123/operations/o",
		vertex + "interactions", "/v1beta1%2Fprojects%2Fany%2Flocations%2Fglobal/interactions", vertex + "ragCorpora/c/ragFiles/f",
		vertex + "publishers/google/models/veo/operations/o", "/v1beta/models/publishers/google/models/x:generateContent",
	} {
		u, err := url.Parse("http://sidecar" + path)
		if err != nil {
			t.Fatal(err)
		}
		if climbs(u.EscapedPath()) || !served(http.MethodPost, u) {
			t.Errorf("%s is not served", path)
		}
	}
}

func TestNothingElseOfGooglesIsServed(t *testing.T) {
	const vertex = "/v1/projects/any/locations/us-central1/"
	for path, want := range map[string]int{
		vertex + "customJobs":                         http.StatusNotFound,
		vertex + "customJobs/1:cancel":                http.StatusNotFound,
		vertex + "notebookRuntimes":                   http.StatusNotFound,
		vertex + "pipelineJobs/1":                     http.StatusNotFound,
		vertex + "datasets":                           http.StatusNotFound,
		vertex + "cachedContents/1/customJobs/2":      http.StatusNotFound,
		vertex + "cachedContents%2F1%2FcustomJobs":    http.StatusNotFound,
		vertex + "publishers/google/customJobs":       http.StatusNotFound,
		vertex + "publishers/google":                  http.StatusNotFound,
		vertex:                                        http.StatusNotFound,
		"/v1/projects/any":                            http.StatusNotFound,
		"/v1/projects/any/services/x:enable":          http.StatusNotFound,
		"/v1/projects/any:getIamPolicy":               http.StatusNotFound,
		"/v1beta/":                                    http.StatusNotFound,
		vertex + "endpoints":                          http.StatusNotFound,
		vertex + "endpoints/1:deployModel":            http.StatusNotFound,
		vertex + "endpoints/1%3AundeployModel":        http.StatusNotFound,
		vertex + "endpoints/1:setIamPolicy/":          http.StatusNotFound,
		vertex + "models:upload":                      http.StatusNotFound,
		vertex + "models/1:copy":                      http.StatusNotFound,
		vertex + "models/1:export":                    http.StatusNotFound,
		vertex + "models/x:setIamPolicy":              http.StatusNotFound,
		vertex + "publishers/google/models/x:deploy":  http.StatusNotFound,
		vertex + "cachedContents/1:getIamPolicy":      http.StatusNotFound,
		"/v1beta/models/x:testIamPermissions":         http.StatusNotFound,
		"/v1beta/documents/d":                         http.StatusNotFound,
		"/v1beta/models//x":                           http.StatusNotFound,
		"/v1beta/openai":                              http.StatusNotFound,
		"/v1beta/openai/responses":                    http.StatusNotFound,
		"/v1beta/openai/chat/completions/x":           http.StatusNotFound,
		"/openai/v1/files":                            http.StatusNotFound,
		"/openai/v1/embeddings/1/x":                   http.StatusNotFound,
		vertex + "endpoints/openapi/completions":      http.StatusNotFound,
		vertex + "endpoints/openapi/v1/models":        http.StatusNotFound,
		"/token":                                      http.StatusNotFound,
		"/upload/storage/v1/b/bucket/o":               http.StatusNotFound,
		"/computeMetadata/v1/instance/":               http.StatusNotFound,
		"/customJobs":                                 http.StatusNotFound,
		"/v1beta/models/../../v1/projects/p":          http.StatusBadRequest,
		"/v1beta/models/..":                           http.StatusBadRequest,
		"/v1beta/./models":                            http.StatusBadRequest,
		"/v1beta/models/%2e%2e/files":                 http.StatusBadRequest,
		"/v1beta/models/%2E./files":                   http.StatusBadRequest,
		"/v1beta/models/x%2F..%2F..%2FcustomJobs":     http.StatusBadRequest,
		"/v1beta/models/%252e%252e/files":             http.StatusBadRequest,
		"/v1beta/models/%25252525252e%2525252e/files": http.StatusBadRequest,
		"/v1beta/models/..%5c..%5cfiles":              http.StatusBadRequest,
		"/v1beta/models/..;x=1/files":                 http.StatusBadRequest,
		"/../v1beta/models":                           http.StatusBadRequest,
		"/v1beta/models/x%00y":                        http.StatusBadRequest,
		"/v1beta/models/x%0d%0aHost:%20y":             http.StatusBadRequest,
		"/v1beta/openai/../../v1/projects/p":          http.StatusBadRequest,
		"/v1beta/environments/e/files/..%2f..%2fx":    http.StatusBadRequest,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			google := newGoogle(geminitest.Latency{})
			w := respond(t, google, method, "http://sidecar"+path, nil)
			if n := len(google.Requests()); n != 0 || w.Code != want || !strings.Contains(w.Body.String(), `"message":"spillway: `) {
				t.Errorf("%s %s: Google was asked %d times, and the answer is %d %s, want %d", method, path, n, w.Code, w.Body, want)
			}
		}
	}
}

func TestADeployedModelIsAskedAndNotChanged(t *testing.T) {
	for _, method := range []string{http.MethodDelete, http.MethodPatch, http.MethodPost, http.MethodPut} {
		for _, path := range []string{"/v1/projects/any/locations/us-central1/endpoints/1", "/v1/projects/any/locations/us-central1/endpoints/1/"} {
			google := newGoogle(geminitest.Latency{})
			w := respond(t, google, method, "http://sidecar"+path, nil)
			if n := len(google.Requests()); n != 0 || w.Code != http.StatusNotFound {
				t.Errorf("%s %s: Google was asked %d times, and the answer is %d %s", method, path, n, w.Code, w.Body)
			}
		}
	}
}

func TestNoMethodThatTheAPILacksGoesOut(t *testing.T) {
	for _, method := range []string{http.MethodTrace, http.MethodConnect, "PROPFIND", "get"} {
		google := newGoogle(geminitest.Latency{})
		w := respond(t, google, method, "http://sidecar/v1beta/models", nil)
		if n := len(google.Requests()); n != 0 || w.Code != http.StatusMethodNotAllowed || !strings.Contains(w.Header().Get("Allow"), "PATCH") {
			t.Errorf("%s: Google was asked %d times, and the answer is %d %v %s", method, n, w.Code, w.Header(), w.Body)
		}
	}
}

func TestOpenAIsOwnPathsAreToldWhereTheDialectIs(t *testing.T) {
	for _, path := range []string{"/v1/chat/completions", "/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations"} {
		google := newGoogle(geminitest.Latency{})
		w := respond(t, google, http.MethodPost, "http://sidecar"+path, nil)
		want := `"message":"Spillway speaks the Gemini API; its OpenAI dialect is at /v1beta/openai, or /openai/v1","type":"invalid_request_error","param":null,"code":"not_found"`
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) || len(google.Requests()) != 0 {
			t.Errorf("%s gets %d %s", path, w.Code, w.Body)
		}
	}
}

func TestPathsThatGooglesDialectLacksAreRefusedInOpenAIsShape(t *testing.T) {
	const lacks = "spillway: this is not a path of Google's OpenAI dialect, which has chat/completions, embeddings, models and images/generations"
	const base = "Spillway speaks the Gemini API; its OpenAI dialect is at /v1beta/openai, or /openai/v1"
	for path, want := range map[string]string{
		"/openai/v1/responses": lacks, "/openai/v1/files": lacks, "/openai/v1/audio/speech": lacks, "/v1beta/openai/moderations": lacks,
		"/v1/projects/any/locations/any/endpoints/openapi/v1/chat/completions": lacks,
		"/openai": base, "/openai/": base, "/openai/v1": base, "/openai/v1/": base, "/openai/models": base, "/openai/chat/completions": base, "/v1/openai": base,
	} {
		google := newGoogle(geminitest.Latency{})
		w := respond(t, google, http.MethodPost, "http://sidecar"+path, nil)
		want := `{"error":{"message":"` + want + `","type":"invalid_request_error","param":null,"code":"not_found","status":"NOT_FOUND"}}`
		if w.Code != http.StatusNotFound || strings.TrimSpace(w.Body.String()) != want || len(google.Requests()) != 0 {
			t.Errorf("%s gets %d %s", path, w.Code, w.Body)
		}
	}
}

// TestErrorsOfTheSidecarHaveOpenAIsShapeInItsDialect has no way to Google.
func TestErrorsOfTheSidecarHaveOpenAIsShapeInItsDialect(t *testing.T) {
	lost := transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("no way") })
	for path, want := range map[string]bool{
		"/v1beta/openai/chat/completions": true, "/openai/v1/chat/completions": true, "/v1beta/models/gemini-3.5-flash:generateContent": false,
	} {
		w := respond(t, lost, http.MethodPost, "http://sidecar"+path, nil)
		if got := strings.Contains(w.Body.String(), `"type":"server_error","param":null`); got != want || w.Code < http.StatusInternalServerError {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestTheQueryArrivesAsItWasSent(t *testing.T) {
	for _, query := range []string{"$alt=json;enum-encoding=int", "alt=json%3Benum-encoding%3Dint&a=b;c", "b=2&a=1&a"} {
		var got string
		w := respond(t, transport(func(req *http.Request) (*http.Response, error) {
			got = req.URL.RawQuery
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}}, nil
		}), http.MethodGet, "http://sidecar/v1beta/models?"+query, nil)
		if got != query {
			t.Errorf("%q arrives as %q (%d)", query, got, w.Code)
		}
	}
}

func TestEveryMethodOfTheSDKIsServed(t *testing.T) {
	for _, backend := range []genai.Backend{genai.BackendGeminiAPI, genai.BackendVertexAI} {
		t.Run(backend.String(), func(t *testing.T) {
			google := geminitest.NewServer(t, geminitest.Config{Projects: []geminitest.Project{{ID: "main", Keys: []string{"main-key"}}}})
			t.Setenv("MAIN_KEY", "main-key")
			file, _, _ := strings.Cut(twoProjects, "\n[[project]]\nname     = \"spare\"")
			file = strings.ReplaceAll(file, "\nkeys", "\nbase_url = \""+google.URL+"\"\nkeys")
			cc := &genai.ClientConfig{Backend: backend, APIKey: "any", HTTPClient: new(http.Client)}
			if backend == genai.BackendVertexAI {
				file = strings.ReplaceAll(file, `"gemini"`, `"vertex"`)
				cc.APIKey, cc.Project, cc.Location = "", "any", "global"
			}
			address, _, end := startServe(t, file, "--listen", "127.0.0.1:0")
			defer end()
			cc.HTTPOptions.BaseURL = address
			client, err := genai.NewClient(t.Context(), cc)
			if err != nil {
				t.Fatal(err)
			}
			sdktour.Resources(t, client)
		})
	}
}
