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
