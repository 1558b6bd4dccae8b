package plan_test

import (
	"testing"

	"github.com/spillway-go/spillway/internal/plan"
)

// What spills and why it spills are parts of the same tokens: 0.35 % of bursts are not 0.3 % of spills.
func TestSpillIsWhatItsReasonsAddUpTo(t *testing.T) {
	tally := plan.Tally{Tokens: 14.4e6, ServedTokens: 14.4e6 - 50.4e3, SpilledTokens: 50.4e3, Burst: 50.4e3}
	if got, want := tally.Spill(), tally.Burst/tally.Tokens; got != want {
		t.Errorf("%v spills, and %v for bursts", got, want)
	}
}
