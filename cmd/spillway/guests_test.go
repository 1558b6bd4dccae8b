package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

const (
	tokenA = "token-of-team-a-0123456789"
	tokenB = "token-of-team-b-0123456789"
)

// twoGuests are what [serve] says of two teams.
func twoGuests() config.Serve {
	return config.Serve{Hosts: []string{"sidecar"}, Tokens: []config.Token{
		{Name: "team-a", Token: pool.NewSecret(tokenA), Models: []string{"gemini-2.5-*"}, Locations: []string{"global"}, Concurrency: 2},
		{Name: "team-b", Token: pool.NewSecret(tokenB), Priority: router.PriorityBatch, Label: "b"},
	}}
}

// knock sends a request for content to a sidecar with two guests.
func knock(t *testing.T, google http.RoundTripper, cfg config.Serve, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+target, strings.NewReader(hello))
	maps.Copy(req.Header, header)
	return ask(t, google, defaultListen, cfg, req)
}

func TestATokenIsTakenWhereSDKsPutAKeyAndGoesNoFurther(t *testing.T) {
	for name, tt := range map[string]struct {
		query  string
		header http.Header
		want   int
	}{
		"a key's header":            {"", http.Header{keyHeader: {tokenA}}, 200},
		"an access token":           {"", http.Header{"Authorization": {"Bearer " + tokenA}}, 200},
		"in small letters":          {"", http.Header{"Authorization": {"bearer  " + tokenA}}, 200},
		"the URL":                   {"?alt=json&key=" + tokenA, nil, 200},
		"the URL, escaped":          {"?%6bey=" + strings.ReplaceAll(tokenA, "-", "%2D"), nil, 200},
		"beside a key of no use":    {"?key=any", http.Header{"Authorization": {"Bearer " + tokenA}}, 200},
		"beside a header of no use": {"", http.Header{keyHeader: {"any"}, "Authorization": {"Bearer " + tokenA}}, 200},
		"nothing":                   {"", nil, 401},
		"another":                   {"", http.Header{keyHeader: {"any"}}, 401},
		"most of one":               {"", http.Header{keyHeader: {tokenA[:len(tokenA)-1]}}, 401},
		"more than one":             {"", http.Header{keyHeader: {tokenA + "x"}}, 401},
		"an empty one":              {"?key=", http.Header{keyHeader: {""}, "Authorization": {"Bearer "}}, 401},
		"another scheme":            {"", http.Header{"Authorization": {"Basic " + tokenA}}, 401},
		"without a scheme":          {"", http.Header{"Authorization": {tokenA}}, 401},
		"a header that is not one":  {"", http.Header{"Token": {tokenA}}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			var seen bytes.Buffer
			emulator := newGoogle(geminitest.Latency{})
			google := transport(func(req *http.Request) (*http.Response, error) {
				_ = req.Header.Write(&seen)
				seen.WriteString(req.URL.String())
				return emulator.RoundTrip(req)
			})
			w := knock(t, google, twoGuests(), generatePath+tt.query, tt.header)
			if w.Code != tt.want {
				t.Errorf("it gets %d %s, want %d", w.Code, w.Body, tt.want)
			}
			if (seen.Len() > 0) != (tt.want == http.StatusOK) || strings.Contains(seen.String(), "team-a") || strings.Contains(seen.String(), "any") {
				t.Errorf("Google gets %q", &seen)
			}
			if tt.want == http.StatusUnauthorized && (!strings.Contains(w.Body.String(), `"status":"UNAUTHENTICATED"`) ||
				!strings.Contains(w.Body.String(), "x-goog-api-key") || w.Header().Get("WWW-Authenticate") == "" || strings.Contains(w.Body.String(), "team-a")) {
				t.Errorf("the refusal is %v %s", w.Header(), w.Body)
			}
		})
	}
}

func TestWhatNeedsNoToken(t *testing.T) {
	for target, want := range map[string]int{healthPath: 200, statusPath: 200, "/v1beta/models": 401, "/nothing": 401, "/ws/x": 401} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://sidecar"+target, nil)
		if w := ask(t, newGoogle(geminitest.Latency{}), defaultListen, twoGuests(), req); w.Code != want {
			t.Errorf("%s gets %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
	open := twoGuests()
	open.Open = true
	google := newGoogle(geminitest.Latency{})
	if w := knock(t, google, open, generatePath, http.Header{keyHeader: {"any"}}); w.Code != http.StatusOK {
		t.Errorf("in an open house nobody gets %d %s", w.Code, w.Body)
	}
	if w := knock(t, google, open, strings.Replace(generatePath, "2.5", "3.5", 1), http.Header{keyHeader: {tokenA}}); w.Code != http.StatusForbidden {
		t.Errorf("in an open house a token is not bound: %d %s", w.Code, w.Body)
	}
}

func TestATokenBoundsItsCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		path, token string
		header      http.Header
		want        int
		text        string
	}{
		"another model":                {strings.Replace(generatePath, "2.5", "3.5", 1), tokenA, nil, 403, "may not use gemini-3.5-flash"},
		"a model in the body":          {"/v1beta/openai/chat/completions", tokenA, nil, 403, "names none"},
		"a location of its own":        {generatePath, tokenA, http.Header{"Spillway-Locations": {"global"}}, 200, ""},
		"a location that is nowhere":   {generatePath, tokenA, http.Header{"Spillway-Locations": {"mars"}}, 400, "none of the pool's"},
		"more than a batch call's":     {generatePath, tokenB, http.Header{"Spillway-Priority": {"interactive"}}, 200, ""},
		"a label of another's":         {generatePath, tokenB, http.Header{"Spillway-Label": {"team-a"}}, 200, ""},
		"a priority that is no word's": {generatePath, tokenA, http.Header{"Spillway-Priority": {"first"}}, 400, "priority"},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{keyHeader: {tt.token}}
			maps.Copy(header, tt.header)
			w := knock(t, newGoogle(geminitest.Latency{}), twoGuests(), tt.path, header)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.text) {
				t.Errorf("it gets %d %s, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestLabelAndPriorityAreTheTokens(t *testing.T) {
	var got []router.CallStart
	cfg, err := config.Parse("test", []byte(twoProjects), config.WithEnv(func(name string) (string, bool) { return strings.ToLower(name), true }))
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(newGoogle(geminitest.Latency{})),
		router.WithTrace(&router.Trace{CallStart: func(ctx context.Context, s router.CallStart) context.Context { got = append(got, s); return ctx }}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	s := newSidecar(r, defaultListen, twoGuests(), slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		token, asked, wantLabel string
		wantBatch               bool
	}{
		{tokenA, "interactive", "team-a", false}, {tokenA, "batch", "team-a", true},
		{tokenB, "interactive", "b", true}, {tokenB, "", "b", true},
	} {
		got = nil
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
		req.Header.Set(keyHeader, tt.token)
		req.Header.Set("Spillway-Label", "another")
		if tt.asked != "" {
			req.Header.Set("Spillway-Priority", tt.asked)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if len(got) != 1 || got[0].Label != tt.wantLabel || (got[0].Priority == router.PriorityBatch) != tt.wantBatch {
			t.Errorf("%s that asks for %q: %d %+v", tt.token, tt.asked, w.Code, got)
		}
	}
}

// TestResponsesAreKeptForEachTokenApart: not even with one label do two tokens share what is kept, nor
// does a client without a token that takes a token's name for its label.
func TestResponsesAreKeptForEachTokenApart(t *testing.T) {
	cfg, err := config.Parse("test", []byte(twoProjects+"\n[[cache]]\n"), config.WithEnv(func(name string) (string, bool) { return strings.ToLower(name), true }))
	if err != nil {
		t.Fatal(err)
	}
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(newGoogle(geminitest.Latency{})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	serve := twoGuests()
	serve.Open = true
	for i := range serve.Tokens {
		serve.Tokens[i].Label, serve.Tokens[i].Locations = "team", nil
	}
	s := newSidecar(r, defaultListen, serve, slog.New(slog.DiscardHandler))
	var got []string
	for _, call := range []struct{ token, label string }{
		{tokenA, ""}, {tokenA, ""}, {tokenB, ""}, {tokenB, "team-a"}, {"", "team-a"}, {"", "team"}, {"", "team"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
		req.Header.Set(keyHeader, call.token)
		req.Header.Set("Spillway-Label", call.label)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		got = append(got, w.Header().Get("Spillway-Cache"))
	}
	if want := []string{"miss", "hit", "miss", "hit", "miss", "miss", "hit"}; !slices.Equal(got, want) {
		t.Errorf("the calls are %v, want %v", got, want)
	}
	var printed strings.Builder
	snapshotOf(r).print(&printed, "http://sidecar", view{})
	if line := "cache *: 3 hits, 4 missed, 4 responses in "; !strings.Contains(printed.String(), line) || !strings.Contains(printed.String(), " of 67,108,864 bytes; 43 % hits\n") {
		t.Errorf("the status has no %q:\n%s", line, &printed)
	}
}

func TestATokenHasSoManyCallsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := twoGuests()
		s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{FirstToken: 10 * time.Second})), defaultListen, cfg, slog.New(slog.DiscardHandler))
		call := func(token string) *httptest.ResponseRecorder {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+generatePath, strings.NewReader(hello))
			req.Header.Set(keyHeader, token)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			return w
		}
		done := make(chan int, 2)
		for range 2 {
			go func() { done <- call(tokenA).Code }()
		}
		synctest.Wait()
		s.configure(cfg) // a reload forgets none of them
		third := call(tokenA)
		if third.Code != http.StatusTooManyRequests || third.Header().Get("Retry-After") == "" || !strings.Contains(third.Body.String(), "RESOURCE_EXHAUSTED") {
			t.Errorf("the third call at once gets %d %v %s", third.Code, third.Header(), third.Body)
		}
		if other := call(tokenB); other.Code != http.StatusOK {
			t.Errorf("another's call gets %d", other.Code)
		}
		if a, b := <-done, <-done; a != http.StatusOK || b != http.StatusOK {
			t.Errorf("the calls before get %d and %d", a, b)
		}
		for range 3 { // one after the other, also those that fail
			if w := call(tokenA); w.Code != http.StatusOK {
				t.Errorf("a later call gets %d %s", w.Code, w.Body)
			}
		}
	})
}

// The time of a comparison must say nothing of a token: all are compared, by their hashes, and the
// last as well as the first is found.
func TestTokensAreComparedByTheirHashes(t *testing.T) {
	g := newGuests(&config.Serve{Tokens: twoGuests().Tokens}, tallies{}.of(twoGuests().Tokens))
	for i, token := range []string{tokenA, tokenB} {
		if g.list[i].token != sha256.Sum256([]byte(token)) {
			t.Error("a token is not kept as its hash")
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.Header.Set(keyHeader, token)
		if who := g.of(req); who != &g.list[i] {
			t.Errorf("token %d is %v's", i, who)
		}
	}
	// With many tokens a wrong one takes as long as a right one: neither ends the search.
	var many config.Serve
	for i := range 2000 {
		many.Tokens = append(many.Tokens, config.Token{Name: string(rune('a' + i)), Token: pool.NewSecret(strings.Repeat("x", i+1))})
	}
	g = newGuests(&many, tallies{}.of(many.Tokens))
	fastest := func(token string) time.Duration {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.Header.Set(keyHeader, token)
		best := time.Hour
		for range 50 {
			began := time.Now()
			g.of(req)
			best = min(best, time.Since(began))
		}
		return best
	}
	if first, none := fastest("x"), fastest("y"); first*4 < none {
		t.Errorf("the first token is found in %v, a wrong one is refused in %v", first, none)
	}
}

// No log and no response shows a token, however it comes.
func TestNoTokenIsShown(t *testing.T) {
	var said bytes.Buffer
	s := newSidecar(newRouter(t, newGoogle(geminitest.Latency{})), defaultListen, twoGuests(), slog.New(slog.NewTextHandler(&said, nil)))
	for _, target := range []string{generatePath, generatePath + "?key=" + tokenA, statusPath + "?key=" + tokenA, "/no/path?key=" + tokenA, "/v1beta/../x?key=" + tokenA} {
		for _, method := range methods {
			req := httptest.NewRequestWithContext(t.Context(), method, "http://sidecar"+target, strings.NewReader(hello))
			req.Header.Set(keyHeader, tokenA)
			req.Header.Set("Authorization", "Bearer "+tokenB)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			_, _ = io.Copy(&said, w.Body)
			_ = w.Header().Write(&said)
		}
	}
	if strings.Contains(said.String(), "token-of") || said.Len() == 0 {
		t.Errorf("a token is shown: %s", &said)
	}
}

// SDKs send the chunks of an upload without a credential, to the address that they were given.
func TestChunksOfAnUploadNeedNoMoreThanTheirAddress(t *testing.T) {
	const start = "/upload/v1beta/files?upload_protocol=resumable"
	var asked []string
	google := transport(func(req *http.Request) (*http.Response, error) {
		asked = append(asked, req.URL.String())
		h := http.Header{"X-Goog-Upload-Url": {"https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=A_b-1&upload_protocol=resumable"}}
		return &http.Response{StatusCode: http.StatusOK, Header: h, Body: http.NoBody}, nil
	})
	s := newSidecar(newRouter(t, google), defaultListen, twoGuests(), slog.New(slog.DiscardHandler))
	send := func(target string, header http.Header) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+target, strings.NewReader(hello))
		req.Header = header
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		return w
	}
	address := send(start, http.Header{keyHeader: {tokenA}}).Header()[uploadURLs[0]][0]
	if strings.Contains(address, tokenA) {
		t.Errorf("the address shows the token: %s", address)
	}
	target := strings.TrimPrefix(address, "http://sidecar")
	for name, tt := range map[string]struct {
		target string
		want   int
	}{
		"a chunk":          {target, http.StatusOK},
		"another's":        {strings.Replace(target, "A_b-1", "A_b-2", 1), http.StatusUnauthorized},
		"without a ticket": {strings.Replace(target, "key=", "kex=", 1), http.StatusUnauthorized},
		"of nothing":       {strings.Replace(target, "upload_id=", "upload=", 1), http.StatusUnauthorized},
		"a call":           {generatePath + target[strings.IndexByte(target, '?'):], http.StatusUnauthorized},
	} {
		asked = nil
		w := send(tt.target, http.Header{})
		if w.Code != tt.want || (len(asked) == 1) != (tt.want == http.StatusOK) {
			t.Errorf("%s gets %d %s, Google was asked for %q", name, w.Code, w.Body, asked)
		}
		for _, url := range asked {
			if strings.Contains(url, "key=") {
				t.Errorf("%s: Google gets the ticket: %s", name, url)
			}
		}
	}
}
