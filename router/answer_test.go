package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// two is one project in two locations of Vertex AI: global is asked first.
func two() pool.Project {
	return pool.Project{Name: "a", ProjectID: "acme-1", Backend: pool.BackendVertex, Locations: []string{"global", "eu"}, Credentials: token("t")}
}

// byLocation answers each location of [two] in its own way. It counts the requests.
func byLocation(asked map[string]int, global, eu func(*http.Request) *http.Response) transport {
	return func(q *http.Request) (*http.Response, error) {
		answer, location := eu, "eu"
		if strings.Contains(q.URL.Path, "/locations/global/") {
			answer, location = global, "global"
		}
		asked[location]++
		return answer(q), nil
	}
}

// vertexCall is a call in Vertex AI's dialect.
func vertexCall(ctx context.Context, verb, body string) *http.Request {
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://aiplatform.googleapis.com/v1/projects/x/locations/global/publishers/google/models/"+flash+":"+verb, strings.NewReader(body))
	return req
}

// events is a stream of these events.
func events(events ...string) *http.Response {
	var body strings.Builder
	for _, e := range events {
		body.WriteString("data: " + e + "\n\n")
	}
	return answerOf(200, body.String(), "Content-Type", "text/event-stream")
}

const (
	textEvent = `{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]}}]}`
	stopEvent = `{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}]}`
	failEvent = `{"error":{"code":503,"message":"high demand","status":"UNAVAILABLE"}}`
)

// good answers any call of a model well.
func good(q *http.Request) *http.Response {
	if strings.Contains(q.URL.Path, ":streamGenerateContent") {
		return events(textEvent, stopEvent)
	}
	return answerOf(200, `{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"totalTokens":1,"predictions":[]}`)
}

// read reads a response to its end.
func read(t *testing.T, resp *http.Response, err error) (status int, body string) {
	t.Helper()
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, string(b) + "; " + err.Error()
	}
	return resp.StatusCode, string(b)
}

func TestWhatIsNoAnswerOfGooglesIsNeverHandedOnAsOne(t *testing.T) {
	html := func(status int, kv ...string) *http.Response {
		return answerOf(status, "<!DOCTYPE html><html><body>Log in</body></html>", append(kv, "Content-Type", "text/html; charset=utf-8")...)
	}
	for name, odd := range map[string]func() *http.Response{
		"HTML":                  func() *http.Response { return html(200) },
		"HTML called JSON":      func() *http.Response { return answerOf(200, "<html></html>") },
		"text":                  func() *http.Response { return answerOf(200, "OK", "Content-Type", "text/plain") },
		"nothing":               func() *http.Response { return answerOf(200, "") },
		"nothing, of no type":   func() *http.Response { return &http.Response{StatusCode: http.StatusOK} },
		"white space":           func() *http.Response { return answerOf(200, "\r\n") },
		"another JSON":          func() *http.Response { return answerOf(200, `{"status":"ok"}`) },
		"yet another":           func() *http.Response { return answerOf(200, `{"health":{"up":true},"version":3}`) },
		"204":                   func() *http.Response { return answerOf(204, "") },
		"201 without a body":    func() *http.Response { return answerOf(201, "") },
		"301 to a login":        func() *http.Response { return html(301, "Location", "https://login.example/") },
		"302 to a login":        func() *http.Response { return html(302, "Location", "https://login.example/") },
		"304":                   func() *http.Response { return answerOf(304, "") },
		"307 without a place":   func() *http.Response { return answerOf(307, "") },
		"407":                   func() *http.Response { return html(407, "Proxy-Authenticate", "Basic") },
		"101":                   func() *http.Response { return answerOf(101, "", "Upgrade", "h2c") },
		"100":                   func() *http.Response { return answerOf(100, "") },
		"no status":             func() *http.Response { return &http.Response{} },
		"a status below all":    func() *http.Response { return answerOf(-1, okBody) },
		"a status above all":    func() *http.Response { return answerOf(999, okBody) },
		"events of another API": func() *http.Response { return events(`{"status":"ok"}`) },
		"no events":             func() *http.Response { return answerOf(200, ": ping\n\n", "Content-Type", "text/event-stream") },
	} {
		for _, verb := range []string{"generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent", "countTokens", "predict"} {
			if strings.Contains(name, "events") && !strings.Contains(verb, "sse") {
				continue
			}
			t.Run(name+" "+verb, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					asked := map[string]int{}
					serve := func(q *http.Request) *http.Response {
						if verb == "streamGenerateContent" {
							return answerOf(200, "["+textEvent+","+stopEvent+"]")
						}
						return good(q)
					}
					r := routerOver(t, byLocation(asked, func(*http.Request) *http.Response { return odd() }, serve), router.Config{MaxWait: -1}, two())
					resp, err := r.RoundTrip(vertexCall(t.Context(), verb, `{"contents":[]}`))
					if status, body := read(t, resp, err); status != 200 || !strings.Contains(body, "hi") || asked["global"] != 1 {
						t.Errorf("%d %s; asked %v", status, body, asked)
					}
					failures := 0
					for _, e := range r.Stat().Endpoints {
						if e.Calls != 0 {
							t.Errorf("%s still has a call", e.Endpoint)
						}
						failures += e.Breaker.Failures
					}
					if failures != 1 {
						t.Errorf("%d failures are counted, want 1", failures)
					}
				})
			})
		}
	}
}

func TestPageIsNoAnswerToAnUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				return answerOf(200, "<html></html>", "Content-Type", "text/html"), nil
			}
			return answerOf(200, "", "X-Goog-Upload-Url", "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=u"), nil
		}, router.Config{})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://generativelanguage.googleapis.com/upload/v1beta/files", strings.NewReader(`{}`))
		resp, err := r.RoundTrip(req)
		if err != nil || resp.Header.Get("X-Goog-Upload-Url") == "" || asked != 2 {
			t.Errorf("%v, %v after %d requests", resp, err, asked)
		}
	})
}

func TestWhatIsNoAnswerFromAllIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{0, 101, 200, 204, 302, 407} {
			r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(status, ""), nil }, router.Config{MaxWait: -1}, two())
			resp, err := r.RoundTrip(vertexCall(t.Context(), "generateContent", `{}`))
			if err == nil || !strings.Contains(err.Error(), "not from Google") {
				t.Errorf("status %d: %v, %v", status, resp, err)
			}
		}
	})
}

// TestOddButGoodAnswersAreHandedOn has what must not be taken for a stranger's.
func TestOddButGoodAnswersAreHandedOn(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		header       [2]string
		answer       *http.Response
	}{
		{http.MethodDelete, "files/a", [2]string{}, answerOf(200, "")},
		{http.MethodPost, genPath + "?fields=candidates.citationMetadata", [2]string{}, answerOf(200, "{}")},
		{http.MethodPost, genPath, [2]string{}, answerOf(200, `{"usageMetadata":{"promptTokenCount":1}}`)},
		{http.MethodPost, "models/" + flash + ":countTokens", [2]string{}, answerOf(200, "{}")},
		{http.MethodPost, genPath + "?alt=proto", [2]string{}, answerOf(200, "\x0a\x01", "Content-Type", "application/x-protobuf")},
		{http.MethodPost, genPath + "?callback=f", [2]string{}, answerOf(200, "f({})", "Content-Type", "text/javascript")},
		{http.MethodGet, "files/a", [2]string{"If-None-Match", "x"}, answerOf(304, "")},
		{http.MethodGet, "files/a:download?alt=media", [2]string{}, answerOf(200, "<html></html>", "Content-Type", "text/html")},
		{http.MethodGet, "something/new", [2]string{}, answerOf(200, `{"status":"ok"}`)},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := routerOver(t, func(*http.Request) (*http.Response, error) { return tt.answer, nil }, router.Config{MaxWait: -1})
			req := gen(t.Context(), tt.path, "{}")
			if req.Method = tt.method; tt.method != http.MethodPost {
				req.Body, req.GetBody, req.ContentLength = nil, nil, 0
			}
			if tt.header[0] != "" {
				req.Header.Set(tt.header[0], tt.header[1])
			}
			resp, err := r.RoundTrip(req)
			if err != nil || resp.StatusCode != tt.answer.StatusCode {
				t.Errorf("%s %s: %v, %v", tt.method, tt.path, resp, err)
			}
		})
	}
}

func TestEmptyStreamIsAskedForOnceElsewhere(t *testing.T) {
	for name, empty := range map[string][]string{
		"usage alone":         {`{"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"m"}`},
		"no candidates":       {`{"candidates":[]}`},
		"both, one by one":    {`{"candidates":[]}`, `{"usageMetadata":{"promptTokenCount":7}}`},
		"feedback, not block": {`{"promptFeedback":{"safetyRatings":[]},"responseId":"r"}`},
	} {
		nothing := func(*http.Request) *http.Response { return events(empty...) }
		for _, tt := range []struct {
			name   string
			eu     func(*http.Request) *http.Response
			want   string
			euToo  int
			faults bool
		}{
			{"well", good, stopEvent, 1, false},
			{"empty too", nothing, empty[0], 1, false},
			{"refused", func(*http.Request) *http.Response { return answerOf(503, failEvent) }, empty[0], 1, true},
		} {
			t.Run(name+", elsewhere "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					asked := map[string]int{}
					r := routerOver(t, byLocation(asked, nothing, tt.eu), router.Config{}, two())
					began := time.Now()
					resp, err := r.RoundTrip(vertexCall(t.Context(), "streamGenerateContent?alt=sse", `{"contents":[]}`))
					status, body := read(t, resp, err)
					if status != 200 || !strings.Contains(body, tt.want) || strings.Contains(body, "error") {
						t.Errorf("%d %s", status, body)
					}
					if asked["global"] != 1 || asked["eu"] != 1 || time.Since(began) > 0 {
						t.Errorf("asked %v in %v", asked, time.Since(began))
					}
					if resp != nil && resp.Header.Get("Spillway-Attempts") != "2" {
						t.Errorf("%s attempts are told", resp.Header.Get("Spillway-Attempts"))
					}
					for _, e := range r.Stat().Endpoints {
						if e.Calls != 0 || e.Breaker.Failures != 0 && !tt.faults {
							t.Errorf("%s: %d calls, %d failures", e.Endpoint, e.Calls, e.Breaker.Failures)
						}
					}
				})
			})
		}
	}
}

func TestEmptyStreamIsHandedOnWhereNobodyElseIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			n++
			return events(`{"usageMetadata":{"promptTokenCount":7}}`), nil
		}, router.Config{})
		for i := range 20 { // more than would open a breaker
			began := time.Now()
			resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`))
			if status, body := read(t, resp, err); status != 200 || !strings.Contains(body, "usageMetadata") || n != i+1 || time.Since(began) > 0 {
				t.Errorf("%d %s; %d requests, %v", status, body, n, time.Since(began))
			}
		}
		if e := r.Stat().Endpoints[0]; e.Breaker.Failures != 0 || e.Cooldown.Class != "" {
			t.Errorf("%+v", e)
		}
	})
}

// broken is a body that ends with an error.
type broken struct {
	io.Reader
	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestBrokenStreamIsToldHoweverItsEventsEnd(t *testing.T) {
	for name, sent := range map[string][]string{
		"STOP in every event":       {stopEvent, stopEvent, stopEvent},
		"an intermediate STOP":      {stopEvent, textEvent},
		"STOP in the last event":    {textEvent, stopEvent},
		"STOP, and then usage only": {textEvent, stopEvent, `{"usageMetadata":{}}`},
		"no STOP":                   {textEvent},
	} {
		for _, end := range []error{errors.New("connection reset by peer"), io.ErrUnexpectedEOF} {
			synctest.Test(t, func(t *testing.T) {
				r := routerOver(t, func(*http.Request) (*http.Response, error) {
					resp := events(sent...)
					resp.Body = io.NopCloser(broken{resp.Body, end})
					return resp, nil
				}, router.Config{})
				resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`))
				status, body := read(t, resp, err)
				if status != 200 || !strings.HasPrefix(body, "data: "+sent[0]) || !strings.Contains(body, `"code":503`) {
					t.Errorf("%s, then %v: %d %s", name, end, status, body)
				}
				if failures := r.Stat().Endpoints[0].Breaker.Failures; failures != 1 {
					t.Errorf("%s, then %v: %d failures are counted", name, end, failures)
				}
			})
		}
	}
}

func TestStreamThatEndsAfterAnIntermediateFinishIsCut(t *testing.T) {
	for name, tt := range map[string]struct {
		sent []string
		cut  bool
	}{
		"intermediate": {[]string{textEvent, stopEvent, textEvent}, true},
		"every event":  {[]string{stopEvent, stopEvent}, false},
		"usage behind": {[]string{textEvent, stopEvent, `{"usageMetadata":{}}`, `{"candidates":[]}`}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := routerOver(t, func(*http.Request) (*http.Response, error) { return events(tt.sent...), nil }, router.Config{})
			resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`))
			if _, body := read(t, resp, err); strings.Contains(body, `"code":503`) != tt.cut {
				t.Errorf("%s: %s", name, body)
			}
		})
	}
}

func TestErrorAfterNothingButARoleIsNotSeen(t *testing.T) {
	for _, opening := range []string{
		`{"candidates":[{"content":{"role":"model"}}]}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":""}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`,
		`{"promptFeedback":{}}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := map[string]int{}
			r := routerOver(t, byLocation(asked, func(*http.Request) *http.Response { return events(opening, failEvent) }, good), router.Config{}, two())
			resp, err := r.RoundTrip(vertexCall(t.Context(), "streamGenerateContent?alt=sse", `{"contents":[]}`))
			if status, body := read(t, resp, err); status != 200 || strings.Contains(body, "error") || asked["eu"] != 1 {
				t.Errorf("%s, then an error: %d %s", opening, status, body)
			}
		})
	}
}

func TestHeadersDescribeTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fault = `{"error":{"code":400,"message":"Request contains an invalid argument.","status":"INVALID_ARGUMENT"}}`
		body := "data: " + fault + "\n\n"
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			resp := answerOf(200, body, "Content-Type", "text/event-stream", "Content-Length", strconv.Itoa(len(body)), "Content-Encoding", "identity")
			resp.ContentLength = int64(len(body))
			return resp, nil
		}, router.Config{})
		resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`))
		if err != nil {
			t.Fatal(err)
		}
		h := resp.Header
		if resp.StatusCode != http.StatusBadRequest || !strings.HasPrefix(h.Get("Content-Type"), "application/json") || h.Get("Content-Encoding") != "" {
			t.Errorf("%d with header %v", resp.StatusCode, h)
		}
		if l := h.Get("Content-Length"); l != "" && l != strconv.Itoa(len(fault)) || resp.ContentLength != int64(len(fault)) {
			t.Errorf("length %q, %d; the body has %d bytes", l, resp.ContentLength, len(fault))
		}
		if _, got := read(t, resp, nil); got != fault {
			t.Errorf("body %s", got)
		}
	})
}

func TestStreamThatMayGrowHasNoLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			resp := events(textEvent)
			resp.Body = io.NopCloser(broken{resp.Body, io.ErrUnexpectedEOF})
			resp.Header.Set("Content-Length", "5000")
			resp.ContentLength = 5000
			return resp, nil
		}, router.Config{})
		resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`))
		if err != nil {
			t.Fatal(err)
		}
		if resp.ContentLength != -1 || resp.Header.Get("Content-Length") != "" {
			t.Errorf("length %d, %q", resp.ContentLength, resp.Header.Get("Content-Length"))
		}
		if _, body := read(t, resp, nil); !strings.Contains(body, `"code":503`) {
			t.Errorf("no error event in %s", body)
		}
	})
}

func TestMaskWithoutFinishReasonHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := events(`{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`)
		r := routerOver(t, func(*http.Request) (*http.Response, error) { return sent, nil }, router.Config{MaxWait: -1})
		for query, e := range map[string]string{
			"fields=candidates.content":          `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`,
			"$fields=candidates(content,index)":  `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`,
			"fields=usageMetadata.totalTokens":   `{"usageMetadata":{}}`,
			"fields=candidates/citationMetadata": `{}`,
		} {
			sent = events(e)
			resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse&"+query, `{}`))
			if status, body := read(t, resp, err); status != 200 || body != "data: "+e+"\n\n" {
				t.Errorf("?%s: %d %s", query, status, body)
			}
		}
		if failures := r.Stat().Endpoints[0].Breaker.Failures; failures != 0 {
			t.Errorf("%d failures are counted", failures)
		}
	})
}

// TestGoodStatusOfAnyNumberIsNoAnswerWithoutOne: what a proxy says with 206 or 299 is no better than
// with 200. Nor is a list, or a stream of events, where one object was asked for.
func TestGoodStatusOfAnyNumberIsNoAnswerWithoutOne(t *testing.T) {
	count := "models/" + flash + ":countTokens"
	for _, tt := range []struct {
		path, good, body, kind string
		status                 int
	}{
		{genPath, okBody, "", jsonType, 206},
		{genPath, okBody, `{"status":"ok"}`, jsonType, 207},
		{genPath, okBody, "OK", "text/plain", 226},
		{count, `{"totalTokens":3}`, "<p>hi", jsonType, 299},
		{genPath, okBody, okBody[:20], jsonType, 201},
		{genPath, okBody, "[]", jsonType, 200},
		{count, `{"totalTokens":3}`, `[{"status":"ok"}]`, jsonType, 200},
		{count, `{"totalTokens":3}`, "data: {\"status\":\"ok\"}\n\n", eventType, 200},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := func(*http.Request) (*http.Response, error) {
				return answerOf(tt.status, tt.body, "Content-Type", tt.kind), nil
			}
			b := func(*http.Request) (*http.Response, error) { return answerOf(200, tt.good), nil }
			r := projectsAB(t, a, b, router.Config{})
			for range 10 {
				resp, err := r.RoundTrip(gen(t.Context(), tt.path, `{}`))
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(resp.Body); string(body) != tt.good {
					t.Fatalf("%d %q was handed on", resp.StatusCode, body)
				}
			}
		})
	}
}
