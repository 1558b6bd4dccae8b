package plan

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
)

const flash = "gemini-2.5-flash"

// perCall is what a call of the rates below costs in the mean: 1,500 + 9 × 400.
const perCall = 1500 + 9*400

func rates(tokensPerSecond, peak float64, length time.Duration) demand.Rates {
	return demand.Rates{
		Model: flash, RPM: 60 * tokensPerSecond / perCall, Input: 1500, Output: 400, Peak: peak, Length: length,
		Start: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Seed: 1,
	}
}

func TestProbe(t *testing.T) {
	for _, window := range []time.Duration{5 * time.Second, 30 * time.Second} {
		calls := rates(1.37*13450, 1, time.Hour).Calls()
		began := time.Now()
		b := Buy{Model: flash, Location: "global"}
		tally, err := b.tally(t.Context(), calls, 5, window, 0, func() {})
		if err != nil {
			t.Fatal(err)
		}
		tally.spilled = nil
		t.Logf("%v: %d calls, spill %.3f, %+v, %v a call", window, len(calls), tally.Spill(), *tally, time.Since(began)/time.Duration(len(calls)))
	}
}
