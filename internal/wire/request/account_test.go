package request_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// asked returns what a request asks for.
func asked(t *testing.T, method, path, body string) pool.Asked {
	t.Helper()
	u, err := url.Parse("https://generativelanguage.googleapis.com" + path)
	if err != nil {
		t.Fatal(err)
	}
	c := request.Parse(method, u, []byte(body))
	return c.Asked(method)
}

func TestMethodsThatGoogleCountsApartHaveAccountsOfTheirOwn(t *testing.T) {
	const (
		model  = "/v1beta/models/gemini-2.5-flash"
		vertex = "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash"
	)
	for _, tt := range []struct{ method, path, account, version string }{
		{"POST", model + ":generateContent", "", "v1beta"},
		{"POST", model + ":streamGenerateContent?alt=sse", "", "v1beta"},
		{"POST", "/v1/models/gemini-2.5-flash:generateContent", "", "v1"},
		{"POST", "/v1alpha/models/gemini-2.5-flash:generateContent", "", "v1alpha"},
		{"POST", vertex + ":generateContent", "", "v1beta1"},
		{"POST", vertex + ":streamGenerateContent", "", "v1beta1"},
		{"POST", "/v1/projects/p/locations/eu/publishers/anthropic/models/claude:rawPredict", "", "v1"},
		{"POST", model + ":embedContent", "embedContent", "v1beta"},
		{"POST", model + ":batchEmbedContents", "embedContent", "v1beta"},
		{"POST", model + ":countTokens", "countTokens", "v1beta"},
		{"POST", vertex + ":computeTokens", "countTokens", "v1beta1"},
		{"POST", vertex + ":predict", "predict", "v1beta1"},
		{"POST", vertex + ":predictLongRunning", "predictLongRunning", "v1beta1"},
		{"POST", model + ":batchGenerateContent", "batches.create", "v1beta"},
		{"GET", model, "models.get", "v1beta"},
		{"GET", "/v1beta/models", "models.list", "v1beta"},
		{"GET", "/v1beta/files", "files.list", "v1beta"},
		{"GET", "/v1beta/files/x", "files.get", "v1beta"},
		{"DELETE", "/v1beta/files/x", "files.delete", "v1beta"},
		{"POST", "/upload/v1beta/files", "files.upload", "v1beta"},
		{"POST", "/v1beta/cachedContents", "cachedContents.create", "v1beta"},
		{"POST", "/v1beta/openai/chat/completions", "", "v1beta/openai"},
		{"POST", "/v1beta/openai/embeddings", "embedContent", "v1beta/openai"},
		// What Google does not have is no part of what it has.
		{"GET", model + ":generateContent", "other", "v1beta"},
		{"POST", model + ":doIt", "other", "v1beta"},
		{"POST", "/v2/models/gemini-2.5-flash:generateContent", "", "other"},
	} {
		got := asked(t, tt.method, tt.path, `{}`)
		if got.Method != tt.account || got.Version != tt.version {
			t.Errorf("%s %s is asked of the account %q in version %q, want %q in %q", tt.method, tt.path, got.Method, got.Version, tt.account, tt.version)
		}
	}
}

func TestToolsThatGoogleRunsAreNamedAndSorted(t *testing.T) {
	for body, want := range map[string][]string{
		`{}`: nil,
		`{"tools":[{"functionDeclarations":[{"name":"googleSearch"}]}]}`:            nil,
		`{"tools":[{"googleSearch":{}}]}`:                                           {"google_search"},
		`{"tools":[{"google_search":{}}]}`:                                          {"google_search"},
		`{"tools":[{"googleSearchRetrieval":{}}]}`:                                  {"google_search"},
		`{"tools":[{"urlContext":{}},{"googleSearch":{}}]}`:                         {"google_search", "url_context"},
		`{"tools":[{"googleSearch":{},"urlContext":{}},{"google_search":{}}]}`:      {"google_search", "url_context"},
		`{"tools":[{"codeExecution":{}}]}`:                                          {"code_execution"},
		`{"tools":[{"newest":{}},{"latest":{}}]}`:                                   {"other"},
		`{"contents":[{"parts":[{"text":"{\"tools\":[{\"googleSearch\":{}}]}"}]}]}`: nil,
		`{"tools":[{"functionDeclarations":[]},{"googleMaps":{}}]}`:                 {"google_maps"},
		`{"tools":null}`: nil, `{"tools":[]}`: nil, `{"tools":[null,1,"x",[]]}`: nil,
	} {
		got := asked(t, http.MethodPost, "/v1beta/models/m:generateContent", body)
		if diff := cmp.Diff(want, got.Tools, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

// Whatever callers make up, there are only so many accounts, versions and sets of tools.
func TestAccountsVersionsAndToolsAreBounded(t *testing.T) {
	methods, versions, tools := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range 2000 {
		body := fmt.Sprintf(`{"tools":[{"tool%d":{}},{"googleSearch":{}}]}`, i)
		for _, path := range []string{
			"/v%d/models/m:generateContent", "/v1beta%d/models/m:generateContent", "/v1beta/models/m:verb%d", "/v1beta/things%d/x",
			"/v1beta/things%d", "/v1beta/files/x:verb%d", "/v1beta/openai/path%d", "/%d", "/v1beta/models/m/operations/o:verb%d",
		} {
			for _, method := range []string{"GET", "POST", "PATCH", fmt.Sprintf("VERB%d", i)} {
				a := asked(t, method, fmt.Sprintf(path, i), body)
				methods[a.Method], versions[a.Version] = true, true
				if !slices.IsSorted(a.Tools) {
					t.Fatalf("tools are not sorted: %v", a.Tools)
				}
				tools[fmt.Sprint(a.Tools)] = true
			}
		}
	}
	if len(methods) > 20 || len(versions) > 12 || len(tools) > 3 {
		t.Errorf("there are %d accounts, %d versions and %d sets of tools: %v %v %v", len(methods), len(versions), len(tools), methods, versions, tools)
	}
}
