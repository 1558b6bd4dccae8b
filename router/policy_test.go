package router_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/router"
)

// weighted is a pool of projects with these weights, all of one tier.
func weighted(t *testing.T, policy router.Policy, weights ...float64) *bed {
	t.Helper()
	var all []project
	for i, w := range weights {
		p := keyed(fmt.Sprintf("p%d", i), fmt.Sprintf("key-%d", i))
		p.pool.Weight = w
		all = append(all, p)
	}
	return setup{router: router.Config{Policy: policy}}.bed(t, all...)
}

// TestEachPolicyGivesShareByWeight compares long-run shares with the weights, over three projects
// and then over the two that are left.
func TestEachPolicyGivesShareByWeight(t *testing.T) {
	for _, tt := range []struct {
		policy  router.Policy
		within  float64 // of the whole
		weights []float64
	}{
		{router.PolicyRandom, 0.06, []float64{1, 1, 1}},
		{router.PolicyRandom, 0.06, []float64{1, 2, 5}},
		{router.PolicyRoundRobin, 0.002, []float64{1, 1, 1}},
		{router.PolicyRoundRobin, 0.002, []float64{1, 2, 5}},
		{router.PolicyRoundRobin, 0.002, []float64{0.3, 0.5, 0.7}},
		{router.PolicyLeastLoaded, 0.06, []float64{1, 1, 1}},
		{router.PolicyLeastLoaded, 0.06, []float64{1, 2, 5}},
	} {
		t.Run(fmt.Sprintf("%s %v", tt.policy, tt.weights), func(t *testing.T) {
			b := weighted(t, tt.policy, tt.weights...)
			c := b.client(t)
			share := func(among ...int) {
				t.Helper()
				before := make(map[int]int)
				sum := 0.0
				for _, i := range among {
					before[i] = b.Count(geminitest.Match{Project: fmt.Sprintf("p%d", i)})
					sum += tt.weights[i]
				}
				const calls = 1200
				for range calls {
					if _, err := ask(t.Context(), c, flash); err != nil {
						t.Fatal(err)
					}
				}
				for _, i := range among {
					got := float64(b.Count(geminitest.Match{Project: fmt.Sprintf("p%d", i)})-before[i]) / calls
					if want := tt.weights[i] / sum; math.Abs(got-want) > tt.within {
						t.Errorf("among %v, p%d has a share of %.3f, want %.3f", among, i, got, want)
					}
				}
			}
			share(0, 1, 2)
			b.Script(geminitest.Match{Project: "p1"}, geminitest.DayQuota(flash, 1, time.Hour))
			for b.Count(geminitest.Match{Project: "p1", Served: ""}) == 0 || b.CountStatus(geminitest.Match{Project: "p1"}, 429) == 0 {
				if _, err := ask(t.Context(), c, flash); err != nil {
					t.Fatal(err)
				}
			}
			share(0, 2)
		})
	}
}

// TestLeastLoadedSparesWhoIsBusy holds calls at one of three projects: new ones go to the others.
func TestLeastLoadedSparesWhoIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := weighted(t, router.PolicyLeastLoaded, 1, 1, 1)
		c := b.client(t)
		slow := b.Keep(geminitest.Match{Project: "p0"}, geminitest.Answer{Delay: 10 * time.Second})
		for range 300 {
			go func() {
				if _, err := ask(t.Context(), c, flash); err != nil {
					t.Error(err)
				}
			}()
			time.Sleep(10 * time.Millisecond)
		}
		// What p0 holds grows with each call it gets, so it gets only those that draw it twice: a
		// ninth, where a third would be even.
		if n := b.Count(geminitest.Match{Project: "p0"}); n > 60 {
			t.Errorf("the busy project got %d of 300 calls", n)
		}
		slow()
		time.Sleep(time.Minute)
	})
}
