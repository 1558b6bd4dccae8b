package quota_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

func TestNewLedgerKnowsTheThroughputOfModels(t *testing.T) {
	for _, tt := range []struct {
		order quota.Order
		want  float64
	}{
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 10}, 26_900},
		{quota.Order{Model: "gemini-2.5-flash-001", GSUs: 1}, 2_690},
		{quota.Order{Model: "gemini-2.5-flash-preview-09-2025", GSUs: 1}, 2_690},
		{quota.Order{Model: "gemini-2.5-flash-lite", GSUs: 1}, 8_070},
		{quota.Order{Model: "gemini-2.5-flash-lite-preview-09-2025", GSUs: 1}, 8_070},
		{quota.Order{Model: "gemini-2.5-flash-image", GSUs: 1}, 2_690},
		{quota.Order{Model: "gemini-3.1-flash-lite-image", GSUs: 1}, 2_015},
		{quota.Order{Model: "gemini-3.1-pro-preview", GSUs: 2}, 1_000},
		{quota.Order{Model: "gemini-3-flash-preview", GSUs: 1}, 2_015},
		{quota.Order{Model: "gemini-2.0-flash-001", GSUs: 1}, 3_360},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 10, TokensPerSecond: 5}, 5},
		{quota.Order{Model: "something-new", TokensPerSecond: 700}, 700},
	} {
		l, err := quota.NewLedger(tt.order)
		if err != nil {
			t.Errorf("%+v: %v", tt.order, err)
			continue
		}
		if got := l.Stat(noon).TokensPerSecond; got != tt.want {
			t.Errorf("%+v: %v tokens a second, want %v", tt.order, got, tt.want)
		}
	}
}

func TestNewLedgerRefusesAnOrderWithoutThroughputAndSaysWhatToSet(t *testing.T) {
	for _, tt := range []struct {
		order   quota.Order
		unknown bool
		text    string
	}{
		{quota.Order{Model: "gemini-9-nano", GSUs: 1}, true, "tokens_per_second"},
		{quota.Order{Model: "gemini-2.5-flash-preview-tts", GSUs: 1}, true, "tokens_per_second"},
		{quota.Order{Model: "", GSUs: 1}, true, "tokens_per_second"},
		{quota.Order{Model: "gemini-2.5-flash"}, false, "set gsus"},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: -1}, false, "negative"},
		{quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: -1}, false, "negative"},
		{quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: math.NaN()}, false, "negative"},
		{quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: math.Inf(1)}, false, "too large"},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 1, Window: -time.Second}, false, "negative"},
	} {
		_, err := quota.NewLedger(tt.order)
		if err == nil || errors.Is(err, quota.ErrUnknownModel) != tt.unknown || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%+v: error %v, want one that says %q", tt.order, err, tt.text)
		}
	}
}

func TestLedgerStartsWithTheLongestWindowThatIsDocumented(t *testing.T) {
	for _, tt := range []struct {
		order quota.Order
		want  time.Duration
	}{
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 1}, 120 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 3}, 120 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 4}, 30 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 49}, 30 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 50}, 5 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash", TokensPerSecond: 100 * 2_690}, 5 * time.Second},
		{quota.Order{Model: "something-new", TokensPerSecond: 100}, 120 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash", GSUs: 1, Window: 77 * time.Second}, 77 * time.Second},
		{quota.Order{Model: "gemini-3-pro-image-preview", GSUs: 1}, 1230 * time.Second},
		{quota.Order{Model: "gemini-3-pro-image-preview", GSUs: 8}, 175 * time.Second},
		{quota.Order{Model: "gemini-3-pro-image-preview", GSUs: 500}, 5 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash-image", GSUs: 3}, 40 * time.Second},
		{quota.Order{Model: "gemini-2.5-flash-image", GSUs: 4}, 30 * time.Second},
	} {
		l, err := quota.NewLedger(tt.order)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Stat(noon).Window; got.Round(time.Millisecond) != tt.want {
			t.Errorf("%+v: window %v, want %v", tt.order, got, tt.want)
		}
	}
}

func TestCostBurnsDownEveryKindOfTokenAtItsRate(t *testing.T) {
	for _, tt := range []struct {
		name     string
		model    string
		burndown *quota.Burndown
		usage    quota.Usage
		want     float64
	}{
		{"nothing", "gemini-2.5-flash", nil, quota.Usage{}, 0},
		{"text", "gemini-2.5-flash", nil, quota.Usage{Input: 1000, Output: 100}, 1900},
		{"audio in the prompt", "gemini-2.5-flash", nil, quota.Usage{Input: 1000, InputAudio: 400}, 600 + 4*400},
		{"cached tokens", "gemini-3.5-flash", nil, quota.Usage{Input: 1000, Cached: 1000}, 100},
		{"cached audio", "gemini-3.1-flash-lite", nil, quota.Usage{Input: 1000, InputAudio: 500, Cached: 600, CachedAudio: 400},
			300 + 2*100 + 0.1*200 + 0.2*400},
		{"cached images are not paid twice", "gemini-2.5-flash", nil, quota.Usage{Input: 1000, InputImage: 1000, Cached: 600}, 400 + 60},
		{"images cost more live", "gemini-live-2.5-flash-native-audio", nil,
			quota.Usage{Input: 300, InputAudio: 100, InputImage: 100, Output: 10, OutputAudio: 10}, 100 + 600 + 600 + 40 + 240},
		{"images as output", "gemini-3-pro-image-preview", nil, quota.Usage{Input: 100, Output: 10, OutputImage: 1000}, 100 + 60 + 60_000},
		{"the longest short prompt", "gemini-2.5-pro", nil, quota.Usage{Input: 200_000, Output: 100}, 200_000 + 800},
		{"a long prompt", "gemini-2.5-pro", nil, quota.Usage{Input: 200_001, Output: 100}, 400_002 + 1200},
		{"a long cached prompt", "gemini-2.5-pro", nil, quota.Usage{Input: 300_000, Cached: 300_000}, 60_000},
		{"a long prompt where length is free", "gemini-2.5-flash", nil, quota.Usage{Input: 300_000, InputAudio: 100_000, Output: 1}, 200_000 + 400_000 + 9},
		{"rates of one's own", "gemini-2.5-flash", &quota.Burndown{Output: 5, Cached: 0.25}, quota.Usage{Input: 1000, Cached: 400, Output: 10, InputAudio: 100},
			500 + 400 + 100 + 50},
		{"counts that contradict each other", "gemini-2.5-flash", nil, quota.Usage{Input: 10, InputAudio: -5, Cached: 50, CachedAudio: 90, Output: -1}, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := quota.NewLedger(quota.Order{Model: tt.model, GSUs: 1, Burndown: tt.burndown})
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Cost(tt.usage); math.Abs(got.Input+got.Output-tt.want) > 1e-6 {
				t.Errorf("cost %v, want %v in all", got, tt.want)
			}
		})
	}
}

func TestCostOfAModelThatIsNotInTheTableUsesPlainRates(t *testing.T) {
	l, err := quota.NewLedger(quota.Order{Model: "something-new", TokensPerSecond: 100})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := l.Cost(quota.Usage{Input: 1000, InputAudio: 100, Cached: 500, Output: 10, OutputImage: 10}), (quota.Cost{Input: 550, Output: 20}); got != want {
		t.Errorf("cost %v, want %v", got, want)
	}
}
