package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// A name of more than 1 kB is refused: nothing is sent, and nothing is remembered.
func TestNamesThatAreTooLongAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := []project{keyed("a", "k-a"), keyed("b", "k-b")}
		b := setup{}.bed(t, ps...)
		name := func(n int) string { return strings.Repeat("x", n) }
		prompt := func(uri string) string {
			return `{"contents":[{"parts":[{"fileData":{"fileUri":"` + uri + `"}}]}]}`
		}
		const google = "https://generativelanguage.googleapis.com/v1beta/"
		for _, tt := range []struct {
			name, method, path, body string
			refused                  bool
		}{
			{"a model of 1,024 bytes", "POST", "models/" + name(1024) + ":generateContent", `{}`, false},
			{"a model of 1,025 bytes", "POST", "models/" + name(1025) + ":generateContent", `{}`, true},
			{"a model of 1 MB", "POST", "models/" + name(1<<20) + ":streamGenerateContent?alt=sse", `{}`, true},
			{"tokens of a long model", "POST", "models/" + name(1025) + ":countTokens", `{}`, true},
			{"a long file", "GET", "files/" + name(1025), "", true},
			{"a long tuned model", "POST", "tunedModels/" + name(1025) + ":generateContent", `{}`, true},
			{"a long file in a prompt", "POST", genPath, prompt(google + "files/" + name(1025)), true},
			{"a long cached content", "POST", genPath, `{"cachedContent":"cachedContents/` + name(1025) + `"}`, true},
			{"a long method", "POST", "models/x:" + name(1025), "{}", true},
			{"a long kind of thing", "GET", name(1025), "", true},
			{"a long kind of thing with an item", "POST", name(1025) + "/x/y", "{}", true},
			{"a long file to be deleted", "DELETE", "files/" + name(1025), "", true},
			// These are no names of Google's resources.
			{"a long address elsewhere", "POST", genPath, prompt("https://example.com/?signature=" + name(5000)), false},
			{"a long page token", "GET", "models?pageToken=" + name(5000), "", false},
			{"a long text", "POST", genPath, `{"contents":[{"parts":[{"text":"files/` + name(5000) + `"}]}]}`, false},
		} {
			b.Reset()
			before, lookups := b.router.Stat().Models, b.router.Stat().LookupCount
			req, err := http.NewRequestWithContext(t.Context(), tt.method, google+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := b.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			sent := b.Count(geminitest.Match{})
			switch e := apiError(t, genaiErrorOr(t, resp.StatusCode, body)); {
			case !tt.refused && sent == 0:
				t.Errorf("%s: nothing is sent: %d %s", tt.name, resp.StatusCode, body)
			case !tt.refused:
			case e.Code != http.StatusBadRequest || e.Status != "INVALID_ARGUMENT" || !strings.Contains(e.Message, "bytes"):
				t.Errorf("%s: answered with %+v", tt.name, e)
			case sent != 0 || b.router.Stat().LookupCount != lookups || len(b.router.Stat().Models) != len(before):
				t.Errorf("%s: %d requests, or something is remembered", tt.name, sent)
			case len(body) > 4096:
				t.Errorf("%s: the answer has %d bytes", tt.name, len(body))
			}
		}
		if _, err := b.router.LiveConfig(t.Context(), name(1025)); apiError(t, err).Code != http.StatusBadRequest {
			t.Errorf("a Live session with a long model: %v", err)
		}
	})
}

// genaiErrorOr is the error in a response, or one of its status if it holds none.
func genaiErrorOr(t *testing.T, status int, body []byte) error {
	t.Helper()
	if status < http.StatusBadRequest {
		body = []byte(`{"error":{"code":200}}`)
	}
	return genaiError(t, body)
}

// Names that callers make up take nothing from a model that is used: its counters, its cooldowns
// and its running stream are as if nothing had been, and memory is bounded.
func TestMadeUpNamesTakeNothingFromARealModel(t *testing.T) {
	flood := amount(3_000, 100_000)
	most := amount(int64(40), 80) // MB
	synctest.Test(t, func(t *testing.T) {
		var missing atomic.Int64
		streamed, finish := io.Pipe()
		google := transport(func(req *http.Request) (*http.Response, error) {
			path := req.URL.Path
			switch {
			case strings.Contains(path, "resting"):
				return answerOf(429, string(geminitest.DayQuota("resting", 20, time.Minute).Body)), nil
			case strings.Contains(path, flash+":stream"):
				resp := answerOf(200, "", "Content-Type", "text/event-stream")
				resp.Body = streamed
				return resp, nil
			case strings.Contains(path, flash):
				return answerOf(200, okBody), nil
			case strings.Contains(path, "files/"):
				missing.Add(1)
				return answerOf(403, string(geminitest.FileDenied("x").Body)), nil
			default:
				missing.Add(1)
				return answerOf(404, string(geminitest.ModelMissing("x", "generateContent").Body)), nil
			}
		})
		a, b := keyed("a", "k-a").pool, keyed("b", "k-b").pool
		a.Limits = []pool.Limit{{Model: flash, RPM: 30, RPD: 100, Concurrency: 5}}
		b.Priority = 1
		r := routerOver(t, google, router.Config{MaxWait: -1}, a, b)
		call := func(ctx context.Context, path string) int {
			resp, err := r.RoundTrip(gen(ctx, path, `{"contents":[{"parts":[{"text":"hi"}]}]}`))
			if err != nil {
				t.Fatal(err)
			}
			if path != "" && !strings.Contains(path, "stream") {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			return resp.StatusCode
		}

		go func() {
			_, _ = fmt.Fprintf(finish, "data: %s\r\n\r\n", strings.Replace(okBody, `,"finishReason":"STOP"`, "", 1))
		}()
		stream, err := r.RoundTrip(gen(t.Context(), "models/"+flash+":streamGenerateContent?alt=sse", `{}`))
		if err != nil || stream.StatusCode != http.StatusOK {
			t.Fatal(stream, err)
		}
		for range 9 {
			call(t.Context(), genPath)
		}
		call(t.Context(), "models/resting:generateContent")
		want := r.Stat()
		picture := func(s router.Stat) string {
			var b strings.Builder
			for _, e := range s.Endpoints {
				if e.Model == flash || e.Model == "resting" {
					_, _ = fmt.Fprintf(&b, "%s %s: %d calls, %d tokens, %v, learned %+v, %v, %+v",
						e.Model, e.Endpoint, e.Calls, e.Tokens, e.Cooldown, e.Learned, e.AttemptCounts, e.TokenCounts)
					if e.Quota != nil {
						_, _ = fmt.Fprintf(&b, ", %+v", *e.Quota)
					}
					b.WriteString("\n")
				}
			}
			for _, m := range s.Models {
				if m.Model == flash || m.Model == "resting" {
					_, _ = fmt.Fprintf(&b, "%+v\n", m)
				}
			}
			return b.String()
		}
		if text := picture(want); !strings.Contains(text, "1 calls") || !strings.Contains(text, "day_quota") {
			t.Fatalf("before the flood:\n%s", text)
		}

		before := heap()
		for i := range flood {
			if code := call(t.Context(), fmt.Sprintf("models/misspelled-%d:generateContent", i)); code != http.StatusNotFound {
				t.Fatalf("a misspelled model is answered with %d", code)
			}
		}
		for i := range flood {
			ctx := router.WithCall(t.Context(), router.Call{Affinity: fmt.Sprint("somebody ", i)})
			if code := call(ctx, "models/"+flash+"-lite:generateContent"); code != http.StatusOK {
				t.Fatalf("a call with an affinity is answered with %d", code)
			}
		}
		for i := range flood {
			req := gen(t.Context(), fmt.Sprintf("files/unknown-%d", i), "")
			req.Method = http.MethodGet
			resp, err := r.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusTooManyRequests {
				t.Fatal(resp, err)
			}
		}
		if grown := (heap() - before) >> 20; grown > most {
			t.Errorf("the heap is %d MB above the start, want at most %d", grown, most)
		}
		if n := missing.Load(); n < int64(flood) {
			t.Errorf("Google was asked %d times for what it does not have", n)
		}
		if got := picture(r.Stat()); got != picture(want) {
			t.Errorf("after the flood\n%swant\n%s", got, picture(want))
		}

		go func() {
			_, _ = fmt.Fprintf(finish, "data: %s\r\n\r\n", okBody)
			_ = finish.Close()
		}()
		if text, err := io.ReadAll(stream.Body); err != nil || !strings.Contains(string(text), "STOP") {
			t.Errorf("the stream that ran ended with %v\n%s", err, text)
		}
		for i := range 21 { // 10 of the minute's 30 are used: b takes the last
			resp, err := r.RoundTrip(gen(t.Context(), genPath, `{}`))
			if err != nil || (resp.Header.Get("Spillway-Endpoint") == "a/global/on_demand") != (i < 20) {
				t.Fatalf("call %d after the flood went to %s, %v", i, resp.Header.Get("Spillway-Endpoint"), err)
			}
		}
		for _, e := range r.Stat().Endpoints {
			if e.Calls != 0 {
				t.Errorf("%s has %d calls of %s that do not end", e.Endpoint, e.Calls, e.Model)
			}
		}
	})
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPartOfAPathThatIsTooLongIsRefused, whatever it names.
func TestPartOfAPathThatIsTooLongIsRefused(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return answerOf(404, `{}`), nil
	}, router.Config{}, vertexed("v", "global").pool, keyed("a", "k-a").pool)
	for _, address := range []string{
		"https://generativelanguage.googleapis.com/v1beta/openai/models/NAME",
		"https://generativelanguage.googleapis.com/v1beta/fileSearchStores/x/documents/NAME",
		"https://generativelanguage.googleapis.com/NAME/models/x:generateContent",
		"https://aiplatform.googleapis.com/v1/projects/NAME/locations/global/publishers/google/models/x:generateContent",
		"https://aiplatform.googleapis.com/v1/projects/x/locations/NAME/publishers/google/models/x:generateContent",
		"https://aiplatform.googleapis.com/v1/projects/x/locations/global/publishers/NAME/models/x:generateContent",
	} {
		for _, n := range []int{1025, 500_000} {
			req, err := http.NewRequest(http.MethodPost, strings.ReplaceAll(address, "NAME", strings.Repeat("a", n)), strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := r.RoundTrip(req); err != nil || resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s of %d bytes: %v, %v", address, n, resp.StatusCode, err)
			}
		}
	}
}
