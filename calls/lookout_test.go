package calls

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// TestLooksAtOtherEndpointsAreSeldomWhereTheyAreDear makes a call every 10 ms. Looks that cost
// nothing are for all; of looks that take 1 ms there is one in 50 ms.
func TestLooksAtOtherEndpointsAreSeldomWhereTheyAreDear(t *testing.T) {
	for cost, want := range map[time.Duration]int{0: 100, time.Millisecond: 20} {
		synctest.Test(t, func(t *testing.T) {
			var l lookout
			looks, began := 0, time.Now()
			for i := range 100 {
				time.Sleep(time.Until(began.Add(time.Duration(i) * 10 * time.Millisecond)))
				others, ok := l.others(time.Now(), func() []pool.Reason {
					time.Sleep(cost)
					return []pool.Reason{{Endpoint: "a"}}
				})
				if ok {
					looks++
				}
				if ok != (len(others) == 1) {
					t.Errorf("%d reasons, and ok is %v", len(others), ok)
				}
			}
			if looks != want {
				t.Errorf("calls looked %d times where that takes %v, want %d", looks, cost, want)
			}
		})
	}
}
