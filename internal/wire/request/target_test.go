package request_test

import (
	"net/url"
	"testing"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

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
		target            request.Target
		want              string
	}{
		{"global", "POST", vertex, request.Target{Backend: pool.BackendVertex, Project: "p", Location: "global"},
			"https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m:generateContent"},
		{"no location is global", "POST", vertex, request.Target{Backend: pool.BackendVertex, Project: "p"},
			"https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m:generateContent"},
		{"multi-region", "POST", vertex, request.Target{Backend: pool.BackendVertex, Project: "p", Location: "eu"},
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/m:generateContent"},
		{"region", "POST", vertex, request.Target{Backend: pool.BackendVertex, Project: "p", Location: "us-central1"},
			"https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/m:generateContent"},
		{"base with a path and a user", "POST", vertex, request.Target{Backend: pool.BackendVertex, Base: base("http://u:w@h:1/a/b/"), Project: "p", Location: "eu"},
			"http://u:w@h:1/a/b/v1/projects/p/locations/eu/publishers/google/models/m:generateContent"},
		{"base of the client dropped", "GET", "http://sidecar/x/y/v1beta/models", request.Target{Backend: pool.BackendGemini, Base: base("http://h/z")},
			"http://h/z/v1beta/models"},
		{"project put in", "POST", "https://x/v1/publishers/google/models/m:generateContent?key=K", request.Target{Backend: pool.BackendVertex, Project: "p", Location: "eu"},
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/m:generateContent"},
		{"project domain", "POST", vertex, request.Target{Backend: pool.BackendVertex, Project: "example.com:p", Location: "eu"},
			"https://aiplatform.eu.rep.googleapis.com/v1/projects/example.com:p/locations/eu/publishers/google/models/m:generateContent"},
		{"no project taken out", "POST", vertex, request.Target{Backend: pool.BackendVertex, Location: "global"},
			"https://aiplatform.googleapis.com/v1/publishers/google/models/m:generateContent"},
		{"publishers' list", "GET", "https://x/v1beta1/publishers/google/models?pageSize=5", request.Target{Backend: pool.BackendVertex, Project: "p", Location: "us"},
			"https://aiplatform.us.rep.googleapis.com/v1beta1/publishers/google/models?pageSize=5"},
		{"project without location", "GET", "https://x/v1beta1/projects/spillway/operations/o", request.Target{Backend: pool.BackendVertex, Project: "p", Location: "us"},
			"https://aiplatform.us.rep.googleapis.com/v1beta1/projects/p/operations/o"},
		{"upload", "POST", "https://x/upload/v1beta/files?upload_id=a%2Bb&key=K", request.Target{Backend: pool.BackendGemini},
			"https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=a%2Bb"},
		{"live", "GET", "wss://x/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=K", request.Target{Backend: pool.BackendGemini, Base: base("wss://h")},
			"wss://h/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"},
		{"key first", "GET", "https://x/v1beta/models?key=K&b=%20&a=+", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models?b=%20&a=+"},
		{"key last and again", "GET", "https://x/v1beta/models?b=;&key=K&a&k%65y=K2&$key=K3", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models?b=;&a"},
		{"key alone", "GET", "https://x/v1beta/models?key=K", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models"},
		{"access token", "GET", "https://x/v1beta/models?x=1&access_token=K", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models?x=1"},
		{"what only looks like a key", "GET", "https://x/v1beta/models?monkey=1&keys=2&Key=3", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models?monkey=1&keys=2&Key=3"},
		{"escapes kept", "GET", "https://x/v1beta/files/a%2Fb%20c", request.Target{Backend: pool.BackendGemini, Base: base("http://h/p%2Fq")}, "http://h/p%2Fq/v1beta/files/a%2Fb%20c"},
		{"slash at the end", "GET", "https://x/v1beta/models/?x=1", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models?x=1"},
		{"slash behind a method", "POST", "https://x/v1beta/models/m:generateContent//", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"},
		{"a folder's slash", "GET", "https://x/v1beta/environments/e/files/a/", request.Target{Backend: pool.BackendGemini}, "https://generativelanguage.googleapis.com/v1beta/environments/e/files/a/"},
		{"unknown", "GET", "https://x/healthz?x", request.Target{Backend: pool.BackendGemini, Base: base("http://h/p")}, "http://h/p/healthz?x"},
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
	if u := c.URL(request.Target{Backend: pool.BackendVertex, Project: "p"}); u != nil {
		t.Errorf("got %s", u)
	}
}
