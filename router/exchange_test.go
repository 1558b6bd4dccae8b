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

func TestLeaseComesBackWhateverTheTransportDoes(t *testing.T) {
	for name, f := range map[string]transport{
		"nil response": func(*http.Request) (*http.Response, error) { return nil, nil }, //nolint:nilnil // what a broken transport gives
		"nil body": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}}, nil
		},
		"nil header": func(*http.Request) (*http.Response, error) { r := answerOf(200, okBody); r.Header = nil; return r, nil },
		"panic":      func(*http.Request) (*http.Response, error) { panic(http.ErrAbortHandler) },
		"panic in the body": func(*http.Request) (*http.Response, error) {
			r := answerOf(200, "")
			r.Body = panickyBody{}
			return r, nil
		},
		"panic in an error's body": func(*http.Request) (*http.Response, error) {
			r := answerOf(429, "")
			r.Body = panickyBody{}
			return r, nil
		},
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
						if p := recover(); p != nil && !strings.HasPrefix(name, "panic") {
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

type panickyBody struct{}

func (panickyBody) Read([]byte) (int, error) { panic("a body of somebody else's") }
func (panickyBody) Close() error             { return nil }

func TestABodyOfNothingIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{"\ufeff", " \ufeff ", "\ufeff\n", "", " "} {
			r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, body), nil }, router.Config{})
			resp, err := r.RoundTrip(gen(t.Context(), genPath, `{"contents":[]}`))
			if err == nil {
				t.Errorf("%q is handed on as %d", body, resp.StatusCode)
			}
		}
	})
}

// A proxy's error may show what was sent to it.
func TestNoErrorOfAnotherPackageShowsAKey(t *testing.T) {
	const key = "AIzaSyAKeyThatNobodyMaySee"
	var ended []error
	keyless := pool.Project{Name: "v", Backend: pool.BackendVertex, Credentials: &failingToken{err: errors.New("no token for " + key), times: -1}}
	for name, project := range map[string]pool.Project{"transport": keyed("a", key).pool, "token": keyless} {
		cfg := pool.Config{Projects: []pool.Project{project}}
		if name == "token" {
			other := keyed("a", key).pool
			other.Priority = 1
			cfg.Projects = append(cfg.Projects, other)
		}
		var said []string
		r := newRouter(t, cfg, router.Config{MaxAttempts: 1, MaxWait: -1},
			router.WithTransport(transport(func(q *http.Request) (*http.Response, error) {
				return nil, errors.New("proxy: malformed header " + q.Header.Get("X-Goog-Api-Key"))
			})),
			router.WithEvents(func(e pool.Event) { said = append(said, e.Message) }),
			router.WithTrace(&router.Trace{
				AttemptEnd: func(_ context.Context, a router.AttemptEnd) { said = append(said, a.Outcome.Message) },
				CallEnd:    func(_ context.Context, c router.CallEnd) { ended = append(ended, c.Err) },
			}))
		if _, err := r.RoundTrip(gen(t.Context(), genPath, `{"contents":[]}`)); err != nil {
			said = append(said, err.Error())
		}
		for _, err := range ended {
			if err != nil {
				said = append(said, err.Error())
			}
		}
		if text := strings.Join(said, "\n"); text == "" || strings.Contains(text, key) {
			t.Errorf("%s: %q", name, text)
		}
	}
}
