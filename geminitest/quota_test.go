package geminitest_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

const day = 24 * time.Hour

// admittedIn counts how many of the calls that come every step are served within a span.
func admittedIn(t *testing.T, google *geminitest.Emulator, a ask, span, step time.Duration) (served int) {
	t.Helper()
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(step) {
		if a.do(t.Context(), google).status == 200 {
			served++
		}
	}
	return served
}

func TestRequestsPerMinuteComeBackExactlyWhenTheAnswerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{Limits: []geminitest.Limit{{RPM: 3}}})
		a := ask{key: "key-1"}
		var refused reply
		for range 7 { // wherever the window begins, seven calls at once meet its end
			refused = a.do(t.Context(), google)
		}
		if refused.status != 429 || !slices.Equal(refused.quotas(t), []string{"GenerateRequestsPerMinutePerProjectPerModel-FreeTier=3"}) {
			t.Fatalf("got %d %s", refused.status, refused.body)
		}
		wait := refused.retry(t)
		if wait <= 0 || wait > time.Minute {
			t.Fatalf("retryDelay %v, want the rest of a minute", wait)
		}
		if !strings.HasSuffix(refused.problem(t).Error.Message, "\nPlease retry in "+wait.String()+".") {
			t.Errorf("message %q does not say %v", refused.problem(t).Error.Message, wait)
		}
		if refused.header.Get("Retry-After") != "" {
			t.Error("Google sends no Retry-After")
		}
		time.Sleep(wait - 1)
		if status := a.do(t.Context(), google).status; status != 429 {
			t.Errorf("a nanosecond early: %d, want 429", status)
		}
		time.Sleep(time.Nanosecond)
		if n := admittedIn(t, google, a, time.Minute, time.Second); n != 3 {
			t.Errorf("%d of the next minute's calls served, want 3", n)
		}
	})
}

func TestPhasesOfWindowsDifferByProjectAndModelAndFollowTheSeed(t *testing.T) {
	waits := func(seed uint64) (list []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			var projects []geminitest.Project
			for _, id := range []string{"a", "b"} {
				projects = append(projects, geminitest.Project{ID: id, Keys: []string{"key-" + id}, Limits: []geminitest.Limit{{RPM: 1}}})
			}
			google := geminitest.New(geminitest.Config{Seed: seed, Projects: projects})
			for _, key := range []string{"key-a", "key-b"} {
				for _, model := range []string{flash, "gemini-2.5-pro"} {
					a := ask{key: key, model: model}
					a.do(t.Context(), google)
					list = append(list, a.do(t.Context(), google).retry(t))
				}
			}
		})
		return list
	}
	first := waits(1)
	if again := waits(1); !slices.Equal(first, again) {
		t.Errorf("the same seed gives %v and %v", first, again)
	}
	if other := waits(2); slices.Equal(first, other) {
		t.Errorf("another seed gives the same phases %v", other)
	}
	slices.Sort(first)
	if len(slices.Compact(first)) != 4 {
		t.Errorf("phases coincide: %v", first)
	}
}

func TestInputTokensCountWhateverTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{Limits: []geminitest.Limit{{TPM: 100, Paid: true}}})
		sixty := ask{key: "key-1", text: strings.Repeat("x", 240)}
		first := sixty.do(t.Context(), google)
		second := sixty.do(t.Context(), google)
		if first.status != 200 || second.status != 429 ||
			!slices.Equal(second.quotas(t), []string{"GenerateContentPaidTierInputTokensPerModelPerMinute=100"}) {
			t.Fatalf("60 of 100 tokens twice: %d, then %d %s", first.status, second.status, second.body)
		}
		forty := ask{key: "key-1", text: strings.Repeat("x", 157)} // 40 tokens, rounded up: a refused call has used nothing up
		if r := forty.do(t.Context(), google); r.status != 200 {
			t.Errorf("40 more: %s", r.body)
		}
		if r := (ask{key: "key-1"}).do(t.Context(), google); r.status != 429 {
			t.Errorf("one more: %d, want 429", r.status)
		}
	})
}

func TestWrongRequestsUseQuotaAndRefusedAndFreeOnesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{Limits: []geminitest.Limit{{RPM: 3}}})
		for _, step := range []struct {
			a    ask
			want int
		}{
			{ask{key: "key-1", body: `{"contents":[`}, 400},
			{ask{key: "key-1", method: "countTokens"}, 200},
			{ask{key: "key-1", verb: "GET", url: "https://generativelanguage.googleapis.com/v1beta/models"}, 200},
			{ask{key: "key-1", model: "gemini-none"}, 404},
			{ask{key: "wrong"}, 400},
			{ask{key: "key-1", body: `{}`}, 400},
			{ask{key: "key-1"}, 200},
			{ask{key: "key-1"}, 429},
			{ask{key: "key-1", body: `{}`}, 429}, // the quota is looked at first
			{ask{key: "key-1", model: "gemini-2.5-pro"}, 200},
		} {
			if r := step.a.do(t.Context(), google); r.status != step.want {
				t.Errorf("%+v: %d %s, want %d", step.a, r.status, r.body, step.want)
			}
		}
	})
}

func TestKeysOfAProjectShareItsQuotaAndProjectsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := []geminitest.Limit{{RPM: 2}}
		google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
			{ID: "a", Keys: []string{"a1", "a2"}, Limits: limits}, {ID: "b", Keys: []string{"b1"}, Limits: limits},
		}})
		var got []int
		for _, key := range []string{"a1", "a2", "a1", "a2", "b1"} {
			got = append(got, ask{key: key}.do(t.Context(), google).status)
		}
		if !slices.Equal(got, []int{200, 200, 429, 429, 200}) {
			t.Errorf("statuses %v", got)
		}
	})
}

func TestDayBeginsAtMidnightInCaliforniaAlsoWhenClocksChange(t *testing.T) {
	pacific, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from time.Time
		left time.Duration
	}{
		"an ordinary day":             {time.Date(2026, 7, 1, 10, 0, 0, 0, pacific), 14 * time.Hour},
		"clocks go forward":           {time.Date(2026, 3, 8, 0, 0, 0, 0, pacific), 23 * time.Hour},
		"clocks go back":              {time.Date(2026, 11, 1, 0, 0, 0, 0, pacific), 25 * time.Hour},
		"already the next day in UTC": {time.Date(2026, 7, 1, 20, 0, 0, 0, pacific), 4 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(c.from))
				google := geminitest.New(geminitest.Config{Projects: []geminitest.Project{
					{ID: "free", Keys: []string{"free"}, Limits: []geminitest.Limit{{RPD: 2}}},
					{ID: "paid", Keys: []string{"paid"}, Limits: []geminitest.Limit{{RPD: 2, Paid: true}}},
				}})
				for _, key := range []string{"free", "paid"} {
					a := ask{key: key}
					for i, want := range []int{200, 200, 429} {
						if r := a.do(t.Context(), google); r.status != want {
							t.Fatalf("%s: call %d: %d, want %d", key, i, r.status, want)
						}
					}
				}
				free, paid := (ask{key: "free"}).do(t.Context(), google), (ask{key: "paid"}).do(t.Context(), google)
				if d := free.retry(t); d < 20*time.Second || d > time.Minute {
					t.Errorf("the free tier says %v, want 20 to 60 s, which is misleading", d)
				}
				if !slices.Equal(free.quotas(t), []string{"GenerateRequestsPerDayPerProjectPerModel-FreeTier=2"}) {
					t.Errorf("quotas %v", free.quotas(t))
				}
				if d := paid.retry(t); d != c.left {
					t.Errorf("the paid tier says %v, want %v to midnight", d, c.left)
				}
				time.Sleep(c.left - time.Second)
				if r := (ask{key: "free"}).do(t.Context(), google); r.status != 429 {
					t.Errorf("a second before midnight: %d", r.status)
				}
				time.Sleep(time.Second)
				for _, key := range []string{"free", "paid"} {
					if r := (ask{key: key}).do(t.Context(), google); r.status != 200 {
						t.Errorf("%s at midnight: %d %s", key, r.status, r.body)
					}
				}
			})
		})
	}
}

func TestNegativeLimitIsNoQuotaAtAll(t *testing.T) {
	google := one(geminitest.Project{Limits: []geminitest.Limit{{Model: "*-pro", RPM: -1}}})
	r := ask{key: "key-1", model: "gemini-2.5-pro"}.do(t.Context(), google)
	if r.status != 429 || strings.Count(r.body, "limit: 0, model: gemini-2.5-pro") != 4 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := (ask{key: "key-1"}).do(t.Context(), google); r.status != 200 {
		t.Errorf("another model: %d", r.status)
	}
}

func TestAllLimitsThatAreExceededAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{Limits: []geminitest.Limit{{RPM: 1, TPM: 1, RPD: 1}}})
		a := ask{key: "key-1"}
		a.do(t.Context(), google)
		want := []string{
			"GenerateRequestsPerMinutePerProjectPerModel-FreeTier=1", "GenerateContentInputTokensPerModelPerMinute-FreeTier=1",
			"GenerateRequestsPerDayPerProjectPerModel-FreeTier=1",
		}
		if got := a.do(t.Context(), google).quotas(t); !slices.Equal(got, want) {
			t.Errorf("quotas %v", got)
		}
	})
}

func TestVertexLimitsHoldByLocationInTheWordsOfVertex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{Limits: []geminitest.Limit{{RPM: 1, RPD: 1}}})
		a := ask{token: "token-1", project: "acme", where: "global"}
		a.do(t.Context(), google)
		r := a.do(t.Context(), google)
		if r.status != 429 || len(r.quotas(t)) != 0 || !strings.Contains(r.body, "generate_content_requests_per_minute_per_project_per_base_model with base model: "+flash) {
			t.Errorf("got %d %s", r.status, r.body)
		}
		a.where = "eu"
		if r := a.do(t.Context(), google); r.status != 200 {
			t.Errorf("another location: %d", r.status)
		}
		a.where = "global"
		if n := admittedIn(t, google, a, 3*time.Minute, time.Second); n < 2 || n > 4 {
			t.Errorf("%d calls in three minutes: a limit of the day does not exist there", n)
		}
	})
}

func TestLongestIdleKeepsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := one(geminitest.Project{Limits: []geminitest.Limit{{RPM: 10}}})
		time.Sleep(30 * day)
		if n := admittedIn(t, google, ask{key: "key-1"}, 10*time.Minute, time.Second); n < 100 || n > 110 {
			t.Errorf("%d served in ten minutes, want 10 in each of ten or eleven windows", n)
		}
	})
}
