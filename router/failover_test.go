package router_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// twoProjects is project a with two keys, which is preferred, and project b with one.
func twoProjects(t *testing.T, limits ...geminitest.Limit) *bed {
	t.Helper()
	pa, pb := keyed("a", "key-a1", "key-a2"), keyed("b", "key-b")
	pa.google.Limits = limits
	pb.pool.Priority = 1
	return setup{}.bed(t, pa, pb)
}

func mustAsk(t *testing.T, c *genai.Client, model, wantProject string) {
	t.Helper()
	resp, err := ask(t.Context(), c, model)
	if err != nil {
		t.Fatalf("call failed: %v", err)
	}
	if got := endpoint(resp); !strings.HasPrefix(got, wantProject+"/") {
		t.Fatalf("answered by %q, want project %q", got, wantProject)
	}
}

func TestMinuteQuotaRestsProjectAndModelForTheHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Script(geminitest.Match{Project: "a"}, geminitest.MinuteQuota(flash, 10, 39*time.Second))

		mustAsk(t, c, flash, "b")
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() { mustAsk(t, c, flash, "b") })
		}
		wg.Wait()
		if n := b.Count(geminitest.Match{Project: "a", Model: flash}); n != 1 {
			t.Errorf("project a was asked %d times for the exhausted model, want 1: its other key shares the quota", n)
		}
		mustAsk(t, c, "gemini-2.5-pro", "a") // another model has its own quota

		time.Sleep(38 * time.Second)
		mustAsk(t, c, flash, "b")
		time.Sleep(5 * time.Second) // the hint, and up to a tenth of jitter
		mustAsk(t, c, flash, "a")
	})
}

func TestMinuteQuotaMetBy64CallsAtOnceFailsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t, geminitest.Limit{RPM: 10})
		c := b.client(t)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if _, err := ask(t.Context(), c, flash); err != nil {
					t.Errorf("call failed: %v", err)
				}
			})
		}
		wg.Wait()
	})
}

// TestDayQuotaRestsUntilMidnightInLosAngeles stands on both sides of both daylight-saving changes
// of 2026. Hints of 20 s, as the free tier sends them with a day's quota, are good for a first
// probe and nothing more.
func TestDayQuotaRestsUntilMidnightInLosAngeles(t *testing.T) {
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		day  time.Duration // from there to midnight
	}{
		{"the day before spring forward", time.Date(2026, 3, 7, 10, 0, 0, 0, la), 14 * time.Hour},
		{"spring forward", time.Date(2026, 3, 8, 1, 0, 0, 0, la), 22 * time.Hour},
		{"fall back", time.Date(2026, 11, 1, 0, 30, 0, 0, la), 24*time.Hour + 30*time.Minute},
		{"the day after fall back", time.Date(2026, 11, 2, 10, 0, 0, 0, la), 14 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(tt.at))
				b := twoProjects(t)
				c := b.client(t)
				quotaLeft := b.Keep(geminitest.Match{Project: "a"}, geminitest.DayQuota(flash, 20, 20*time.Second))
				midnight := time.Now().Add(tt.day)

				// A call every 10 minutes until a minute before midnight. None fails, and a is
				// asked at most 5 times: once, and 4 probes.
				for time.Until(midnight) > time.Minute {
					mustAsk(t, c, flash, "b")
					time.Sleep(min(10*time.Minute, time.Until(midnight)-30*time.Second))
				}
				if n := b.Count(geminitest.Match{Project: "a"}); n < 2 || n > 5 {
					t.Errorf("project a was asked %d times before midnight, want the first time and 1 to 4 probes", n)
				}
				quotaLeft()
				asked := b.Count(geminitest.Match{Project: "a"})
				mustAsk(t, c, flash, "b")
				if n := b.Count(geminitest.Match{Project: "a"}); n != asked {
					t.Errorf("project a was asked before midnight, after its probes were used up")
				}
				time.Sleep(time.Until(midnight) + 2*time.Second)
				mustAsk(t, c, flash, "a")
			})
		})
	}
}

func TestDayQuotaEndsEarlyWhenAProbeIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		b.Script(geminitest.Match{Project: "a"}, geminitest.DayQuota(flash, 20, 20*time.Second))
		mustAsk(t, c, flash, "b")
		mustAsk(t, c, flash, "b")
		time.Sleep(21 * time.Second)
		mustAsk(t, c, flash, "a")
		mustAsk(t, c, flash, "a")
	})
}

func TestRevokedKeyCostsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		mustAsk(t, c, flash, "a")
		b.Revoke("key-a1")
		for range 10 {
			mustAsk(t, c, flash, "a") // by its other key
		}
		if n := b.CountStatus(geminitest.Match{Key: "key-a1"}, 400); n != 1 {
			t.Errorf("the revoked key was refused %d times, want once", n)
		}
		b.Revoke("key-a2")
		mustAsk(t, c, flash, "b")

		b.Restore("key-a1") // new keys, too, take minutes to be known everywhere
		time.Sleep(2 * time.Minute)
		mustAsk(t, c, flash, "a")
	})
}

func TestContentionInGlobalIsServedByTheRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, vertexed("prod", "global", "europe-west4"))
		c := b.client(t)
		b.Script(geminitest.Match{Location: "global"}, geminitest.Contention())
		resp, err := ask(t.Context(), c, flash)
		if err != nil {
			t.Fatal(err)
		}
		if got := endpoint(resp); got != "prod/europe-west4/on_demand" {
			t.Errorf("answered by %q", got)
		}
		if got := resp.SDKHTTPResponse.Headers.Get("Spillway-Attempts"); got != "2" {
			t.Errorf("Spillway-Attempts is %q, want 2", got)
		}
		time.Sleep(time.Second)
		if resp, err = ask(t.Context(), c, flash); err != nil || endpoint(resp) != "prod/global/on_demand" {
			t.Errorf("a second later: %v, %v", resp, err)
		}
	})
}

func TestOutageOfALocationFailsOverAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, vertexed("prod", "global", "europe-west4"))
		c := b.client(t)
		b.Outage("global", true)
		for range 120 {
			if resp, err := ask(t.Context(), c, flash); err != nil || endpoint(resp) != "prod/europe-west4/on_demand" {
				t.Fatalf("during the outage: %v, %v", resp, err)
			}
			time.Sleep(time.Second)
		}
		if n := b.Count(geminitest.Match{Location: "global"}); n > 15 {
			t.Errorf("the failing location was asked %d times in 2 minutes, want no more than 5 and a few probes", n)
		}
		b.Outage("global", false)
		time.Sleep(5 * time.Minute)
		if resp, err := ask(t.Context(), c, flash); err != nil || endpoint(resp) != "prod/global/on_demand" {
			t.Errorf("after the outage: %v, %v", resp, err)
		}
	})
}

func TestTheLastEndpointIsAskedThoughItsBreakerIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, vertexed("prod", "global"))
		c := b.client(t)
		b.Outage("global", true)
		for range 5 {
			_, err := ask(t.Context(), c, flash)
			if e := apiError(t, err); e.Code != 503 {
				t.Fatalf("during the outage: %v, want Google's 503", err)
			}
		}
		b.Outage("global", false)
		if _, err := ask(t.Context(), c, flash); err != nil {
			t.Errorf("right after the outage: %v", err)
		}
	})
}

func TestMisspelledModelIsToldSoEveryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := twoProjects(t)
		c := b.client(t)
		for i := range 10 {
			_, err := ask(t.Context(), c, "gemini-2.5-flahs")
			if e := apiError(t, err); e.Code != 404 || e.Status != "NOT_FOUND" || !strings.Contains(e.Message, "gemini-2.5-flahs") {
				t.Fatalf("call %d: %v, want Google's 404", i+1, err)
			}
		}
		if n := b.Count(geminitest.Match{}); n != 2 {
			t.Errorf("Google was asked %d times, want once for each project", n)
		}
	})
}

func TestCallersFaultGoesStraightBack(t *testing.T) {
	b := twoProjects(t)
	c := b.client(t)
	b.Script(geminitest.Match{}, geminitest.InvalidArgument("The input token count exceeds the maximum number of tokens allowed 1048576."))
	_, err := ask(t.Context(), c, flash)
	if e := apiError(t, err); e.Code != 400 || e.Status != "INVALID_ARGUMENT" {
		t.Errorf("error is %v, want Google's 400", err)
	}
	if n := b.Count(geminitest.Match{}); n != 1 {
		t.Errorf("Google was asked %d times, want once", n)
	}
}

func TestAllowedLocationsHoldInFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, vertexed("prod", "global", "europe-west4", "europe-west1", "us-central1"))
		c := b.client(t)
		b.Outage("europe-west4", true)
		ctx := router.WithCall(t.Context(), router.Call{Locations: []string{"europe-west4", "europe-west1"}})
		for range 10 {
			if resp, err := ask(ctx, c, flash); err != nil || endpoint(resp) != "prod/europe-west1/on_demand" {
				t.Fatalf("%v, %v", resp, err)
			}
		}
		b.Outage("europe-west1", true)
		if _, err := ask(ctx, c, flash); err == nil {
			t.Error("a call with no allowed location left was answered")
		}
		for _, l := range []string{"global", "us-central1"} {
			if n := b.Count(geminitest.Match{Location: l}); n != 0 {
				t.Errorf("%s was asked %d times, but was not allowed", l, n)
			}
		}
	})
}

func TestFallbackModelAnswersWhenTheModelIsExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{router: router.Config{
			Models:    map[string]string{"best": "gemini-2.5-pro"},
			Fallbacks: []router.Fallback{{Model: "gemini-2.5-pro", To: []string{flash}}},
		}}.bed(t, keyed("a", "key-a"))
		c := b.client(t)
		b.Keep(geminitest.Match{Model: "gemini-2.5-pro"}, geminitest.DayQuota("gemini-2.5-pro", 20, 0))
		for range 3 {
			resp, err := ask(context.Background(), c, "best")
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.SDKHTTPResponse.Headers.Get("Spillway-Model"); got != flash || resp.ModelVersion != flash {
				t.Errorf("Spillway-Model is %q, the model that answered %q", got, resp.ModelVersion)
			}
		}
		if n := b.Count(geminitest.Match{Model: "gemini-2.5-pro"}); n != 1 {
			t.Errorf("the exhausted model was asked %d times, want once", n)
		}
	})
}

// TestKeyInAZippedErrorIsScrubbed: a transport that does not unzip must not let a key through that
// Google echoes.
func TestKeyInAZippedErrorIsScrubbed(t *testing.T) {
	b := twoProjects(t)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"error":{"code":400,"message":"Bad request with key-a1.","status":"INVALID_ARGUMENT"}}`))
	_ = z.Close()
	b.Script(geminitest.Match{}, geminitest.Answer{Status: 400, Body: zipped.Bytes(), Header: http.Header{"Content-Encoding": {"gzip"}}})
	_, err := ask(t.Context(), b.client(t), flash)
	if e := apiError(t, err); e.Code != 400 || e.Message != "Bad request with [redacted]." {
		t.Errorf("the caller got %v", err)
	}
}
