package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestOneCallsBackoffHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := routerOver(t, func(*http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return answerOf(503, `{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}`, "Retry-After", "8"), nil
			}
			return answerOf(200, okBody), nil
		}, router.Config{})
		go func() {
			if resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`)); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("the call that backs off: %v, %v", resp, err)
			}
		}()
		time.Sleep(time.Second)
		start := time.Now()
		ctx := router.WithCall(t.Context(), router.Call{MaxWait: -1})
		resp, err := r.RoundTrip(gen(ctx, genPath, `{}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("never-waiting call: %v %v", resp.StatusCode, err)
		}
		if resp, err = r.RoundTrip(gen(t.Context(), genPath, `{}`)); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("healthy call: %v, %v", resp, err)
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("healthy call waited %v behind another call's backoff", d)
		}
		time.Sleep(time.Minute)
	})
}

// slowToken takes a while to be fetched.
type slowToken struct{}

func (slowToken) Token(ctx context.Context) (*auth.Token, error) {
	select {
	case <-time.After(200 * time.Millisecond):
		return &auth.Token{Value: "tok"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCallerWhoLeavesWhileATokenIsFetchedRestsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }, router.Config{},
			pool.Project{Name: "v", Backend: pool.BackendVertex, Credentials: slowToken{}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		req, _ := toVertex(ctx, ":generateContent")
		if _, err := r.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient caller got %v", err)
		}
		req, _ = toVertex(t.Context(), ":generateContent")
		resp, err := r.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			b, _ := io.ReadAll(resp.Body)
			t.Errorf("after one impatient caller: %v %v %s", resp.StatusCode, err, b)
		}
	})
}

func TestErrorInAGoodStatusGetsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, e := range []string{`{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}`, `{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"x"}}`,
			`{"error":{"code":404,"status":"NOT_FOUND","message":"models/gemini-2.5-flash is not found for API version v1beta"}}`} {
			r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, e), nil }, router.Config{})
			for range 2 {
				resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
				if err == nil && resp.StatusCode == http.StatusOK {
					b, _ := io.ReadAll(resp.Body)
					t.Errorf("failure given as HTTP 200: %s", b)
				}
			}
		}
	})
}

func TestRenamingLeavesTheCallersContentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := ""
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(q.Body)
			sent = string(b)
			return answerOf(200, okBody), nil
		}, router.Config{Models: map[string]string{"gemini-2.0-flash": flash}})
		body := `{"contents":[{"parts":[{"functionResponse":{"name":"list","response":{"m":"models/gemini-2.0-flash"}}}]}]}`
		_, _ = r.RoundTrip(gen(t.Context(), "models/gemini-2.0-flash:generateContent", body))
		if sent != body {
			t.Errorf("the caller's content was changed: %s", sent)
		}
	})
}

func TestStreamsOfOtherKindsAreHandedOnAsTheyCome(t *testing.T) {
	for _, c := range [][2]string{{"interactions?alt=sse", `{"model":"gemini-2.5-flash","stream":true}`}, {"interactions", `{"model":"gemini-2.5-flash","stream":true}`}, {"openai/chat/completions", `{"model":"gemini-2.5-flash","stream":true}`}} {
		synctest.Test(t, func(t *testing.T) {
			r := routerOver(t, func(req *http.Request) (*http.Response, error) {
				pr, pw := io.Pipe()
				go func() {
					for range 10 {
						io.WriteString(pw, "data: {\"x\":1}\n\n")
						time.Sleep(time.Minute)
					}
					pw.Close()
				}()
				resp := answerOf(200, "", "Content-Type", "text/event-stream")
				resp.Body = pr
				return resp, nil
			}, router.Config{})
			start := time.Now()
			resp, err := r.RoundTrip(gen(t.Context(), c[0], c[1]))
			if err != nil {
				t.Error(c[0], err, time.Since(start))
				return
			}
			b := make([]byte, 100)
			n, err := resp.Body.Read(b)
			if d := time.Since(start); d > 0 {
				t.Errorf("%s: first event after %v: %q %v %d", c[0], d, b[:n], err, resp.StatusCode)
			}
			resp.Body.Close()
			synctest.Wait()
			time.Sleep(time.Hour)
		})
	}
}

func TestLeaseComesBackWhateverTheTransportDoes(t *testing.T) {
	for name, f := range map[string]transport{
		"nil response": func(*http.Request) (*http.Response, error) { return nil, nil }, //nolint:nilnil // what a broken transport gives
		"nil body": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}}, nil
		},
		"nil header": func(*http.Request) (*http.Response, error) { r := answerOf(200, okBody); r.Header = nil; return r, nil },
		"panic":      func(*http.Request) (*http.Response, error) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := true
				r := routerOver(t, func(q *http.Request) (*http.Response, error) {
					if bad {
						return f(q)
					}
					return answerOf(200, okBody), nil
				}, router.Config{MaxWait: -1}, limited("a", pool.Limit{Concurrency: 1}))
				func() {
					defer func() {
						if p := recover(); p != nil && name != "panic" {
							t.Errorf("panic %v", p)
						}
					}()
					_, _ = r.RoundTrip(gen(t.Context(), genPath, `{}`))
				}()
				bad = false
				time.Sleep(2 * time.Second)
				resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
				if err != nil || resp.StatusCode != http.StatusOK {
					b, _ := io.ReadAll(resp.Body)
					t.Errorf("lease leaked: %v %v %s", resp.StatusCode, err, b)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestFirstByteTimeoutIsForTheFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(req *http.Request) (*http.Response, error) {
			pr, pw := io.Pipe()
			go func() {
				for range 20 {
					select {
					case <-req.Context().Done():
						pw.CloseWithError(req.Context().Err())
						return
					case <-time.After(time.Second):
					}
					io.WriteString(pw, "some bytes of a file")
				}
				pw.Close()
			}()
			resp := answerOf(200, "", "Content-Type", "video/mp4")
			resp.Body = pr
			return resp, nil
		}, router.Config{FirstByteTimeout: 5 * time.Second})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media", nil)
		resp, err := r.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(resp.Body); err != nil || len(data) != 400 {
			t.Errorf("%d bytes, %v; want all 400", len(data), err)
		}
	})
}

func TestReadingTheBodyEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }, router.Config{})
		pr, pw := io.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://generativelanguage.googleapis.com/v1beta/"+genPath, pr)
		done := make(chan struct{})
		go func() { r.RoundTrip(req); close(done) }()
		time.Sleep(time.Minute)
		select {
		case <-done:
		default:
			t.Error("RoundTrip still reads the body a minute after its deadline")
		}
		pw.Close()
		<-done
	})
}

func TestShortBodyIsNotSentAsIfWhole(t *testing.T) {
	sent := ""
	r := routerOver(t, func(q *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(q.Body)
		sent = string(b)
		return answerOf(200, `{}`), nil
	}, router.Config{})
	req := gen(t.Context(), "x", "half of a fi")
	req.URL.Path = "/upload/v1beta/files"
	req.ContentLength = 100
	resp, err := r.RoundTrip(req)
	if err == nil {
		t.Errorf("%d: 12 of 100 bytes sent as if whole: %q", resp.StatusCode, sent)
	}
}

func TestHomeIsOfTheCallsBackEnd(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, `{}`), nil }, router.Config{},
		vertexed("v").pool, keyed("a", "k-a").pool)
	req, _ := http.NewRequest(http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files", nil)
	resp, err := r.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(resp.Body)
		t.Errorf("%d %v %s", resp.StatusCode, err, b)
	}
}

func TestAliasInABodyIsRenamed(t *testing.T) {
	for _, c := range [][2]string{{"interactions", `{"model":"fast","input":"hi"}`}, {"interactions", `{"model":"models/fast","input":"hi"}`}, {"openai/chat/completions", `{"model":"fast"}`}, {"cachedContents", `{"model":"models/fast"}`}} {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(q.Body)
			if !strings.Contains(string(b), flash) {
				t.Errorf("%s %s sent", q.URL, b)
			}
			return answerOf(200, `{}`), nil
		}, router.Config{Models: map[string]string{"fast": flash}})
		if resp, err := r.RoundTrip(gen(t.Context(), c[0], c[1])); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", c[0], resp, err)
		}
	}
}

func TestPartialContentIsNotTakenForCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routerOver(t, func(q *http.Request) (*http.Response, error) { return answerOf(206, `{"a": 1, "b`), nil }, router.Config{})
		req, _ := http.NewRequest(http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media", nil)
		req.Header.Set("Range", "bytes=0-10")
		if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusPartialContent {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

func TestCallersCredentialIsNotSentHoweverItIsSpelled(t *testing.T) {
	r := routerOver(t, func(q *http.Request) (*http.Response, error) {
		for k := range q.Header {
			if strings.EqualFold(k, "authorization") || (k != "X-Goog-Api-Key" && strings.EqualFold(k, "x-goog-api-key")) {
				t.Errorf("caller's %s sent", k)
			}
		}
		return answerOf(200, okBody), nil
	}, router.Config{})
	req := gen(t.Context(), genPath, `{}`)
	req.Header["x-goog-api-key"] = []string{"callers-own"}
	req.Header["authorization"] = []string{"Bearer callers-own"}
	_, _ = r.RoundTrip(req)
}
