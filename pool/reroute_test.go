package pool_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

const reroutedLine = "spillway: another model answers than the one that was asked for; its price and its quotas apply"

// served is a good answer of another model.
func served(by string) pool.Outcome {
	return pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1000, Output: 50}, Served: by}
}

func TestAModelThatAnswersForAnotherIsToldOnceADay(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{keyless("v"), keyless("w")}}, func(t *testing.T, b *bed) {
		tell := func() []map[string]any { return said(b.lines(), reroutedLine) }
		for range 3 {
			b.answer(time.Now(), b.candidate(pro, "v/global/on_demand"), served("gemini-3.8-flash"))
			b.answer(time.Now(), b.candidate(pro, "w/global/on_demand"), served("models/gemini-3.8-flash"))
		}
		lines := tell()
		if len(lines) != 1 || lines[0]["level"] != slog.LevelWarn.String() || lines[0]["subject"] != "model:"+pro || lines[0]["served"] != "gemini-3.8-flash" {
			t.Errorf("logged %v", lines)
		}
		b.answer(time.Now(), b.candidate(flash, "v/global/on_demand"), served("gemini-3.5-flash-lite"))
		if lines := tell(); len(lines) != 1 || lines[0]["subject"] != "model:"+flash {
			t.Errorf("of the other model was logged %v", lines)
		}
		time.Sleep(23 * time.Hour)
		b.answer(time.Now(), b.candidate(pro, "v/global/on_demand"), served("gemini-3.8-flash"))
		if lines := tell(); len(lines) != 0 {
			t.Errorf("on the same day was logged %v", lines)
		}
		time.Sleep(time.Hour)
		b.answer(time.Now(), b.candidate(pro, "v/global/on_demand"), served("gemini-3.8-flash"))
		if lines := tell(); len(lines) != 1 {
			t.Errorf("on the next day was logged %v", lines)
		}
	})
}

func TestVersionsAliasesPreviewsAndTunedModelsAreNoOtherModel(t *testing.T) {
	for _, tt := range []struct {
		asked, served string
		other         bool
	}{
		{"gemini-2.5-flash", "gemini-2.5-flash", false},
		{"gemini-2.5-flash", "", false},
		{"gemini-2.5-flash", "models/gemini-2.5-flash", false},
		{"gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash@default", false},
		{"gemini-flash-latest", "gemini-3.5-flash", false},
		{"gemini-2.5-flash-latest", "gemini-2.5-flash", false},
		{"gemini-2.5-flash-001", "gemini-2.5-flash", false},
		{"gemini-2.5-flash", "gemini-2.5-flash-002", false},
		{"gemini-2.5-flash-001", "gemini-2.5-flash-002", false},
		{"gemini-2.5-flash", "gemini-2.5-flash-preview-05-20", false},
		{"gemini-2.5-flash-preview-05-20", "gemini-2.5-flash", false},
		{"gemini-2.5-pro-preview-03-25", "gemini-2.5-pro-preview-06-05", false},
		{"gemini-3-pro-preview", "gemini-3-pro-preview-11-2025", false},
		{"gemini-3.1-pro-preview-customtools", "gemini-3.1-pro-preview", false},
		{"gemini-2.5-flash-image-preview", "gemini-2.5-flash-image", false},
		{"gemini-2.5-flash-native-audio", "gemini-2.5-flash-native-audio-09-2025", false},
		{"gemini-2.0-flash-exp", "gemini-2.0-flash", false},
		{"tunedModels/mine", "gemini-2.5-flash", false},
		{"endpoints/123", "gemini-2.5-flash", false},
		{"our-favourite", "gemini-2.5-flash", false},
		{"gemini-2.5-flash", "a b\n", false},

		{"gemini-2.5-pro", "gemini-3.8-flash", true},
		{"gemini-2.5-flash", "gemini-3.5-flash-lite", true},
		{"gemini-2.5-flash-001", "gemini-3.5-flash-lite", true},
		{"gemini-2.5-flash", "gemini-2.5-flash-lite", true},
		{"gemini-2.5-flash-lite", "gemini-2.5-flash", true},
		{"gemini-3-pro-preview", "gemini-3.1-pro-preview", true},
		{"gemini-2.5-flash-preview-09-2025", "gemini-3.5-flash-lite-001", true},
		{"gemini-2.5-pro", "models/gemini-3.8-flash", true},
		{"gemini-embedding-001", "gemini-embedding-002", true}, // whose vectors are others
		{"gemini-2.5-flash-preview-tts", "gemini-2.5-flash", true},
	} {
		inBubble(t, pool.Config{Projects: []pool.Project{keyless("v")}}, func(t *testing.T, b *bed) {
			b.answer(b.start, b.candidate(tt.asked, "v/global/on_demand"), served(tt.served))
			if lines := said(b.lines(), reroutedLine); (len(lines) == 1) != tt.other {
				t.Errorf("%s answered for %s: logged %v", tt.served, tt.asked, lines)
			}
		})
	}
}

func TestUsageIsChargedToTheModelThatAnswered(t *testing.T) {
	const other = "gemini-3.8-flash"
	p := geminiProject("studio", "k")
	p.Limits = []pool.Limit{{Model: pro, RPM: 10, TPM: 100_000, RPD: 20}, {Model: other, RPM: 30, TPM: 300_000, RPD: 40}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		asked := b.candidate(pro, studio)
		for range 3 {
			b.answer(b.start, asked, served(other))
		}
		e, f := b.endpoint(b.start, asked, pro), b.endpoint(b.start, asked, other)
		if e.TokenCounts != (pool.TokenCounts{}) || e.AttemptCounts[pool.ClassOK] != 3 {
			t.Errorf("of the model that was asked for: %+v, %v", e.TokenCounts, e.AttemptCounts)
		}
		if e.Quota.Requests.Used != 0 || e.Quota.Tokens.Used != 0 || e.Quota.Day.Used != 0 || e.Quota.Concurrency.Used != 0 {
			t.Errorf("of its limits is used %+v", *e.Quota)
		}
		if f.TokenCounts != (pool.TokenCounts{Input: 3000, Output: 150}) || len(f.AttemptCounts) != 0 {
			t.Errorf("of the model that answered: %+v, %v", f.TokenCounts, f.AttemptCounts)
		}
		if f.Quota.Requests.Used != 3 || f.Quota.Tokens.Used != 3000 || f.Quota.Day.Used != 3 || f.Quota.Concurrency.Used != 0 {
			t.Errorf("of its limits is used %+v", *f.Quota)
		}

		b.answer(b.start, asked, pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 30 * time.Second})
		if e := b.endpoint(b.start, asked, pro); e.Cooldown.Class != pool.ClassMinuteQuota {
			t.Errorf("the model that was asked for has the cooldown %+v", e.Cooldown)
		}
		if f := b.endpoint(b.start, asked, other); f.Cooldown.Class != "" {
			t.Errorf("the model that answered has the cooldown %+v", f.Cooldown)
		}
	})
}

func TestAnOrderIsChargedWhateverModelAnswers(t *testing.T) {
	v := keyless("v")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 1}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		order := b.candidate(flash, "v/global/provisioned")
		b.answer(b.start, order, served("gemini-3.5-flash-lite"))
		if e := b.endpoint(b.start, order, flash); e.Order.Used == 0 || e.Order.ServedCount != 1 || e.TokenCounts.Input != 1000 {
			t.Errorf("the order has %+v and %+v", *e.Order, e.TokenCounts)
		}
	})
}
