package router_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

func TestCallsReserveWhatTheirCallerSays(t *testing.T) {
	for _, tt := range []struct {
		name              string
		call              router.Call
		maxOutput         int32
		reserved, running int64 // of the limit, and on the endpoint
	}{
		{"nothing: the estimate", router.Call{}, 0, 1, 1 + 256},
		{"less than nothing", router.Call{InputTokens: -9, OutputTokens: -9}, 0, 1, 1 + 256},
		{"the input", router.Call{InputTokens: 900}, 0, 900, 900 + 256},
		{"the output", router.Call{OutputTokens: 40}, 0, 1, 1 + 40},
		{"both", router.Call{InputTokens: 900, OutputTokens: 40}, 0, 900, 940},
		{"more output than it allows", router.Call{OutputTokens: 4000}, 50, 1, 1 + 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := keyed("a", "key-a")
				p.pool.Limits = []pool.Limit{{TPM: 1000}}
				b := setup{google: geminitest.Config{Latency: geminitest.Latency{FirstToken: time.Second}}}.bed(t, p)
				c := b.client(t)
				done := make(chan error)
				go func() {
					_, err := c.Models.GenerateContent(router.WithCall(t.Context(), tt.call), flash, genai.Text("hi"),
						&genai.GenerateContentConfig{MaxOutputTokens: tt.maxOutput})
					done <- err
				}()
				time.Sleep(500 * time.Millisecond)
				e := b.router.Stat().Endpoints[0]
				if e.Quota.Tokens.Used != tt.reserved || e.Tokens != tt.running {
					t.Errorf("%d tokens of the limit are reserved and %d are on their way, want %d and %d", e.Quota.Tokens.Used, e.Tokens, tt.reserved, tt.running)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if e := b.router.Stat().Endpoints[0]; e.Quota.Tokens.Used != 1 || e.Tokens != 0 {
					t.Errorf("after the answer %d tokens are used and %d on their way, want the 1 that Google counted", e.Quota.Tokens.Used, e.Tokens)
				}
			})
		})
	}
}

func TestCallsTooLargeForTheMinuteGoElsewhereOnTheirCallersWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []project
		for i, name := range []string{"a", "b"} {
			p := keyed(name, "key-"+name)
			p.pool.Priority = i
			p.pool.Limits = []pool.Limit{{TPM: []int64{1000, 9000}[i]}}
			all = append(all, p)
		}
		b := setup{}.bed(t, all...)
		c := b.client(t)
		for _, tt := range []struct {
			tokens int64
			want   string
		}{{0, "a/global/on_demand"}, {900, "a/global/on_demand"}, {5000, "b/global/on_demand"}} {
			resp, err := ask(router.WithCall(t.Context(), router.Call{InputTokens: tt.tokens}), c, flash)
			if err != nil {
				t.Fatal(err)
			}
			if got := endpoint(resp); got != tt.want {
				t.Errorf("a call of %d tokens went to %s, want %s", tt.tokens, got, tt.want)
			}
		}
	})
}

// TestEstimatesLearnFromAnswers sends speech, of which the emulator counts twice what is guessed of
// it, beside text that is guessed right.
func TestEstimatesLearnFromAnswers(t *testing.T) {
	for _, streams := range []bool{false, true} {
		t.Run(map[bool]string{false: "whole", true: "in pieces"}[streams], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup{google: geminitest.Config{Output: 77}}.bed(t, keyed("a", "key-a"))
				c := b.client(t)
				contents := []*genai.Content{genai.NewContentFromParts([]*genai.Part{
					genai.NewPartFromBytes(make([]byte, 319_998), "audio/wav"), genai.NewPartFromText("four"),
				}, genai.RoleUser)}
				for range 3 {
					if err := say(t.Context(), c, contents, streams); err != nil {
						t.Fatal(err)
					}
				}
				audio := expected(t, b, flash, pool.Estimate{Prompt: pool.Prompt{Audio: 1000}, NoOutput: true})
				text := expected(t, b, flash, pool.Estimate{Prompt: pool.Prompt{Text: 1000}, NoOutput: true})
				both := expected(t, b, flash, pool.Estimate{Prompt: pool.Prompt{Text: 1000}})
				if math.Abs(float64(audio)-2000) > 50 || math.Abs(float64(text)-1000) > 10 || both-text != 77 {
					t.Errorf("1,000 of audio are taken for %d, of text for %d, and %d of output; want 2,000, 1,000 and 77", audio, text, both-text)
				}
			})
		})
	}
}

// say makes one call of flash and reads the answer.
func say(ctx context.Context, c *genai.Client, contents []*genai.Content, streams bool) error {
	if !streams {
		_, err := c.Models.GenerateContent(ctx, flash, contents, nil)
		return err
	}
	for _, err := range c.Models.GenerateContentStream(ctx, flash, contents, nil) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestEstimatesLearnNothingFromAnswersWithoutUsage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup{}.bed(t, keyed("a", "key-a"))
		c := b.client(t)
		for range 5 {
			if _, err := c.Models.CountTokens(t.Context(), flash, genai.Text("hi"), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Models.EmbedContent(t.Context(), "gemini-embedding-001", genai.Text("hi"), nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, model := range []string{flash, "gemini-embedding-001"} {
			input := expected(t, b, model, pool.Estimate{Prompt: pool.Prompt{Text: 1000}, NoOutput: true})
			all := expected(t, b, model, pool.Estimate{Prompt: pool.Prompt{Text: 1000}})
			if input != 1000 || all-input != 256 {
				t.Errorf("%s: 1,000 of text are taken for %d and %d, want 1,000 and 256 as at first", model, input, all-input)
			}
		}
	})
}

// expected returns how many tokens the router reserves for a call of that estimate.
func expected(t *testing.T, b *bed, model string, e pool.Estimate) int64 {
	t.Helper()
	tokens, err := b.router.Expected(t.Context(), model, e)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}
