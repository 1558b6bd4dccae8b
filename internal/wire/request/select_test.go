package request_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

const gemini = "https://generativelanguage.googleapis.com/v1beta/"

// parsed reads a request without a body.
func parsed(t *testing.T, method, address string) request.Call {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return request.Parse(method, u, nil)
}

func TestMaskSelectsFields(t *testing.T) {
	for _, tt := range []struct {
		query, header               string
		candidates, content, finish bool
	}{
		{"", "", true, true, true},
		{"fields=*", "", true, true, true},
		{"fields=candidates", "", true, true, true},
		{"fields=candidates.content", "", true, true, false},
		{"%24fields=candidates%2Fcontent", "", true, true, false},
		{"alt=sse&$fields=candidates.content.parts.text,usageMetadata", "", true, true, false},
		{"fields=candidates(content,finishReason)", "", true, true, true},
		{"fields=candidates(content(parts(text)),index),usageMetadata", "", true, true, false},
		{"fields=candidates.finish_reason", "", true, false, true},
		{"fields=candidates.*", "", true, true, true},
		{"fields=usageMetadata,modelVersion", "", false, false, false},
		{"", "candidates.content", true, true, false},
		{"", "usageMetadata", false, false, false},
	} {
		c := parsed(t, http.MethodPost, gemini+"models/m:streamGenerateContent?"+tt.query)
		h := http.Header{}
		if tt.header != "" {
			h.Set("X-Goog-Fieldmask", tt.header)
		}
		got := [3]bool{c.Selects(h, "candidates"), c.Selects(h, "candidates", "content"), c.Selects(h, "candidates", "finishReason")}
		if want := [3]bool{tt.candidates, tt.content, tt.finish}; got != want {
			t.Errorf("?%s, header %q: candidates, content and finishReason %v, want %v", tt.query, tt.header, got, want)
		}
	}
}

func TestEscapedColonIsAMethods(t *testing.T) {
	for path, want := range map[string]string{
		"models/m%3AgenerateContent": "generateContent", "models/m%3astreamGenerateContent?alt=sse": "streamGenerateContent",
		"tunedModels/t%3AgenerateContent": "generateContent", "files/x%3Adownload?alt=media": "files.download",
	} {
		if c := parsed(t, http.MethodPost, gemini+path); c.Method != want {
			t.Errorf("%s: method is %q, want %q", path, c.Method, want)
		}
	}
	c := parsed(t, http.MethodPost, gemini+"models/m%3AgenerateContent")
	if u := c.URL(request.Target{Backend: pool.BackendGemini}); u.String() != gemini+"models/m:generateContent" || c.Model != "m" {
		t.Errorf("model %q goes to %s", c.Model, u)
	}
}

func TestVertexPathWithoutVersionIsUnderstood(t *testing.T) {
	const full = "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/anthropic/models/claude-x:"
	to := request.Target{Backend: pool.BackendVertex, Base: &url.URL{Scheme: "https", Host: "eu-aiplatform.googleapis.com"}, Project: "p", Location: "eu"}
	for _, address := range []string{
		"http://localhost:8080/projects/any/locations/us-east5/publishers/anthropic/models/claude-x:streamRawPredict",
		"http://localhost:8080/gateway/projects/any/locations/us-east5/publishers/anthropic/models/claude-x:rawPredict",
		"http://localhost:8080/publishers/anthropic/models/claude-x:rawPredict",
	} {
		c := parsed(t, http.MethodPost, address)
		if c.Backend != pool.BackendVertex || c.Model != "claude-x" || c.Version != "v1" {
			t.Fatalf("%s: %s, model %q, version %q", address, c.Backend, c.Model, c.Version)
		}
		if got := c.URL(to).String(); got != full+c.Method {
			t.Errorf("%s goes to %s", address, got)
		}
	}
	if c := parsed(t, http.MethodGet, "http://localhost:8080/projects/any"); c.Version != "" || c.Method != "" {
		t.Errorf("a path of no Gemini API was taken for one: %+v", c)
	}
}

func TestCredentialsInTheQueryStayBehind(t *testing.T) {
	for query, want := range map[string]string{
		"oauth_token=s":    "",
		"bearer_token=s":   "",
		"access_token=s":   "",
		"%24userProject=s": "",
		"$httpMethod=s":    "",
		"key=s":            "",
		"alt=sse&oauth_token=s&prettyPrint=false&$userProject=s": "alt=sse&prettyPrint=false",
		"$alt=json;enum-encoding=int&bearer_token=s":             "$alt=json;enum-encoding=int",
		"monkey=1&tokens=2&user=3":                               "monkey=1&tokens=2&user=3",
	} {
		c := parsed(t, http.MethodPost, gemini+"models/m:generateContent?"+query)
		if got := c.URL(request.Target{Backend: pool.BackendGemini}).RawQuery; got != want {
			t.Errorf("?%s is sent as ?%s, want ?%s", query, got, want)
		}
	}
}

func TestEventsAreAskedForBesideOtherSettings(t *testing.T) {
	for query, want := range map[string]bool{"alt=sse": true, "$alt=sse;enum-encoding=int": true, "%24alt=sse%3Benum-encoding%3Dint": true, "$alt=json;enum-encoding=int": false} {
		if c := parsed(t, http.MethodPost, gemini+"models/m:streamGenerateContent?"+query); c.SSE != want {
			t.Errorf("?%s: events %v, want %v", query, c.SSE, want)
		}
	}
}

func TestDownloadKeepsItsPrefix(t *testing.T) {
	const address = "https://generativelanguage.googleapis.com/download/v1beta/files/x:download?alt=media"
	c := parsed(t, http.MethodGet, address)
	if u := c.URL(request.Target{Backend: pool.BackendGemini}); u.String() != address || c.Resource != "files/x" || !c.Downloads() {
		t.Errorf("%q goes to %s; downloads: %v", c.Resource, u, c.Downloads())
	}
	if !request.IsFile(address) || request.ResourceName(address) != "files/x" {
		t.Errorf("the address is %q", request.ResourceName(address))
	}
}

func TestParametersStayByteForByte(t *testing.T) {
	const raw = "$alt=json;enum-encoding=int&pageToken=a%2Bb&x=%7e"
	if got := request.Parameter(raw, "pageToken"); got != "a+b" {
		t.Errorf("token is %q", got)
	}
	if got := request.WithParameter(raw, "pageToken", "n/1"); got != "$alt=json;enum-encoding=int&x=%7e&pageToken=n%2F1" {
		t.Errorf("with another token: %s", got)
	}
	if got := request.WithParameter(raw, "pageToken", ""); got != "$alt=json;enum-encoding=int&x=%7e" {
		t.Errorf("without a token: %s", got)
	}
	if got := request.WithParameter("", "pageToken", ""); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
