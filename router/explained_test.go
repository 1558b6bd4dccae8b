package router_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// explainedCall makes a call with a header, and returns its response.
func explainedCall(t *testing.T, r *router.Router, kv ...string) *http.Response {
	t.Helper()
	req := gen(context.Background(), genPath, `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	for i := 0; i+1 < len(kv); i += 2 {
		req.Header.Set(kv[i], kv[i+1])
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

func TestACallIsExplainedInOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := keyed("a", "secret-of-a").pool, keyed("b", "secret-of-b").pool, keyed("c", "secret-of-c").pool
		c.Priority, b.Priority = 2, 1
		google := transport(func(req *http.Request) (*http.Response, error) {
			for name := range req.Header {
				if strings.HasPrefix(name, "Spillway") {
					t.Errorf("%s goes to Google", name)
				}
			}
			if req.Header.Get("X-Goog-Api-Key") == "secret-of-b" {
				return answerOf(503, `{"error":{"code":503,"status":"UNAVAILABLE","message":"overloaded, says secret-of-b"}}`), nil
			}
			return answerOf(200, okBody), nil
		})
		r := routerOver(t, google, router.Config{}, a, b, c)
		if got := explainedCall(t, r).Header["Spillway-Explain"]; got != nil {
			t.Errorf("a call that does not ask is explained: %q", got)
		}
		if got := explainedCall(t, r, "Spillway-Explain", "0").Header["Spillway-Explain"]; got != nil {
			t.Errorf("a call that asks not to is explained: %q", got)
		}
		if got, want := explainedCall(t, r, "spillway-explain", "1").Header.Get("Spillway-Explain"), "attempt 1 at a/global/on_demand"; got != want {
			t.Errorf("explained is %q, want %q", got, want)
		}
		if err := r.Pause("project:a", time.Hour, "the bill: \u00fcber secret-of-a"); err != nil {
			t.Fatal(err)
		}
		want := "attempt 2 at c/global/on_demand; before: b/global/on_demand: overloaded; passed over: " +
			"a/global/on_demand (paused by an operator until 2000-01-01T01:00:00.000Z: the bill: ?ber [redacted]), " +
			"b/global/on_demand (failed for this call)"
		if got := explainedCall(t, r, "Spillway-Explain", "1").Header.Get("Spillway-Explain"); got != want {
			t.Errorf("explained is\n%q, want\n%q", got, want)
		}
		for _, p := range []string{"project:b", "project:c"} {
			if err := r.Pause(p, 0, ""); err != nil {
				t.Fatal(err)
			}
		}
		resp := explainedCall(t, r, "Spillway-Explain", "1")
		want = "refused by the router; passed over: " +
			"a/global/on_demand (paused by an operator until 2000-01-01T01:00:00.000Z: the bill: ?ber [redacted]), " +
			"b/global/on_demand (paused by an operator until it is resumed), c/global/on_demand (paused by an operator until it is resumed)"
		if got := resp.Header.Get("Spillway-Explain"); resp.StatusCode != http.StatusTooManyRequests || got != want {
			t.Errorf("with %d explained is\n%q, want\n%q", resp.StatusCode, got, want)
		}
	})
}

// TestAKeptAnswerIsExplained: while every endpoint is out for what Google said of a key or the model, callers
// get that again, which was not asked for them.
func TestAKeptAnswerIsExplained(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		body    string
		why     string
		refused bool
	}{
		"of a key": {400, `{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"API key not valid. Please pass a valid API key.",` +
			`"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}`, "key_dead", true},
		"of the model": {404, `{"error":{"code":404,"status":"NOT_FOUND","message":"models/gemini-3.5-flash is not found for API version v1beta, ` +
			`or is not supported for generateContent."}}`, "model_missing", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ends []router.CallEnd
				google := transport(func(*http.Request) (*http.Response, error) { return answerOf(tt.status, tt.body), nil })
				r := newRouter(t, pool.Config{Projects: []pool.Project{keyed("a", "k-a").pool}}, router.Config{},
					router.WithTransport(google), router.WithTrace(&router.Trace{CallEnd: func(_ context.Context, e router.CallEnd) { ends = append(ends, e) }}))
				_ = explainedCall(t, r)
				resp := explainedCall(t, r, "Spillway-Explain", "1")
				want := "refused by the router; passed over: a/global/on_demand (" + tt.why + " until a probe succeeds)"
				if got := resp.Header.Get("Spillway-Explain"); resp.StatusCode != tt.status || got != want {
					t.Errorf("with %d explained is %q, want %q", resp.StatusCode, got, want)
				}
				for i, e := range ends {
					if len(ends) != 2 || (e.Refused != nil) != tt.refused || e.Status != tt.status {
						t.Errorf("call %d of %d ends with %d, refused %+v", i, len(ends), e.Status, e.Refused)
					}
				}
			})
		})
	}
}

func TestAPauseWithoutEndIsNotSaidToEndByAProbe(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }, router.Config{})
	if err := r.Pause("project:a", 0, ""); err != nil {
		t.Fatal(err)
	}
	if why := explainedCall(t, r).Header.Get("Spillway-Why"); !strings.HasPrefix(why, "paused of project:a until it is resumed: ") {
		t.Errorf("callers are told %q", why)
	}
}

func TestTheExplanationAskedFromGoIsTheSame(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }, router.Config{})
	ctx := router.WithCall(context.Background(), router.Call{Explain: true})
	resp, err := r.RoundTrip(gen(ctx, genPath, `{}`))
	if err != nil || resp.Header.Get("Spillway-Explain") != "attempt 1 at a/global/on_demand" {
		t.Errorf("explained is %v, %v", resp.Header, err)
	}
	_ = resp.Body.Close()
}

func TestAnExplanationIsBounded(t *testing.T) {
	var projects []pool.Project
	for name := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyz", "") {
		projects = append(projects, keyed(strings.Repeat(name, 60), "k-"+name).pool)
	}
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }, router.Config{}, projects...)
	if err := r.Pause("backend:gemini", 0, strings.Repeat("x\x00", 500)); err != nil {
		t.Fatal(err)
	}
	got := explainedCall(t, r, "Spillway-Explain", "1").Header.Get("Spillway-Explain")
	if len(got) != 1_000 || !strings.HasSuffix(got, "...") {
		t.Errorf("the line has %d bytes: %q", len(got), got)
	}
	for _, c := range []byte(got) {
		if c < ' ' || c > '~' {
			t.Fatalf("the line has the byte %#x", c)
		}
	}
}

func TestAskingForAnExplanationInOtherWordsIsRefused(t *testing.T) {
	r := routerOver(t, func(*http.Request) (*http.Response, error) { return answerOf(200, okBody), nil }, router.Config{})
	for header, value := range map[string]string{"Spillway-Explain": "yes", "Spillway-Explian": "1"} {
		if resp := explainedCall(t, r, header, value); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s gets %d", header, value, resp.StatusCode)
		}
	}
}

// TestACallThatNoStandInServesIsRefusedForItsOwnModel: nobody asked for the model that stood in.
func TestACallThatNoStandInServesIsRefusedForItsOwnModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []pool.Event
		google := transport(func(*http.Request) (*http.Response, error) {
			return answerOf(429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Resource has been exhausted (e.g. check quota)."}}`), nil
		})
		cfg := router.Config{MaxWait: -1, Fallbacks: []router.Fallback{{Model: flash, To: []string{"gemini-3.1-pro-preview"}}}}
		r := newRouter(t, pool.Config{Projects: []pool.Project{keyed("a", "k-a").pool}}, cfg, router.WithTransport(google),
			router.WithEvents(func(e pool.Event) { told = append(told, e) }))
		got := explainedCall(t, r, "Spillway-Explain", "1").Header.Get("Spillway-Explain")
		if !strings.HasPrefix(got, "refused by the router; before: a/global/on_demand: quota_unknown, "+
			"a/global/on_demand for gemini-3.1-pro-preview: quota_unknown; passed over: ") {
			t.Errorf("explained is %q", got)
		}
		synctest.Wait()
		for _, m := range r.Stat().Models {
			if want := map[string]int64{flash: 1}[m.Model]; m.RefusedCount != want {
				t.Errorf("%s has refused %d calls, want %d", m.Model, m.RefusedCount, want)
			}
		}
		for _, e := range told {
			if e.Kind == pool.CallsRefused && e.Subject.Model != flash {
				t.Errorf("refused are calls for %s", e.Subject)
			}
		}
	})
}
