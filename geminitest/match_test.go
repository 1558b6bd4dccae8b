package geminitest_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

func TestScriptsAreUsedUpInOrderByTheCallsTheyMatch(t *testing.T) {
	google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
		{ID: "a", Keys: []string{"a1", "a2"}}, {ID: "b", Keys: []string{"b1"}, Tokens: []string{"token-b"}},
	}})
	google.Script(geminitest.Match{Project: "a"}, geminitest.Overloaded(), geminitest.Answer{}, geminitest.KeyLeaked())
	google.Script(geminitest.Match{Project: "a", Model: "*-pro"}, geminitest.Internal())
	google.Script(geminitest.Match{Key: "a2"}, geminitest.QuotaUnknown())
	google.Script(geminitest.Match{Backend: "vertex", Traffic: "none"}, geminitest.Contention())
	google.Script(geminitest.Match{Location: "eu", Traffic: "dedicated"}, geminitest.DeadlineExpired())
	google.Script(geminitest.Match{Method: "countTokens"})
	eu := ask{token: "token-b", project: "b", where: "eu"}
	dedicated, shared := eu, eu
	dedicated.traffic, shared.traffic = "dedicated", "shared"
	for i, step := range []struct {
		a    ask
		want int
	}{
		{ask{key: "b1"}, 200}, {ask{key: "a1"}, 503}, {ask{key: "a2", method: "countTokens"}, 200}, {ask{key: "a1"}, 403},
		{ask{key: "a1"}, 200}, {ask{key: "a1", model: "gemini-2.5-pro"}, 500}, {ask{key: "a1", model: "gemini-2.5-pro"}, 200},
		{ask{key: "a2"}, 429}, {ask{key: "a2"}, 200}, {shared, 200}, {dedicated, 504}, {eu, 429}, {eu, 200},
	} {
		if r := step.a.do(t.Context(), google); r.status != step.want {
			t.Errorf("step %d: %d, want %d", i, r.status, step.want)
		}
	}
}

func TestKeptAnswersStayUntilRemoved(t *testing.T) {
	google := one(geminitest.Project{})
	a := ask{key: "key-1"}
	status := func() int { return a.do(t.Context(), google).status }
	removeFirst := google.Keep(geminitest.Match{}, geminitest.Overloaded())
	removeSecond := google.Keep(geminitest.Match{Key: "key-1"}, geminitest.KeyLeaked())
	google.Script(geminitest.Match{}, geminitest.Internal())
	got := []int{status(), status(), status()}
	removeSecond()
	removeSecond()
	got = append(got, status())
	removeFirst()
	if got = append(got, status()); !slices.Equal(got, []int{500, 403, 403, 503, 200}) {
		t.Errorf("statuses %v", got)
	}
}

func TestOutagesTakeAwayWhatTheyName(t *testing.T) {
	google := one(geminitest.Project{})
	studio := ask{key: "key-1"}
	eu, us := ask{token: "token-1", project: "acme", where: "eu"}, ask{token: "token-1", project: "acme", where: "us"}
	expect := func(when string, a, b, c int) {
		t.Helper()
		got := []int{studio.do(t.Context(), google).status, eu.do(t.Context(), google).status, us.do(t.Context(), google).status}
		if want := []int{a, b, c}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	google.Outage("eu", true)
	expect("eu is out", 200, 503, 200)
	google.Outage("", true)
	expect("the Developer API, too", 503, 503, 200)
	google.Outage("eu", false)
	expect("eu is back", 503, 200, 200)
	google.Outage("", false)
	mend := google.SetOutage(geminitest.Outage{Backend: "vertex", Model: "gemini-2.5-*", Status: 500})
	expect("a model is out on Vertex", 200, 500, 500)
	mend()
	mend()
	expect("it is back", 200, 200, 200)
	google.SetOutage(geminitest.Outage{Project: "acme", Status: 504})
	google.SetOutage(geminitest.Outage{Location: "us"})
	expect("a project is out", 504, 504, 504)
	google.ClearOutages()
	expect("all is well", 200, 200, 200)
}

func TestResetsAndBlackHoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{})
		a := ask{key: "key-1"}
		mend := google.SetOutage(geminitest.Outage{Reset: true})
		if r := a.do(t.Context(), google); !errors.Is(r.err, syscall.ECONNRESET) {
			t.Errorf("got %+v, want a reset", r)
		}
		mend()
		mine := errors.New("mine")
		google.Script(geminitest.Match{}, geminitest.Answer{Err: mine, Delay: time.Second})
		begin := time.Now()
		if r := a.do(t.Context(), google); !errors.Is(r.err, mine) || time.Since(begin) != time.Second {
			t.Errorf("after %v: %+v", time.Since(begin), r)
		}
		if n := google.CountStatus(geminitest.Match{}, 0); n != 2 {
			t.Errorf("%d calls without an answer, want 2", n)
		}
	})
}

func TestAnswersAreShapedAsTheScriptSays(t *testing.T) {
	plain := one(geminitest.Project{})
	stream := ask{key: "key-1", method: "streamGenerateContent"}
	unary := ask{key: "key-1"}
	whole := stream.do(t.Context(), plain).body
	events := strings.SplitAfter(whole, "\r\n\r\n")
	if len(events) != 4 || events[3] != "" {
		t.Fatalf("the whole stream: %q", whole)
	}
	dropped := errors.New("dropped")
	for name, c := range map[string]struct {
		a      ask
		answer geminitest.Answer
		events int    // good ones
		rest   string // what follows them: a prefix; "-" for nothing
		status int
		err    error
	}{
		"nothing changed":                             {stream, geminitest.Answer{}, 3, "-", 200, nil},
		"an error as the first event":                 {stream, geminitest.Overloaded().AfterEvents(0), 0, `data: {  "error": {`, 200, nil},
		"an error after two events":                   {stream, geminitest.Overloaded().AfterEvents(2), 2, `data: {  "error": {`, 200, nil},
		"an error after the last event":               {stream, geminitest.Overloaded().AfterEvents(3), 3, `data: {  "error": {`, 200, nil},
		"an error after too many":                     {stream, geminitest.Overloaded().AfterEvents(30), 3, `data: {  "error": {`, 200, nil},
		"a bare error":                                {stream, geminitest.Answer{Status: 503, Body: []byte(`{"error":{}}`), Event: true, After: 1, Bare: true}, 1, `{"error":{}}`, 200, nil},
		"an end without finishReason":                 {stream, geminitest.Answer{Event: true, After: 2}, 2, "-", 200, nil},
		"an empty stream":                             {stream, geminitest.Answer{Event: true}, 0, "-", 200, nil},
		"a cut within the third event":                {stream, geminitest.Answer{Event: true, After: 2, Truncate: 10}, 2, events[2][:10], 200, nil},
		"a drop within the second event":              {stream, geminitest.Answer{Event: true, After: 1, Truncate: 10, Err: dropped}, 1, events[1][:10], 200, dropped},
		"a drop between events":                       {stream, geminitest.Answer{Event: true, After: 1, Err: dropped}, 1, "-", 200, dropped},
		"an error, then a drop":                       {stream, geminitest.Answer{Status: 500, Body: []byte(`{"error":{}}`), Event: true, After: 1, Err: dropped}, 1, `data: {"error":{}}`, 200, dropped},
		"a cut by bytes":                              {stream, geminitest.Answer{Truncate: 30}, 0, whole[:30], 200, nil},
		"an error before the stream":                  {stream, geminitest.Overloaded(), 0, "{\n  \"error\"", 503, nil},
		"an error event for a unary call is a status": {unary, geminitest.Overloaded().AfterEvents(2), 0, "{\n  \"error\"", 503, nil},
		"raw bytes":                                   {unary, geminitest.Answer{Status: 502, Body: []byte("<html>\x00")}, 0, "<html>\x00", 502, nil},
		"raw bytes, cut":                              {unary, geminitest.Answer{Status: 429, Body: []byte("<html>"), Truncate: 3}, 0, "<ht", 429, nil},
		"raw bytes, dropped":                          {unary, geminitest.Answer{Status: 429, Body: []byte("<html>"), Truncate: 3, Err: dropped}, 0, "<ht", 429, dropped},
		"a cut beyond the end, dropped":               {unary, geminitest.Answer{Status: 429, Body: []byte("<html>"), Truncate: 30, Err: dropped}, 0, "<html>", 429, dropped},
		"an empty answer":                             {unary, geminitest.Answer{Status: 200}, 0, "-", 200, nil},
		"a trickle":                                   {stream, geminitest.Answer{Trickle: time.Second}, 3, "-", 200, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := one(geminitest.Project{})
				google.Script(geminitest.Match{}, c.answer)
				begin := time.Now()
				r := c.a.do(t.Context(), google)
				if r.err != nil || r.status != c.status || !errors.Is(r.readErr, c.err) || (r.readErr == nil) != (c.err == nil) {
					t.Fatalf("status %d, errors %v, %v; want %d, %v", r.status, r.err, r.readErr, c.status, c.err)
				}
				for i := range c.events { // response ids count up from the start in every emulator, so the events are the same
					if !strings.HasPrefix(r.body, events[i]) {
						t.Fatalf("event %d is missing in %q", i, r.body)
					}
					r.body = r.body[len(events[i]):]
				}
				if c.rest == "-" && r.body != "" || c.rest != "-" && !strings.HasPrefix(r.body, c.rest) {
					t.Errorf("then %q, want %q", r.body, c.rest)
				}
				if c.answer.Truncate > 0 && c.answer.Err == nil && r.body != c.rest {
					t.Errorf("then %q, want exactly %q", r.body, c.rest)
				}
				if c.answer.Trickle > 0 && time.Since(begin) != time.Duration(len(whole))*time.Second {
					t.Errorf("took %v for %d bytes", time.Since(begin), len(whole))
				}
				if n := google.InFlight(); n > 0 {
					synctest.Wait()
					if google.InFlight() != 0 {
						t.Errorf("%d still in flight", n)
					}
				}
			})
		})
	}
}

func TestDelayedAnswersAreOtherwiseReal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{})
		google.Script(geminitest.Match{}, geminitest.Answer{Delay: 3 * time.Second}, geminitest.Overloaded().Late(time.Second))
		for _, want := range []struct {
			after  time.Duration
			status int
		}{{3 * time.Second, 200}, {time.Second, 503}} {
			begin := time.Now()
			if r := (ask{key: "key-1"}).do(t.Context(), google); r.status != want.status || time.Since(begin) != want.after {
				t.Errorf("%d after %v, want %+v", r.status, time.Since(begin), want)
			}
		}
	})
}

func TestScriptedHeadersReachTheCaller(t *testing.T) {
	google := one(geminitest.Project{})
	answer := geminitest.Overloaded()
	answer.Header = map[string][]string{"Retry-After": {"7"}}
	google.Script(geminitest.Match{}, answer, geminitest.Answer{Header: answer.Header})
	for _, status := range []int{503, 200} {
		if r := (ask{key: "key-1"}).do(t.Context(), google); r.status != status || r.header.Get("Retry-After") != "7" {
			t.Errorf("%d, header %v", r.status, r.header)
		}
	}
}

// TestSDKSeesErrorsWithinStreams is about what the scripts are for: the unmodified SDK reports the
// error after the good events.
func TestSDKSeesErrorsWithinStreams(t *testing.T) {
	for _, bare := range []bool{false, true} {
		google := geminitest.New(twoBackends())
		answer := geminitest.Overloaded().AfterEvents(2)
		answer.Bare = bare
		google.Keep(geminitest.Match{}, answer)
		for name, client := range sdkClients(t, google, "") {
			chunks := 0
			var apiError genai.APIError
			for _, err := range client.Models.GenerateContentStream(t.Context(), flash, genai.Text("hi"), nil) {
				if err == nil {
					chunks++
				} else if !errors.As(err, &apiError) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if chunks != 2 || apiError.Code != 503 {
				t.Errorf("%s: %d chunks, then %v; want 2 and 503", name, chunks, apiError)
			}
		}
	}
}

func TestServerShowsTheSameFailures(t *testing.T) {
	google := geminitest.NewServer(t, twoBackends())
	transport := loopback(t)
	url := google.URL + "/v1beta/models/" + flash + ":"
	unary, stream := ask{key: "key-1", url: url + "generateContent"}, ask{key: "key-1", url: url + "streamGenerateContent?alt=sse"}
	google.Script(geminitest.Match{}, geminitest.ConnectionReset(), geminitest.Answer{Truncate: 30, Err: io.ErrUnexpectedEOF},
		geminitest.Answer{Truncate: 30}, geminitest.Overloaded().AfterEvents(1))
	if r := unary.do(t.Context(), transport); r.err == nil {
		t.Errorf("got %d, want a broken connection", r.status)
	}
	if r := unary.do(t.Context(), transport); r.status != 200 || len(r.body) != 30 || !errors.Is(r.readErr, io.ErrUnexpectedEOF) {
		t.Errorf("got %+v, want 30 bytes and a broken connection", r)
	}
	if r := unary.do(t.Context(), transport); r.status != 200 || len(r.body) != 30 || r.readErr != nil {
		t.Errorf("got %+v, want 30 bytes and a good end", r)
	}
	if r := stream.do(t.Context(), transport); r.status != 200 || strings.Count(r.body, "data: ") != 2 || !strings.Contains(r.body, `"error"`) {
		t.Errorf("got %+v, want an event and an error", r)
	}
}
