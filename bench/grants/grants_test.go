// Package grants_test checks grants under random schedules: that some order of all asks explains
// what each was granted, and that no 60 s see more used than the limit.
//
//	go test ./grants -seed 100 -seeds 1000
package grants_test

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed")
	seeds     = flag.Uint64("seeds", 500, "how many seeds are run")
)

// patience is how long porcupine may look for an order.
const patience = 20 * time.Second

func TestGrants(t *testing.T) {
	var grants, unknown, used int64
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		s := play(t, seed)
		if got := porcupine.CheckOperationsTimeout(sliding(), s.history, patience); got != porcupine.Ok {
			t.Errorf("seed %d: no order explains the grants (%s)", seed, got)
		}
		s.checkUses(t, seed)
		for _, o := range s.history {
			if out := o.Output.(answered); !out.known {
				unknown++
			} else if out.grant.Requests > 0 {
				grants++
			}
		}
		for _, u := range s.uses {
			used += u.requests
		}
	}
	t.Logf("%d grants, %d requests used, %d asks without an answer", grants, used, unknown)
	if n := int64(*seeds); grants < 20*n || used < 20*n || unknown < 5*n {
		t.Errorf("the schedules try too little")
	}
}

// play returns a schedule that was run in a bubble.
func play(t *testing.T, seed uint64) *schedule {
	t.Helper()
	var s *schedule
	synctest.Test(t, func(*testing.T) {
		s = newSchedule(seed)
		s.run(seed)
	})
	return s
}

// checkUses checks every 60 s that begin when a use may last have happened: these see the most.
func (s *schedule) checkUses(t *testing.T, seed uint64) {
	t.Helper()
	for _, first := range s.uses {
		var requests, tokens int64
		for _, u := range s.uses {
			if u.key == first.key && !u.to.Before(first.to) && u.from.Before(first.to.Add(time.Minute)) {
				requests += u.requests
				tokens += u.tokens
			}
		}
		limits := s.limits[first.key.Name[0]-'0']
		if requests > limits.RPM || limits.TPM > 0 && tokens > limits.TPM {
			t.Errorf("seed %d: %d requests and %d tokens may be used in 60 s, the limits are %+v",
				seed, requests, tokens, limits)
			return
		}
	}
}

// A check that nothing fails checks nothing.
func TestOneRequestMoreIsFound(t *testing.T) {
	s := play(t, *firstSeed)
	for i, o := range s.history {
		out := o.Output.(answered)
		if !out.known || out.grant.Requests == 0 {
			continue
		}
		out.grant.Requests++
		s.history[i].Output = out
		if porcupine.CheckOperationsTimeout(sliding(), s.history, patience) != porcupine.Illegal {
			t.Fatal("a grant of one request more than there was is explained")
		}
		return
	}
	t.Fatal("nothing was granted")
}
