package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

const (
	twoProjects = `
[router]
max_wait = "0s"

[[project]]
name    = "main"
backend = "gemini"
keys    = ["env:MAIN_KEY"]

[[project]]
name     = "spare"
backend  = "gemini"
keys     = ["env:SPARE_KEY"]
priority = 1
`
	generatePath = "/v1beta/models/gemini-2.5-flash:generateContent"
	streamPath   = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
	hello        = `{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}`
)

// newRouter returns a router over two projects, whose requests go to google.
func newRouter(t *testing.T, google http.RoundTripper) *router.Router {
	t.Helper()
	cfg, err := config.Parse("test", []byte(twoProjects), config.WithEnv(func(name string) (string, bool) {
		return strings.ToLower(name), true
	}))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Router.IdleTimeout = time.Hour // an emulator may be slow
	r, err := router.New(cfg.Pool, cfg.Router, router.WithTransport(google))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// newGoogle returns an emulator with the two projects of newRouter.
func newGoogle(latency geminitest.Latency) *geminitest.Emulator {
	return geminitest.New(geminitest.Config{Latency: latency, Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main_key"}}, {ID: "spare", Keys: []string{"spare_key"}},
	}})
}

func TestSidecarSendsEachEventOnAtOnce(t *testing.T) {
	for name, path := range map[string]string{"server-sent events": streamPath, "a JSON array": strings.TrimSuffix(streamPath, "?alt=sse")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{FirstToken: time.Second, PerToken: 100 * time.Millisecond})
				s := startService(t, newRouter(t, google), 0)
				began := time.Now()
				resp, err := s.post(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = resp.Body.Close() }()
				var times []time.Duration // at which something came
				piece := make([]byte, 32<<10)
				for err == nil {
					var n int
					if n, err = resp.Body.Read(piece); n > 0 {
						times = append(times, time.Since(began))
					}
				}
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				// 20 tokens come in events of 7, 7 and 6: after 1 s and 0.7 s, after 0.7 s, and
				// after 0.6 s.
				want := []time.Duration{1700 * time.Millisecond, 2400 * time.Millisecond, 3000 * time.Millisecond}
				if times = slices.Compact(times); !slices.Equal(times, want) {
					t.Errorf("events came after %v, want %v", times, want)
				}
				if got := resp.Header.Get("Spillway-Endpoint"); got != "main/global/on_demand" {
					t.Errorf("the endpoint is %q", got)
				}
			})
		})
	}
}

func TestSidecarEndsTheCallOfAClientWhoLeaves(t *testing.T) {
	for _, path := range []string{generatePath, streamPath} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{})
				google.Keep(geminitest.Match{}, geminitest.Answer{Hang: true})
				r := newRouter(t, google)
				s := startService(t, r, 0)
				ctx, leave := context.WithTimeout(t.Context(), 3*time.Second)
				defer leave()
				if resp, err := s.post(ctx, path); err == nil {
					_ = resp.Body.Close()
					t.Fatal("a hanging call was answered")
				}
				synctest.Wait()
				for _, e := range r.Stat().Endpoints {
					if e.Calls != 0 || e.Cooldown.Class != "" {
						t.Errorf("%s has %d calls, and is %v", e.Endpoint, e.Calls, e.Cooldown)
					}
				}
				if n := len(google.Requests()); n != 1 {
					t.Errorf("Google was asked %d times, want once", n)
				}
			})
		})
	}
}

func TestSidecarLetsRunningCallsEnd(t *testing.T) {
	for _, tt := range []struct {
		name  string
		drain time.Duration
		ends  time.Duration // after the signal
		want  error
	}{
		{"within the drain time", 30 * time.Second, 9 * time.Second, nil},
		{"broken off after it", 4 * time.Second, 4 * time.Second, errBrokenOff},
		{"at once without one", 0, 0, errBrokenOff},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := newGoogle(geminitest.Latency{FirstToken: 10 * time.Second})
				s := startService(t, newRouter(t, google), tt.drain)
				answered := make(chan error, 1)
				go func() {
					resp, err := s.post(t.Context(), generatePath)
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
					answered <- err
				}()
				time.Sleep(time.Second) // the call is under way
				s.stop()
				signal := time.Now()
				synctest.Wait()
				if resp, err := s.post(t.Context(), generatePath); err == nil {
					_ = resp.Body.Close()
					t.Error("a call was taken after the signal")
				}
				if err := <-s.ended; !errors.Is(err, tt.want) {
					t.Errorf("it ended with %v, want %v", err, tt.want)
				}
				// net/http looks for idle connections every half second, and up to a tenth later.
				if took := time.Since(signal); took < tt.ends || took > tt.ends+550*time.Millisecond {
					t.Errorf("it ended %v after the signal, want %v", took, tt.ends)
				}
				if err := <-answered; (err != nil) != (tt.want != nil) {
					t.Errorf("the running call ended with %v", err)
				}
			})
		})
	}
}

func TestSidecarCutsSlowHeadersButNotSlowBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := newMemory(), slog.New(slog.DiscardHandler)
		r := newRouter(t, newGoogle(geminitest.Latency{}))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- serveUntil(ctx, l, newSidecar(r, defaultListen, testServe, log), time.Second, log) }()

		slow, _ := l.dial(ctx, "", "")
		began := time.Now()
		_, _ = io.WriteString(slow, "POST "+generatePath+" HTTP/1.1\r\n")
		_, _ = io.Copy(io.Discard, slow)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("half a header was waited for %v, want 10 s", took)
		}

		patient, _ := l.dial(ctx, "", "")
		_, _ = fmt.Fprintf(patient, "POST %s HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", generatePath, len(hello))
		for _, b := range []byte(hello) { // a minute and a half in all
			time.Sleep(1500 * time.Millisecond)
			_, _ = patient.Write([]byte{b})
		}
		answer, err := http.ReadResponse(bufio.NewReader(patient), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode != http.StatusOK {
			t.Errorf("a slow body got %s", answer.Status)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// respond serves one request without a server.
func respond(t *testing.T, google http.RoundTripper, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	h := newSidecar(newRouter(t, google), defaultListen, testServe, slog.New(slog.DiscardHandler))
	req := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(hello))
	maps.Copy(req.Header, header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestSidecarPassesGooglesErrorsOnAsTheyAre(t *testing.T) {
	for name, refusal := range map[string]geminitest.Answer{
		"a wrong request":   geminitest.InvalidArgument("contents is not specified"),
		"a missing model":   geminitest.ModelMissing("gemini-2.5-flash", "generateContent"),
		"a server's fault":  geminitest.Internal(),
		"a page, not JSON":  {Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("<title>Error 404 (Not Found)!!1</title>")},
		"a cancelled call":  geminitest.Cancelled(),
		"a payload too big": {Status: http.StatusRequestEntityTooLarge, Body: []byte(`{"error":{"code":413}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			google := newGoogle(geminitest.Latency{})
			google.Keep(geminitest.Match{}, refusal)
			w := respond(t, google, http.MethodPost, generatePath, nil)
			if w.Code != refusal.Status || !bytes.Equal(w.Body.Bytes(), refusal.Body) {
				t.Errorf("the answer is %d %s\nwant %d %s", w.Code, w.Body, refusal.Status, refusal.Body)
			}
		})
	}
}

func TestSidecarGoesOverToAnotherProject(t *testing.T) {
	google := newGoogle(geminitest.Latency{})
	google.Revoke("main_key")
	w := respond(t, google, http.MethodPost, generatePath, http.Header{"X-Goog-Api-Key": {"mine"}, "Authorization": {"Bearer mine"}})
	if w.Code != http.StatusOK || w.Header().Get("Spillway-Endpoint") != "spare/global/on_demand" {
		t.Errorf("the answer is %d from %q: %s", w.Code, w.Header().Get("Spillway-Endpoint"), w.Body)
	}
	for _, asked := range google.Requests() {
		if asked.Key != "main_key" && asked.Key != "spare_key" || asked.Header.Get("Authorization") != "" {
			t.Errorf("Google was asked with the client's own credential: %v", asked.Header)
		}
	}
}

func TestSidecarAnswersInGooglesShapeItself(t *testing.T) {
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		wantCode             int
		wantStatus           string
	}{
		{"no path of the API", http.MethodGet, "/favicon.ico", nil, http.StatusNotFound, "NOT_FOUND"},
		{"a version alone", http.MethodGet, "/v1beta", nil, http.StatusNotFound, "NOT_FOUND"},
		{"a path of ours in the wrong way", http.MethodPost, healthPath, nil, http.StatusMethodNotAllowed, "UNIMPLEMENTED"},
		{
			"a WebSocket of another service", http.MethodGet, "/ws/google.ai.generativelanguage.v1beta.GenerativeService.Other",
			http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, http.StatusNotFound, "NOT_FOUND",
		},
		{
			"a page in a browser", http.MethodPost, generatePath,
			http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}, http.StatusForbidden, "PERMISSION_DENIED",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			google := newGoogle(geminitest.Latency{})
			w := respond(t, google, tt.method, tt.target, tt.header)
			var got struct {
				Error struct {
					Code            int
					Message, Status string
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			if w.Code != tt.wantCode || got.Error.Code != tt.wantCode || got.Error.Status != tt.wantStatus || !strings.HasPrefix(got.Error.Message, "spillway: ") {
				t.Errorf("the answer is %d %s, want %d %s", w.Code, w.Body, tt.wantCode, tt.wantStatus)
			}
			if n := len(google.Requests()); n != 0 {
				t.Errorf("Google was asked %d times", n)
			}
		})
	}
}

func TestSidecarIsHealthyWhileItServes(t *testing.T) {
	w := respond(t, newGoogle(geminitest.Latency{}), http.MethodGet, healthPath, nil)
	if got, want := w.Body.String(), `{"status":"serving","backend":"gemini"}`+"\n"; w.Code != http.StatusOK || got != want {
		t.Errorf("the answer is %d %s, want 200 %s", w.Code, got, want)
	}
}

func TestSidecarSaysThatNobodyCouldBeReached(t *testing.T) {
	google := newGoogle(geminitest.Latency{})
	google.Keep(geminitest.Match{}, geminitest.ConnectionReset())
	w := respond(t, google, http.MethodPost, generatePath, nil)
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), `"status":"UNAVAILABLE"`) || strings.Contains(w.Body.String(), "_key") {
		t.Errorf("the answer is %d %s", w.Code, w.Body)
	}
}

// transport is Google as a test wants it.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestUploadsComeBackThroughTheSidecar(t *testing.T) {
	const start = "/upload/v1beta/files?upload_protocol=resumable"
	for _, tt := range []struct {
		name, target, proto, from, want string
	}{
		{
			"plainly", "http://127.0.0.1:8080" + start, "", "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=A_b-1&upload_protocol=resumable",
			"http://127.0.0.1:8080/upload/v1beta/files?upload_id=A_b-1&upload_protocol=resumable",
		},
		{
			"behind something that ends TLS", "http://llm.example" + start, "https", "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=1",
			"https://llm.example/upload/v1beta/files?upload_id=1",
		},
		{"with an address that is none", "http://sidecar" + start, "", "files?upload_id=1", "files?upload_id=1"},
		{"without an address", "http://sidecar" + start, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			w := respond(t, transport(func(req *http.Request) (*http.Response, error) {
				asked++
				if req.URL.Path != "/upload/v1beta/files" || req.URL.Query().Get("upload_protocol") != "resumable" {
					t.Errorf("Google is asked for %s", req.URL)
				}
				h := http.Header{"Content-Type": {"text/plain"}}
				if tt.from != "" {
					h.Set("X-Goog-Upload-Url", tt.from)
					h.Set("X-Goog-Upload-Control-Url", tt.from)
				}
				return &http.Response{StatusCode: http.StatusOK, Header: h, Body: http.NoBody}, nil
			}), http.MethodPost, tt.target, http.Header{"X-Forwarded-Proto": {tt.proto}})
			for _, name := range []string{"X-Goog-Upload-URL", "X-Goog-Upload-Control-URL"} { // as Google spells them
				if got := strings.Join(w.Header()[name], "; "); got != tt.want {
					t.Errorf("%s is %q, want %q", name, got, tt.want)
				}
			}
			if asked != 1 {
				t.Errorf("Google was asked %d times", asked)
			}
		})
	}
}

func TestAnAnswerThatBreaksOffDoesNotLookWhole(t *testing.T) {
	google := transport(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader("data: {}\n\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body)}, nil
	})
	synctest.Test(t, func(t *testing.T) {
		s := startService(t, newRouter(t, google), 0)
		resp, err := s.post(t.Context(), "/v1beta/interactions")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if got, err := io.ReadAll(resp.Body); err == nil || string(got) != "data: {}\n\n" {
			t.Errorf("read %q and %v, want the event and an error", got, err)
		}
	})
}
