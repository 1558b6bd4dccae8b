package router_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestWhichResponsesAreKept(t *testing.T) {
	const stream = "streamGenerateContent?alt=sse"
	candidate := func(rest string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"hi"}]},` + rest + `}]}`
	}
	events := func(all ...string) string { return "data: " + strings.Join(all, "\r\n\r\ndata: ") + "\r\n\r\n" }
	for _, tt := range []struct {
		name, verb, request, answer, want string
	}{
		{"a whole good response", "generateContent", saysHi, candidate(`"finishReason":"STOP"`), "hit"},
		{"a number as the reason", "generateContent", saysHi, candidate(`"finishReason":1`), "hit"},
		{"one that was cut by its bound", "generateContent", saysHi, candidate(`"finishReason":"MAX_TOKENS"`), "miss"},
		{"one of two candidates", "generateContent", saysHi, `{"candidates":[{"finishReason":"STOP"},{"index":1,"finishReason":"SAFETY"}]}`, "miss"},
		{"no finishReason", "generateContent", saysHi, candidate(`"index":0`), "miss"},
		{"a blocked prompt", "generateContent", saysHi, `{"promptFeedback":{"blockReason":"SAFETY"}}`, "miss"},
		{"nothing said", "generateContent", saysHi, `{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}`, "miss"},
		{"no candidate", "generateContent", saysHi, `{"candidates":[]}`, "miss"},
		{"a stream", stream, saysHi, events(candidate(`"index":0`), candidate(`"finishReason":"STOP"`)), "hit"},
		{"a stream with an error", stream, saysHi, events(candidate(`"finishReason":"STOP"`), `{"error":{"code":503,"status":"UNAVAILABLE"}}`), "miss"},
		{"a stream that is cut", stream, saysHi, events(candidate(`"index":0`)), "miss"},
		{"a stream with another end", stream, saysHi, events(candidate(`"finishReason":"RECITATION"`)), "miss"},
		{"counted tokens", "countTokens", saysHi, `{"totalTokens":3}`, "hit"},
		{"counted tokens of tools", "countTokens", `{"contents":[],"tools":[{"googleSearch":{}}]}`, `{"totalTokens":3}`, "hit"},
		{"an embedding", "embedContent", `{"content":{"parts":[{"text":"hi"}]}}`, `{"embedding":{"values":[1]}}`, "hit"},
		{"embeddings", "batchEmbedContents", `{"requests":[]}`, `{"embeddings":[{"values":[1]}]}`, "hit"},
		{"no embedding", "embedContent", `{"content":{"parts":[{"text":"hi"}]}}`, `{}`, "miss"},
		{"a picture", "predict", `{"instances":[{"prompt":"a dam"}]}`, `{"predictions":[{}]}`, ""},
		{"a video", "predictLongRunning", `{"instances":[{"prompt":"a dam"}]}`, `{"name":"models/x/operations/y"}`, ""},
		{"functions", "generateContent", `{"contents":[],"tools":[{"functionDeclarations":[]}]}`, candidate(`"finishReason":"STOP"`), "off"},
		{"a search", "generateContent", `{"contents":[],"tools":[{"googleSearch":{}}]}`, candidate(`"finishReason":"STOP"`), "off"},
		{"code", "generateContent", `{"contents":[],"tools":{"code_execution":{}}}`, candidate(`"finishReason":"STOP"`), "off"},
		{"a tool that is new", "generateContent", `{"contents":[],"tools":[{"mcpServers":[{"name":"x"}]}]}`, candidate(`"finishReason":"STOP"`), "off"},
		{"an address", "generateContent", `{"contents":[{"parts":[{"fileData":{"fileUri":"https://example.com/a.pdf"}}]}]}`, candidate(`"finishReason":"STOP"`), "off"},
		{"a bucket", "embedContent", `{"content":{"parts":[{"fileData":{"fileUri":"gs://b/a.pdf"}}]}}`, `{"embedding":{"values":[1]}}`, "off"},
		{"chosen fields", "generateContent?fields=candidates", saysHi, candidate(`"finishReason":"STOP"`), "off"},
		{"two members of one name", "generateContent", `{"contents":[],"contents":[{}]}`, candidate(`"finishReason":"STOP"`), "off"},
		{"no JSON", "generateContent", `hi`, candidate(`"finishReason":"STOP"`), "off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			r := newRouter(t, poolOf(keyed("a", "key-a")), everything, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
				asked++
				resp := answerOf(http.StatusOK, tt.answer)
				if strings.HasPrefix(tt.answer, "data: ") {
					resp.Header.Set("Content-Type", "text/event-stream")
				}
				return resp, nil
			})))
			var got *http.Response
			for range 2 {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1beta/models/"+flash+":"+tt.verb, strings.NewReader(tt.request))
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				got = resp
			}
			if use(got) != tt.want {
				t.Errorf("the second call is a %q, want a %q", use(got), tt.want)
			}
			if hit := asked == 1; hit != (tt.want == "hit") {
				t.Errorf("Google was asked %d times", asked)
			}
		})
	}
}

func TestOpenAIsDialectIsKept(t *testing.T) {
	for _, tt := range []struct{ name, path, body, want string }{
		{"a chat", "chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}`, "hit"},
		{"a streamed chat", "chat/completions", `{"model":"gemini-2.5-flash","stream":true,"messages":[{"role":"user","content":"hi"}]}`, "hit"},
		{"a chat with functions", "chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}`, "off"},
		{"a chat with functions of old", "chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}],"functions":[{"name":"f"}]}`, "off"},
		{"a chat about an address", "chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`, "off"},
		{"a chat about a file", "chat/completions", `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"a"}}]}]}`, "off"},
		{"a chat that searches", "chat/completions", `{"model":"gemini-2.5-flash","extra_body":{"google":{"tools":[{"google_search":{}}]}},"messages":[{"role":"user","content":"hi"}]}`, "off"},
		{"embeddings", "embeddings", `{"model":"gemini-embedding-001","input":"hi"}`, "hit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := setup{router: everything}.bed(t, keyed("a", "key-a"))
			var bodies, uses []string
			for range 2 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/v1beta/openai/"+tt.path, strings.NewReader(tt.body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := b.router.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%d, %v: %s", resp.StatusCode, err, body)
				}
				_ = resp.Body.Close()
				bodies, uses = append(bodies, string(body)), append(uses, use(resp))
			}
			if uses[1] != tt.want || tt.want == "hit" && bodies[0] != bodies[1] {
				t.Errorf("%v: %q", uses, bodies)
			}
		})
	}
}

func TestTheOtherBackEndsResponseIsKept(t *testing.T) {
	for _, output := range []int{20, 20_000} { // a short one, and one that is translated at the desk
		cfg := everything
		cfg.Backend = pool.BackendGemini
		b := setup{google: geminitest.Config{Output: output}, router: cfg}.bed(t, vertexed("v", "global"))
		_, first := b.send(t, t.Context(), "generateContent", saysHi)
		resp, second := b.send(t, t.Context(), "generateContent", saysHi)
		if use(resp) != "hit" || first != second || first == "" {
			t.Errorf("%d tokens: the second is a %s of %d bytes, the first has %d", output, use(resp), len(second), len(first))
		}
	}
}

func TestWhatAFallbackAnswersIsNotKept(t *testing.T) {
	cfg := everything
	cfg.Fallbacks = []router.Fallback{{Model: flash, To: []string{"gemini-3.5-flash"}}}
	b := setup{router: cfg}.bed(t, keyed("a", "key-a"))
	b.Script(geminitest.Match{Model: flash}, geminitest.QuotaUnknown())
	resp, _ := b.send(t, t.Context(), "generateContent", saysHi)
	if resp.Header.Get("Spillway-Model") != "gemini-3.5-flash" {
		t.Fatalf("the fallback was not asked: %v", resp.Header)
	}
	if got := b.router.Stat().Caches[0]; got.Entries != 0 {
		t.Errorf("its response is kept: %+v", got)
	}
}

func TestCacheControlIsHeeded(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        string // of a call 30 seconds after the first
		after       string // of one without the header, right after it
	}{
		{"Cache-Control", "no-store", "off", "hit 30"},
		{"Cache-Control", "no-cache", "miss", "hit 0"},
		{"Pragma", "no-cache", "miss", "hit 0"},
		{"Cache-Control", "max-age=10", "miss", "hit 0"},
		{"Cache-Control", "max-age=60", "hit", "hit 30"},
		{"Cache-Control", "No-Transform, Max-Age=0", "miss", "hit 0"},
		{"Cache-Control", "max-age=much", "miss", "hit 0"},
		{"Cache-Control", "max-age=99999999999999999999", "hit", "hit 30"},
		{"Cache-Control", "min-fresh=570", "hit", "hit 30"},
		{"Cache-Control", "min-fresh=571", "miss", "hit 0"},
		{"Cache-Control", "max-stale=1000", "hit", "hit 30"},
		{"Cache-Control", "only-if-cached", "hit", "hit 30"},
	} {
		t.Run(tt.name+" "+tt.value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{router: everything}.bed(t, keyed("a", "key-a"))
				b.send(t, t.Context(), "generateContent", saysHi)
				time.Sleep(30 * time.Second)
				resp, _ := b.send(t, t.Context(), "generateContent", saysHi, tt.name, tt.value)
				if use(resp) != tt.want {
					t.Errorf("it is a %s, want a %s", use(resp), tt.want)
				}
				resp, _ = b.send(t, t.Context(), "generateContent", saysHi)
				if got := use(resp) + " " + resp.Header.Get("Age"); got != tt.after {
					t.Errorf("the next is a %s, want a %s", got, tt.after)
				}
			})
		})
	}
}

func TestACallMayAskForTheCacheItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, keyed("a", "key-a"))
		for _, step := range []struct {
			wait         time.Duration
			header, want string
		}{
			{0, "", ""},
			{0, "10m", "miss"},
			{0, "", ""},
			{0, "off", "off"},
			{9 * time.Minute, "10m", "hit"},
			{0, "1m", "miss"}, // younger than it likes, and kept for a minute from now on
			{59 * time.Second, "10m", "hit"},
			{time.Second, "10m", "miss"},
		} {
			time.Sleep(step.wait)
			resp, _ := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Cache", step.header)
			if use(resp) != step.want {
				t.Errorf("after %v, %q: it is a %q, want a %q", step.wait, step.header, use(resp), step.want)
			}
		}
		for _, wrong := range []string{"10", "0s", "-1m", "on", "no"} {
			resp, text := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Cache", wrong)
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "Spillway-Cache") {
				t.Errorf("%q: %d %s", wrong, resp.StatusCode, text)
			}
		}
		for _, r := range b.Requests() {
			if r.Header.Get("Spillway-Cache") != "" {
				t.Fatal("the header went to Google")
			}
		}
	})
}

func TestResponsesAreKeptForTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := router.Config{Caches: []router.Cache{{Model: flash, TTL: time.Minute}, {Model: "*", TTL: time.Hour}}}
		b := setup{router: cfg}.bed(t, keyed("a", "key-a"))
		b.send(t, t.Context(), "generateContent", saysHi)
		time.Sleep(time.Minute - time.Nanosecond)
		resp, _ := b.send(t, t.Context(), "generateContent", saysHi)
		if use(resp) != "hit" || resp.Header.Get("Age") != "59" || resp.Header.Get("Spillway-Endpoint") != "" {
			t.Errorf("in time: %v", resp.Header)
		}
		time.Sleep(time.Nanosecond)
		if resp, _ = b.send(t, t.Context(), "generateContent", saysHi); use(resp) != "miss" {
			t.Errorf("after it: a %s", use(resp))
		}
	})
}

// A hit takes nothing that the one before could change, and gives nothing away that the next needs.
func TestAHitIsItsCallersOwn(t *testing.T) {
	b := setup{router: everything}.bed(t, keyed("a", "key-a"))
	b.send(t, t.Context(), "generateContent", saysHi)
	for range 2 {
		resp, text := b.send(t, t.Context(), "generateContent", saysHi)
		if resp.Header.Get("Content-Type") != "application/json; charset=UTF-8" || !strings.Contains(text, "STOP") {
			t.Fatalf("%v %s", resp.Header, text)
		}
		resp.Header["Content-Type"][0] = "changed"
		resp.Header.Add("Content-Type", "more")
	}
}

func TestUsageOfAHitIsTheOriginals(t *testing.T) {
	b := setup{router: everything}.bed(t, keyed("a", "key-a"))
	c := b.client(t)
	var usage []*genai.GenerateContentResponseUsageMetadata
	for range 2 {
		resp, err := ask(t.Context(), c, flash)
		if err != nil {
			t.Fatal(err)
		}
		usage = append(usage, resp.UsageMetadata)
	}
	if usage[0].TotalTokenCount == 0 || usage[0].TotalTokenCount != usage[1].TotalTokenCount {
		t.Errorf("%+v and %+v", usage[0], usage[1])
	}
	tokens := int64(0)
	for _, e := range b.router.Stat().Endpoints {
		tokens += e.TokenCounts.Input
	}
	if want := int64(usage[0].PromptTokenCount); tokens != want {
		t.Errorf("%d tokens are charged for two calls, want %d", tokens, want)
	}
}

// hits returns how long some hits took, of a call with a kilobyte of text.
func hits(tb testing.TB, n int) []time.Duration {
	tb.Helper()
	r := newRouter(tb, poolOf(keyed("a", "key-a")), everything, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
		return answerOf(http.StatusOK, okBody), nil
	})))
	body := `{"contents":[{"parts":[{"text":"` + strings.Repeat("What is a spillway? ", 50) + `"}],"role":"user"}],"generationConfig":{"temperature":0.5}}`
	took := make([]time.Duration, n+1)
	for i := range took {
		req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "http://x/v1beta/models/"+flash+":generateContent", strings.NewReader(body))
		if err != nil {
			tb.Fatal(err)
		}
		began := time.Now()
		resp, err := r.RoundTrip(req)
		if err != nil {
			tb.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if took[i] = time.Since(began); i > 0 && use(resp) != "hit" {
			tb.Fatalf("call %d is a %s", i, use(resp))
		}
	}
	slices.Sort(took[1:])
	return took[1:]
}

// The quickest tenth is looked at, because others may use the machine; BenchmarkHit has the figure.
func TestAHitCostsLittle(t *testing.T) {
	if took := hits(t, 2000); took[len(took)/10] > slowdown*30*time.Microsecond {
		t.Errorf("nine in ten hits take more than %v, want at most 30µs", took[len(took)/10])
	}
}

func BenchmarkHit(b *testing.B) {
	b.ReportAllocs()
	took := hits(b, max(b.N, 1))
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "median-ns")
}

// TestEmbeddingsAndCountsAreKept makes the calls that a cache is best for with the SDK, in either
// dialect, and where the other back end answers them.
func TestEmbeddingsAndCountsAreKept(t *testing.T) {
	for _, p := range []project{keyed("a", "key-a"), vertexed("a", "global")} {
		for _, dialect := range []pool.Backend{pool.BackendGemini, pool.BackendVertex} {
			cfg := everything
			cfg.Backend = dialect
			b := setup{router: cfg}.bed(t, p)
			c := b.client(t)
			for name, call := range map[string]func() (*genai.HTTPResponse, error){
				"embedContent": func() (*genai.HTTPResponse, error) {
					r, err := c.Models.EmbedContent(t.Context(), "gemini-embedding-001", genai.Text("hi"), nil)
					if err != nil {
						return nil, err
					}
					return r.SDKHTTPResponse, nil
				},
				"countTokens": func() (*genai.HTTPResponse, error) {
					r, err := c.Models.CountTokens(t.Context(), flash, genai.Text("hi"), nil)
					if err != nil {
						return nil, err
					}
					return r.SDKHTTPResponse, nil
				},
			} {
				for _, want := range []string{"miss", "hit"} {
					resp, err := call()
					if err != nil {
						t.Fatal(name, err)
					}
					if got := resp.Headers.Get("Spillway-Cache"); got != want {
						t.Errorf("%s of %s at %s: a %s, want a %s", name, dialect, p.pool.Backend, got, want)
					}
				}
			}
		}
	}
}

func TestAProgramSteersTheCache(t *testing.T) {
	b := setup{router: everything}.bed(t, keyed("a", "key-a"))
	b.send(t, t.Context(), "generateContent", saysHi)
	for _, tt := range []struct {
		name   string
		call   router.Call
		status int
		want   string
	}{
		{"as the file says", router.Call{}, http.StatusOK, "hit"},
		{"off", router.Call{Cache: -1}, http.StatusOK, "off"},
		{"nothing that old", router.Call{Cache: 1}, http.StatusOK, "miss"},
		{"a namespace without end", router.Call{Namespace: strings.Repeat("x", 1025)}, http.StatusBadRequest, ""},
	} {
		resp, text := b.send(t, router.WithCall(t.Context(), tt.call), "generateContent", saysHi)
		if resp.StatusCode != tt.status || use(resp) != tt.want {
			t.Errorf("%s: %d, a %q: %s", tt.name, resp.StatusCode, use(resp), text)
		}
	}
	b.send(t, t.Context(), "generateContent", saysHi)
	resp, _ := b.send(t, t.Context(), "generateContent", saysHi, "Spillway-Explain", "1")
	if use(resp) != "hit" || !strings.Contains(resp.Header.Get("Spillway-Explain"), "an equal call") {
		t.Errorf("a %s explains itself as %q", use(resp), resp.Header.Get("Spillway-Explain"))
	}
}

// A call that wants a kept response alone gets one, or 504 without a request.
func TestOnlyIfCachedMakesNoRequest(t *testing.T) {
	const tools = `{"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"googleSearch":{}}]}`
	for _, tt := range []struct {
		name, body, control string
		status              int
		use                 string
	}{
		{"what is kept", saysHi, "only-if-cached", http.StatusOK, "hit"},
		{"what is too old", saysHi, "only-if-cached, max-age=10", http.StatusGatewayTimeout, "miss"},
		{"what is asked for anew", saysHi, "no-cache, only-if-cached", http.StatusGatewayTimeout, "miss"},
		{"what is not kept", strings.ReplaceAll(saysHi, "hi", "ho"), "Only-If-Cached", http.StatusGatewayTimeout, "miss"},
		{"what is never kept", tools, "only-if-cached", http.StatusGatewayTimeout, "off"},
		{"the cache left alone", saysHi, "no-store, only-if-cached", http.StatusGatewayTimeout, "off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ends []router.CallEnd
				trace := &router.Trace{CallEnd: func(_ context.Context, e router.CallEnd) { ends = append(ends, e) }}
				b := setup{router: everything, opts: []router.Option{router.WithTrace(trace)}}.bed(t, keyed("a", "key-a"))
				b.send(t, t.Context(), "generateContent", saysHi)
				time.Sleep(30 * time.Second)
				resp, text := b.send(t, t.Context(), "generateContent", tt.body, "Cache-Control", tt.control)
				if resp.StatusCode != tt.status || use(resp) != tt.use {
					t.Errorf("%d, a %q: %s", resp.StatusCode, use(resp), text)
				}
				if n := b.Count(geminitest.Match{}); n != 1 {
					t.Errorf("Google was asked %d times, want once", n)
				}
				if e := ends[len(ends)-1]; e.Absent != (tt.status != http.StatusOK) || e.Attempts != 0 {
					t.Errorf("the call ended as %+v", e)
				}
			})
		})
	}
}
