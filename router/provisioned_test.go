package router_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// ordered is a project with one order in europe-west4 and on-demand global.
func ordered(t *testing.T, google geminitest.Config, o geminitest.Order, overflow pool.Overflow) *bed {
	t.Helper()
	p := vertexed("prod", "global")
	p.google.Orders = []geminitest.Order{o}
	p.pool.Provisioned = []pool.Order{{Model: o.Model, Location: o.Location, GSUs: o.GSUs, TokensPerSecond: o.TokensPerSecond, Overflow: overflow}}
	return setup{google: google}.bed(t, p)
}

func TestOrderTakesEveryCallWhileItHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ordered(t, geminitest.Config{}, geminitest.Order{Model: flash, Location: "europe-west4", GSUs: 10}, "")
		c := b.client(t)
		for range 100 {
			resp, err := ask(t.Context(), c, flash)
			if err != nil {
				t.Fatal(err)
			}
			if endpoint(resp) != "prod/europe-west4/provisioned" || resp.SDKHTTPResponse.Headers.Get("Spillway-Traffic") != "provisioned" {
				t.Fatalf("answered by %v", resp.SDKHTTPResponse.Headers)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := b.Count(geminitest.Match{Traffic: "dedicated"}); n != 100 {
			t.Errorf("%d calls were sent dedicated, want 100", n)
		}
	})
}

// TestFullOrderIsUsedToTheFullAndSpillsTheRest offers twice an order's rate for ten minutes.
func TestFullOrderIsUsedToTheFullAndSpillsTheRest(t *testing.T) {
	for _, gsus := range amount([]int{1, 10}, []int{1, 10, 100}) {
		t.Run(map[int]string{1: "1 GSU", 10: "10 GSUs", 100: "100 GSUs"}[gsus], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := ordered(t, geminitest.Config{Output: 100, Seed: 7, Latency: geminitest.Latency{FirstToken: 500 * time.Millisecond, PerToken: 10 * time.Millisecond, Jitter: 0.3}},
					geminitest.Order{Model: flash, Location: "europe-west4", GSUs: gsus}, "")
				c := b.client(t)
				// Larger calls for larger orders, so that the test makes some ten thousand of them.
				// Prompts have up to so many tokens, half of it in the mean; 100 tokens of answer
				// burn 9 each. Arrivals are Poisson, at twice what the order can take.
				promptTokens := 600 + 200*gsus
				mean := float64(promptTokens)/2 + 100*9
				rate := float64(gsus) * 2690
				gap := mean / (2 * rate)
				rng := rand.New(rand.NewPCG(1, 2))
				const minutes = 10
				var wg sync.WaitGroup
				calls := 0
				for start := time.Now(); time.Since(start) < minutes*time.Minute; calls++ {
					time.Sleep(time.Duration(rng.ExpFloat64() * gap * float64(time.Second)))
					tokens := 1 + rng.IntN(promptTokens)
					wg.Go(func() {
						if _, err := c.Models.GenerateContent(t.Context(), flash, prompt(tokens), nil); err != nil {
							t.Errorf("call failed: %v", err)
						}
					})
				}
				wg.Wait()
				offered := float64(calls) * mean
				used := b.OrderUsage("prod", "europe-west4", flash) / (rate * minutes * 60)
				refused := b.CountStatus(geminitest.Match{Traffic: "dedicated"}, 429)
				window, _ := b.OrderWindow("prod", "europe-west4", flash)
				t.Logf("%d calls, %.2f× the order's rate; the server's window is %v: %.1f %% of the order used, %d calls refused by it (%.2f %%)",
					calls, offered/(rate*minutes*60), window, 100*used, refused, 100*float64(refused)/float64(calls))
				if used < 0.95 {
					t.Errorf("%.1f %% of the order was used, want at least 95 %%", 100*used)
				}
				if float64(refused) > 0.01*float64(calls) {
					t.Errorf("%d of %d calls met the order's 429, want under 1 %%", refused, calls)
				}
				if n := b.Count(geminitest.Match{Traffic: "none", Method: "generateContent"}); n != 0 {
					t.Errorf("%d calls were sent neither dedicated nor shared", n)
				}
			})
		})
	}
}

// prompt returns contents of so many tokens: images of 258, which are cheap to send around, and
// text.
func prompt(tokens int) []*genai.Content {
	var parts []*genai.Part
	for ; tokens > 258; tokens -= 258 {
		parts = append(parts, genai.NewPartFromBytes([]byte{0}, "image/png"))
	}
	parts = append(parts, genai.NewPartFromText(strings.Repeat("a", 4*tokens)))
	return []*genai.Content{genai.NewContentFromParts(parts, genai.RoleUser)}
}

func TestOverflowVertexSendsNoHeaderAndLetsVertexSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ordered(t, geminitest.Config{}, geminitest.Order{Model: flash, Location: "europe-west4", TokensPerSecond: 100, Window: 10 * time.Second}, pool.OverflowVertex)
		c := b.client(t)
		traffic := map[string]int{}
		for range 20 {
			resp, err := ask(t.Context(), c, flash)
			if err != nil {
				t.Fatal(err)
			}
			traffic[resp.SDKHTTPResponse.Headers.Get("Spillway-Traffic")]++
		}
		if traffic["provisioned"] == 0 || traffic["on_demand"] == 0 {
			t.Errorf("served as %v, want both kinds", traffic)
		}
		if n := b.Count(geminitest.Match{Traffic: "none"}); n != 20 {
			t.Errorf("%d calls went out without the header, want 20", n)
		}
	})
}

func TestCallersOwnRequestTypeIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ordered(t, geminitest.Config{}, geminitest.Order{Model: flash, Location: "europe-west4", GSUs: 10}, "")
		c := b.client(t)
		with := func(kind string) *genai.GenerateContentConfig {
			return &genai.GenerateContentConfig{HTTPOptions: &genai.HTTPOptions{Headers: map[string][]string{"X-Vertex-AI-LLM-Request-Type": {kind}}}}
		}
		resp, err := c.Models.GenerateContent(t.Context(), flash, genai.Text("hi"), with("shared"))
		if err != nil || endpoint(resp) != "prod/global/on_demand" {
			t.Errorf("shared: %v, %v", resp, err)
		}
		b.Keep(geminitest.Match{Traffic: "dedicated"}, geminitest.ProvisionedFull())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = c.Models.GenerateContent(ctx, flash, genai.Text("hi"), with("dedicated"))
		if e := apiError(t, err); e.Code != 429 {
			t.Errorf("dedicated, the order full: %v, want 429", err)
		}
		if n := b.Count(geminitest.Match{Traffic: "shared"}); n != 1 {
			t.Errorf("%d calls were sent shared, want the one that asked for it", n)
		}
	})
}
