package wire_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spillway-go/spillway/internal/wire"
)

func parse(tb testing.TB, method, address, body string) wire.Call {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	return wire.ParseRequest(method, u, []byte(body))
}

func TestParseRequestPaths(t *testing.T) {
	tests := []struct {
		name, method, url, body string
		want                    wire.Call
	}{
		{"unknown", "POST", "http://h/metrics", "", wire.Call{Backend: wire.Gemini}},
		{"root", "GET", "http://h/", "", wire.Call{Backend: wire.Gemini}},
		{"empty path", "GET", "http://h", "", wire.Call{Backend: wire.Gemini}},
		{"version alone", "GET", "http://h/v1beta", "", wire.Call{Backend: wire.Gemini, Version: "v1beta"}},
		{"not a version", "GET", "http://h/vault/models", "", wire.Call{Backend: wire.Gemini}},
		{"a base path before", "GET", "http://h/a/b/v1/models", "", wire.Call{Backend: wire.Gemini, Version: "v1", Method: "models.list"}},
		{"a file named like a version", "GET", "http://h/v1beta/files/v1", "", wire.Call{Backend: wire.Gemini, Version: "v1beta", Method: "files.get", Resource: "files/v1"}},
		{"array stream", "POST", "http://h/v1beta/models/m:streamGenerateContent", "",
			wire.Call{Backend: wire.Gemini, Version: "v1beta", Model: "m", Method: "streamGenerateContent", Stream: true, Generates: true}},
		{"system parameter", "POST", "http://h/v1beta/models/m:streamGenerateContent?%24alt=SSE", "",
			wire.Call{Backend: wire.Gemini, Version: "v1beta", Model: "m", Method: "streamGenerateContent", Stream: true, SSE: true, Generates: true}},
		{"key in Vertex, without a project", "POST", "https://aiplatform.googleapis.com/v1/publishers/google/models/m:generateContent?key=K", "",
			wire.Call{Backend: wire.Vertex, Version: "v1", Model: "m", Method: "generateContent", Generates: true}},
		{"a partner's model", "POST", "https://h/v1/projects/p/locations/l/publishers/anthropic/models/claude@2:streamRawPredict", "",
			wire.Call{Backend: wire.Vertex, Version: "v1", Model: "claude@2", Method: "streamRawPredict", Stream: true}},
		{"OpenAI's dialect on Gemini", "POST", "https://h/v1beta/openai/chat/completions", `{"model":"gemini-2.5-pro","stream":true}`,
			wire.Call{Backend: wire.Gemini, Version: "v1beta", Model: "gemini-2.5-pro", Stream: true, SSE: true, Prompt: wire.Prompt{Text: 1}}},
		{"OpenAI's dialect on Vertex", "POST", "https://h/v1/projects/p/locations/l/endpoints/openapi/chat/completions", `{"model":"google/gemini-2.5-pro"}`,
			wire.Call{Backend: wire.Vertex, Version: "v1", Model: "gemini-2.5-pro", Prompt: wire.Prompt{Text: 1}}},
		{"live, Gemini", "GET", "wss://h/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", "",
			wire.Call{Backend: wire.Gemini, Method: "bidiGenerateContent"}},
		{"live, Vertex", "GET", "wss://h/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent", "",
			wire.Call{Backend: wire.Vertex, Version: "", Method: "bidiGenerateContent"}},
		{"an operation of a tuned model", "GET", "http://h/v1beta/tunedModels/x/operations/y", "",
			wire.Call{Backend: wire.Gemini, Version: "v1beta", Method: "operations.get", Resource: "tunedModels/x"}},
		{"interaction", "POST", "http://h/v1beta/interactions", `{"model":"models/gemini-3","input":"four score and seven","previous_interaction_id":"i7","stream":true}`,
			wire.Call{Backend: wire.Gemini, Version: "v1beta", Model: "gemini-3", Method: "interactions.create", Resource: "interactions/i7", Stream: true, SSE: true, Prompt: wire.Prompt{Text: 5}}},
		{"escaped id", "GET", "http://h/v1beta/files/a%2Fb", "", wire.Call{Backend: wire.Gemini, Version: "v1beta", Method: "files.get", Resource: "files/a%2Fb"}},
		{"trailing slash", "GET", "http://h/v1beta/models/", "", wire.Call{Backend: wire.Gemini, Version: "v1beta", Method: "models.list"}},
		{"no verb of HTTP that we know", "BREW", "http://h/v1beta/files", "", wire.Call{Backend: wire.Gemini, Version: "v1beta", Resource: "files"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Candidates = 1
			got := parse(t, tt.method, tt.url, tt.body)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(wire.Call{}), cmpopts.IgnoreFields(wire.Call{}, "Resources", "Prefix", "Turns")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCallURL(t *testing.T) {
	const vertex = "https://x/v1/projects/spillway/locations/global/publishers/google/models/m:generateContent"
	base := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	tests := []struct {
		name, method, url string
		target            wire.Target
		want              string
	}{
		{"global", "POST", vertex, wire.Target{Backend: wire.Vertex, Project: "p", Location: "global"},
			"https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m:generateContent"},
		{"no location is global", "POST", vertex, wire.Target{Backend: wire.Vertex, Project: "p"},
			"https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m:generateContent"},
		{"multi-region", "POST", vertex, wire.Target{Backend: wire.Vertex, Project: "p", Location: "eu"},
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/m:generateContent"},
		{"region", "POST", vertex, wire.Target{Backend: wire.Vertex, Project: "p", Location: "us-central1"},
			"https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/m:generateContent"},
		{"base with a path and a user", "POST", vertex, wire.Target{Backend: wire.Vertex, Base: base("http://u:w@h:1/a/b/"), Project: "p", Location: "eu"},
			"http://u:w@h:1/a/b/v1/projects/p/locations/eu/publishers/google/models/m:generateContent"},
		{"base of the client dropped", "GET", "http://sidecar/x/y/v1beta/models", wire.Target{Backend: wire.Gemini, Base: base("http://h/z")},
			"http://h/z/v1beta/models"},
		{"project put in", "POST", "https://x/v1/publishers/google/models/m:generateContent?key=K", wire.Target{Backend: wire.Vertex, Project: "p", Location: "eu"},
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/m:generateContent"},
		{"project domain", "POST", vertex, wire.Target{Backend: wire.Vertex, Project: "example.com:p", Location: "eu"},
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/example.com:p/locations/eu/publishers/google/models/m:generateContent"},
		{"no project taken out", "POST", vertex, wire.Target{Backend: wire.Vertex, Location: "global"},
			"https://aiplatform.googleapis.com/v1/publishers/google/models/m:generateContent"},
		{"publishers' list", "GET", "https://x/v1beta1/publishers/google/models?pageSize=5", wire.Target{Backend: wire.Vertex, Project: "p", Location: "us"},
			"https://aiplatform.us.rep.googleapis.com/v1beta1/publishers/google/models?pageSize=5"},
		{"project without location", "GET", "https://x/v1beta1/projects/spillway/operations/o", wire.Target{Backend: wire.Vertex, Project: "p", Location: "us"},
			"https://aiplatform.us.rep.googleapis.com/v1beta1/projects/p/operations/o"},
		{"upload", "POST", "https://x/upload/v1beta/files?upload_id=a%2Bb&key=K", wire.Target{Backend: wire.Gemini},
			"https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=a%2Bb"},
		{"live", "GET", "wss://x/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=K", wire.Target{Backend: wire.Gemini, Base: base("wss://h")},
			"wss://h/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"},
		{"key first", "GET", "https://x/v1beta/models?key=K&b=%20&a=+", wire.Target{Backend: wire.Gemini}, "https://generativelanguage.googleapis.com/v1beta/models?b=%20&a=+"},
		{"key last and again", "GET", "https://x/v1beta/models?b=;&key=K&a&k%65y=K2&$key=K3", wire.Target{Backend: wire.Gemini}, "https://generativelanguage.googleapis.com/v1beta/models?b=;&a"},
		{"key alone", "GET", "https://x/v1beta/models?key=K", wire.Target{Backend: wire.Gemini}, "https://generativelanguage.googleapis.com/v1beta/models"},
		{"access token", "GET", "https://x/v1beta/models?x=1&access_token=K", wire.Target{Backend: wire.Gemini}, "https://generativelanguage.googleapis.com/v1beta/models?x=1"},
		{"what only looks like a key", "GET", "https://x/v1beta/models?monkey=1&keys=2&Key=3", wire.Target{Backend: wire.Gemini}, "https://generativelanguage.googleapis.com/v1beta/models?monkey=1&keys=2&Key=3"},
		{"escapes kept", "GET", "https://x/v1beta/files/a%2Fb%20c", wire.Target{Backend: wire.Gemini, Base: base("http://h/p%2Fq")}, "http://h/p%2Fq/v1beta/files/a%2Fb%20c"},
		{"unknown", "GET", "https://x/healthz?x", wire.Target{Backend: wire.Gemini, Base: base("http://h/p")}, "http://h/p/healthz?x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := parse(t, tt.method, tt.url, "")
			got := c.URL(tt.target)
			if got == nil {
				t.Fatalf("nil for %+v", c)
			}
			if got.String() != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if again, err := url.Parse(got.String()); err != nil || again.EscapedPath() != got.EscapedPath() {
				t.Errorf("does not survive parsing: %v, %v", again, err)
			}
		})
	}
}

func TestCallURLIsNilForTheOtherDialect(t *testing.T) {
	c := parse(t, "POST", "https://x/v1beta/models/m:generateContent", "")
	if u := c.URL(wire.Target{Backend: wire.Vertex, Project: "p"}); u != nil {
		t.Errorf("got %s", u)
	}
}

func TestResourceName(t *testing.T) {
	for in, want := range map[string]string{
		"":        "",
		"files":   "files",
		"files/a": "files/a",
		"https://generativelanguage.googleapis.com/v1beta/files/a":                       "files/a",
		"https://generativelanguage.googleapis.com/v1beta/files/a:download?alt=media":    "files/a",
		"projects/1/locations/eu/cachedContents/9":                                       "cachedContents/9",
		"//aiplatform.googleapis.com/projects/1/locations/eu/cachedContents/9":           "cachedContents/9",
		"models/veo/operations/x":                                                        "operations/x",
		"projects/1/locations/eu/publishers/google/models/veo/operations/x":              "operations/x",
		"fileSearchStores/s/documents/d":                                                 "fileSearchStores/s",
		"projects/1/locations/eu/tuningJobs/7":                                           "tuningJobs/7",
		"https://eu-aiplatform.googleapis.com/v1/projects/1/locations/eu/endpoints/3":    "endpoints/3",
		"https://generativelanguage.googleapis.com/upload/v1beta/fileSearchStores/s:x?y": "fileSearchStores/s",
		"files/v1": "files/v1",
	} {
		if got := wire.ResourceName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("POST", "/v1beta/models/m:generateContent", "alt=sse&key=K", []byte(`{"contents":[{"parts":[{"inlineData":{"data":"AAAA","mimeType":"image/png"}}]}]}`))
	f.Add("GET", "/v1beta1%2Fprojects%2Fp%2Flocations%2Fl/interactions/i", "stream=true", []byte(nil))
	f.Add("PATCH", "/upload/v1/projects/p/locations/l/models/1", "upload_id=%zz&&=&key", []byte(`{"a":{"b":[}`))
	f.Add("GET", "//v1//publishers///models/:", "$key=K&a=%26key%3D", []byte("{\"\\"))
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		u := &url.URL{Scheme: "https", Host: "h", Path: path, RawQuery: query}
		c := wire.ParseRequest(method, u, body)
		if c.MaxOutput < 0 || c.MaxThoughts < 0 || c.Candidates < 1 {
			t.Errorf("%+v", c)
		}
		p := c.Prompt
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
		got := c.URL(wire.Target{Backend: c.Backend, Project: "p", Location: "eu"})
		if got == nil {
			t.Fatalf("no URL for %+v", c)
		}
		if got.Query().Has("key") || got.Query().Has("access_token") {
			t.Errorf("credential in %s", got)
		}
		// What was rebuilt reads the same.
		again := wire.ParseRequest(method, got, body)
		ignore := []cmp.Option{cmpopts.IgnoreUnexported(wire.Call{}), cmpopts.IgnoreFields(wire.Resource{}, "Project", "Location")}
		if c.Version != "" && !cmp.Equal(c, again, ignore...) {
			t.Errorf("rebuilt as %s (-first +second):\n%s", got, cmp.Diff(c, again, ignore...))
		}
		// A body that is spaced out costs the same.
		if spaced := wire.ParseRequest(method, u, bytes.Join([][]byte{nil, body, nil}, []byte("\n"))); len(body) > 0 && body[0] == '{' && c.Resource != spaced.Resource {
			t.Errorf("resource %q became %q", c.Resource, spaced.Resource)
		}
	})
}

func BenchmarkParseRequest(b *testing.B) {
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
				if c := wire.ParseRequest("POST", u, body); c.Prompt.Text+c.Prompt.Image < 200 {
					b.Fatal(c.Prompt)
				}
			}
		})
	}
	b.Run("URL", func(b *testing.B) {
		c := wire.ParseRequest("POST", u, bodies["1KB"])
		b.ReportAllocs()
		for b.Loop() {
			c.URL(wire.Target{Backend: wire.Vertex, Project: "acme-prod", Location: "europe-west4"})
		}
	})
}
