package demand_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/internal/demand"
)

func TestCallsHaveTheRatesThatWereStated(t *testing.T) {
	for _, peak := range []float64{0, 1, 1.5, 2, 4} {
		r := demand.Rates{
			Model: flash, RPM: 600, Input: 1200, Cached: 300, Output: 400, Peak: peak, Length: 5 * time.Hour, Start: nine, Seed: 7,
		}
		all := r.Calls()
		perMinute := make([]float64, 300)
		var input, cached, output float64
		for _, c := range all {
			perMinute[int(c.At.Sub(nine).Minutes())]++
			input += float64(c.Usage.Input)
			cached += float64(c.Usage.Cached)
			output += float64(c.Usage.Output)
		}
		n := float64(len(all))
		near := func(what string, got, want, part float64) {
			t.Helper()
			if math.Abs(got/want-1) > part {
				t.Errorf("peak %v: %s is %.1f, want %.1f", peak, what, got, want)
			}
		}
		near("a minute", n/300, 600, 0.02)
		near("the input", input/n, 1200, 0.02)
		near("what is cached", cached/n, 300, 0.02)
		near("the output", output/n, 400, 0.02)
		slices.Sort(perMinute)
		near("the peak", perMinute[297], 600*max(peak, 1), 0.12)
		if diff := cmp.Diff(all[:50], r.Calls()[:50]); diff != "" {
			t.Errorf("the same rates make other calls:\n%s", diff)
		}
	}
}

func TestRatesOfNothingMakeNoCalls(t *testing.T) {
	for _, r := range []demand.Rates{{}, {RPM: 600}, {RPM: 0, Length: time.Hour}, {RPM: -5, Length: time.Hour}} {
		if all := r.Calls(); len(all) > 0 {
			t.Errorf("%+v makes %d calls", r, len(all))
		}
	}
}
