package request_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

func parse(tb testing.TB, method, address, body string) request.Call {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return request.Parse(method, u, []byte(body))
}

func TestParsePaths(t *testing.T) {
	tests := []struct {
		name, method, url, body string
		want                    request.Call
	}{
		{"unknown", "POST", "http://h/metrics", "", request.Call{Backend: pool.BackendGemini}},
		{"root", "GET", "http://h/", "", request.Call{Backend: pool.BackendGemini}},
		{"empty path", "GET", "http://h", "", request.Call{Backend: pool.BackendGemini}},
		{"version alone", "GET", "http://h/v1beta", "", request.Call{Backend: pool.BackendGemini, Version: "v1beta"}},
		{"not a version", "GET", "http://h/vault/models", "", request.Call{Backend: pool.BackendGemini}},
		{"a base path before", "GET", "http://h/a/b/v1/models", "", request.Call{Backend: pool.BackendGemini, Version: "v1", Method: "models.list"}},
		{"a file named like a version", "GET", "http://h/v1beta/files/v1", "", request.Call{Backend: pool.BackendGemini, Version: "v1beta", Method: "files.get", Resource: "files/v1"}},
		{"array stream", "POST", "http://h/v1beta/models/m:streamGenerateContent", "",
			request.Call{Backend: pool.BackendGemini, Version: "v1beta", Model: "m", Method: "streamGenerateContent", Stream: true, Generates: true}},
		{"system parameter", "POST", "http://h/v1beta/models/m:streamGenerateContent?%24alt=SSE", "",
			request.Call{Backend: pool.BackendGemini, Version: "v1beta", Model: "m", Method: "streamGenerateContent", Stream: true, SSE: true, Generates: true}},
		{"key in Vertex, without a project", "POST", "https://aiplatform.googleapis.com/v1/publishers/google/models/m:generateContent?key=K", "",
			request.Call{Backend: pool.BackendVertex, Version: "v1", Model: "m", Method: "generateContent", Generates: true}},
		{"a partner's model", "POST", "https://h/v1/projects/p/locations/l/publishers/anthropic/models/claude@2:streamRawPredict", "",
			request.Call{Backend: pool.BackendVertex, Version: "v1", Model: "claude@2", Method: "streamRawPredict", Stream: true}},
		{"OpenAI's dialect on Gemini", "POST", "https://h/v1beta/openai/chat/completions", `{"model":"gemini-2.5-pro","stream":true}`,
			request.Call{Backend: pool.BackendGemini, Version: "v1beta", Model: "gemini-2.5-pro", Stream: true, SSE: true, Generates: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}}}},
		{"OpenAI's dialect on Vertex", "POST", "https://h/v1/projects/p/locations/l/endpoints/openapi/chat/completions", `{"model":"google/gemini-2.5-pro"}`,
			request.Call{Backend: pool.BackendVertex, Version: "v1", Model: "gemini-2.5-pro", Generates: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}}}},
		{"OpenAI's own path", "POST", "https://h/openai/v1/chat/completions", `{"model":"gemini-2.5-pro"}`,
			request.Call{Backend: pool.BackendGemini, Version: "v1beta", Model: "gemini-2.5-pro", Generates: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}}}},
		{"a path that only looks like it", "POST", "https://h/openai/v1/models/m:generateContent", `{}`,
			request.Call{Backend: pool.BackendGemini, Version: "v1", Model: "m", Method: "generateContent", Generates: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 1}}}},
		{"live, Gemini", "GET", "wss://h/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", "",
			request.Call{Backend: pool.BackendGemini, Method: "bidiGenerateContent"}},
		{"live, Vertex", "GET", "wss://h/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent", "",
			request.Call{Backend: pool.BackendVertex, Version: "", Method: "bidiGenerateContent"}},
		{"an operation of a tuned model", "GET", "http://h/v1beta/tunedModels/x/operations/y", "",
			request.Call{Backend: pool.BackendGemini, Version: "v1beta", Method: "operations.get", Resource: "tunedModels/x"}},
		{"interaction", "POST", "http://h/v1beta/interactions", `{"model":"models/gemini-3","input":"four score and seven","previous_interaction_id":"i7","stream":true}`,
			request.Call{Backend: pool.BackendGemini, Version: "v1beta", Model: "gemini-3", Method: "interactions.create", Resource: "interactions/i7", Stream: true, SSE: true, Estimate: pool.Estimate{Prompt: pool.Prompt{Text: 5}}}},
		{"escaped id", "GET", "http://h/v1beta/files/a%2Fb", "", request.Call{Backend: pool.BackendGemini, Version: "v1beta", Method: "files.get", Resource: "files/a%2Fb"}},
		{"trailing slash", "GET", "http://h/v1beta/models/", "", request.Call{Backend: pool.BackendGemini, Version: "v1beta", Method: "models.list"}},
		{"no verb of HTTP that we know", "BREW", "http://h/v1beta/files", "", request.Call{Backend: pool.BackendGemini, Version: "v1beta", Resource: "files"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Estimate.Candidates = 1
			got := parse(t, tt.method, tt.url, tt.body)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(request.Call{}, request.Use{}), cmpopts.IgnoreFields(request.Call{}, "Resources", "Prefix", "Turns", "Use")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("POST", "/v1beta/models/m:generateContent", "alt=sse&key=K", []byte(`{"contents":[{"parts":[{"inlineData":{"data":"AAAA","mimeType":"image/png"}}]}]}`))
	f.Add("GET", "/v1beta1%2Fprojects%2Fp%2Flocations%2Fl/interactions/i", "stream=true", []byte(nil))
	f.Add("PATCH", "/upload/v1/projects/p/locations/l/models/1", "upload_id=%zz&&=&key", []byte(`{"a":{"b":[}`))
	f.Add("GET", "//v1//publishers///models/:", "$key=K&a=%26key%3D", []byte("{\"\\"))
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		u := &url.URL{Scheme: "https", Host: "h", Path: path, RawQuery: query}
		c := request.Parse(method, u, body)
		if c.Estimate.MaxOutput < 0 || c.Estimate.MaxThoughts < 0 || c.Estimate.Candidates < 1 {
			t.Errorf("%+v", c)
		}
		p := c.Estimate.Prompt
		least, sum := int64(0), int64(0)
		for _, n := range []int64{p.Text, p.Image, p.Audio, p.Video, p.Document, p.AudioFiles, p.VideoFiles, p.DocumentFiles} {
			least, sum = min(least, n), sum+n
		}
		if least < 0 || (sum > 0) != (len(body) > 0) || p.Text > int64(len(body)) {
			t.Errorf("%d bytes are %+v", len(body), p)
		}
		if c.Generates && c.Method == "" || c.SSE && !c.Stream {
			t.Errorf("%+v", c)
		}
		got := c.URL(request.Target{Backend: c.Backend, Project: "p", Location: "eu"})
		if got == nil {
			t.Fatalf("no URL for %+v", c)
		}
		if got.Query().Has("key") || got.Query().Has("access_token") {
			t.Errorf("credential in %s", got)
		}
		// What was rebuilt reads the same.
		again := request.Parse(method, got, body)
		ignore := []cmp.Option{cmpopts.IgnoreUnexported(request.Call{}, request.Use{}), cmpopts.IgnoreFields(request.Resource{}, "Project", "Location")}
		if c.Version != "" && !cmp.Equal(c, again, ignore...) {
			t.Errorf("rebuilt as %s (-first +second):\n%s", got, cmp.Diff(c, again, ignore...))
		}
		// A body that is spaced out costs the same.
		if spaced := request.Parse(method, u, bytes.Join([][]byte{nil, body, nil}, []byte("\n"))); len(body) > 0 && body[0] == '{' && c.Resource != spaced.Resource {
			t.Errorf("resource %q became %q", c.Resource, spaced.Resource)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	u, err := url.Parse("https://aiplatform.googleapis.com/v1beta1/projects/spillway/locations/global/publishers/google/models/gemini-2.5-flash:generateContent?alt=sse")
	if err != nil {
		b.Fatal(err)
	}
	text := func(n int) []byte {
		return fmt.Appendf(nil, `{"contents":[{"parts":[{"text":%q}],"role":"user"}],"generationConfig":{"maxOutputTokens":100}}`,
			strings.Repeat("A line of text, with a \"quote\" now and then.\n", n/45))
	}
	bodies := map[string][]byte{
		"1KB":      text(1 << 10),
		"1MB":      text(1 << 20),
		"1MBKanji": fmt.Appendf(nil, `{"contents":[{"parts":[{"text":%q}],"role":"user"}]}`, strings.Repeat("水門を開く。", 1<<20/18)),
		"1MBImage": fmt.Appendf(nil, `{"contents":[{"parts":[{"inlineData":{"data":%q,"mimeType":"image/png"}}]}]}`, strings.Repeat("A", 1<<20)),
	}
	for name, body := range bodies {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if c := request.Parse("POST", u, body); c.Estimate.Prompt.Text+c.Estimate.Prompt.Image < 200 {
					b.Fatal(c.Estimate.Prompt)
				}
			}
		})
	}
	b.Run("URL", func(b *testing.B) {
		c := request.Parse("POST", u, bodies["1KB"])
		b.ReportAllocs()
		for b.Loop() {
			c.URL(request.Target{Backend: pool.BackendVertex, Project: "acme-prod", Location: "europe-west4"})
		}
	})
}
