package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// Everyone may ask whether the sidecar is ready, and a large pool takes long to look at.
func TestReadinessOfALargePoolIsNotLookedAtForEveryoneWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l life
		looks, good := 0, true
		ask := func() bool {
			return l.servesNow(func() snapshot {
				looks++
				time.Sleep(time.Second)
				if good {
					return snapshot{Endpoints: []endpointSnapshot{{Model: "m"}}}
				}
				return snapshot{Projects: []projectSnapshot{}}
			})
		}
		began := time.Now()
		for range 1000 {
			if !ask() {
				t.Fatal("it is not ready")
			}
		}
		if took := time.Since(began); looks != 1 || took != time.Second {
			t.Errorf("for 1,000 who ask at once the pool is looked at %d times, in %v", looks, took)
		}
		good = false
		time.Sleep(readyShare * time.Second)
		if ask() {
			t.Error("what has changed is never seen")
		}
	})
}
