package quotasim

import (
	"fmt"
	"testing"
)

func TestFleetTwo(t *testing.T) {
	for _, o := range []struct{ gsus int; w, load, length float64 }{{1, 70, 2, 3600}} {
		ord := Order{GSUs: o.gsus, Window: fmt.Sprint(o.w), window: always(o.w), length: o.length, load: o.load, bias: 1}
		first := ord.run(1, nil)
		for _, n := range []int{16} {
			for _, k := range []int{1} {
				f := Fleet{Order: ord, Replicas: n, Latency: 0.001}
				switch k { case 1: f.Gone = [2]float64{o.length/2, o.length/2+60}; case 2: f.Lost = o.length/2; case 3: f.Latency=0.03 }
				out := f.Run(t, 1)
				fmt.Printf("  %d GSU N=%d %s used %.3f refused %.2f%% open %d calls %d window %v guess %.2f\n", o.gsus, n, []string{"fine","gone","lost","30ms"}[k], out.Used/first.used, 100*float64(out.Refused)/float64(out.Calls),
					out.Open, out.Calls, out.Stat.Window, out.Stat.Guess)
			}
		}
	}
}
