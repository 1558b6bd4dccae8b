package grid

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// forever is how long a call took that failed.
const forever = time.Duration(math.MaxInt64)

// Short is a duration as people read it, of a call that may have failed.
func Short(d time.Duration) string {
	if d == forever {
		return "never"
	}
	return d.Round(time.Millisecond).String()
}

// judge counts calls.
func judge(calls []*call) Outcome {
	o := Outcome{Calls: len(calls)}
	took := make([]time.Duration, 0, len(calls))
	for _, c := range calls {
		if c.failed != "" {
			o.Failed++
			took = append(took, forever)
		} else {
			took = append(took, c.took)
		}
	}
	o.P50, o.P95 = quantile(took, 0.5), quantile(took, 0.95)
	return o
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

// wantf notes a bound that does not hold.
func (o *Outcome) wantf(holds bool, format string, args ...any) {
	if !holds {
		o.Broken = append(o.Broken, fmt.Sprintf(format, args...))
	}
}

// wantFailed bounds the calls that fail, and says how the first of them did.
func (o *Outcome) wantFailed(calls []*call, most float64) {
	failed, why := 0, ""
	for _, c := range calls {
		if c.failed == "" {
			continue
		}
		if failed++; why == "" {
			why = fmt.Sprintf("call %d after %s: %s", c.n, Short(c.took), c.failed)
		}
	}
	o.wantf(share(failed, len(calls)) <= most, "%d of %d calls failed, want at most %.1f %%; %s", failed, len(calls), most*100, why)
}
