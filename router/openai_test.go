package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spillway-go/spillway/router"
)

// completion is a call in OpenAI's dialect, of a Vertex AI client.
func completion(ctx context.Context, stream string) *http.Request {
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://aiplatform.googleapis.com/v1/projects/x/locations/global/endpoints/openapi/chat/completions",
		strings.NewReader(`{"model":"google/`+flash+`","stream":`+stream+`,"messages":[]}`))
	return req
}

const (
	roleChunk = `{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`
	textChunk = `{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}`
	stopChunk = `{"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
)

func TestOpenAIsErrorBeforeContentIsNotSeen(t *testing.T) {
	whole := func(*http.Request) *http.Response { return events(roleChunk, textChunk, stopChunk, "[DONE]") }
	for name, first := range map[string]*http.Response{
		"the first event":          events("[" + failEvent + "]"),
		"the first, as an object":  events(failEvent),
		"after a role":             events(roleChunk, failEvent),
		"no event, but a page":     answerOf(200, "<html></html>", "Content-Type", "text/html"),
		"no event":                 events(),
		"JSON in place of events":  answerOf(200, "["+failEvent+"]"),
		"another JSON":             answerOf(200, `{"status":"ok"}`),
		"a role, and then nothing": events(roleChunk),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := map[string]int{}
				r := routerOver(t, byLocation(asked, func(*http.Request) *http.Response { return first }, whole), router.Config{}, two())
				resp, err := r.RoundTrip(completion(t.Context(), "true"))
				if status, body := read(t, resp, err); status != 200 || !strings.HasSuffix(body, "[DONE]\n\n") || strings.Contains(body, "error") || asked["global"] != 1 {
					t.Errorf("%d %s; asked %v", status, body, asked)
				}
			})
		})
	}
}

func TestOpenAIsErrorInAGoodStatusIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		whole := func(*http.Request) *http.Response {
			return answerOf(200, `{"id":"1","object":"chat.completion","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}`)
		}
		r := routerOver(t, byLocation(asked, func(*http.Request) *http.Response { return answerOf(200, "["+failEvent+"]") }, whole), router.Config{}, two())
		resp, err := r.RoundTrip(completion(t.Context(), "false"))
		if status, body := read(t, resp, err); status != 200 || strings.Contains(body, "error") || asked["global"] != 1 {
			t.Errorf("%d %s; asked %v", status, body, asked)
		}
	})
}

func TestOpenAIsEndIsDoneOrAFinishReason(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		end  error
		cut  bool
	}{
		"DONE":                      {"data: " + textChunk + "\n\ndata: [DONE]\n\n", io.EOF, false},
		"DONE without a blank line": {"data: " + textChunk + "\n\ndata: [DONE]", io.EOF, false},
		"finish_reason":             {"data: " + textChunk + "\n\ndata: " + stopChunk + "\n\n", io.EOF, false},
		"neither":                   {"data: " + textChunk + "\n\n", io.EOF, true},
		"a reset":                   {"data: " + textChunk + "\n\n", io.ErrUnexpectedEOF, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := routerOver(t, func(*http.Request) (*http.Response, error) {
				resp := events()
				resp.Body = io.NopCloser(broken{strings.NewReader(tt.body), tt.end})
				return resp, nil
			}, router.Config{}, two())
			resp, err := r.RoundTrip(completion(t.Context(), "true"))
			status, body := read(t, resp, err)
			if status != 200 || !strings.HasPrefix(body, tt.body) || strings.Contains(body, `"type":"server_error","param":null,"code":"unavailable"`) != tt.cut {
				t.Errorf("%s: %d %s", name, status, body)
			}
		})
	}
}

// TestErrorFirstInAnyStreamIsNotSeen has the streams of which the router understands errors only.
func TestErrorFirstInAnyStreamIsNotSeen(t *testing.T) {
	const claude = "https://aiplatform.googleapis.com/v1/projects/x/locations/global/publishers/anthropic/models/claude-x:streamRawPredict"
	whole := "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		synctest.Test(t, func(t *testing.T) {
			asked := map[string]int{}
			r := routerOver(t, byLocation(asked,
				func(*http.Request) *http.Response {
					return answerOf(200, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n", "Content-Type", "text/event-stream")
				},
				func(*http.Request) *http.Response {
					resp := events()
					resp.Body = io.NopCloser(broken{strings.NewReader(whole), end})
					return resp
				}), router.Config{}, two())
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, claude, strings.NewReader(`{"stream":true}`))
			resp, err := r.RoundTrip(req)
			want := whole
			if !errors.Is(end, io.EOF) {
				want += "; " + end.Error() // nothing can be added to what only the caller understands
			}
			if status, body := read(t, resp, err); status != 200 || body != want || asked["global"] != 1 {
				t.Errorf("%d %q; asked %v", status, body, asked)
			}
		})
	}
}

func TestGooglesErrorsHaveOpenAIsShape(t *testing.T) {
	for name, tt := range map[string]struct {
		status           int
		body, kind, want string
	}{
		"in a list": {
			400, `[{"error":{"code":400,"message":"contents is not specified","status":"INVALID_ARGUMENT"}}]`, "application/json",
			`{"error":{"message":"contents is not specified","type":"invalid_request_error","param":null,"code":"invalid_argument","status":"INVALID_ARGUMENT"}}`,
		},
		"alone": {
			404, `{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}`, "application/json",
			`{"error":{"message":"models/x is not found","type":"invalid_request_error","param":null,"code":"not_found","status":"NOT_FOUND"}}`,
		},
		"a page": {
			413, "<html><title>413. That's an error.</title></html>", "text/html",
			`{"error":{"message":"Request Entity Too Large","type":"invalid_request_error","param":null,"code":null}}`,
		},
		"a fault": {
			500, `[{"error":{"code":500,"message":"An internal error has occurred","status":"INTERNAL"}}]`, "application/json",
			`{"error":{"message":"An internal error has occurred","type":"server_error","param":null,"code":"internal","status":"INTERNAL"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				always := func(*http.Request) *http.Response { return answerOf(tt.status, tt.body, "Content-Type", tt.kind) }
				r := routerOver(t, byLocation(map[string]int{}, always, always), router.Config{MaxAttempts: 1}, two())
				resp, err := r.RoundTrip(completion(t.Context(), "false"))
				kind := resp.Header.Get("Content-Type")
				if status, body := read(t, resp, err); status != tt.status || strings.TrimSpace(body) != tt.want || !strings.HasPrefix(kind, "application/json") {
					t.Errorf("got %d %s %s, want %s", status, kind, body, tt.want)
				}
			})
		})
	}
}
