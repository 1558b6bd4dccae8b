package router_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"
	"github.com/gorilla/websocket"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// Live sessions and their errors are the SDK's; the servers are on loopback, outside a bubble.
func TestLiveShowsNoToken(t *testing.T) {
	google := newLiveServer(t)
	const secret = "token-of-a"
	var log bytes.Buffer
	newLive := func() *router.Router {
		return newRouter(t, pool.Config{Projects: []pool.Project{google.cloud("a", "global")}}, router.Config{MaxWait: -1},
			router.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	}
	check := func(how string, r *router.Router, err error) {
		t.Helper()
		if err == nil {
			t.Fatalf("%s: no error", how)
		}
		text := fmt.Sprintf("%v\n%+v\n%#v\n%+v\n%s", err, err, err, r.Stat(), &log)
		if strings.Contains(text, secret) || !strings.Contains(text, "[redacted]") {
			t.Errorf("%s: %s", how, text)
		}
	}
	google.refuse[secret] = &websocket.CloseError{Code: 1008, Text: "Permission denied for " + secret}
	r := newLive()
	s, err := r.ConnectLive(t.Context(), liveModel, nil)
	if err == nil { // the refusal comes after the handshake
		_, err = s.Receive()
	}
	check("refused", r, err)
	_, err = r.ConnectLive(t.Context(), liveModel, nil)
	check("refused, and asked again", r, err)

	delete(google.refuse, secret)
	google.later[secret] = &websocket.CloseError{Code: 1011, Text: "Internal error about " + secret}
	r = newLive()
	if s, err = r.ConnectLive(t.Context(), liveModel, nil); err != nil {
		t.Fatal(err)
	}
	check("broken off", r, turnOf(s))

	live, err := r.LiveConfig(t.Context(), liveModel)
	if err != nil {
		t.Fatal(err)
	}
	log.Reset()
	live.Release(&websocket.CloseError{Code: 1008, Text: "You exceeded your current quota, " + secret})
	if text := fmt.Sprintf("%+v %s", r.Stat(), &log); strings.Contains(text, secret) {
		t.Errorf("a released session shows the token: %s", text)
	}
}

// The credential of a call is secret while the call lasts, however many others went out meanwhile.
func TestCredentialOfALongCallIsSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := vertexed("a", "global").pool
		p.Credentials = &eachTime{}
		google := transport(func(req *http.Request) (*http.Response, error) {
			said := req.Header.Get("Authorization")
			time.Sleep(time.Minute)
			return answerOf(400, `{"error":{"code":400,"message":"bad `+said+`"}}`, "X-Echo", said), nil
		})
		r := routerOver(t, google, router.Config{}, p)
		var wg sync.WaitGroup
		for range 400 {
			wg.Go(func() {
				req, err := toVertex(t.Context(), ":generateContent")
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := r.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				if text := fmt.Sprint(resp.Header, string(body)); strings.Contains(text, "ya29") || strings.Count(text, "[redacted]") != 2 {
					t.Errorf("the caller got %s", text)
				}
			})
		}
		wg.Wait()
	})
}

// eachTime gives another access token each time.
type eachTime struct {
	mu sync.Mutex
	n  int
}

func (e *eachTime) Token(context.Context) (*auth.Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	return &auth.Token{Value: fmt.Sprintf("ya29.long-%06d", e.n)}, nil
}

// A token server gets other credentials than Google's endpoints do, and may echo them.
func TestErrorsOfTokenServersShowNoGrant(t *testing.T) {
	for name, said := range map[string]string{
		"refresh token":       "refresh_token=1//0gCANARYabcdefghij-KLMNOP&x",
		"escaped":             "refresh_token=1%2F%2F0gCANARYabcdefghij-KLMNOP&x",
		"client secret":       `{"client_secret":"GOCSPX-CANARYabcdefg"}`,
		"signed assertion":    "assertion=eyJhbGciOiJSUzI1NiJ9.eyJDQU5BUlkiOiJDQU5BUlkifQ.CANARY_-CANARY&x",
		"token of the source": "Bearer ya29.c.CANARY_CANARY.CANARY",
		"private key":         `-----BEGIN PRIVATE KEY-----\nCANARY\nCANARY==\n-----END PRIVATE KEY-----"`,
		"escape sequence":     "\x1b[31mred\u009b\u202e",
	} {
		t.Run(name, func(t *testing.T) {
			p := vertexed("a", "global").pool
			p.Credentials = &failingToken{err: authError(400, "invalid_grant: "+said), times: -1}
			var log bytes.Buffer
			r := newRouter(t, pool.Config{Projects: []pool.Project{p}}, router.Config{MaxWait: -1},
				router.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
			req, err := toVertex(t.Context(), ":generateContent")
			if err != nil {
				t.Fatal(err)
			}
			resp, err := r.RoundTrip(req)
			text := fmt.Sprint(err, r.Stat(), &log)
			if resp != nil {
				body, _ := io.ReadAll(resp.Body)
				text += string(body)
			}
			if strings.Contains(text, "CANARY") || strings.ContainsAny(text, "\x1b\u009b\u202e") {
				t.Errorf("shown: %s", text)
			}
			if !strings.Contains(text, "invalid_grant") {
				t.Errorf("nothing says why: %s", text)
			}
		})
	}
}

// An error that shows a credential is another one without it, which still is what it was.
func TestErrorWithoutItsCredentialIsStillTheError(t *testing.T) {
	for _, cause := range []error{io.ErrUnexpectedEOF, syscall.ECONNRESET, context.DeadlineExceeded} {
		google := transport(func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy of %s: %w", req.Header.Get("X-Goog-Api-Key"), cause)
		})
		r := routerOver(t, google, router.Config{MaxWait: -1, MaxAttempts: 1}, keyed("a", "key-canary").pool)
		_, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
		if !errors.Is(err, cause) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "[redacted]") {
			t.Errorf("got %v", err)
		}
	}
}

// What a model says is not searched, and not changed, in whatever pieces it comes.
func TestWhatAModelSaysStaysAsItIs(t *testing.T) {
	said := `{"candidates":[{"content":{"parts":[{"text":"like key-canary"}]},"finishReason":"STOP"}]}`
	for path, body := range map[string]string{
		genPath: said, "models/" + flash + ":streamGenerateContent?alt=sse": "data: " + said + "\n\n",
		"models/" + flash + ":streamGenerateContent": "[" + said + "]",
	} {
		google := transport(func(*http.Request) (*http.Response, error) { return answerOf(200, body, "X-Echo", "key-canary"), nil })
		r := routerOver(t, google, router.Config{}, keyed("a", "key-canary").pool)
		resp, err := r.RoundTrip(gen(t.Context(), path, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != body || err != nil || resp.Header.Get("X-Echo") != "[redacted]" {
			t.Errorf("%s: got %s, %v, %v", path, got, err, resp.Header)
		}
	}
}

// Streams of every kind are searched in whatever pieces they come and are read.
func TestErrorsInStreamsAreSearchedAcrossPieces(t *testing.T) {
	t.Parallel()
	const key = "AIzaSyCANARY/with+some=length-0123456789"
	large := strings.Repeat("QUFB", 400_000) // an event too large to be held, without a place to cut
	for _, path := range []string{
		"models/" + flash + ":streamGenerateContent?alt=sse", "interactions?alt=sse",
	} {
		for _, event := range []string{
			`{"error":{"code":500,"message":"` + key + `"}}`,
			`{"error":{"code":500,"message":"` + large + key + `"}}`,
			`{"error":{"code":500,"message":"` + large + key + large + `"}}`,
		} {
			whole := "data: " + firstEvent + "\n\ndata: " + event + "\n\n"
			for _, size := range []int{100, 1000, 33_333} {
				var pieces []string
				for left := whole; left != ""; left = left[min(size, len(left)):] {
					pieces = append(pieces, left[:min(size, len(left))])
				}
				google := transport(func(*http.Request) (*http.Response, error) {
					resp := answerOf(200, "", "Content-Type", "text/event-stream")
					resp.Body = io.NopCloser(&inPieces{pieces, io.EOF})
					return resp, nil
				})
				r := routerOver(t, google, router.Config{}, keyed("a", key).pool)
				resp, err := r.RoundTrip(gen(t.Context(), path, `{"model":"`+flash+`"}`))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				want := strings.ReplaceAll(whole, key, "[redacted]")
				if string(got) != want || err != nil {
					t.Errorf("%s, event of %d bytes, pieces of %d: got %d bytes, want %d; %v",
						path, len(event), size, len(got), len(want), err)
				}
			}
		}
	}
}

func TestModelNameWithControlCharactersIsRefused(t *testing.T) {
	sent := 0
	google := transport(func(*http.Request) (*http.Response, error) { sent++; return answerOf(200, okBody), nil })
	r := routerOver(t, google, router.Config{})
	for name, wrong := range map[string]bool{
		flash: false, "my-model_1.5@2": false, "gemini%1b[2J": true, "gemini%C2%9B31m": true, "gemini%E2%80%AE": true, "gemini%0Alevel": true, "gemini%FF": true,
	} {
		before := sent
		resp, err := r.RoundTrip(gen(t.Context(), "models/"+name+":generateContent", `{}`))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if got := resp.StatusCode == http.StatusBadRequest; got != wrong || (sent == before) != wrong {
			t.Errorf("%s: %d %s, %d sent", name, resp.StatusCode, body, sent-before)
		}
	}
	if n := len(r.Stat().Models); n != 2 {
		t.Errorf("%d models are remembered", n)
	}
}

// TestWhatIsNoModelsInAStreamShowsNoKey: what follows the content need not have an error's shape.
func TestWhatIsNoModelsInAStreamShowsNoKey(t *testing.T) {
	const key = "AIzaSyCANARY/with+some=length-0123456789"
	first := `{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}`
	for _, after := range []string{
		"data: {\"code\":500,\"message\":\"KEY\",\"status\":\"INTERNAL\"}\n\n",
		"data: {\"err\\u006fr\":{\"message\":\"KEY\"}}\n\n", "data: {\"ERROR\":{\"message\":\"KEY\"}}\n\n",
		"event: failure\ndata: \"KEY\"\n\n", ": the key KEY is invalid\n\n", "the key KEY is invalid\n\n",
		"<html>the key KEY is invalid</html>",
	} {
		body := "data: " + first + "\n\n" + strings.ReplaceAll(after, "KEY", key)
		for _, size := range []int{7, len(body)} {
			synctest.Test(t, func(t *testing.T) {
				r := routerOver(t, func(*http.Request) (*http.Response, error) {
					resp := answerOf(200, "", "Content-Type", eventType)
					var pieces []string
					for left := body; left != ""; left = left[min(size, len(left)):] {
						pieces = append(pieces, left[:min(size, len(left))])
					}
					resp.Body = io.NopCloser(&inPieces{pieces, io.EOF})
					return resp, nil
				}, router.Config{}, keyed("a", key).pool)
				for _, path := range []string{streamPath, "openai/chat/completions"} {
					resp, err := r.RoundTrip(gen(t.Context(), path, `{"model":"`+flash+`","stream":true}`))
					if err != nil {
						t.Fatal(err)
					}
					if got, _ := io.ReadAll(resp.Body); strings.Contains(string(got), key) {
						t.Errorf("%s in pieces of %d: %s", path, size, got)
					}
				}
			})
		}
	}
	list := "[" + first + `,{"message":"` + key + `"}] ` + key
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, list), nil }, router.Config{}, keyed("a", key).pool)
	resp, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(resp.Body); strings.Contains(string(got), key) {
		t.Errorf("in a list: %s", got)
	}
}

// TestCallersCredentialInAnySpellingOfItsParameterStays behind.
func TestCallersCredentialInAnySpellingOfItsParameterStays(t *testing.T) {
	r := routerOver(t, func(q *http.Request) (*http.Response, error) {
		if q.URL.RawQuery != "" {
			t.Errorf("%s travels", q.URL.RawQuery)
		}
		return answerOf(200, okBody), nil
	}, router.Config{})
	for _, name := range []string{
		"key", "%6bey", "apiKey", "accessToken", "oauthToken", "bearerToken", "$accessToken", "%24userProject",
	} {
		req := gen(t.Context(), genPath, `{}`)
		req.URL.RawQuery = name + "=S3CRET"
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
}
