package router_test

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// endpointStat returns what Stat shows of an endpoint for a model.
func endpointStat(t *testing.T, r *router.Router, endpoint, model string) pool.EndpointStat {
	t.Helper()
	for _, e := range r.Stat().Endpoints {
		if e.Endpoint == endpoint && e.Model == model {
			return e
		}
	}
	t.Fatalf("Stat shows no %s for %s", endpoint, model)
	return pool.EndpointStat{}
}

// modelStat returns what Stat shows of a model.
func modelStat(t *testing.T, r *router.Router, model string) pool.ModelStat {
	t.Helper()
	for _, m := range r.Stat().Models {
		if m.Model == model {
			return m
		}
	}
	t.Fatalf("Stat shows no %s", model)
	return pool.ModelStat{}
}

func TestStatCountsAttemptsByTheirClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: 10 * time.Minute, MaxAttempts: 1}}.bed(t, keyed("a", "k-1", "k-2", "k-3"))
		want := map[pool.Class]int64{}
		for _, tt := range []struct {
			class  pool.Class
			answer geminitest.Answer
			times  int
		}{
			{pool.ClassOK, geminitest.Answer{}, 5},
			{pool.ClassCallerFault, geminitest.InvalidArgument("no"), 3},
			{pool.ClassServerFault, geminitest.Internal(), 2},
			{pool.ClassOverloaded, geminitest.Overloaded(), 2},
			{pool.ClassTransport, geminitest.ConnectionReset(), 1},
			{pool.ClassMinuteQuota, geminitest.MinuteQuota(flash, 10, time.Second), 2},
			{pool.ClassQuotaUnknown, geminitest.QuotaUnknown(), 1},
			{pool.ClassKeyDead, geminitest.KeyLeaked(), 1},
			{pool.ClassOK, geminitest.Answer{}, 4},
		} {
			for range tt.times {
				b.Script(geminitest.Match{}, tt.answer)
				calls(flash)(t.Context(), t, b)
			}
			want[tt.class] += int64(tt.times)
			if tt.class == pool.ClassMinuteQuota || tt.class == pool.ClassQuotaUnknown || tt.class == pool.ClassKeyDead {
				want[pool.ClassOK] += int64(tt.times) // a refusal costs no attempt: the call goes on
			}
		}
		e := endpointStat(t, b.router, "a/global/on_demand", flash)
		if !maps.Equal(e.AttemptCounts, want) {
			t.Errorf("counted %v\nwant    %v", e.AttemptCounts, want)
		}
		var all int64
		for _, n := range e.AttemptCounts {
			all += n
		}
		if n := b.Count(geminitest.Match{Project: "a", Model: flash}); int64(n) != all {
			t.Errorf("%d attempts are counted, Google saw %d", all, n)
		}
		if m := modelStat(t, b.router, flash); m.CallCount != 21 {
			t.Errorf("%d calls are counted, want 21", m.CallCount)
		}
	})
}

// What Google counts is what Stat shows, for calls, streams and streams that are left.
func TestStatCountsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{google: geminitest.Config{
			Output: 40, Thoughts: 30, Caching: geminitest.Caching{Implicit: true, Min: 10},
		}}.bed(t, keyed("a", "k-a"))
		c := b.client(t)
		thinking := &genai.GenerateContentConfig{ThinkingConfig: &genai.ThinkingConfig{ThinkingBudget: genai.Ptr[int32](100)}}
		long := genai.Text("A dam keeps what you bought and lets the rest over the spillway, for as long as there is water in the lake.")
		var want pool.TokenCounts
		count := func(u *genai.GenerateContentResponseUsageMetadata) {
			want.Input += int64(u.PromptTokenCount)
			want.Cached += int64(u.CachedContentTokenCount)
			want.Output += int64(u.CandidatesTokenCount + u.ThoughtsTokenCount)
			want.Thoughts += int64(u.ThoughtsTokenCount)
		}
		for range 3 {
			resp, err := c.Models.GenerateContent(t.Context(), flash, long, thinking)
			if err != nil {
				t.Fatal(err)
			}
			count(resp.UsageMetadata)
			var last *genai.GenerateContentResponseUsageMetadata
			for resp, err := range c.Models.GenerateContentStream(t.Context(), flash, long, nil) {
				if err != nil {
					t.Fatal(err)
				}
				if resp.UsageMetadata != nil {
					last = resp.UsageMetadata
				}
			}
			count(last)
		}
		got := endpointStat(t, b.router, "a/global/on_demand", flash).TokenCounts
		if got != want || want.Cached == 0 || want.Thoughts == 0 {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		var journal pool.TokenCounts
		for _, r := range b.Requests() {
			journal.Input += int64(r.PromptTokens)
			journal.Cached += int64(r.CachedTokens)
			journal.Output += int64(r.OutputTokens)
		}
		if journal.Thoughts = got.Thoughts; got != journal {
			t.Errorf("counted %+v, Google %+v", got, journal)
		}
		// countTokens costs no tokens, and is an attempt all the same.
		if _, err := c.Models.CountTokens(t.Context(), flash, long, nil); err != nil {
			t.Fatal(err)
		}
		e := endpointStat(t, b.router, "a/global/on_demand", flash)
		if e.TokenCounts != want || e.AttemptCounts[pool.ClassOK] != 6 {
			t.Errorf("after countTokens counted %+v, %v", e.TokenCounts, e.AttemptCounts)
		}
		for _, e := range b.router.Stat().Endpoints {
			if e.Method == "countTokens" && e.AttemptCounts[pool.ClassOK] != 1 {
				t.Errorf("of countTokens counted %v", e.AttemptCounts)
			}
		}
	})
}

func TestStatCountsCallsWaitsAndExhaustion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := keyed("a", "k-a")
		p.pool.Limits = []pool.Limit{{Concurrency: 1}}
		b := setup{google: geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second}}}.bed(t, p)
		// Five calls of a second each, one after another: the waits are 0, 1, 2, 3 and 4 s. Two
		// more do not wait.
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { calls(flash)(t.Context(), t, b) })
		}
		time.Sleep(500 * time.Millisecond)
		if m := modelStat(t, b.router, flash); m.Waiting != 4 || m.CallCount != 5 || m.WaitCount != 4 {
			t.Errorf("while they wait Stat shows %+v", m)
		}
		for range 2 {
			wg.Go(func() { calls(flash)(router.WithCall(t.Context(), router.Call{MaxWait: -1}), t, b) })
		}
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		wg.Go(func() { calls(flash)(ctx, t, b) }) // it cannot be served before its deadline
		wg.Wait()
		m := modelStat(t, b.router, flash)
		if m.CallCount != 8 || m.Waiting != 0 || m.ExhaustedCount != 3 {
			t.Errorf("Stat shows %+v, want 8 calls of which 3 got no endpoint", m)
		}
		if m.WaitDuration < 10*time.Second || m.WaitDuration > 10*time.Second+250*time.Millisecond || m.WaitCount < 4 || m.WaitCount > 5 {
			t.Errorf("Stat shows %d waits of %v in all, want 10 s", m.WaitCount, m.WaitDuration)
		}
		if n := b.Count(geminitest.Match{}); n != 5 {
			t.Errorf("Google saw %d calls", n)
		}
		if s := b.router.Stat(); s.QueueCount != 0 {
			t.Errorf("%d queues are left", s.QueueCount)
		}
	})
}

func TestStatCountsExhaustionOfEveryKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxWait: -1}}.bed(t, keyed("a", "k-a"))
		b.Script(geminitest.Match{}, geminitest.MinuteQuota(flash, 10, 30*time.Second))
		for range 4 { // of which the first asks Google
			calls(flash)(t.Context(), t, b)
		}
		if m := modelStat(t, b.router, flash); m.CallCount != 4 || m.ExhaustedCount != 4 || m.WaitCount != 0 {
			t.Errorf("Stat shows %+v, want 4 calls of which none got an endpoint in the end", m)
		}
	})
}

// A call that goes over to another model is counted at both.
func TestStatCountsFallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := router.Config{MaxWait: -1, Fallbacks: []router.Fallback{{Model: flash, To: []string{pro}}}}
		b := setup{router: cfg}.bed(t, keyed("a", "k-a"))
		b.Script(geminitest.Match{Model: flash}, geminitest.MinuteQuota(flash, 10, 30*time.Second))
		for range 3 {
			calls(flash)(t.Context(), t, b)
		}
		asked, standIn := modelStat(t, b.router, flash), modelStat(t, b.router, pro)
		if asked.CallCount != 3 || asked.ExhaustedCount != 3 || standIn.CallCount != 3 || standIn.ExhaustedCount != 0 {
			t.Errorf("Stat shows %+v and %+v", asked, standIn)
		}
	})
}

func TestStatCountsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{MaxAttempts: 2}}.bed(t, vertexed("prod", "global", "eu"))
		if s := b.router.Stat(); s.RetryBudget != 10 || s.RetryCount != 0 || s.RetryRefusedCount != 0 {
			t.Errorf("at first %d retries are allowed, %d made, %d refused", s.RetryBudget, s.RetryCount, s.RetryRefusedCount)
		}
		// A quota is no fault: going elsewhere for it is no retry.
		b.Script(geminitest.Match{Location: "global"}, geminitest.QuotaUnknown())
		b.Script(geminitest.Match{Location: "eu"}, geminitest.QuotaUnknown())
		calls(flash)(t.Context(), t, b)
		if s := b.router.Stat(); s.RetryCount != 0 {
			t.Errorf("a quota is counted as %d retries", s.RetryCount)
		}
		time.Sleep(time.Minute)
		b.Reset()
		b.Outage("global", true)
		b.Outage("eu", true)
		const n = 40
		for range n {
			calls(flash)(router.WithCall(t.Context(), router.Call{MaxWait: time.Millisecond}), t, b)
		}
		s := b.router.Stat()
		retried := int64(b.Count(geminitest.Match{}) - n)
		if s.RetryCount != retried || s.RetryCount+s.RetryRefusedCount != n || s.RetryRefusedCount == 0 {
			t.Errorf("%d retries are counted and %d refused; Google saw %d of %d calls", s.RetryCount, s.RetryRefusedCount, retried, n)
		}
		if s.RetryBudget != 0 {
			t.Errorf("the budget is used up, and %d are allowed", s.RetryBudget)
		}
		time.Sleep(10 * time.Second)
		if s := b.router.Stat(); s.RetryBudget != 10 || s.RetryCount != retried {
			t.Errorf("ten seconds later %d are allowed, %d counted", s.RetryBudget, s.RetryCount)
		}
	})
}

func TestStatCountsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ps := []project{keyed("a", "k-a"), keyed("b", "k-b")}
		google := googleOf(geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second}}, ps...)
		file := upload(t, setup{}.over(t, google, ps...).client(t), anywhere(0), []byte("x"))
		b := setup{}.over(t, google, ps...)
		google.Reset()
		var wg sync.WaitGroup
		for range 10 { // one of them searches, the others wait for it
			wg.Go(func() {
				if _, err := b.client(t).Files.Get(t.Context(), file.Name, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for range 3 { // remembered
			_, _ = b.client(t).Files.Get(t.Context(), file.Name, nil)
			_, _ = b.client(t).Files.Get(t.Context(), "files/unknown", nil)
		}
		if n := b.router.Stat().LookupCount; n != 2 {
			t.Errorf("%d lookups are counted, want one for each of two files", n)
		}
		gets := google.CountStatus(geminitest.Match{Method: "files.get"}, http.StatusOK)
		if gets != 10+1+3 {
			t.Errorf("Google served %d reads, want that of the search and one for each of 13 calls", gets)
		}
	})
}
