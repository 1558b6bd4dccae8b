package main

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
)

// ask serves one request of a sidecar that listens on an address.
func ask(t *testing.T, google http.RoundTripper, listen string, cfg config.Serve, req *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	newSidecar(newRouter(t, google), listen, cfg, slog.New(slog.DiscardHandler)).ServeHTTP(w, req)
	return w
}

func TestTheSidecarAnswersToItsOwnNamesOnly(t *testing.T) {
	const local = "10.1.2.3:8080" // the address of the machine that the client has connected to
	for _, tt := range []struct {
		listen, host string
		want         bool
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080", true},
		{"127.0.0.1:8080", "127.0.0.1", true},
		{"127.0.0.1:8080", "127.9.9.9:1", true},
		{"127.0.0.1:8080", "LOCALHOST:9999", true}, // through a tunnel
		{"127.0.0.1:8080", "spillway.localhost.:80", true},
		{"127.0.0.1:8080", "[::1]:8080", true},
		{"127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", true},
		{"127.0.0.1:8080", "", true}, // HTTP/1.0
		{"127.0.0.1:8080", "evil.example", false},
		{"127.0.0.1:8080", "evil.example:8080", false},
		{"127.0.0.1:8080", "127.0.0.1.evil.example", false},
		{"127.0.0.1:8080", "localhost.evil.example", false},
		{"127.0.0.1:8080", "evillocalhost", false},
		{"127.0.0.1:8080", "93.184.216.34", false},
		{"127.0.0.1:8080", "10.1.2.3:8080", true}, // the address of the connection
		{"10.1.2.3:8080", "10.1.2.3:8080", true},
		{"spillway.internal:8080", "Spillway.Internal:8080", true},
		{"spillway.internal:8080", "other.internal:8080", false},
		{"0.0.0.0:8080", "192.168.7.7:8080", true}, // through a port that is forwarded
		{"[::]:8080", "[2001:db8::1]:8080", true},
		{"0.0.0.0:8080", "evil.example:8080", false},
		{"0.0.0.0:8080", "gateway:8080", true}, // named in [serve] hosts
		{"0.0.0.0:8080", "spillway.prod.svc.cluster.local", true},
		{"0.0.0.0:8080", "svc.cluster.local.evil.example", false},
	} {
		for _, path := range []string{healthPath, readyPath, "/v1beta/models"} {
			google := newGoogle(geminitest.Latency{})
			at, err := net.ResolveTCPAddr("tcp", local)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, at)
			req := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
			req.Host = tt.host
			w := ask(t, google, tt.listen, config.Serve{Hosts: []string{"gateway", "*.svc.cluster.local"}}, req)
			if got := w.Code != http.StatusForbidden; got != tt.want {
				t.Errorf("on %s, Host %q and %s get %d %s", tt.listen, tt.host, path, w.Code, w.Body)
			}
			if n := len(google.Requests()); n > 0 != (tt.want && strings.HasPrefix(path, "/v1")) {
				t.Errorf("on %s, for Host %q and %s Google was asked %d times", tt.listen, tt.host, path, n)
			}
		}
	}
}

var appOnly = config.Serve{Hosts: []string{"sidecar"}, Origins: []string{"https://app.example"}}

func TestNoMethodOfAForeignPageReachesGoogle(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		want   bool
	}{
		"a program":                      {nil, true},
		"the address bar":                {http.Header{"Sec-Fetch-Site": {"none"}}, true},
		"the sidecar's own page":         {http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://sidecar"}}, true},
		"an own page of an old browser":  {http.Header{"Origin": {"http://sidecar"}}, true},
		"a page that is named":           {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://app.example"}}, true},
		"another site":                   {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, false},
		"an image in another site":       {http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		"a link in a page that is named": {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Referer": {"https://app.example/"}}, false},
		"another port of this machine":   {http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://sidecar:3000"}}, false},
		"another site, old browser":      {http.Header{"Origin": {"https://evil.example"}}, false},
		"a frame without an origin":      {http.Header{"Origin": {"null"}}, false},
		"a name that goes on":            {http.Header{"Origin": {"https://app.example.evil.example"}}, false},
		"two origins":                    {http.Header{"Origin": {"https://app.example", "https://evil.example"}}, false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			for _, target := range []string{"http://sidecar/v1beta/models", "http://sidecar" + statusPath} {
				google := newGoogle(geminitest.Latency{})
				req := httptest.NewRequestWithContext(t.Context(), method, target, nil)
				maps.Copy(req.Header, tt.header)
				w := ask(t, google, defaultListen, appOnly, req)
				own := slices.Equal(tt.header["Origin"], []string{"https://app.example"})
				operators := own && strings.HasSuffix(target, statusPath) && method != http.MethodOptions // it may call models alone
				if got := w.Code != http.StatusForbidden; got != (tt.want && !operators) {
					t.Errorf("%s of %s gets %d for %s %s", method, name, w.Code, target, w.Body)
				}
				if n := len(google.Requests()); n > 0 && (!tt.want || method == http.MethodOptions) {
					t.Errorf("%s of %s: Google was asked %d times", method, name, n)
				}
				if got := w.Header().Get("Access-Control-Allow-Origin"); (got != "") != own {
					t.Errorf("%s of %s may be read by %q", method, name, got)
				}
			}
		}
	}
}

func TestPreflightsAreAnsweredHere(t *testing.T) {
	google := newGoogle(geminitest.Latency{})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "http://sidecar"+generatePath, nil)
	maps.Copy(req.Header, http.Header{
		"Origin": {"https://app.example"}, "Sec-Fetch-Site": {"cross-site"},
		"Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-goog-api-key"},
		"Access-Control-Request-Private-Network": {"true"},
	})
	w := ask(t, google, defaultListen, appOnly, req)
	h := w.Header()
	if w.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		h.Get("Access-Control-Allow-Headers") != "content-type,x-goog-api-key" ||
		h.Get("Access-Control-Allow-Private-Network") != "true" || h.Get("Vary") != "Origin" {
		t.Errorf("the answer is %d %v", w.Code, h)
	}
	req.Header = http.Header{}
	if w := ask(t, google, defaultListen, appOnly, req); w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("a program's OPTIONS is answered with %d %v", w.Code, w.Header())
	}
	if n := len(google.Requests()); n != 0 {
		t.Errorf("Google was asked %d times", n)
	}
}

// Google lets every page read its answers; the sidecar's are for the pages that it knows.
func TestGooglesPermissionsForPagesDoNotPass(t *testing.T) {
	google := transport(func(*http.Request) (*http.Response, error) {
		h := http.Header{
			"Content-Type": {"application/json"}, "Access-Control-Allow-Origin": {"*"},
			"Access-Control-Allow-Credentials": {"true"}, "access-control-expose-headers": {"vary"},
		}
		return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader(`{"candidates":[{"finishReason":"STOP"}]}`))}, nil
	})
	for page, want := range map[string]map[string]string{
		"":                    {},
		"https://app.example": {"Access-Control-Allow-Origin": "https://app.example", "Access-Control-Expose-Headers": "*"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
		if page != "" {
			req.Header.Set("Origin", page)
		}
		w := ask(t, google, defaultListen, appOnly, req)
		got := map[string]string{}
		for name, values := range w.Header() {
			if strings.HasPrefix(http.CanonicalHeaderKey(name), "Access-Control-") {
				got[name] = strings.Join(values, "; ")
			}
		}
		if w.Code != http.StatusOK || !maps.Equal(got, want) {
			t.Errorf("the page %q gets %d with %v, want %v", page, w.Code, got, want)
		}
	}
}
