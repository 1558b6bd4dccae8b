package main

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// guarded is a sidecar whose operators have a token.
func guarded(t *testing.T, token string) admin {
	t.Helper()
	cfg := config.Serve{Hosts: []string{"*.internal"}, Admin: config.Admin{Token: pool.NewSecret(token)}}
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, cfg, slog.New(slog.DiscardHandler))
	s.phase.Store(int32(phaseServing))
	return admin{s}
}

// browse sends a request as a browser on the same machine does.
func (a admin) browse(t *testing.T, method, path, body string, cookies []*http.Cookie, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	local := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081})
	req := httptest.NewRequestWithContext(local, method, "http://localhost:8081"+path, strings.NewReader(body))
	maps.Copy(req.Header, header)
	for _, c := range cookies {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, req)
	return w
}

func (a admin) signIn(t *testing.T, token string, header http.Header) (*httptest.ResponseRecorder, []*http.Cookie) {
	t.Helper()
	w := a.browse(t, http.MethodPost, "/login", `{"token":"`+token+`"}`, nil, header)
	return w, w.Result().Cookies() //nolint:bodyclose // a recorder's
}

var ownPage = http.Header{"Origin": {"http://localhost:8081"}, "Sec-Fetch-Site": {"same-origin"}}

func TestTheOperatorsTokenIsExchangedForACookie(t *testing.T) {
	a := guarded(t, adminSecret)
	// The page itself has nothing of the sidecar in it.
	for _, path := range []string{"/", "/page.js", "/login"} {
		if w := a.browse(t, http.MethodGet, path, "", nil, nil); w.Code != http.StatusOK || path == "/login" && !strings.Contains(w.Body.String(), "false") {
			t.Errorf("%s gets %d %s", path, w.Code, w.Body)
		}
	}
	w, cookies := a.signIn(t, adminSecret, ownPage)
	if w.Code != http.StatusOK || len(cookies) != 1 {
		t.Fatalf("it gets %d %s with %v", w.Code, w.Body, cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 0 || c.Secure || strings.Contains(c.Raw, adminSecret) {
		t.Errorf("the cookie is %s", c.Raw)
	}
	for _, path := range []string{"/status", "/live?once=1", "/events", "/login"} {
		if w := a.browse(t, http.MethodGet, path, "", cookies, nil); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"signed_in":false`) {
			t.Errorf("%s gets %d %s", path, w.Code, w.Body)
		}
	}
	if w := a.browse(t, http.MethodPost, "/pause", pauseSpare, cookies, ownPage); w.Code != http.StatusOK {
		t.Errorf("a pause by the page gets %d %s", w.Code, w.Body)
	}
	if _, cookies := a.signIn(t, adminSecret, http.Header{"X-Forwarded-Proto": {"https"}}); len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("behind TLS the cookie is %v", cookies)
	}
}

func TestAWrongTokenIsExchangedForNothing(t *testing.T) {
	a := guarded(t, adminSecret)
	for name, body := range map[string]string{
		"another": `{"token":"` + adminSecret + `x"}`, "none": `{}`, "an empty one": `{"token":""}`, "no JSON": adminSecret,
	} {
		w := a.browse(t, http.MethodPost, "/login", body, nil, ownPage)
		if w.Code == http.StatusOK || w.Header().Get("Set-Cookie") != "" || strings.Contains(w.Body.String(), adminSecret) {
			t.Errorf("%s gets %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
	for name, header := range map[string]http.Header{
		"another page's":   {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		"another port's":   {"Origin": {"http://localhost:3000"}, "Sec-Fetch-Site": {"same-site"}},
		"an old browser's": {"Origin": {"http://localhost:3000"}},
	} {
		if w, cookies := a.signIn(t, adminSecret, header); w.Code != http.StatusForbidden || len(cookies) != 0 {
			t.Errorf("%s form gets %d %v", name, w.Code, cookies)
		}
	}
	if w := guarded(t, "").browse(t, http.MethodPost, "/login", `{"token":""}`, nil, ownPage); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("without a token there is a login: %d %s", w.Code, w.Body)
	}
}

func TestACookieIsGoodForItsSessionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := guarded(t, adminSecret)
		_, cookies := a.signIn(t, adminSecret, nil)
		status := func(a admin, c *http.Cookie) int {
			return a.browse(t, http.MethodGet, "/status", "", []*http.Cookie{c}, nil).Code
		}
		good := cookies[0]
		until, signature, _ := strings.Cut(good.Value, ".")
		for name, value := range map[string]string{
			"longer": until + "0." + signature, "signed by nobody": until + ".", "empty": "", "another number": "+" + good.Value, "no number": "x." + signature,
		} {
			if code := status(a, &http.Cookie{Name: good.Name, Value: value}); code != http.StatusUnauthorized {
				t.Errorf("a cookie that is %s gets %d", name, code)
			}
		}
		if code := status(guarded(t, adminSecret), good); code != http.StatusOK {
			t.Errorf("a replica gets %d", code)
		}
		if code := status(guarded(t, adminSecret+"2"), good); code != http.StatusUnauthorized {
			t.Errorf("after another token it gets %d", code)
		}
		// Without its page's name a request may be any page's.
		for name, header := range map[string]http.Header{
			"no page": nil, "another port's": {"Origin": {"http://localhost:3000"}}, "another site's": {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		} {
			w := a.browse(t, http.MethodPost, "/pause", pauseSpare, cookies, header)
			if w.Code != http.StatusForbidden && w.Code != http.StatusUnauthorized {
				t.Errorf("a pause by %s gets %d %s", name, w.Code, w.Body)
			}
		}
		time.Sleep(loginLasts - time.Second)
		if code := status(a, good); code != http.StatusOK {
			t.Errorf("before its end it gets %d", code)
		}
		time.Sleep(2 * time.Second)
		if code := status(a, good); code != http.StatusUnauthorized {
			t.Errorf("after its end it gets %d", code)
		}
	})
}

// A link in a chat or a runbook opens the page, and nothing else of the sidecar.
func TestALinkOnAnotherPageOpensThePageAlone(t *testing.T) {
	a := guarded(t, "")
	link := func(mode, dest string) http.Header {
		return http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}}
	}
	posted := link("navigate", "document")
	posted.Set("Origin", "https://evil.example")
	for name, tt := range map[string]struct {
		method, path string
		header       http.Header
		want         int
	}{
		"a link":             {http.MethodGet, "/", link("navigate", "document"), 200},
		"by its long name":   {http.MethodGet, "/spillway/", link("navigate", "document"), 200},
		"without its slash":  {http.MethodGet, "/spillway", link("navigate", "document"), 308},
		"a frame":            {http.MethodGet, "/", link("navigate", "iframe"), 403},
		"an object":          {http.MethodGet, "/", link("navigate", "object"), 403},
		"a fetch":            {http.MethodGet, "/", link("cors", "empty"), 403},
		"a link to the data": {http.MethodGet, "/status", link("navigate", "document"), 403},
		"a link to a script": {http.MethodGet, "/page.js", link("navigate", "document"), 403},
		"a link to a stream": {http.MethodGet, "/live", link("navigate", "document"), 403},
		"a form":             {http.MethodPost, "/", posted, 403},
		"a form that pauses": {http.MethodPost, "/pause", posted, 403},
	} {
		if w := a.browse(t, tt.method, tt.path, "", nil, tt.header); w.Code != tt.want {
			t.Errorf("%s gets %d %s, want %d", name, w.Code, w.Body, tt.want)
		}
	}
}
