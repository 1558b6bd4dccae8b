package request_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

func TestRenameAsksTheOtherModelInPathAndBody(t *testing.T) {
	for _, tt := range []struct{ path, body, wantPath, wantBody string }{
		{"/v1beta/models/fast:generateContent", `{"contents":[]}`, "/v1beta/models/slow:generateContent", `{"contents":[]}`},
		{
			"/v1beta/models/fast:batchEmbedContents", `{"requests":[{"model":"models/fast","content":{}},{ "model" : "models/fast" }]}`,
			"/v1beta/models/slow:batchEmbedContents", `{"requests":[{"model":"models/slow","content":{}},{ "model" : "models/slow" }]}`,
		},
		{
			"/v1beta/models/fast:countTokens", `{"generateContentRequest":{"model":"models/fast","contents":[{"model":"models/fast"}]}}`,
			"/v1beta/models/slow:countTokens", `{"generateContentRequest":{"model":"models/slow","contents":[{"model":"models/fast"}]}}`,
		},
		{"/v1beta/interactions", `{"model":"fast","input":"models/fast"}`, "/v1beta/interactions", `{"model":"slow","input":"models/fast"}`},
		{"/v1beta/openai/chat/completions", `{"model":"fast"}`, "/v1beta/openai/chat/completions", `{"model":"slow"}`},
		{
			"/v1beta/models/fast:generateContent", `{"contents":[{"parts":[{"functionResponse":{"model":"models/fast"}}]}]}`,
			"/v1beta/models/slow:generateContent", `{"contents":[{"parts":[{"functionResponse":{"model":"models/fast"}}]}]}`,
		},
		{"/v1beta/models/fast:generateContent", `{"model":"models/fast`, "/v1beta/models/slow:generateContent", `{"model":"models/fast`},
	} {
		u := &url.URL{Scheme: "https", Host: "generativelanguage.googleapis.com", Path: tt.path}
		body := []byte(tt.body)
		call := request.Parse(http.MethodPost, u, body)
		got := string(call.Rename("slow", body))
		if path := call.URL(request.Target{Backend: pool.BackendGemini}).Path; path != tt.wantPath || got != tt.wantBody {
			t.Errorf("%s %s\n got %s %s\nwant %s %s", tt.path, tt.body, path, got, tt.wantPath, tt.wantBody)
		}
		if string(body) != tt.body {
			t.Errorf("the body given was changed to %s", body)
		}
		if again := call.Rename("slow", []byte(got)); string(again) != got {
			t.Errorf("renamed again it is %s", again)
		}
	}
}

func TestRewriteNamesMovesNamesAndNothingElse(t *testing.T) {
	target := request.Target{Backend: pool.BackendVertex, Project: "acme", Location: "eu"}
	for _, tt := range []struct{ name, body, want string }{
		{"a cache and a model", `{"model":"projects/spillway/locations/global/publishers/google/models/m","cachedContent": "projects/spillway/locations/global/cachedContents/9"}`,
			`{"model":"projects/acme/locations/eu/publishers/google/models/m","cachedContent": "projects/acme/locations/eu/cachedContents/9"}`},
		{"within lists", `{"a":[{"name":"projects/spillway/locations/global/x/1"},{"name":"projects/other/locations/global/x/2"}]}`,
			`{"a":[{"name":"projects/acme/locations/eu/x/1"},{"name":"projects/other/locations/global/x/2"}]}`},
		{"text", `{"contents":[{"parts":[{"text":"projects/spillway/locations/global/x"}]}]}`, `{"contents":[{"parts":[{"text":"projects/spillway/locations/global/x"}]}]}`},
		{"nothing to move", `{"a":1}`, `{"a":1}`},
		{"no JSON", `projects/spillway/locations/global/`, `projects/spillway/locations/global/`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			call := parse(t, "POST", "https://h/v1beta1/projects/spillway/locations/global/cachedContents", tt.body)
			if got := string(call.RewriteNames(target, []byte(tt.body))); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
