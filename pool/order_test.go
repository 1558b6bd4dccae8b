package pool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

func TestOrderThatNeverServesIsReportedOnce(t *testing.T) {
	full := pool.Outcome{Class: pool.ClassProvisionedFull}
	served := pool.Outcome{Class: pool.ClassOK, Traffic: "PROVISIONED_THROUGHPUT"}
	spilled := pool.Outcome{Class: pool.ClassOK, Traffic: "ON_DEMAND"}
	for _, tt := range []struct {
		name     string
		overflow pool.Overflow
		answers  func(after time.Duration) pool.Outcome
		want     int
	}{
		{"refuses every call", pool.OverflowRouter, func(time.Duration) pool.Outcome { return full }, 1},
		{"is full for a while", pool.OverflowRouter, func(after time.Duration) pool.Outcome {
			if after < 100*time.Second {
				return full
			}
			return served
		}, 0},
		{"has served, and is full from then on", pool.OverflowRouter, func(after time.Duration) pool.Outcome {
			if after == 0 {
				return served
			}
			return full
		}, 0},
		{"spills every call over by itself", pool.OverflowVertex, func(time.Duration) pool.Outcome { return spilled }, 1},
		{"spills some calls over by itself", pool.OverflowVertex, func(after time.Duration) pool.Outcome {
			if after == 90*time.Second {
				return served
			}
			return spilled
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := twoProjects()
			cfg.Projects[1].Provisioned[0].Overflow = tt.overflow
			inBubble(t, cfg, func(t *testing.T, b *bed) {
				c := b.candidate(flash, "prod/us-central1/provisioned")
				for after := time.Duration(0); after < 20*time.Minute; after += 30 * time.Second {
					if l, ok := c.Lease(b.start.Add(after), small); ok { // else it rests
						l.Settle(b.start.Add(after), tt.answers(after))
					}
				}
				reports := 0
				for _, line := range b.lines() {
					if msg, _ := line["msg"].(string); strings.Contains(msg, "not served a single call") {
						reports++
					}
				}
				if reports != tt.want {
					t.Errorf("%d reports, want %d", reports, tt.want)
				}
			})
		})
	}
}

func TestAnOrderIsForItsModelAlone(t *testing.T) {
	for _, tt := range []struct {
		order, model string
		serves       bool
	}{
		{"gemini-2.0-flash", "gemini-2.0-flash-001", true},
		{"gemini-2.0-flash-001", "gemini-2.0-flash", true},
		{"gemini-2.0-flash", "gemini-2.0-flash@default", true},
		{"gemini-2.0-flash", "gemini-2.0-flash-lite-001", false},
		{"gemini-2.0-flash", "gemini-2.0-flash-preview-02-05", false},
		{"text-embedding-005", "text-embedding-004", false}, // whose vectors are others
		{"gemini-embedding-001", "gemini-embedding-002", false},
	} {
		v := keyless("v")
		v.Provisioned = []pool.Order{{Model: tt.order, Location: "global", TokensPerSecond: 1_000, Burndown: &quota.Burndown{Output: 1}}}
		inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
			served := false
			for _, c := range b.pool.View(b.start, tt.model).All() {
				served = served || c.String() == "v/global/provisioned"
			}
			if served != tt.serves {
				t.Errorf("an order for %s serves %s: %v", tt.order, tt.model, served)
			}
		})
	}
}
