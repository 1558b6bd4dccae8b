package plan_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
)

// One call of a plan, with one size of an order and both windows.
func BenchmarkAsk(b *testing.B) {
	calls := demand.Rates{Model: flash, RPM: 3000, Input: 1200, Output: 400, Peak: 2, Length: time.Duration(b.N) * 20 * time.Millisecond, Seed: 1}.Calls()
	b.ResetTimer()
	if _, err := plan.Ask(b.Context(), plan.Question{
		Buy: plan.Buy{Model: flash, Location: "global"}, Calls: calls, Spill: 0.01, From: 100, To: 100, Prices: price.BuiltIn(),
	}); err != nil && b.N > 10 {
		b.Fatal(err)
	}
}
