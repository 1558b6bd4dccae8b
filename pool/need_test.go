package pool_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

func TestNeedIsBoundedByWhatTheCallerAllows(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		plan, deadline := b.pool.View(b.start, flash), b.start.Add(time.Minute)
		for _, tt := range []struct {
			name                  string
			maxOutput, candidates int64
			output                int64
		}{
			{"nothing said", 0, 0, 256},
			{"three answers", 0, 3, 768},
			{"a bound above", 1000, 1, 256},
			{"a bound below", 50, 1, 50},
			{"a bound for each", 50, 3, 150},
		} {
			n := plan.Need(pool.Estimate{Prompt: pool.Prompt{Text: 100}, MaxOutput: tt.maxOutput, Candidates: tt.candidates}, deadline)
			if n.Input != 100 || n.Output != tt.output || !n.Deadline.Equal(deadline) || n.Unmetered {
				t.Errorf("%s: %+v, want 100 and %d tokens", tt.name, n, tt.output)
			}
		}
	})
}

// thousand is a call that looks like 1,000 tokens of text.
var thousand = pool.Estimate{Prompt: pool.Prompt{Text: 1000}}

func TestNeedFollowsWhatGoogleCounts(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		counted, output       int64 // of a call estimated at 1,000
		wantInput, wantOutput int64
	}{
		{"the same", 1000, 40, 1000, 40},
		{"twice as many", 2000, 900, 2000, 900},
		{"absurdly many", 1_000_000, 1, 8000, 1},
		{"absurdly few", 1, 1, 250, 1},
		{"none: the prompt is not known", 0, 70, 1000, 70},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				plan, c := b.pool.View(b.start, flash), b.candidate(flash, "a/global/on_demand")
				usage := quota.Usage{Input: tt.counted, Output: tt.output}
				for range 50 {
					l := b.leaseFor(b.start, c, plan.Need(thousand, time.Time{}))
					l.Settle(b.start, pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: usage})
				}
				if n := plan.Need(thousand, time.Time{}); n.Input != tt.wantInput || n.Output != tt.wantOutput {
					t.Errorf("a call needs %d and %d tokens, want %d and %d", n.Input, n.Output, tt.wantInput, tt.wantOutput)
				}
				if n := b.pool.View(b.start, pro).Need(thousand, time.Time{}); n.Input != 1000 || n.Output != 256 {
					t.Errorf("another model learned from it: %+v", n)
				}
			})
		})
	}
}
