package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheCueUsesUpTheQuotasOfMainAlone(t *testing.T) {
	g, err := startGoogle(t.Context(), road{name: "plain"}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	ask := func(method, path, key string) int {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(`{"contents":[{"parts":[{"text":"hi"}]}]}`))
		req.Header.Set("X-Goog-Api-Key", key)
		req.Header.Set("X-Goog-Upload-Protocol", "resumable")
		req.Header.Set("X-Goog-Upload-Command", "start")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, req)
		return w.Code
	}
	const generate, upload, list, cue = "/v1beta/models/gemini-3.5-flash:generateContent", "/upload/v1beta/files", "/v1beta/files", "/v1beta/models/gemini-3.5-flash"
	for _, path := range []string{generate, upload} {
		if code := ask(http.MethodPost, path, "main-key"); code != http.StatusOK {
			t.Errorf("%s before the cue: %d", path, code)
		}
	}
	if code := ask(http.MethodGet, cue, "main-key"); code != http.StatusTooManyRequests {
		t.Errorf("the cue: %d", code)
	}
	for key, want := range map[string]int{"main-key": http.StatusTooManyRequests, "spare-key": http.StatusOK} {
		for _, path := range []string{generate, upload} {
			if code := ask(http.MethodPost, path, key); code != want {
				t.Errorf("%s with %s after the cue: %d, want %d", path, key, code, want)
			}
		}
		if code := ask(http.MethodGet, list, key); code != http.StatusOK {
			t.Errorf("a list with %s after the cue: %d", key, code)
		}
	}
	seen, err := g.inspect()
	if want := (tally{main: 3, spare: 3, refused: 3}); err != nil || seen != want {
		t.Errorf("Google saw %+v, %v, want %+v", seen, err, want)
	}
	ask(http.MethodGet, list, token)
	if _, err := g.inspect(); err == nil {
		t.Error("a client's own token has reached Google, and nobody minds")
	}
}
