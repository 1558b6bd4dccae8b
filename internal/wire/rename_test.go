package wire_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/spillway-go/spillway/internal/wire"
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
		call := wire.ParseRequest(http.MethodPost, u, body)
		got := string(call.Rename("slow", body))
		if path := call.URL(wire.Target{Backend: wire.Gemini}).Path; path != tt.wantPath || got != tt.wantBody {
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
