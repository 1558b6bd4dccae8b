package metrics_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

func TestCallsCountByTheirOutcome(t *testing.T) {
	const stream = `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for _, tt := range []struct {
		name, outcome string
		do            func(t *testing.T, b *bed)
	}{
		{"a call that is served", "ok", func(t *testing.T, b *bed) { b.call(t, flash) }},
		{"a stream that is served", "ok", func(t *testing.T, b *bed) { b.ask(t, flash, "streamGenerateContent?alt=sse", stream) }},
		{"a retry that is served", "ok", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, time.Second))
			b.call(t, flash)
		}},
		{"a call that the pool refuses", "refused", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 30*time.Second))
			b.call(t, flash, "Spillway-Max-Wait", "0s")
		}},
		{"a call while the only key is dead", "refused", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.KeyExpired())
			if status := b.call(t, flash, "Spillway-Max-Wait", "0s"); status != 400 {
				t.Errorf("the caller got %d, want Google's 400", status)
			}
		}},
		{"a model that does not exist", "caller_fault", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.ModelMissing(flash, "generateContent"))
			b.call(t, flash)
		}},
		{"a wrong request", "caller_fault", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.InvalidArgument("no"))
			b.call(t, flash)
		}},
		{"Google's failures", "error", func(t *testing.T, b *bed) {
			for range 10 {
				b.Script(geminitest.Match{}, geminitest.Internal())
			}
			b.call(t, flash)
		}},
		{"a stream that breaks off", "error", func(t *testing.T, b *bed) {
			b.Script(geminitest.Match{}, geminitest.ConnectionReset().AfterEvents(2))
			b.ask(t, flash, "streamGenerateContent?alt=sse", stream)
		}},
		{"a caller who leaves", "cancelled", func(t *testing.T, b *bed) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost,
				"https://generativelanguage.googleapis.com/v1beta/models/"+flash+":generateContent", strings.NewReader(stream))
			if resp, err := b.router.RoundTrip(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				t.Errorf("a call that was left got %d", resp.StatusCode)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google, p := studio()
				google.Latency.FirstToken = time.Second
				b := newBed(t, google, p)
				tt.do(t, b)
				method := "generateContent"
				if strings.Contains(tt.name, "stream") {
					method = "streamGenerateContent"
				}
				want := map[string]float64{
					fmt.Sprintf("spillway_calls_total{method=%q,model=%q,outcome=%q}", method, flash, tt.outcome): 1,
				}
				got := b.values(t, "spillway_calls_total")
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

func TestCallsAreTimedAsTheirCallersSeeThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, p := studio()
		google.Latency = geminitest.Latency{FirstToken: 2 * time.Second, PerToken: 100 * time.Millisecond}
		google.Output = 20
		b := newBed(t, google, p)
		b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 3*time.Second))
		began := time.Now()
		b.ask(t, flash, "streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)
		took := time.Since(began).Seconds()
		got := b.values(t, "spillway_")
		of := fmt.Sprintf("{model=%q}", flash)
		waited := got["spillway_wait_seconds_sum"+of]
		if waited < 3 || waited > 3.4 { // the hint and its jitter
			t.Errorf("waited %v s, want 3 to 3.4", waited)
		}
		want := map[string]float64{
			"spillway_call_duration_seconds_sum" + of: took, "spillway_call_duration_seconds_count" + of: 1,
			"spillway_wait_seconds_count" + of: 1, "spillway_first_byte_seconds_count" + of: 1,
		}
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s is %v, want %v", name, got[name], v)
			}
		}
		if first := got["spillway_first_byte_seconds_sum"+of]; first < waited+2 || first > took-1 {
			t.Errorf("the first byte came after %v s of %v s, of which %v s were waited", first, took, waited)
		}
	})
}

func TestTokensAndCallsCountByLabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, p := studio()
		google.Thoughts = 30
		b := newBed(t, google, p)
		for range 3 {
			b.call(t, flash, "Spillway-Label", "team-a")
		}
		b.call(t, flash)
		var input, output, thoughts int
		for _, r := range b.Requests() {
			input += r.PromptTokens
			output += r.OutputTokens
		}
		got := b.values(t, "spillway_label_")
		for name, n := range got {
			if strings.Contains(name, "thoughts") {
				thoughts += int(n)
			}
		}
		sum := func(kind string) (n float64) {
			for _, label := range []string{"team-a", ""} {
				n += got[fmt.Sprintf(`spillway_label_tokens_total{kind=%q,label=%q,traffic="on_demand"}`, kind, label)]
			}
			return n
		}
		if sum("input") != float64(input) || sum("output")+float64(thoughts) != float64(output) || input == 0 {
			t.Errorf("counted %v, Google %d in and %d out", got, input, output)
		}
		want := map[string]float64{
			`spillway_label_calls_total{label="team-a",outcome="ok"}`: 3, `spillway_label_calls_total{label="",outcome="ok"}`: 1,
		}
		calls := b.values(t, "spillway_label_calls")
		if diff := cmp.Diff(want, calls); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// Callers who make up names of models and methods get no series for each.
func TestNamesThatCallersMakeUpAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, p := studio()
		p.Memory = 1 << 20
		b := newBed(t, google, p)
		for i := range 3000 {
			b.ask(t, fmt.Sprintf("gemini-%d", i), fmt.Sprintf("verb%d", i), `{}`)
		}
		b.call(t, flash)
		own := fmt.Sprintf(`spillway_calls_total{method="generateContent",model=%q,outcome="ok"}`, flash)
		got := b.values(t, "spillway_calls_total")
		if got[own] != 1 {
			t.Error("a model that answers has no series of its own")
		}
		if len(got) > 400 {
			t.Errorf("3,000 made-up names have %d series", len(got))
		}
		all := 0.0
		for _, n := range got {
			all += n
		}
		if all != 3001 {
			t.Errorf("%v calls are counted, want 3001", all)
		}
	})
}

// A list asks every project, and a resource that nobody knows is searched for: these requests are
// attempts, and no calls of anybody's.
func TestRequestsOfTheRoutersOwnAreNoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google, p := studio()
		google.Projects = append(google.Projects, geminitest.Project{ID: "other", Keys: []string{"k-other"}})
		p.Projects = append(p.Projects, pool.Project{
			Name: "other", Backend: pool.BackendGemini, Keys: []pool.Secret{pool.NewSecret("k-other")},
		})
		b := newBed(t, google, p)
		for _, path := range []string{"files", "files/nobodys"} {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://generativelanguage.googleapis.com/v1beta/"+path, nil)
			resp, err := b.router.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		calls := 0.0
		for _, n := range b.values(t, "spillway_calls_total") {
			calls += n
		}
		if calls != 2 || len(b.Requests()) < 4 {
			t.Errorf("%v calls are counted for 2, with %d requests", calls, len(b.Requests()))
		}
	})
}
