package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// looking are the commands that look at a sidecar.
var looking = [][]string{{"status"}, {"status", "--json"}, {"status", "--watch"}, {"events"}, {"events", "--json"}, {"events", "--follow"}}

// hostile are responses of what is not a sidecar, or of one that means ill, and what is said
// about them.
var hostile = map[string]struct {
	respond http.HandlerFunc
	want    string
}{
	"a page":             {http.NotFound, "is not a sidecar"},
	"a page of anything": {text(http.StatusOK, "<p>Welcome"), "is not a sidecar"},
	"another's error": {
		text(http.StatusForbidden, `{"error":{"message":"for the \u001b[2J initiated"}}`), "is not a sidecar: it responds with 403 Forbidden",
	},
	"a sidecar's own error": {
		text(http.StatusForbidden, `{"error":{"message":"spillway: \"x\u001b[2J\u202e\" is no name of this sidecar's"}}`), "is no name of this sidecar's",
	},
	"half of it":     {text(http.StatusOK, `{"at":"2026-11-26T00:00:00Z","backend":"gem`), "is not a sidecar"},
	"wrong types":    {text(http.StatusOK, `{"at":7,"projects":"none"}`), "is not a sidecar"},
	"deep nesting":   {text(http.StatusOK, strings.Repeat(`[`, 1<<20)), "is not a sidecar"},
	"no end of text": {spacesForEver, "larger than any|its response is another one"},
	"a cut connection": {func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}, "no sidecar responds"},
}

func text(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// spacesForEver sends white space, which may stand before JSON.
func spacesForEver(w http.ResponseWriter, _ *http.Request) {
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for {
		if _, err := w.Write(spaces); err != nil {
			return
		}
	}
}

func TestCommandsSayWhatIsWrongWithAHostileSidecar(t *testing.T) {
	for name, tt := range hostile {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.respond)
			defer server.Close()
			for _, command := range looking {
				code, said := transcript(t.Context(), append(command, server.URL)...)
				if code != statusFailed || !regexp.MustCompile(tt.want).MatchString(said) || strings.ContainsAny(said, "\x1b\u202e\u009b\r") {
					t.Errorf("%v ends with %d and says %.300q", command, code, said)
				}
				if len(said) > 1000 {
					t.Errorf("%v says %d bytes", command, len(said))
				}
			}
		})
	}
}

func TestCommandsSayHowToReachASidecarWithTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	for url, want := range map[string]string{
		server.URL: "SSL_CERT_FILE=FILE",
		"http" + strings.TrimPrefix(server.URL, "https"): "asks for TLS; write https://",
	} {
		if code, said := transcript(t.Context(), "status", url); code != statusFailed || !strings.Contains(said, want) {
			t.Errorf("status of %s ends with %d: %s", url, code, said)
		}
	}
}

// With TLS at the address for clients, the one for operators is asked: the health check of a container
// names no address.
func TestTheDefaultSidecarIsAskedAtItsAdminAddressIfItHasTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inBubble(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Host == defaultAdmin {
				_, _ = w.Write([]byte(`{"at":"2026-11-26T00:00:00Z","backend":"gemini"}`))
				return
			}
			text(http.StatusBadRequest, plainOverTLS+".\n")(w, req)
		}))
		if code, said := transcript(t.Context(), "status"); code != statusOK {
			t.Errorf("status ends with %d: %s", code, said)
		}
	})
}

// inBubble makes commands reach h without sockets, for the bubbles of synctest.
func inBubble(t *testing.T, h http.Handler) {
	t.Helper()
	l := newMemory()
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
	go func() { _ = server.Serve(l) }()
	before := http.DefaultTransport
	transport := &http.Transport{DialContext: l.dial}
	http.DefaultTransport = transport
	t.Cleanup(func() {
		http.DefaultTransport = before
		transport.CloseIdleConnections()
		_ = server.Close()
	})
}

func TestCommandsDoNotWaitForASidecarThatHangs(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"before the header": func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
		"within the body": func(w http.ResponseWriter, req *http.Request) {
			_, _ = w.Write([]byte(`{"at":`))
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		},
	} {
		for _, command := range looking {
			if slices.Contains(command, "--follow") && name == "within the body" {
				continue // it waits for events
			}
			t.Run(name+" "+strings.Join(command, " "), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					inBubble(t, h)
					began := time.Now()
					code, said := transcript(t.Context(), command...)
					if took := time.Since(began); code != statusFailed || took != remoteTimeout || !strings.Contains(said, "no sidecar responds") {
						t.Errorf("it ends with %d after %s, and says %s", code, took, said)
					}
				})
			})
		}
	}
}

func TestRemoteOf(t *testing.T) {
	for args, want := range map[string]remote{
		"": "http://127.0.0.1:8080", "localhost:1": "http://localhost:1", "https://llm.example/": "https://llm.example",
	} {
		if got, ok := remoteOf(strings.Fields(args)); !ok || got != want {
			t.Errorf("%q is %q, %t", args, got, ok)
		}
	}
	if _, ok := remoteOf([]string{"a", "b"}); ok {
		t.Error("two URLs are one")
	}
}

// served answers with a snapshot.
func respondWith(s snapshot) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(s) }
}

// A sidecar whose clients come by another address is found at that for operators.
func TestTheDefaultSidecarIsFoundByItsOperatorsAddress(t *testing.T) {
	server := httptest.NewServer(respondWith(snapshot{Backend: "gemini"}))
	defer server.Close()
	asked := []string{}
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = append(asked, address)
		if address == defaultListen {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
		}
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	if code, said := transcript(t.Context(), "status"); code != statusOK || !slices.Equal(asked, []string{defaultListen, defaultAdmin}) {
		t.Errorf("status asks %v and ends with %d: %s", asked, code, said)
	}
	asked = nil
	if code, said := transcript(t.Context(), "status", "http://127.0.0.1:9"); code != statusOK || !slices.Equal(asked, []string{"127.0.0.1:9"}) {
		t.Errorf("status of a sidecar that is named asks %v and ends with %d: %s", asked, code, said)
	}
	server.Close()
	for _, command := range [][]string{{"status"}, {"events"}, {"explain", "gemini-3.5-flash"}, {"pause", "project:prod"}, {"sla"}} {
		if code, said := transcript(t.Context(), command...); code != statusFailed || !strings.Contains(said, "if it listens elsewhere, name its URL") {
			t.Errorf("where there is no sidecar, %v ends with %d: %s", command, code, said)
		}
	}
}
