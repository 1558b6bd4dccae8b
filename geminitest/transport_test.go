package geminitest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// readAll reads an answer to its end.
func readAll(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{status: resp.StatusCode, header: resp.Header, body: string(body), readErr: err}
}

// slow is an emulator whose answers of 20 tokens take 2 s + 20 × 100 ms.
func slow() *geminitest.Emulator {
	return geminitest.New(geminitest.Config{
		Latency:  geminitest.Latency{FirstToken: 2 * time.Second, PerToken: 100 * time.Millisecond},
		Projects: []geminitest.Project{{ID: "acme", Keys: []string{"key-1"}, Tokens: []string{"token-1"}}},
	})
}

func TestAnswersTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if r := (ask{key: "key-1"}).do(t.Context(), slow()); r.status != 200 {
			t.Fatal(r.body)
		}
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("took %v, want 2 s + 20 × 100 ms", took)
		}
	})
}

func TestJitterScalesLatencyWithinItsBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(geminitest.Config{
			Latency: geminitest.Latency{FirstToken: time.Second, Jitter: 0.2}, Projects: []geminitest.Project{{ID: "a", Keys: []string{"key-1"}}},
		})
		low, high := time.Hour, time.Duration(0)
		for range 200 {
			begin := time.Now()
			ask{key: "key-1"}.do(t.Context(), google)
			low, high = min(low, time.Since(begin)), max(high, time.Since(begin))
		}
		if low < 800*time.Millisecond || low > 850*time.Millisecond || high > 1200*time.Millisecond || high < 1150*time.Millisecond {
			t.Errorf("between %v and %v, want nearly all of 0.8 to 1.2 s", low, high)
		}
	})
}

func TestStreamsArriveEventByEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := slow()
		begin := time.Now()
		resp, err := google.RoundTrip(ask{key: "key-1", method: "streamGenerateContent"}.request(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("Content-Type %q", resp.Header.Get("Content-Type"))
		}
		var at []time.Duration
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data: ") {
				at = append(at, time.Since(begin))
			}
		}
		want := []time.Duration{2700 * time.Millisecond, 3400 * time.Millisecond, 4 * time.Second}
		if len(at) != 3 || at[0] != want[0] || at[1] != want[1] || at[2] != want[2] {
			t.Errorf("events at %v, want %v", at, want)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if _, err := resp.Body.Read(make([]byte, 1)); err == nil {
			t.Error("a closed body can be read")
		}
	})
}

func TestStreamAsJSONArray(t *testing.T) {
	google := one(geminitest.Project{})
	url := "https://generativelanguage.googleapis.com/v1beta/models/" + flash + ":streamGenerateContent"
	r := ask{key: "key-1", url: url}.do(t.Context(), google)
	list, ok := decoded(t, []byte(r.body)).([]any)
	if !ok || len(list) != 3 || r.header.Get("Content-Type") != "application/json; charset=UTF-8" {
		t.Errorf("got %s %s", r.header.Get("Content-Type"), r.body)
	}
	wrong := ask{key: "wrong", url: url}.do(t.Context(), google)
	if list, ok := decoded(t, []byte(wrong.body)).([]any); !ok || len(list) != 1 || wrong.status != 400 {
		t.Errorf("an error is an array of one there, got %d %s", wrong.status, wrong.body)
	}
	google.Script(geminitest.Match{}, geminitest.Overloaded().AfterEvents(2))
	cut := ask{key: "key-1", url: url}.do(t.Context(), google)
	list, ok = decoded(t, []byte(cut.body)).([]any)
	if !ok || len(list) != 3 || list[2].(map[string]any)["error"] == nil {
		t.Errorf("an error after two events: %s", cut.body)
	}
}

func TestCancelledCallsEndAtOnceAndLeaveNothingBehind(t *testing.T) {
	cause := errors.New("enough")
	for name, c := range map[string]struct {
		after  time.Duration
		a      ask
		script geminitest.Answer
		header bool // the header is there before the cancel
		idle   bool // and the body is not read before it
	}{
		"before the first token": {time.Second, ask{key: "key-1"}, geminitest.Answer{}, false, false},
		"within a stream":        {3 * time.Second, ask{key: "key-1", method: "streamGenerateContent"}, geminitest.Answer{}, true, false},
		"in a black hole":        {time.Hour, ask{key: "key-1"}, geminitest.Answer{Hang: true}, false, false},
		"in a delay":             {time.Second, ask{key: "key-1"}, geminitest.Answer{Delay: time.Minute}, false, false},
		"in a trickle":           {5 * time.Second, ask{key: "key-1"}, geminitest.Answer{Trickle: time.Second}, true, false},
		"in a stalled body":      {time.Hour, ask{key: "key-1"}, geminitest.Answer{Truncate: 10, Hang: true}, true, false},
		"in a stalled stream":    {time.Hour, ask{key: "key-1", method: "streamGenerateContent"}, geminitest.Answer{Event: true, After: 1, Hang: true}, true, false},
		"with the answer unread": {time.Minute, ask{key: "key-1"}, geminitest.Answer{}, true, true},
		"with much of it unsent": {time.Minute, ask{key: "key-1"}, geminitest.Answer{Status: 200, Body: make([]byte, 1<<20)}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := slow()
				google.Script(geminitest.Match{}, c.script)
				begin := time.Now()
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(c.after, func() { cancel(cause) })
				resp, err := google.RoundTrip(c.a.request(ctx))
				if (err == nil) != c.header {
					t.Fatalf("RoundTrip: %v", err)
				}
				if err == nil {
					if c.idle {
						<-ctx.Done()
					}
					_, err = io.ReadAll(resp.Body)
					if closeErr := resp.Body.Close(); closeErr != nil {
						t.Error(closeErr)
					}
				}
				if !errors.Is(err, cause) || time.Since(begin) != c.after {
					t.Errorf("after %v: %v, want %v after %v", time.Since(begin), err, cause, c.after)
				}
				synctest.Wait()
				if n := google.InFlight(); n != 0 {
					t.Errorf("%d still in flight", n)
				}
			})
		})
	}
}

func TestClosingABodyEndsItsHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := slow()
		resp, err := google.RoundTrip(ask{key: "key-1", method: "streamGenerateContent"}.request(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if google.InFlight() != 1 {
			t.Errorf("in flight %d, want 1", google.InFlight())
		}
		_ = resp.Body.Close()
		synctest.Wait()
		if google.InFlight() != 0 {
			t.Error("the handler goes on after its reader has gone")
		}
		requests := google.Requests()
		if n := requests[0].OutputTokens; n != 7 {
			t.Errorf("%d output tokens were sent, want the 7 of the first event", n)
		}
	})
}

func TestSmallAnswersNeedNoReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{})
		resp, err := google.RoundTrip(ask{key: "key-1"}.request(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if google.InFlight() != 0 {
			t.Error("the handler waits for a reader, though its answer fits into a socket's buffer")
		}
		_ = resp.Body.Close()
	})
}

func TestCancelledContextIsNotSentAndClosesTheBody(t *testing.T) {
	google := one(geminitest.Project{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := ask{key: "key-1"}.request(ctx)
	body := &closing{Reader: r.Body}
	r.Body = body
	if _, err := google.RoundTrip(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if !body.closed.Load() || google.Count(geminitest.Match{}) != 0 {
		t.Error("the body is closed and nothing is sent")
	}
}

// closing notes that it was closed.
type closing struct {
	io.Reader
	closed atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)
	return nil
}

func TestRoundTripLeavesTheRequestAlone(t *testing.T) {
	google := one(geminitest.Project{})
	r := ask{key: "key-1"}.request(t.Context())
	r.Header.Set("X-Mine", "1")
	before := r.Header.Clone()
	resp, err := google.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, resp)
	if resp.Request != r || len(r.Header) != len(before) || r.RequestURI != "" {
		t.Error("the request was changed")
	}
	google.Requests()[0].Header.Set("X-Mine", "2")
	if r.Header.Get("X-Mine") != "1" {
		t.Error("the journal shares the caller's header")
	}
}

func TestNoBodyAndUnknownMethodsAreAnswered(t *testing.T) {
	google := one(geminitest.Project{})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, "https://generativelanguage.googleapis.com/v1beta/corpora/x", nil)
	r.Header.Set("X-Goog-Api-Key", "key-1")
	resp, err := google.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got.status != 404 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if google.Count(geminitest.Match{Method: "corpora"}) != 1 {
		t.Error("the call is known by its collection")
	}
}

// The reader of an answer may change its header while the emulator still writes the body.
func TestTheHeaderOfAnAnswerIsItsReadersOwn(t *testing.T) {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{{ID: "a", Keys: []string{"k"}}}})
	for range 200 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
			strings.NewReader(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Goog-Api-Key", "k")
		resp, err := google.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 { // while the emulator writes
			resp.Header.Set("Spillway-Endpoint", "a")
			resp.Header.Del("Content-Length")
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
}
