package router_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// rotating gives another access token every third time.
type rotating struct {
	name string
	mu   sync.Mutex
	n    int
}

func (r *rotating) Token(context.Context) (*auth.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return &auth.Token{Value: fmt.Sprintf("ya29.c.%s+CANARY/%03d==", r.name, r.n/3)}, nil
}

// echo is a transport that knows every credential that it ever got, and shows all of them.
type echo struct {
	credentials []string
	answer      func(req *http.Request, echoed string) (*http.Response, error)
	spell       func(string) string
}

func (e *echo) RoundTrip(req *http.Request) (*http.Response, error) {
	got := req.Header.Get("X-Goog-Api-Key") + strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	if got != "" && !slices.Contains(e.credentials, got) {
		e.credentials = append(e.credentials, got)
	}
	var echoed strings.Builder
	for _, c := range e.credentials {
		fmt.Fprintf(&echoed, "(%s) ", e.spell(c))
	}
	return e.answer(req, echoed.String())
}

// spellings are the ways in which the transport writes a credential.
var spellings = map[string]func(string) string{
	"plain": func(s string) string { return s },
	"units": func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, `\u%04X`, s[i])
		}
		return b.String()
	},
	"slashes": func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"query":   url.QueryEscape,
	"twice":   func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%", `\\u0025`) },
}

// shows reports whether text shows a credential in any spelling, and whole.
func (e *echo) shows(text string) bool {
	for _, c := range e.credentials {
		for _, spell := range spellings {
			if strings.Contains(text, spell(c)) {
				return true
			}
		}
	}
	return false
}

// echoes are the places where credentials come back. A stream is content before it is what says so.
var echoes = map[string]func(req *http.Request, echoed string) (*http.Response, error){
	"error body": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(400, `{"error":{"code":400,"message":"bad `+e+`","status":"INVALID_ARGUMENT"}}`), nil
	},
	"plain text": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(502, "<html><title>"+e+"</title>"+e, "Content-Type", "text/html"), nil
	},
	"error array": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(503, `[{"error":{"code":503,"message":"`+e+`"}}]`), nil
	},
	"suspended": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(403, `{"error":{"code":403,"message":"Consumer 'api_key:`+e+`' has been suspended.","status":"PERMISSION_DENIED",`+
			`"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONSUMER_SUSPENDED","metadata":{"containerInfo":"`+e+`"}}]}}`), nil
	},
	"no such model": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(404, `{"error":{"code":404,"message":"models/`+flash+` is not found for `+e+`","status":"NOT_FOUND"}}`), nil
	},
	"quota": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(429, `{"error":{"code":429,"message":"You exceeded your quota `+e+`","status":"RESOURCE_EXHAUSTED","details":[`+
			`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerDay-`+e+`","quotaMetric":"`+e+`"}]}]}}`), nil
	},
	"zipped error": func(_ *http.Request, e string) (*http.Response, error) {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = fmt.Fprintf(z, `{"error":{"code":400,"message":"bad %s"}}`, e)
		_ = z.Close()
		return answerOf(400, zipped.String(), "Content-Encoding", "gzip"), nil
	},
	"headers": func(_ *http.Request, e string) (*http.Response, error) {
		resp := answerOf(200, okBody, "Www-Authenticate", "Bearer "+e, "Location", "https://x.example/?key="+e, "X-Echo", e)
		resp.Header["X-"+e] = []string{"1"}
		resp.Header.Add("X-Echo", e)
		resp.Status = "200 OK " + e
		resp.Trailer = http.Header{"X-Echo": {e}}
		return resp, nil
	},
	"headers of an error": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(401, `{}`, "Www-Authenticate", `Bearer realm="`+e+`"`, "X-Echo", e), nil
	},
	"redirect": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(302, "", "Location", "https://example.org/download?key="+e), nil
	},
	"200 with an error": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, `{"error":{"code":500,"message":"`+e+`"}}`), nil
	},
	"200 with an error behind other things": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, `{"name":"operations/1","done":true,"usageMetadata":{},"error":{"code":3,"message":"`+e+`"}}`), nil
	},
	"error event first": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, "data: {\"error\":{\"code\":429,\"message\":\""+e+"\"}}\n\n", "Content-Type", "text/event-stream"), nil
	},
	"error event after content": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, "data: "+firstEvent+"\n\ndata: {\"message\":\""+e+"\",\"error\":{\"code\":429,\"message\":\""+e+"\"}}\n\n", "Content-Type", "text/event-stream"), nil
	},
	"error of another kind after content": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, "data: "+firstEvent+"\n\nevent: error\ndata: {\"event_type\":\"error\",\"text\":\""+e+"\"}\n\n", "Content-Type", "text/event-stream"), nil
	},
	"error in an array after content": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, "["+firstEvent+",\n"+`{"error":{"code":429,"message":"`+e+`"}}]`), nil
	},
	"large error after content": func(_ *http.Request, e string) (*http.Response, error) {
		return answerOf(200, "data: "+firstEvent+"\n\ndata: {\"error\":{\"code\":500,\"message\":\""+
			strings.Repeat("large ", 200_000)+e+strings.Repeat("large ", 200_000)+e+"\"}}\n\n", "Content-Type", "text/event-stream"), nil
	},
	"transport error": func(_ *http.Request, e string) (*http.Response, error) {
		return nil, &url.Error{Op: "Post", URL: "https://x.example?key=" + e, Err: errors.New("proxy says " + e)}
	},
	"read error": func(_ *http.Request, e string) (*http.Response, error) {
		resp := answerOf(200, "", "Content-Type", "text/event-stream")
		resp.Body = io.NopCloser(&inPieces{[]string{"data: " + firstEvent + "\n\n"}, errors.New("proxy says " + e)})
		return resp, nil
	},
	"panic": func(_ *http.Request, e string) (*http.Response, error) {
		panic(errors.New("transport has " + e))
	},
	"panic of the body": func(_ *http.Request, e string) (*http.Response, error) {
		resp := answerOf(200, "", "Content-Type", "text/event-stream")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("data: "+firstEvent+"\n\n"), panics("body has "+e)))
		return resp, nil
	},
	"early hints": func(req *http.Request, e string) (*http.Response, error) {
		if t := httptrace.ContextClientTrace(req.Context()); t != nil && t.Got1xxResponse != nil {
			_ = t.Got1xxResponse(103, textproto.MIMEHeader{"Link": {e}})
			for name, values := range req.Header {
				t.WroteHeaderField(name, values)
			}
		}
		return answerOf(200, okBody), nil
	},
}

// panics is a reader that panics.
type panics string

func (p panics) Read([]byte) (int, error) { panic(string(p)) }

// canaryCalls are calls of every kind, by the dialect that they are in.
var canaryCalls = []struct {
	name, method, path, body string
}{
	{"unary", "POST", "models/" + flash + ":generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	{"stream", "POST", "models/" + flash + ":streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	{"array", "POST", "models/" + flash + ":streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	{"count", "POST", "models/" + flash + ":countTokens", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`},
	{"list", "GET", "cachedContents?pageSize=5", ""},
	{"lookup", "GET", "cachedContents/some-1", ""},
	{"interaction", "POST", "interactions?stream=true", `{"model":"` + flash + `","input":"hi","stream":true}`},
	{"unknown", "POST", "models/" + flash + ":somethingNew?alt=sse", `{}`},
}

// canaryPools are pools of both back ends. The calls are in the dialect that the pool speaks.
var canaryPools = map[string]func() (pool.Backend, []pool.Project){
	"gemini": func() (pool.Backend, []pool.Project) {
		return pool.BackendGemini, []pool.Project{keyed("a", "AIzaSyCANARY-a1", "AIzaSyCANARY-a2").pool, keyed("b", "AQ.CANARY-b/+1").pool}
	},
	"vertex": func() (pool.Backend, []pool.Project) {
		a, b := vertexed("a", "global", "eu").pool, vertexed("b", "us").pool
		a.Credentials, b.Credentials = &rotating{name: "a"}, &rotating{name: "b"}
		return pool.BackendVertex, []pool.Project{a, b}
	},
	"translated to vertex": func() (pool.Backend, []pool.Project) {
		a := vertexed("a", "global").pool
		a.Credentials = &rotating{name: "a"}
		return pool.BackendGemini, []pool.Project{a}
	},
	"translated to gemini": func() (pool.Backend, []pool.Project) {
		return pool.BackendVertex, []pool.Project{keyed("a", "AIzaSyCANARY-a1").pool}
	},
}

// heardAll is all that anyone but Google gets to see.
type heardAll struct {
	mu sync.Mutex
	bytes.Buffer
}

func (h *heardAll) say(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(&h.Buffer, format+"\n", args...)
}

func (h *heardAll) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Buffer.Write(p)
}

// shown is a value in every way in which it may be printed.
func (h *heardAll) shown(what string, v any) {
	text, _ := json.Marshal(v)
	h.say("%s: %v\n%+v\n%#v\n%s", what, v, v, v, text)
}

func (h *heardAll) options() []router.Option {
	show := func(what string) func(v any) { return func(v any) { h.shown(what, v) } }
	event, end, call, wait := show("event"), show("attempt"), show("call"), show("wait")
	return []router.Option{
		router.WithLogger(slog.New(slog.NewJSONHandler(h, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		router.WithEvents(func(e pool.Event) { event(e); event(e.Subject.String()) }),
		router.WithTrace(&router.Trace{
			CallStart:    func(ctx context.Context, c router.CallStart) context.Context { call(c); return ctx },
			WaitEnd:      func(_ context.Context, w router.WaitEnd) { wait(w.Err) },
			AttemptStart: func(_ context.Context, a router.AttemptStart) { end(a) },
			AttemptEnd: func(_ context.Context, a router.AttemptEnd) {
				end(a)
				if a.Outcome.Answer != nil {
					end(string(a.Outcome.Answer.Body))
				}
			},
			CallEnd: func(_ context.Context, c router.CallEnd) { call(c) },
		}),
	}
}

// call makes a call, and hears what its caller gets: everything of the response, the error or the
// panic.
func (h *heardAll) call(ctx context.Context, r *router.Router, dialect pool.Backend, method, path, body string) {
	defer func() {
		if p := recover(); p != nil {
			h.shown("panic", p)
		}
	}()
	address := "https://generativelanguage.googleapis.com/v1beta/"
	if dialect == pool.BackendVertex {
		address = "https://aiplatform.googleapis.com/v1beta1/projects/x/locations/global/"
		path = strings.Replace(path, "models/", "publishers/google/models/", 1)
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse:   func(_ int, header textproto.MIMEHeader) error { h.shown("1xx", header); return nil },
		WroteHeaderField: func(name string, values []string) { h.say("sent %s %s", name, values) },
	})
	req, err := http.NewRequestWithContext(ctx, method, address+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		h.shown("error", err)
		return
	}
	text, err := io.ReadAll(resp.Body)
	h.say("%s %v %v\n%s", resp.Status, resp.Header, resp.Trailer, text)
	h.shown("read error", err)
	_ = resp.Body.Close()
	h.say("trailer %v", resp.Trailer)
}

// TestNoCredentialComesBack: whatever echoes credentials, wherever and however spelled, nobody gets
// to see one.
func TestNoCredentialComesBack(t *testing.T) {
	ways := []string{"plain"}
	for how, answer := range echoes {
		for name, newPool := range canaryPools {
			for spelling, spell := range spellings {
				if how != "error body" && how != "headers" && how != "error event after content" && !slices.Contains(ways, spelling) {
					continue
				}
				t.Run(how+"/"+name+"/"+spelling, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { testCanary(t, &echo{answer: answer, spell: spell}, newPool) })
				})
			}
		}
	}
}

func testCanary(t *testing.T, google *echo, newPool func() (pool.Backend, []pool.Project)) {
	dialect, projects := newPool()
	var heard heardAll
	state := filepath.Join(t.TempDir(), "state")
	opts := append([]router.Option{router.WithTransport(google)}, heard.options()...)
	r := newRouter(t, pool.Config{Projects: projects}, router.Config{
		State: state, Backend: dialect, MaxWait: -1, FirstByteTimeout: time.Minute,
	}, opts...)
	for _, c := range canaryCalls {
		for range 2 { // the second one may get what was remembered of the first
			ctx, cancel := context.WithTimeout(router.WithCall(t.Context(), router.Call{Explain: true}), 20*time.Second)
			heard.call(ctx, r, dialect, c.method, c.path, c.body)
			cancel()
		}
		if google.shows(heard.String()) {
			t.Errorf("%s shows a credential: %s", c.name, firstShown(google, heard.String()))
		}
		heard.Reset()
	}
	heard.shown("stat", r.Stat())
	heard.shown("plan", r.Plan(flash))
	heard.shown("explanation", r.Explain(flash, router.Call{}))
	heard.shown("faults", r.OrderFaults())
	project := projects[0].Name
	for _, credential := range google.credentials { // an operator's slip
		for _, subject := range []string{credential, "key:" + project + "/" + credential, "project:" + credential, "project:" + project} {
			heard.shown("pause", r.Pause(subject, 0, "out with "+credential))
			heard.shown("explanation", r.Explain(flash, router.Call{}))
			heard.shown("paused", r.Stat().Pauses)
			heard.shown("resume", r.Resume(credential))
		}
	}
	heard.shown("router", r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	saved, err := os.ReadFile(state)
	if err != nil {
		t.Error(err)
	}
	heard.say("state %s", saved)
	if google.shows(heard.String()) {
		t.Errorf("the state shows a credential: %s", firstShown(google, heard.String()))
	}
	if len(google.credentials) == 0 {
		t.Error("no credential went out")
	}
}

// firstShown is the line that shows a credential first.
func firstShown(e *echo, text string) string {
	for line := range strings.Lines(text) {
		if e.shows(line) {
			return line[:min(len(line), 300)]
		}
	}
	return "?"
}
