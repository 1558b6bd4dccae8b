package geminitest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

const (
	provisioned = "PROVISIONED_THROUGHPUT"
	onDemand    = "ON_DEMAND"
)

// ordered is an emulator with one order in europe-west4.
func ordered(o geminitest.Order) *geminitest.Emulator {
	o.Location = "europe-west4"
	if o.Model == "" {
		o.Model = flash
	}
	return one(geminitest.Project{Orders: []geminitest.Order{o}})
}

var regional = ask{token: "token-1", project: "acme", where: "europe-west4"}

func TestOrderServesFirstAndSpills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A call costs 1 + 9 × 20 = 181 tokens of 10 × 40.
		google := ordered(geminitest.Order{TokensPerSecond: 10, Window: 40 * time.Second})
		dedicated, shared, elsewhere, model := regional, regional, regional, regional
		dedicated.traffic, shared.traffic = "dedicated", "shared"
		elsewhere.where, elsewhere.traffic = "us", "dedicated"
		model.model, model.traffic = "gemini-2.5-pro", "dedicated"
		for i, step := range []struct {
			a      ask
			status int
			served string
		}{
			{shared, 200, onDemand},
			{regional, 200, provisioned},
			{elsewhere, 429, ""},
			{model, 429, ""},
			{dedicated, 200, provisioned},
			{dedicated, 429, ""},
			{regional, 200, onDemand},
			{shared, 200, onDemand},
		} {
			r := step.a.do(t.Context(), google)
			if r.status != step.status || r.status == 200 && r.served(t) != step.served {
				t.Errorf("step %d: %d %s, want %d %s", i, r.status, r.body, step.status, step.served)
			}
			if r.status == 429 && r.body != string(geminitest.ProvisionedFull().Body) {
				t.Errorf("step %d: an order that is full or absent says %s", i, r.body)
			}
		}
		if used := google.OrderUsage("acme", "europe-west4", flash); used != 362 {
			t.Errorf("usage %v, want 2 × 181", used)
		}
		if n := google.Count(geminitest.Match{Served: provisioned}); n != 2 {
			t.Errorf("%d counted as provisioned, want 2", n)
		}
	})
}

func TestOrderWindowRolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := ordered(geminitest.Order{TokensPerSecond: 10, Window: 40 * time.Second})
		a := regional
		a.traffic = "dedicated"
		status := func() int { return a.do(t.Context(), google).status }
		begin := time.Now()
		at := func(d time.Duration) { time.Sleep(time.Until(begin.Add(d))) }
		for _, step := range []struct {
			at   time.Duration
			want int
		}{
			{0, 200}, {10 * time.Second, 200}, {39 * time.Second, 429},
			{40 * time.Second, 200}, // the first has left
			{49 * time.Second, 429}, {50 * time.Second, 200}, {79 * time.Second, 429}, {80 * time.Second, 200},
		} {
			at(step.at)
			if got := status(); got != step.want {
				t.Errorf("at %v: %d, want %d", step.at, got, step.want)
			}
		}
	})
}

func TestOrderPutsTheEstimateRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first estimate is 1 + 9 × 20; a call that may say one token costs 1 + 9, and is
		// estimated so, too.
		google := ordered(geminitest.Order{TokensPerSecond: 10, Window: 40 * time.Second})
		short := regional
		short.traffic, short.max = "dedicated", 1
		served := 0
		for short.do(t.Context(), google).status == 200 {
			served++
		}
		if served != 40 || google.OrderUsage("acme", "europe-west4", flash) != 400 {
			t.Errorf("%d calls of 10 tokens, usage %v; want 40 and 400", served, google.OrderUsage("acme", "europe-west4", flash))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		// Answers cannot be foreseen: 20 is estimated and 20 comes, unless the caller leaves a
		// stream after its first event.
		google := ordered(geminitest.Order{TokensPerSecond: 10, Window: 40 * time.Second})
		a := regional
		a.method, a.traffic = "streamGenerateContent", "dedicated"
		google.Keep(geminitest.Match{}, geminitest.Answer{Event: true, After: 1})
		if r := a.do(t.Context(), google); r.status != 200 {
			t.Fatal(r.body)
		}
		if used := google.OrderUsage("acme", "europe-west4", flash); used != 1+9*14 {
			t.Errorf("usage %v, want only what was generated", used)
		}
	})
}

func TestOrderIsHeldByCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		google := geminitest.New(geminitest.Config{
			Latency: geminitest.Latency{FirstToken: 5 * time.Second},
			Projects: []geminitest.Project{{ID: "acme", Tokens: []string{"token-1"}, Orders: []geminitest.Order{
				{Model: flash, Location: "europe-west4", TokensPerSecond: 10, Window: 40 * time.Second},
			}}},
		})
		a := regional
		a.traffic = "dedicated"
		results := make(chan int, 3)
		for range 3 {
			go func() { results <- a.do(context.Background(), google).status }()
		}
		if first := <-results; first != 429 {
			t.Errorf("the first to end got %d, want the refusal", first)
		}
		if a, b := <-results, <-results; a != 200 || b != 200 {
			t.Errorf("the others got %d and %d", a, b)
		}
	})
}

func TestOrderGivesAllThatWasBought(t *testing.T) {
	for name, o := range map[string]geminitest.Order{
		"one unit":     {GSUs: 1, Model: "gemini-2.5-pro"},
		"ten units":    {GSUs: 10, Model: "gemini-3.5-flash"},
		"eighty units": {GSUs: 80, Model: "gemini-3.6-flash"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				google := ordered(o)
				window, quota := google.OrderWindow("acme", "europe-west4", o.Model)
				// Each call costs 1/200 of the window; they come at twice the rate that the order
				// has.
				a := regional
				a.model, a.max = o.Model, 1
				rate := map[string]float64{"one unit": 8, "ten units": 6, "eighty units": 5}[name]
				a.text = strings.Repeat("x", 4*int(quota/200-rate))
				for begin := time.Now(); time.Since(begin) < 5*window; time.Sleep(window / 400) {
					if r := a.do(t.Context(), google); r.status != 200 {
						t.Fatal(r.body)
					}
				}
				served := google.OrderUsage("acme", "europe-west4", o.Model)
				if share := served / (5 * quota); share < 0.99 || share > 1.0001 {
					t.Errorf("served %.4f of what was bought", share)
				}
			})
		})
	}
}

func TestOrderWindowsLieInTheDocumentedRanges(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range uint64(50) {
		for _, c := range []struct {
			gsus      int
			low, high time.Duration
		}{{1, 40, 120}, {3, 40, 120}, {4, 5, 30}, {49, 5, 30}, {50, 1, 5}, {1000, 1, 5}} {
			google := geminitest.New(geminitest.Config{Seed: seed, Projects: []geminitest.Project{{ID: "p", Orders: []geminitest.Order{
				{Model: flash, Location: "eu", GSUs: c.gsus},
			}}}})
			window, quota := google.OrderWindow("p", "eu", flash)
			if window < c.low*time.Second || window > c.high*time.Second {
				t.Errorf("%d GSUs: %v", c.gsus, window)
			}
			if want := float64(c.gsus) * 2690 * window.Seconds(); quota != want {
				t.Errorf("%d GSUs: %v tokens in %v, want %v", c.gsus, quota, window, want)
			}
			seen[window] = true
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d different windows", len(seen))
	}
}

func TestBurndownFollowsTheTableAndTheOrder(t *testing.T) {
	for name, c := range map[string]struct {
		order geminitest.Order
		body  string
		want  float64
	}{
		"text": {geminitest.Order{Model: flash}, `{"contents":[{"parts":[{"text":"abcdefgh"}]}]}`, 2 + 20*9},
		"an image is text to the order": {geminitest.Order{Model: flash},
			`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}`, 258 + 20*9},
		"sound costs four": {geminitest.Order{Model: flash},
			`{"contents":[{"parts":[{"inline_data":{"mime_type":"audio/wav","data":"` + strings.Repeat("A", 2000) + `"}}]}]}`, 3*4 + 20*9},
		"thoughts are output": {geminitest.Order{Model: flash},
			`{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}`, 1 + 25*9},
		"a long prompt costs more of pro": {geminitest.Order{Model: "gemini-2.5-pro"},
			`{"contents":[{"parts":[{"text":"` + strings.Repeat("a", 800_004) + `"}]}]}`, 200_001*2 + 20*12},
		"at 200,000 it does not": {geminitest.Order{Model: "gemini-2.5-pro"},
			`{"contents":[{"parts":[{"text":"` + strings.Repeat("a", 800_000) + `"}]}]}`, 200_000 + 20*8},
		"the order's own rates": {geminitest.Order{Model: flash, Burndown: geminitest.Burndown{Input: 2, Output: 3}},
			`{"contents":[{"parts":[{"text":"abcdefgh"}]}]}`, 2*2 + 20*3},
		"a model outside the table": {geminitest.Order{Model: "gemini-3.8-flash", Burndown: geminitest.Burndown{Output: 5}},
			`{"contents":[{"parts":[{"text":"abcdefgh"}]}]}`, 2 + 20*5},
	} {
		t.Run(name, func(t *testing.T) {
			c.order.TokensPerSecond, c.order.Window = 1e6, time.Minute
			google := ordered(c.order)
			a := regional
			a.model, a.body, a.traffic = c.order.Model, c.body, "dedicated"
			if r := a.do(t.Context(), google); r.status != 200 {
				t.Fatal(r.body)
			}
			if got := google.OrderUsage("acme", "europe-west4", c.order.Model); got != c.want {
				t.Errorf("cost %v, want %v", got, c.want)
			}
		})
	}
}

func TestKeyReachesAnOrderOnlyWithTheFullPath(t *testing.T) {
	google := one(geminitest.Project{Orders: []geminitest.Order{{Model: flash, Location: "global", GSUs: 10}}})
	full := ask{key: "key-1", project: "acme", where: "global"}
	if r := full.do(t.Context(), google); r.status != 200 || r.served(t) != provisioned {
		t.Errorf("full path: %d %s", r.status, r.body)
	}
	express := ask{key: "key-1", url: "https://aiplatform.googleapis.com/v1/publishers/google/models/" + flash + ":generateContent"}
	if r := express.do(t.Context(), google); r.status != 200 || r.served(t) != onDemand {
		t.Errorf("express: %d %s", r.status, r.body)
	}
}

func TestPriorityAndFlexAreServedWhereTheyExist(t *testing.T) {
	google := one(geminitest.Project{})
	for _, c := range []struct{ where, asks, want string }{
		{"global", "priority", "ON_DEMAND_PRIORITY"}, {"eu", "priority", "ON_DEMAND_PRIORITY"}, {"europe-west4", "priority", onDemand},
		{"global", "flex", "ON_DEMAND_FLEX"}, {"us", "flex", onDemand}, {"global", "other", onDemand},
	} {
		a := ask{token: "token-1", project: "acme", where: c.where}
		r := a.request(t.Context())
		r.Header.Set("X-Vertex-Ai-Llm-Shared-Request-Type", c.asks)
		resp, err := google.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp).served(t); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.asks, c.where, got, c.want)
		}
	}
}

func TestOrderNeedsNoOnDemandCapacityOrQuota(t *testing.T) {
	google := geminitest.New(geminitest.Config{
		Capacity: []geminitest.Capacity{{Location: "*"}},
		Projects: []geminitest.Project{{ID: "acme", Tokens: []string{"token-1"}, Limits: []geminitest.Limit{{RPM: -1}},
			Orders: []geminitest.Order{{Model: flash, Location: "europe-west4", GSUs: 10}}}},
	})
	if r := regional.do(t.Context(), google); r.status != 200 || r.served(t) != provisioned {
		t.Errorf("got %d %s", r.status, r.body)
	}
}
