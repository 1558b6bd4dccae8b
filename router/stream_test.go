package router_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// regions is one project in two regions, of which the first is preferred.
func regions(t *testing.T, google geminitest.Config) *bed {
	t.Helper()
	return setup{google: google}.bed(t, vertexed("prod", "global", "europe-west4"))
}

// listen reads a stream to its end.
func listen(ctx context.Context, c *genai.Client) (text string, endpoints map[string]bool, err error) {
	endpoints = map[string]bool{}
	for chunk, err := range c.Models.GenerateContentStream(ctx, flash, genai.Text("hi"), nil) {
		if err != nil {
			return text, endpoints, err
		}
		text += chunk.Text()
		endpoints[endpoint(chunk)] = true
	}
	return text, endpoints, nil
}

func TestErrorBeforeTheFirstEventIsNotSeen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer geminitest.Answer
	}{
		{"HTTP 503", geminitest.Overloaded()},
		{"an error event in HTTP 200", geminitest.Overloaded().AfterEvents(0)},
		{"a bare error line in HTTP 200", bare(geminitest.Overloaded().AfterEvents(0))},
		{"a 429 event in HTTP 200", geminitest.Contention().AfterEvents(0)},
		{"a connection reset", geminitest.ConnectionReset()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := regions(t, geminitest.Config{})
				b.Script(geminitest.Match{Location: "global"}, tt.answer)
				text, endpoints, err := listen(t.Context(), b.client(t))
				if err != nil || text == "" || !endpoints["prod/europe-west4/on_demand"] {
					t.Errorf("got %q by %v, %v", text, endpoints, err)
				}
				if n := b.Count(geminitest.Match{Location: "global"}); n != 1 {
					t.Errorf("global was asked %d times, want once", n)
				}
			})
		})
	}
}

func bare(a geminitest.Answer) geminitest.Answer {
	a.Bare = true
	return a
}

func TestErrorAfterContentIsGooglesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{})
		b.Script(geminitest.Match{}, geminitest.Overloaded().AfterEvents(2))
		text, _, err := listen(t.Context(), b.client(t))
		if e := apiError(t, err); e.Code != 503 || e.Status != "UNAVAILABLE" || strings.Contains(e.Message, "spillway") {
			t.Errorf("error is %v, want Google's 503", err)
		}
		if text == "" {
			t.Error("the text before the error is lost")
		}
		if n := b.Count(geminitest.Match{}); n != 1 {
			t.Errorf("Google was asked %d times, want once: content cannot be taken back", n)
		}
	})
}

func TestCutStreamIsReportedAsSuch(t *testing.T) {
	for _, query := range []string{"alt=sse", ""} {
		t.Run("?"+query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := regions(t, geminitest.Config{Output: 60})
				whole := fetch(t, b, query)
				for _, at := range []int{len(whole) / 2, len(whole) * 2 / 3, len(whole) - 60} {
					b.Script(geminitest.Match{}, geminitest.Answer{Truncate: at})
					got := fetch(t, b, query)
					if !strings.Contains(got, `"code":503`) || !strings.Contains(got, "spillway: the stream broke off") {
						t.Errorf("cut at %d of %d bytes: no error at the end of %q", at, len(whole), got)
					}
				}
				// And the SDK takes it for an error, not for an end.
				b.Script(geminitest.Match{}, geminitest.Answer{Truncate: len(whole) / 2})
				if _, _, err := listen(t.Context(), b.client(t)); err == nil {
					t.Error("the SDK saw no error")
				} else if e := apiError(t, err); e.Code != 503 {
					t.Errorf("the SDK saw %v", err)
				}
			})
		})
	}
}

func fetch(t *testing.T, b *bed, query string) string {
	t.Helper()
	req, err := toVertex(t.Context(), ":streamGenerateContent?"+query)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return string(body)
}

func TestStreamIsHandedOnAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{Output: 100, Latency: geminitest.Latency{FirstToken: time.Second, PerToken: 100 * time.Millisecond}})
		start := time.Now()
		var first, last time.Duration
		for chunk, err := range b.client(t).Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if first == 0 && chunk.Text() != "" {
				first = time.Since(start)
			}
			last = time.Since(start)
		}
		if first > 5*time.Second || last < 10*time.Second {
			t.Errorf("the first text came after %v, the last after %v", first, last)
		}
	})
}

func TestCallerWhoLeavesIsHeldAgainstNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := regions(t, geminitest.Config{Output: 100, Latency: geminitest.Latency{FirstToken: time.Second, PerToken: 100 * time.Millisecond}})
		c := b.client(t)
		for i := range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				cancel()
			}()
			_, _, err := listen(ctx, c)
			if err == nil {
				t.Error("a cancelled stream ended well")
			}
			cancel()
		}
		synctest.Wait()
		if n := b.InFlight(); n != 0 {
			t.Errorf("%d requests are still under way at Google", n)
		}
		for _, e := range b.router.Stat().Endpoints {
			if e.Calls != 0 || e.Tokens != 0 || e.Cooldown.Class != "" || e.Breaker.Failures != 0 {
				t.Errorf("%s: %+v", e.Endpoint, e)
			}
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
