package calls_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// echo is a transport whose responses show all that it was sent: credentials and prompts.
type echo func(said string) (*http.Response, error)

func (e echo) RoundTrip(req *http.Request) (*http.Response, error) {
	said := req.Header.Get("X-Goog-Api-Key") + req.Header.Get("Authorization")
	if req.Body != nil {
		body, _ := io.ReadAll(req.Body)
		_ = req.Body.Close()
		said += " " + strings.NewReplacer(`"`, `'`, `\`, `/`).Replace(string(body))
	}
	return e(said)
}

func answer(status int, contentType, body string) (*http.Response, error) {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {contentType}, "X-Echo": {body[:min(len(body), 100)]}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
	}, nil
}

// refusal is an error of Google's, with a message and details.
func refusal(code int, status, message string, details string) (*http.Response, error) {
	return answer(code, "application/json", fmt.Sprintf(
		`{"error":{"code":%d,"status":%q,"message":%q,"details":[%s]}}`, code, status, message, details))
}

const begins = `data: {"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}` + "\n\n"

var echoes = map[string]echo{
	"a mistake": func(s string) (*http.Response, error) {
		return refusal(400, "INVALID_ARGUMENT", "Invalid value: "+s, "")
	},
	"not found": func(s string) (*http.Response, error) { return refusal(404, "NOT_FOUND", s, "") },
	"a dead key": func(s string) (*http.Response, error) {
		return refusal(403, "PERMISSION_DENIED", "Consumer 'api_key:"+key(s)+"' has been suspended.",
			`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"CONSUMER_SUSPENDED","metadata":{"containerInfo":"`+key(s)+`"}}`)
	},
	"a quota": func(s string) (*http.Response, error) {
		return refusal(429, "RESOURCE_EXHAUSTED", "You exceeded your quota "+key(s),
			`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerDay-`+key(s)+`","quotaMetric":"`+key(s)+`"}]}`)
	},
	"a permission":   func(s string) (*http.Response, error) { return refusal(403, "PERMISSION_DENIED", s, "") },
	"a fault":        func(s string) (*http.Response, error) { return refusal(500, "INTERNAL", s, "") },
	"overloaded":     func(s string) (*http.Response, error) { return refusal(503, "UNAVAILABLE", "overloaded "+s, "") },
	"an odd status":  func(s string) (*http.Response, error) { return refusal(418, "TEAPOT", s, "") },
	"a page":         func(s string) (*http.Response, error) { return answer(502, "text/html", "<title>"+s) },
	"a page for 200": func(s string) (*http.Response, error) { return answer(200, "text/html", "<title>"+s) },
	"no JSON":        func(s string) (*http.Response, error) { return answer(200, "application/json", s) },
	"another's JSON": func(s string) (*http.Response, error) { return answer(200, "application/json", `{"x":"`+s+`"}`) },
	"a good one":     func(s string) (*http.Response, error) { return answer(200, "application/json", answered(s)) },
	"an error event": func(s string) (*http.Response, error) {
		return answer(200, "text/event-stream", begins+`data: {"error":{"code":503,"message":"`+s+`"}}`+"\n\n")
	},
	"a cut event": func(s string) (*http.Response, error) {
		return answer(200, "text/event-stream", begins+`data: {"x":"`+s)
	},
	"a transport error": func(s string) (*http.Response, error) { return nil, errors.New("malformed HTTP response " + s) },
	"a URL error": func(s string) (*http.Response, error) {
		return nil, &url.Error{Op: "Post", URL: "https://x?q=" + s, Err: io.ErrUnexpectedEOF}
	},
}

// answered is a good response that says what was said.
func answered(said string) string {
	text, _ := json.Marshal(said)
	return `{"candidates":[{"content":{"parts":[{"text":` + string(text) + `}]},"finishReason":"STOP"}],` +
		`"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1},"responseId":` + string(text) + `}`
}

// key is the credential in what was said: Google's words of a key or a quota quote no prompt.
func key(said string) string {
	credential, _, _ := strings.Cut(said, " ")
	return credential
}

// TestNoLineShowsAKeyOrAPrompt echoes both in every place of a response.
func TestNoLineShowsAKeyOrAPrompt(t *testing.T) {
	for name, e := range echoes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var written bytes.Buffer
				var h heard
				log := calls.NewLog(&written, nil)
				r, err := router.New(pool.Config{Projects: keyed(2)}, router.Config{MaxWait: -1},
					router.WithTransport(e), router.WithTrace(calls.Trace(log, &h)))
				if err != nil {
					t.Fatal(err)
				}
				b := &bed{router: r}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for _, path := range []string{generate, stream, "models/" + flash + ":countTokens"} {
					for range 2 { // the second one may get what was remembered
						b.send(ctx, t, http.MethodPost, path, asks)
					}
				}
				if err := errors.Join(r.Close(), log.Close()); err != nil {
					t.Error(err)
				}
				all := h.records()
				if len(all) != 6 || strings.Count(written.String(), "\n") != 6 {
					t.Errorf("%d records and the lines %s, want 6", len(all), &written)
				}
				for _, r := range all {
					written.WriteString(strings.Join(r.Explain(), "\n") + "\n")
				}
				for line := range strings.Lines(written.String()) {
					if strings.Contains(line, "CANARY") {
						t.Errorf("shown: %s", line)
					}
				}
			})
		})
	}
}

// TestErrorsOfTheNetworkAreShown: they say which address does not respond.
func TestErrorsOfTheNetworkAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := echo(func(string) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443}, Err: errors.New("connection refused")}
		})
		var h heard
		r, err := router.New(pool.Config{Projects: keyed(1)}, router.Config{MaxWait: -1, MaxAttempts: 1},
			router.WithTransport(refused), router.WithTrace(calls.Trace(&h)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		(&bed{router: r}).ask(t)
		const want = "router: a/global/on_demand: dial tcp 10.0.0.1:443: connection refused"
		if got := h.last(t, 1); got.Error != want || got.Outcome != calls.OutcomeFailed {
			t.Errorf("the record is %s with %q, want failed with %q", got.Outcome, got.Error, want)
		}
	})
}
