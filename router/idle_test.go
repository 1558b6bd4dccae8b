package router_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/router"
)

func repeat(n int, p part) []part {
	parts := make([]part, n)
	for i := range parts {
		parts[i] = p
	}
	return parts
}

// TestPauseBeforeContentIsTriedElsewhere: no deadline, and nothing known of usual times. The
// response is cut after idle_timeout and the call answered by another project.
func TestPauseBeforeContentIsTriedElsewhere(t *testing.T) {
	large := strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name, path string
		parts      []part
		within     time.Duration
	}{
		{"header and no body", genPath, []part{{untilTheEnd, ""}}, 20 * time.Second},
		{"stream: header and no body", streamPath, []part{{untilTheEnd, ""}}, 20 * time.Second},
		{"one byte", genPath, []part{{0, "{"}, {untilTheEnd, ""}}, 20 * time.Second},
		{"half of it", genPath, []part{{time.Second, okBody[:40]}, {3 * time.Second, large}, {untilTheEnd, ""}}, 24 * time.Second},
		{"trickle", genPath, repeat(1000, part{time.Second, " "}), 100 * time.Second},
		{"comments", streamPath, repeat(1000, part{time.Second, ": ping\n\n"}), 21 * time.Second},
		{"comments without end", streamPath, repeat(1000, part{time.Second, ": ping "}), 21 * time.Second},
		{"large comments", streamPath, repeat(100, part{time.Second, ": " + large + "\n"}), 21 * time.Second},
		{"events of nothing", streamPath, repeat(1000, part{time.Second, nothing}), 21 * time.Second},
		{"half an event", streamPath, []part{{0, content[:30]}, {untilTheEnd, ""}}, 20 * time.Second},
		{"an array of nothing", "models/" + flash + ":streamGenerateContent", repeat(1000, part{time.Second, "[\n "}), 21 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				serve := func(q *http.Request) (*http.Response, error) {
					if first {
						first = false
						return inParts(q, typeOf(q), tt.parts...), nil
					}
					resp, err := afterPause(q, 0)
					if err == nil && !strings.Contains(q.URL.RawQuery, "sse") {
						resp.Body = io.NopCloser(strings.NewReader("[" + okBody + "]"))
						if tt.path == genPath {
							resp.Body = io.NopCloser(strings.NewReader(okBody))
						}
					}
					return resp, err
				}
				r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second})
				began := time.Now()
				if err := once(t, r, tt.path, 0); err != nil || time.Since(began) > tt.within {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

// TestPauseAfterContentEndsTheStream: the caller gets the error event of a broken stream.
func TestPauseAfterContentEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(q *http.Request) (*http.Response, error) {
			return inParts(q, eventType, part{0, content}, part{19 * time.Second, content}, part{untilTheEnd, ""}), nil
		}
		r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second})
		began := time.Now()
		resp, err := r.RoundTrip(gen(t.Context(), streamPath, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasPrefix(string(data), content+content+"data: {") || !strings.Contains(string(data), "UNAVAILABLE") {
			t.Errorf("got %q, %v", data, err)
		}
		if took := time.Since(began); took != 39*time.Second {
			t.Errorf("it took %v", took)
		}
		if e := r.Stat().Endpoints[0]; e.Calls != 0 {
			t.Errorf("%d calls are under way", e.Calls)
		}
	})
}

// TestPauseOfADownloadIsAnError: there is no event to tell it with.
func TestPauseOfADownloadIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(q *http.Request) (*http.Response, error) {
			return inParts(q, eventType, part{0, "x"}, part{untilTheEnd, ""}), nil
		}
		r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second})
		resp, err := r.RoundTrip(gen(t.Context(), "interactions?alt=media", `{"stream":true}`))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(resp.Body); err == nil || string(data) != "x" {
			t.Errorf("got %q, %v; want an error", data, err)
		}
	})
}

// TestSlowReaderIsNoPause: the caller may take his time, however long.
func TestSlowReaderIsNoPause(t *testing.T) {
	for _, path := range []string{streamPath, "interactions?alt=sse"} {
		synctest.Test(t, func(t *testing.T) {
			serve := func(q *http.Request) (*http.Response, error) {
				return inParts(q, eventType, part{0, content}, part{time.Second, content}, part{time.Second, event}), nil
			}
			r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second})
			resp, err := r.RoundTrip(gen(t.Context(), path, `{}`))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for b := make([]byte, 64); ; time.Sleep(time.Minute) {
				n, err := resp.Body.Read(b)
				text.Write(b[:n])
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if text.String() != content+content+event {
				t.Errorf("%s: got %q", path, text.String())
			}
		})
	}
}

// TestSlowAnswersAreWhole: pauses shorter than idle_timeout cut nothing, nor does a large event that
// takes longer than that.
func TestSlowAnswersAreWhole(t *testing.T) {
	image := `data: {"candidates":[{"content":{"parts":[{"inlineData":{"data":"`
	parts := append([]part{{time.Second, image}}, repeat(60, part{10 * time.Second, strings.Repeat("A", 4096)})...)
	parts = append(parts, part{time.Second, `"}}]},"finishReason":"STOP"}]}` + "\n\n"})
	for name, tt := range map[string]struct {
		path  string
		parts []part
	}{
		"unary":          {genPath, []part{{time.Minute, okBody[:10]}, {19 * time.Second, okBody[10:20]}, {19 * time.Second, okBody[20:30]}, {19 * time.Second, okBody[30:]}}},
		"a large event":  {streamPath, parts},
		"after comments": {streamPath, []part{{time.Second, ": ping\n\n"}, {18 * time.Second, event}}},
		"by and by":      {streamPath, []part{{time.Second, content}, {19 * time.Second, content}, {19 * time.Second, event}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				serve := func(q *http.Request) (*http.Response, error) {
					if sent++; name == "unary" {
						time.Sleep(time.Minute) // before the header
						return inParts(q, typeOf(q), append([]part{{0, tt.parts[0].text}}, tt.parts[1:]...)...), nil
					}
					return inParts(q, typeOf(q), tt.parts...), nil
				}
				r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second})
				if err := once(t, r, tt.path, 0); err != nil || sent != 1 {
					t.Errorf("sent %d times: %v", sent, err)
				}
			})
		})
	}
}

// TestPauseOfTheLastAttemptIsBounded: what cannot be sent again is watched all the same.
func TestPauseOfTheLastAttemptIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(q *http.Request) (*http.Response, error) {
			return inParts(q, eventType, part{0, content}, part{untilTheEnd, ""}), nil
		}
		r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second, MaxAttempts: 1})
		began := time.Now()
		if err := once(t, r, streamPath, 0); err == nil || time.Since(began) != 20*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// TestPauseEndsWhateverTheTransportHeeds: a body that does not end with its request is closed.
func TestPauseEndsWhateverTheTransportHeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		serve := func(q *http.Request) (*http.Response, error) {
			if !first {
				return afterPause(q, 0)
			}
			first = false
			resp := answerOf(200, "")
			resp.Body, _ = io.Pipe()
			return resp, nil
		}
		r := projectsAB(t, serve, serve, router.Config{IdleTimeout: 20 * time.Second})
		if err := once(t, r, genPath, 0); err != nil {
			t.Error(err)
		}
	})
}
