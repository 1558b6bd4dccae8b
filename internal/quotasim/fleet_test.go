package quotasim

import (
	"fmt"
	"testing"
	"time"
)

func TestFleetProbe(t *testing.T) {
	for _, o := range []struct{ gsus int; w, load, length float64 }{{100, 1, 2, 600}, {100, 2.3, 5, 600},{10, 12, 2, 3600}} {
		ord := Order{GSUs: o.gsus, Window: fmt.Sprint(o.w), window: always(o.w), length: o.length, load: o.load, bias: 1}
		first := ord.run(1, nil)
		one := ord.run(1, ord.ledger(t))
		fmt.Printf("%v: ONE used %.3f refused %.2f%%\n", ord, one.used/first.used, 100*float64(one.refused)/float64(one.calls))
		for _, n := range []int{1, 4, 16, 64} {
			for _, lat := range []float64{0.001} {
				began := time.Now()
				out := Fleet{Order: ord, Replicas: n, Latency: lat}.Run(t, 1)
				fmt.Printf("  N=%d lat %.3f used %.3f refused %.2f%% ops/s %.0f buckets/pull.. %.1f kB/s %.0f window %v guess %.2f  [%v]\n", n, lat, out.Used/first.used, 100*float64(out.Refused)/float64(out.Calls),
					float64(out.Operations)/o.length, float64(out.Buckets)/float64(out.Operations), float64(out.Buckets*40+out.Numbers*8)/o.length/1000, out.Stat.Window, out.Stat.Guess, time.Since(began).Round(time.Millisecond))
			}
		}
	}
}
