package router_test

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// sendWithin sends a request within a scope, and returns the status and the response's body.
func sendWithin(t *testing.T, b *bed, scope router.Scope, method, url, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	ctx := router.WithCall(t.Context(), router.Call{Scope: scope})
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestACallStaysWithinItsScope(t *testing.T) {
	const (
		base     = "https://generativelanguage.googleapis.com/v1beta/"
		generate = base + "models/" + flash + ":generateContent"
		hello    = `{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`
	)
	for name, tt := range map[string]struct {
		scope             router.Scope
		method, url, body string
		header            http.Header
		want              int
	}{
		"the zero value":             {router.Scope{}, http.MethodPost, generate, hello, nil, 200},
		"a model of its own":         {router.Scope{Models: []string{"gemini-2.5-*"}}, http.MethodPost, generate, hello, nil, 200},
		"another model":              {router.Scope{Models: []string{"gemini-3*"}}, http.MethodPost, generate, hello, nil, 403},
		"another model, escaped":     {router.Scope{Models: []string{"gemini-3*"}}, http.MethodPost, base + "models/gemini%2D2.5-flash:generateContent", hello, nil, 403},
		"what an alias stands for":   {router.Scope{Models: []string{flash}}, http.MethodPost, base + "models/fast:generateContent", hello, nil, 200},
		"an alias of another model":  {router.Scope{Models: []string{"fast"}}, http.MethodPost, base + "models/fast:generateContent", hello, nil, 403},
		"a model in the body":        {router.Scope{Models: []string{"gemini-3*"}}, http.MethodPost, base + "openai/chat/completions", `{"model":"` + flash + `","messages":[]}`, nil, 403},
		"two models in the body":     {router.Scope{Models: []string{flash}}, http.MethodPost, base + "openai/chat/completions", `{"model":"` + flash + `","messages":[],"model":"gemini-3.5-flash"}`, nil, 400},
		"a second one, escaped":      {router.Scope{Models: []string{flash}}, http.MethodPost, base + "openai/chat/completions", `{"model":"` + flash + `","mode\u006c":"gemini-3.5-flash"}`, nil, 400},
		"another model, escaped key": {router.Scope{Models: []string{flash}}, http.MethodPost, base + "openai/chat/completions", `{"m\u006fdel":"gemini-2.5-pro","messages":[]}`, nil, 400},
		"a second in an escaped key": {router.Scope{Models: []string{flash}}, http.MethodPost, base + "interactions", `{"model":"` + flash + `","m\u006fdel":"gemini-2.5-pro","input":"x"}`, nil, 400},
		"an agent":                   {router.Scope{Models: []string{"*"}}, http.MethodPost, base + "interactions", `{"agent":"deep-research","input":"x"}`, nil, 403},
		"a model to look at":         {router.Scope{Models: []string{"gemini-3*"}}, http.MethodGet, base + "models/" + flash, "", nil, 403},
		"a list":                     {router.Scope{Models: []string{"gemini-3*"}}, http.MethodGet, base + "files", "", nil, 200},
		"a location of its own":      {router.Scope{Locations: []string{"GLOBAL"}}, http.MethodPost, generate, hello, nil, 200},
		"a location beyond it":       {router.Scope{Locations: []string{"eu"}}, http.MethodPost, generate, hello, http.Header{"Spillway-Locations": {"global"}}, 403},
		"no location of the pool's":  {router.Scope{Locations: []string{"mars"}}, http.MethodPost, generate, hello, nil, 403},
		"less than it may":           {router.Scope{Locations: []string{"*"}}, http.MethodPost, generate, hello, http.Header{"Spillway-Locations": {"global"}}, 200},
		"a location of nobody's":     {router.Scope{Locations: []string{"*"}}, http.MethodPost, generate, hello, http.Header{"Spillway-Locations": {"mars"}}, 400},
		"locations alone, for lists": {router.Scope{Locations: []string{"mars"}}, http.MethodGet, base + "files", "", nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup{router: router.Config{Models: map[string]string{"fast": flash}}}.bed(t, keyed("studio", "key"), vertexed("eu-only", "eu"))
			resp, text := sendWithin(t, b, tt.scope, tt.method, tt.url, tt.body, tt.header)
			if resp.StatusCode != tt.want {
				t.Errorf("got %s %s, want %d", resp.Status, text, tt.want)
			}
			if n := len(b.Requests()); tt.want != http.StatusOK && n != 0 {
				t.Errorf("Google was asked %d times", n)
			}
			if tt.want == http.StatusForbidden && !strings.Contains(text, `"PERMISSION_DENIED"`) {
				t.Errorf("the error is %s", text)
			}
		})
	}
}

func TestALocationOfTheScopeServesTheCall(t *testing.T) {
	b := setup{}.bed(t, keyed("studio", "key"), vertexed("eu-only", "eu"))
	const url = "https://generativelanguage.googleapis.com/v1beta/models/" + flash + ":generateContent"
	for range 4 {
		resp, text := sendWithin(t, b, router.Scope{Locations: []string{"eu"}}, http.MethodPost, url,
			`{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`, nil)
		if got := resp.Header.Get("Spillway-Endpoint"); got != "eu-only/eu/on_demand" {
			t.Fatalf("%s from %q: %s", resp.Status, got, text)
		}
	}
}

func TestAFallbackIsWithinTheScope(t *testing.T) {
	const third = "gemini-3.5-flash"
	cfg := router.Config{MaxWait: -1, Fallbacks: []router.Fallback{{Model: flash, To: []string{"gemini-2.5-pro", third}}}}
	b := setup{router: cfg}.bed(t, keyed("studio", "key"))
	b.Keep(geminitest.Match{Model: flash}, geminitest.NoQuota(flash))
	const url = "https://generativelanguage.googleapis.com/v1beta/models/" + flash + ":generateContent"
	resp, text := sendWithin(t, b, router.Scope{Models: []string{flash, "gemini-3*"}}, http.MethodPost, url,
		`{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`, nil)
	if got := resp.Header.Get("Spillway-Model"); resp.StatusCode != http.StatusOK || got != third {
		t.Errorf("%s of %q: %s", resp.Status, got, text)
	}
	if e := b.router.Explain("gemini-2.5-pro", router.Call{Scope: router.Scope{Models: []string{flash}}}); !strings.Contains(e.Wrong, "may not use gemini-2.5-pro") {
		t.Errorf("explained as %q", e)
	}
}

// The router keeps the first 64 MiB of a body. What comes behind may name the model again.
func TestAModelThatABodyTooLongToBeReadNamesIsNotWithinAScope(t *testing.T) {
	b := setup{}.bed(t, keyed("studio", "key"))
	const url = "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
	body := `{"model":"` + flash + `","messages":[],"user":"` + strings.Repeat("x", 65<<20) + `","model":"gemini-3.5-flash"}`
	resp, text := sendWithin(t, b, router.Scope{Models: []string{flash}}, http.MethodPost, url, body, nil)
	if resp.StatusCode != http.StatusForbidden || len(b.Requests()) != 0 {
		t.Errorf("got %s %.200s, and Google was asked %d times", resp.Status, text, len(b.Requests()))
	}
}
