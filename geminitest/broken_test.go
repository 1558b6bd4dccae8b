package geminitest_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// pair is two projects, on both back ends.
func pair() geminitest.Config {
	return geminitest.Config{Projects: []geminitest.Project{
		{ID: "a", Keys: []string{"key-a"}, Tokens: []string{"token-a"}},
		{ID: "b", Keys: []string{"key-b"}, Tokens: []string{"token-b"}},
	}}
}

// socketed sends requests for Google's hosts to a server.
type socketed struct{ to *url.URL }

func (l socketed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = l.to.Scheme, l.to.Host, l.to.Host
	return http.DefaultTransport.RoundTrip(r)
}

// overBoth runs a test in memory, and over sockets.
func overBoth(t *testing.T, cfg geminitest.Config, test func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		google := geminitest.New(cfg)
		test(t, google, google)
	})
	t.Run("sockets", func(t *testing.T) {
		server := geminitest.NewServer(t, cfg)
		to, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		test(t, server.Emulator, socketed{to})
	})
}

// TestExactlyOneOfTwoProjectsIsBroken keeps each fault for project a, and for a location and a
// method of it: all else is served.
func TestExactlyOneOfTwoProjectsIsBroken(t *testing.T) {
	for name, broken := range map[string]struct {
		answer geminitest.Answer
		status int
		begins string // of the body
	}{
		"HTML 200":  {geminitest.Page(200), 200, "<!DOCTYPE html>"},
		"HTML 403":  {geminitest.Page(403), 403, "<!DOCTYPE html>"},
		"HTML 429":  {geminitest.Page(429), 429, "<!DOCTYPE html>"},
		"HTML 502":  {geminitest.Page(502), 502, "<!DOCTYPE html>"},
		"empty 200": {geminitest.Blank(200), 200, ""},
		"204":       {geminitest.Blank(204), 204, ""},
		"407":       {geminitest.Blank(407), 407, ""},
		"302":       {geminitest.Redirect(302, "https://portal.example/"), 302, "<!DOCTYPE html>"},
		"status ok": {geminitest.Healthy(), 200, `{"status":"ok"}`},
		"reset":     {geminitest.ConnectionReset(), 0, ""},
		"500":       {geminitest.Internal(), 500, "{"},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
				google.Keep(geminitest.Match{Backend: "gemini", Project: "a"}, broken.answer)
				google.Keep(geminitest.Match{Backend: "vertex", Project: "a", Location: "eu", Model: "gemini-3.*", Method: "generateContent"}, broken.answer)
				fails := func(a ask) {
					t.Helper()
					got := a.do(t.Context(), rt)
					if got.status != broken.status || got.readErr != nil || !strings.HasPrefix(got.body, broken.begins) || broken.begins == "" && got.body != "" {
						t.Errorf("%+v: got %d %q %v %v, want %d", a, got.status, got.body, got.err, got.readErr, broken.status)
					}
					if (got.err != nil) != (broken.status == 0) {
						t.Errorf("%+v: error %v", a, got.err)
					}
				}
				served := func(a ask) {
					t.Helper()
					if got := a.do(t.Context(), rt); got.status != 200 || !strings.Contains(got.body, "candidates") && !strings.Contains(got.body, "totalTokens") {
						t.Errorf("%+v: got %d %q %v", a, got.status, got.body, got.err)
					}
				}
				const model = "gemini-3.5-flash"
				fails(ask{key: "key-a", model: model})
				fails(ask{key: "key-a", model: model, method: "streamGenerateContent"})
				served(ask{key: "key-b", model: model})
				served(ask{key: "key-b", model: model, method: "streamGenerateContent"})
				fails(ask{token: "token-a", project: "a", where: "eu", model: model})
				served(ask{token: "token-a", project: "a", where: "us", model: model})
				served(ask{token: "token-a", project: "a", where: "eu", model: flash})
				served(ask{token: "token-a", project: "a", where: "eu", model: model, method: "countTokens"})
				served(ask{token: "token-b", project: "b", where: "eu", model: model})
			})
		})
	}
}

func TestBlankAnswersSayTheirLength(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for _, status := range []int{200, 204} {
			google.Script(geminitest.Match{}, geminitest.Blank(status))
			resp, err := rt.RoundTrip(ask{key: "key-a"}.request(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, resp); resp.ContentLength != 0 || got.body != "" || got.readErr != nil {
				t.Errorf("%d: length %d, body %q, error %v", status, resp.ContentLength, got.body, got.readErr)
			}
		}
	})
}

func TestPagesSayWhatTheyAreAndWhereTheySend(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		google.Script(geminitest.Match{}, geminitest.Page(403), geminitest.Redirect(307, "https://portal.example/login"))
		sorry := ask{key: "key-a"}.do(t.Context(), rt)
		if sorry.header.Get("Content-Type") != "text/html; charset=UTF-8" || !strings.Contains(sorry.body, "automated queries") {
			t.Errorf("got %q %s", sorry.header, sorry.body)
		}
		moved := ask{key: "key-a"}.do(t.Context(), rt)
		if moved.status != 307 || moved.header.Get("Location") != "https://portal.example/login" {
			t.Errorf("got %d %q", moved.status, moved.header)
		}
	})
}

// TestAnswersStopWhereTheyShould stalls and resets answers after their header and after their first
// byte.
func TestAnswersStopWhereTheyShould(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for _, method := range []string{"generateContent", "streamGenerateContent"} {
			for name, c := range map[string]struct {
				answer geminitest.Answer
				bytes  int
			}{
				"stall after header":     {geminitest.Stall().AfterHeader(), 0},
				"stall after first byte": {geminitest.Stall().AfterBytes(1), 1},
				"reset after header":     {geminitest.ConnectionReset().AfterHeader(), 0},
				"reset after first byte": {geminitest.ConnectionReset().AfterBytes(1), 1},
			} {
				google.Script(geminitest.Match{Project: "a"}, c.answer)
				ctx, cancel := context.WithCancel(t.Context())
				resp, err := rt.RoundTrip(ask{key: "key-a", method: method}.request(ctx))
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%s, %s: %v %v", method, name, resp, err)
				}
				got, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.bytes)))
				if err != nil || len(got) != c.bytes {
					t.Errorf("%s, %s: %q %v, want %d bytes", method, name, got, err, c.bytes)
				}
				if c.answer.Hang {
					cancel() // nothing else ends it
				}
				if rest, err := io.ReadAll(resp.Body); err == nil || len(rest) > 0 {
					t.Errorf("%s, %s: then %q %v, want nothing but an error", method, name, rest, err)
				}
				cancel()
				resp.Body.Close()
			}
		}
		if got := (ask{key: "key-b"}).do(t.Context(), rt); got.status != 200 {
			t.Errorf("the other project: %d %s", got.status, got.body)
		}
	})
}

func TestStallsLastForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := slow()
		for _, answer := range []geminitest.Answer{geminitest.Stall().AfterHeader(), geminitest.Stall().AfterBytes(1), geminitest.Stall().AfterEvents(1)} {
			google.Script(geminitest.Match{}, answer)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			begin := time.Now()
			got := ask{key: "key-1", method: "streamGenerateContent"}.do(ctx, google)
			cancel()
			if got.readErr == nil || time.Since(begin) != time.Hour {
				t.Errorf("%+v: ended after %v with %v", answer, time.Since(begin), got.readErr)
			}
		}
	})
}

// TestPingsMeanNothing has signs of life for an hour, one a quarter of a minute.
func TestPingsMeanNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			method string
			answer geminitest.Answer
			want   string
			events int
		}{
			{"streamGenerateContent", geminitest.Pings(15 * time.Second), ": ping", 0},
			{"streamGenerateContent", geminitest.Pings(15 * time.Second).AfterEvents(2), ": ping", 2},
			{"generateContent", geminitest.Pings(15 * time.Second), "", 0},
		} {
			google := geminitest.New(pair())
			google.Script(geminitest.Match{}, c.answer)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			resp, err := google.RoundTrip(ask{key: "key-a", method: c.method}.request(ctx))
			if err != nil {
				t.Fatal(err)
			}
			pings, events := 0, 0
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() {
				switch text := lines.Text(); {
				case strings.HasPrefix(text, "data: "):
					events++
				case text == c.want && (text != "" || c.method == "generateContent"):
					pings++
				}
			}
			cancel()
			resp.Body.Close()
			if pings != 239 && pings != 240 || events != c.events || lines.Err() == nil {
				t.Errorf("%s %+v: %d pings, %d events, ended with %v", c.method, c.answer, pings, events, lines.Err())
			}
		}
	})
}

func TestErrorsStandInsideStreamsOfOneProject(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		for _, after := range []int{0, 2} {
			google.Script(geminitest.Match{Project: "a"}, geminitest.Overloaded().AfterEvents(after))
			got := ask{key: "key-a", method: "streamGenerateContent"}.do(t.Context(), rt)
			if got.status != 200 || strings.Count(got.body, `"candidates":`) != after || !strings.Contains(got.body, `"code": 503`) {
				t.Errorf("after %d events: %d %s", after, got.status, got.body)
			}
			if got := (ask{key: "key-b", method: "streamGenerateContent"}).do(t.Context(), rt); strings.Contains(got.body, "error") {
				t.Errorf("the other project: %d %s", got.status, got.body)
			}
		}
	})
}

// TestAnswersShorterThanTheirLengthAreCut has the header of a whole answer over half of one.
func TestAnswersShorterThanTheirLengthAreCut(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		google.Script(geminitest.Match{}, geminitest.Answer{Header: http.Header{"Content-Length": {"5000"}}, Truncate: 40})
		got := ask{key: "key-a"}.do(t.Context(), rt)
		if got.status != 200 || len(got.body) != 40 || got.readErr == nil {
			t.Errorf("got %d, %d bytes, %v", got.status, len(got.body), got.readErr)
		}
	})
}

func TestStatus000ReachesTheCaller(t *testing.T) {
	overBoth(t, pair(), func(t *testing.T, google *geminitest.Emulator, rt http.RoundTripper) {
		google.Script(geminitest.Match{}, geminitest.Statusless())
		resp, err := rt.RoundTrip(ask{key: "key-a"}.request(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); resp.StatusCode != 0 || got.body != "" || got.readErr != nil {
			t.Errorf("got %q %q %v", resp.Status, got.body, got.readErr)
		}
	})
}

// TestSomeCallsAreBroken has a share of one project's calls, the same ones for the same seed.
func TestSomeCallsAreBroken(t *testing.T) {
	run := func(seed uint64) string {
		cfg := pair()
		cfg.Seed = seed
		google := geminitest.New(cfg)
		remove := google.KeepSome(geminitest.Match{Project: "a"}, 0.02, geminitest.Unavailable())
		var statuses strings.Builder
		for range 1000 {
			statuses.WriteString(strconv.Itoa(ask{key: "key-a"}.do(t.Context(), google).status / 100))
			ask{key: "key-b"}.do(t.Context(), google)
		}
		if failed := strings.Count(statuses.String(), "5"); failed < 8 || failed > 40 {
			t.Errorf("seed %d: %d of 1000 calls fail, want about 20", seed, failed)
		}
		if n := google.CountStatus(geminitest.Match{Project: "b"}, 503); n > 0 {
			t.Errorf("%d calls of the other project fail", n)
		}
		remove()
		google.Reset()
		for range 200 {
			ask{key: "key-a"}.do(t.Context(), google)
		}
		if n := google.CountStatus(geminitest.Match{}, 503); n > 0 {
			t.Errorf("%d calls fail when it is over", n)
		}
		return statuses.String()
	}
	if one := run(1); one != run(1) || one == run(2) {
		t.Error("the seed does not decide")
	}
}
