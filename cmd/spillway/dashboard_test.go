package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// lookAt sends a request to a sidecar that listens on localhost, with pairs of header fields.
func lookAt(t *testing.T, s *sidecar, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	req.Host = "localhost:8080"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return w
}

func newQuietSidecar(t *testing.T, google http.RoundTripper) *sidecar {
	t.Helper()
	return newSidecar(newRouter(t, google), defaultListen, testServe, slog.New(slog.DiscardHandler))
}

func TestPageIsServedWithAStrictPolicy(t *testing.T) {
	s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
	entries, err := fs.ReadDir(dashboardFolder, "dashboard")
	if err != nil || len(entries) < 5 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		name := strings.TrimPrefix(e.Name(), "index.html")
		w := lookAt(t, s, http.MethodGet, dashboardPath+name)
		content, err := fs.ReadFile(dashboardFolder, "dashboard/"+e.Name())
		if err != nil || w.Code != http.StatusOK || w.Body.String() != string(content) {
			t.Errorf("%q has status %d and %d bytes, want %d: %v", name, w.Code, w.Body.Len(), len(content), err)
		}
		h := w.Result().Header
		for field, want := range map[string]string{
			"Content-Type": kinds[path.Ext(e.Name())], "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-cache",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(field); got != want || want == "" {
				t.Errorf("%q has %s %q, want %q", name, field, got, want)
			}
		}
		if again := lookAt(t, s, http.MethodGet, dashboardPath+name, "If-None-Match", h.Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%q is sent again with status %d to a browser that has it", name, again.Code)
		}
	}
	for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, directive) || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("the policy is %s", policy)
		}
	}
}

// The policy would break what these find, but only in a browser.
func TestPageHasNothingThatItsPolicyForbids(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script>|<style|\son[a-z]+\s*=\s*["']|\sstyle\s*=\s*["']|javascript:|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|setAttribute\("style`)
	absolute := regexp.MustCompile(`(?:src|href|from|import|fetch\(|EventSource\()[=\s(]*["'](?:[a-z]+:)?/`)
	for name, file := range dashboardFiles {
		if found := inline.Find(file.content); found != nil {
			t.Errorf("%q has %q", name, found)
		}
		if found := absolute.Find(file.content); found != nil {
			t.Errorf("%q has an address that is not relative: %q", name, found)
		}
	}
	if !inline.MatchString(`<p onclick="x()">`) || !absolute.MatchString(`fetch("/status")`) || !absolute.MatchString(`src="https://cdn"`) {
		t.Error("the test finds nothing")
	}
}

func TestPageIsForTheSidecarsOwnOriginAlone(t *testing.T) {
	s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
	for _, target := range []string{dashboardPath, dashboardPath + "page.js", feedPath, feedPath + "?once=1"} {
		for name, header := range map[string][]string{
			"a page of another origin": {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
			"an old browser's page":    {"Origin", "https://evil.example"},
			"a rebound name":           {"Host", "evil.example"},
		} {
			if w := lookAt(t, s, http.MethodGet, target, header...); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "main") {
				t.Errorf("%s gets %s with status %d: %s", name, target, w.Code, w.Body)
			}
		}
		if w := lookAt(t, s, http.MethodPost, target); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodGet {
			t.Errorf("POST %s has status %d", target, w.Code)
		}
	}
	if w := lookAt(t, s, http.MethodGet, "/spillway"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "spillway/" {
		t.Errorf("without the slash there is %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := lookAt(t, s, http.MethodGet, dashboardPath+"none.js"); w.Code != http.StatusNotFound {
		t.Errorf("a file that is not there has status %d", w.Code)
	}
}

// pageEvent is one server-sent event of feedPath.
type pageEvent struct {
	name string
	data map[string]any
	at   time.Duration // since the beginning
}

// followPage follows feedPath in a bubble and returns what has come, as a channel, with its end.
func followPage(t *testing.T) (events chan pageEvent, leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+feedPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatal(resp, err)
	}
	began := time.Now()
	events = make(chan pageEvent, 1000)
	go func() {
		defer close(events)
		defer func() { _ = resp.Body.Close() }()
		var e pageEvent
		for lines := bufio.NewReader(resp.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				e.name = strings.TrimSpace(name)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				e.data, e.at = nil, time.Since(began)
				if json.Unmarshal([]byte(data), &e.data) != nil {
					return
				}
				events <- e
			}
		}
	}()
	return events, cancel
}

// received returns what has come so far, as "state@1s history@10s".
func received(events chan pageEvent) string {
	synctest.Wait()
	var got []string
	for len(events) > 0 {
		e := <-events
		got = append(got, fmt.Sprintf("%s@%s", e.name, e.at))
	}
	return strings.Join(got, " ")
}

func TestLiveTellsWhatChangesAndThatItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
		inBubble(t, s)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go s.feed.history.run(ctx, func() pool.Stat { return s.router.Stat().Stat })
		time.Sleep(500 * time.Millisecond)
		events, leave := followPage(t)
		defer leave()
		if got := received(events); got != "history@0s state@0s" {
			t.Errorf("at first comes %s", got)
		}
		time.Sleep(5 * time.Second)
		if got := received(events); got != "" {
			t.Errorf("when nothing has changed comes %s", got)
		}
		for range 20 { // much happens in one second
			s.events.observe(pool.Event{At: time.Now(), Kind: pool.CooldownStarted, Subject: pool.Subject{Kind: "project", Project: "main"}, Class: pool.ClassBilling})
		}
		time.Sleep(2 * time.Second)
		if got := received(events); got != "state@6s" {
			t.Errorf("of a change comes %s", got)
		}
		time.Sleep(13 * time.Second)
		if got := received(events); got != "history@10s state@16s history@20s" {
			t.Errorf("as a heartbeat comes %s", got)
		}
		s.events.end()
		time.Sleep(time.Second)
		synctest.Wait()
		if _, open := <-events; open || s.feed.pages.Load() != 0 {
			t.Error("the stream goes on after the sidecar's end")
		}
	})
}

func TestLiveOnceHasBothForAPageThatAsks(t *testing.T) {
	s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
	w := lookAt(t, s, http.MethodGet, feedPath+"?once=1")
	var both struct {
		State   liveState
		History historySnapshot
	}
	if err := json.Unmarshal(w.Body.Bytes(), &both); err != nil || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatal(err, w.Header())
	}
	if both.State.At.IsZero() || len(both.State.Projects) != 2 || both.History.Every != 10 || both.History.Served == nil {
		t.Errorf("it is %s", w.Body)
	}
}

// What the page asks for is kept by nobody, and taken for nothing else.
func TestStateIsNotKept(t *testing.T) {
	s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
	for _, target := range []string{statusPath, eventsPath, callsPath + "?last=50", feedPath + "?once=1", explainPath + "?model=gemini-3.5-flash"} {
		w := lookAt(t, s, http.MethodGet, target)
		if h := w.Header(); w.Code != http.StatusOK || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s has status %d and %v", target, w.Code, h)
		}
	}
}

func TestLiveTakesSoManyPagesAndNoMore(t *testing.T) {
	s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
	s.feed.pages.Store(maxPages)
	if w := lookAt(t, s, http.MethodGet, feedPath); w.Code != http.StatusServiceUnavailable || s.feed.pages.Load() != maxPages {
		t.Errorf("one more gets %d %s", w.Code, w.Body)
	}
}

// A hundred pages that ask cost one look at the router.
func TestLookIsSharedByAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newQuietSidecar(t, newGoogle(geminitest.Latency{}))
		first, _ := s.look(time.Now())
		s.events.observe(pool.Event{At: time.Now(), Kind: pool.Reloaded})
		soon, _ := s.look(time.Now())
		time.Sleep(liveEvery)
		later, _ := s.look(time.Now())
		if &soon.text[0] != &first.text[0] || later.number != first.number+1 {
			t.Errorf("the looks have the numbers %d, %d and %d", first.number, soon.number, later.number)
		}
	})
}
