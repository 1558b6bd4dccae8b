package quotasim

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestFleetProbe(t *testing.T) {
	for _, o := range []struct{ gsus int; w, load, length float64 }{{100, 1, 2, 600}, {100, 2.3, 5, 600}, {10, 12, 2, 1800}, {10, 12, 5, 1800}, {1, 70, 2, 7200}, {1, 70, 5, 7200}, {1, 40, 2, 7200}, {1, 120, 2, 7200}, {10, 5, 2, 1800}, {10, 30, 2, 1800}} {
		for _, n := range []int{1, 4, 16, 64} {
			if n==64 && os.Getenv("N64")=="" { continue }
			t.Run("", func(t *testing.T) {
				t.Parallel()
				ord := Order{GSUs: o.gsus, Window: fmt.Sprint(o.w), window: always(o.w), length: o.length, load: o.load, bias: 1}
				var used, ref []float64
				var b strings.Builder
				for seed := uint64(1); seed <= 3; seed++ {
					first := ord.run(seed, nil)
					out := Fleet{Order: ord, Replicas: n, Latency: 0.001}.Run(t, seed)
					u, r := out.Used/first.used, 100*float64(out.Refused)/float64(out.Calls)
					used, ref = append(used, u), append(ref, r)
					fmt.Fprintf(&b, " %.3f/%.2f", u, r)
				}
				slices.Sort(used)
				slices.Sort(ref)
				fmt.Printf("%3d GSUs %3gs load %g N=%-2d used %.3f refused %.2f%% : %s\n", o.gsus, o.w, o.load, n, used[1], ref[1], b.String())
			})
		}
	}
}
