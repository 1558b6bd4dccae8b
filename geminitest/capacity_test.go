package geminitest_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

func TestHiddenCapacityAdmitsItsRateAndFollowsItsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(geminitest.Config{
			Projects: []geminitest.Project{{ID: "acme", Tokens: []string{"token-1"}}, {ID: "other", Tokens: []string{"token-2"}}},
			Capacity: []geminitest.Capacity{{Location: "eu", Requests: 8, Steps: []geminitest.Step{{At: 100 * time.Second, Requests: 2}, {At: 200 * time.Second}}}},
		})
		a := ask{token: "token-1", project: "acme", where: "eu"}
		if n := admittedIn(t, google, a, 100*time.Second, 50*time.Millisecond); n < 799 || n > 803 {
			t.Errorf("%d served in 100 s at 8 a second", n)
		}
		if n := admittedIn(t, google, a, 100*time.Second, 50*time.Millisecond); n < 199 || n > 202 {
			t.Errorf("%d served in 100 s at 2 a second", n)
		}
		if n := admittedIn(t, google, a, 100*time.Second, 50*time.Millisecond); n != 0 {
			t.Errorf("%d served where there is no capacity", n)
		}
		r := a.do(t.Context(), google)
		if r.status != 429 || r.body != string(geminitest.Contention().Body) {
			t.Errorf("contention is %d %s", r.status, r.body)
		}
		if r := (ask{token: "token-2", project: "other", where: "eu"}).do(t.Context(), google); r.status != 429 {
			t.Errorf("another project has a pool of its own: %d", r.status)
		}
		for _, where := range []string{"us", "global", "europe-west4"} {
			a.where = where
			if r := a.do(t.Context(), google); r.status != 200 {
				t.Errorf("%s shares the pool of eu: %d", where, r.status)
			}
		}
	})
}

func TestEachModelHasAPoolAndTheFirstEntryThatFitsHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(geminitest.Config{
			Projects: []geminitest.Project{{ID: "acme", Keys: []string{"key-1"}, Tokens: []string{"token-1"}}},
			Capacity: []geminitest.Capacity{{Location: "eu", Model: "*-pro"}, {Location: "e*", Requests: 4}, {Model: "*-pro"}},
		})
		pro, lite := "gemini-2.5-pro", "gemini-2.5-flash-lite"
		for _, c := range []struct {
			a    ask
			want int
		}{
			{ask{token: "token-1", project: "acme", where: "eu", model: pro}, 429},
			{ask{token: "token-1", project: "acme", where: "eu", model: flash}, 200},
			{ask{token: "token-1", project: "acme", where: "eu", model: flash}, 429},
			{ask{token: "token-1", project: "acme", where: "eu", model: lite}, 200},
			{ask{token: "token-1", project: "acme", where: "europe-west1", model: pro}, 200},
			{ask{token: "token-1", project: "acme", where: "us", model: pro}, 200},
			{ask{key: "key-1", model: pro}, 503},
			{ask{key: "key-1", model: flash}, 200},
		} {
			if r := c.a.do(t.Context(), google); r.status != c.want {
				t.Errorf("%+v: %d, want %d", c.a, r.status, c.want)
			}
		}
	})
}

func TestRefusedRequestsCostWhatIsConfigured(t *testing.T) {
	for _, c := range []struct{ cost, want float64 }{{0, 4}, {0.1, 2.4}, {1, 0}} {
		synctest.Test(t, func(t *testing.T) {
			google := geminitest.New(geminitest.Config{
				Projects: []geminitest.Project{{ID: "acme", Keys: []string{"key-1"}}},
				Capacity: []geminitest.Capacity{{Requests: 4, RejectedCost: c.cost}},
			})
			n := admittedIn(t, google, ask{key: "key-1"}, 100*time.Second, 50*time.Millisecond) // 20 a second
			if got := float64(n) / 100; math.Abs(got-c.want) > 0.3 {
				t.Errorf("a cost of %v leaves %v a second, want about %v", c.cost, got, c.want)
			}
		})
	}
}
