package router_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// A call that waits for another's request waits no longer than it may itself.
func TestACallThatSharesARequestKeepsToItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{google: slowly, router: everything}.bed(t, keyed("a", "key-a"))
		var first sync.WaitGroup
		defer first.Wait()
		first.Go(func() { b.send(t, t.Context(), "generateContent", saysHi) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := b.router.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/"+flash+":generateContent", strings.NewReader(saysHi)))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 500*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// A reload in the middle takes nothing from those who wait.
func TestAReloadWhileARequestIsShared(t *testing.T) {
	for name, next := range map[string]router.Config{"with the cache": everything, "without": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{google: slowly, router: everything}.bed(t, keyed("a", "key-a"))
				var calls sync.WaitGroup
				for range 10 {
					calls.Go(func() {
						if resp, text := b.send(t, t.Context(), "streamGenerateContent?alt=sse", saysHi); resp.StatusCode != http.StatusOK || !strings.Contains(text, "STOP") {
							t.Errorf("%d %s", resp.StatusCode, text)
						}
					})
				}
				synctest.Wait()
				if err := b.router.Reload(poolOf(keyed("a", "key-a")), next); err != nil {
					t.Error(err)
				}
				calls.Wait()
				if n := b.Count(geminitest.Match{}); n != 1 {
					t.Errorf("Google was asked %d times, want once", n)
				}
			})
		})
	}
}

// Those who read a stream slowly, or stop, hold no one up by more than two seconds each.
func TestSlowReadersHoldOthersForLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := slowly
		google.Output = 100 // for six seconds
		b := setup{google: google, router: everything}.bed(t, keyed("a", "key-a"))
		ctx, cancel := context.WithCancel(t.Context())
		var slow sync.WaitGroup
		defer slow.Wait()
		defer cancel()
		slow.Go(func() {
			resp, err := b.router.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/"+flash+":streamGenerateContent?alt=sse", strings.NewReader(saysHi)))
			if err != nil {
				t.Error(err)
				return
			}
			for err == nil && ctx.Err() == nil { // a byte now and then
				_, err = resp.Body.Read(make([]byte, 1))
				time.Sleep(300 * time.Millisecond)
			}
			_ = resp.Body.Close()
		})
		synctest.Wait()
		began := time.Now()
		var others sync.WaitGroup
		for range 100 {
			others.Go(func() { b.send(t, t.Context(), "streamGenerateContent?alt=sse", saysHi) })
		}
		others.Wait()
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("the others waited for %v", took)
		}
		if n := b.Count(geminitest.Match{}); n != 2 {
			t.Errorf("Google was asked %d times, want twice", n)
		}
	})
}

// Calls of two callers never share a request, however equal they are.
func TestNamespacesShareNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{google: slowly, router: everything}.bed(t, keyed("a", "key-a"))
		var calls sync.WaitGroup
		for i := range 30 {
			ctx := router.WithCall(t.Context(), router.Call{Namespace: []string{"x", "y", "z"}[i%3]})
			calls.Go(func() { b.send(t, ctx, "generateContent", saysHi) })
		}
		calls.Wait()
		if n := b.Count(geminitest.Match{}); n != 3 {
			t.Errorf("Google was asked %d times, want once for each of three callers", n)
		}
	})
}

// A stream that is cut at any of its events is not kept, and what is kept is the same as it came.
func TestAStreamThatIsCutAnywhereIsNotKept(t *testing.T) {
	event := func(text, rest string) string {
		return `data: {"candidates":[{"content":{"parts":[{"text":"` + text + `"}],"role":"model"}` + rest + `}],"modelVersion":"` + flash + `"}` + "\r\n\r\n"
	}
	whole := event("one", "") + event("two", "") + event("three", `,"finishReason":"STOP"`)
	cfg := everything
	cfg.MaxAttempts = 1
	synctest.Test(t, func(t *testing.T) {
		for cut := 1; cut <= len(whole); cut++ {
			for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
				r := newRouter(t, poolOf(keyed("a", "key-a")), cfg, router.WithTransport(transport(func(*http.Request) (*http.Response, error) {
					resp := answerOf(http.StatusOK, "")
					resp.Header.Set("Content-Type", "text/event-stream")
					resp.ContentLength, resp.Body = -1, io.NopCloser(io.MultiReader(strings.NewReader(whole[:cut]), failing{end}))
					return resp, nil
				})))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1beta/models/"+flash+":streamGenerateContent?alt=sse", strings.NewReader(saysHi))
				if resp, err := r.RoundTrip(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				cancel()
				complete := errors.Is(end, io.EOF) && cut >= len(whole)-len("\r\n\r\n")
				if got := r.Stat().Caches[0].Entries == 1; got != complete {
					t.Errorf("cut after %q with %v, the response is kept: %v", whole[:cut], end, got)
				}
				_ = r.Close()
			}
		}
	})
}

// failing is a reader that has nothing but an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
