package pool_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

func TestCarriesCountsWhatIsUnderWayAndWhatBeganLately(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("acme", "k")}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "acme/global/on_demand")
		var under []pool.Lease
		for _, step := range []struct {
			at     time.Duration
			begin  int
			end    int
			calls  int
			recent float64
		}{
			{0, 0, 0, 0, 0},
			{0, 10, 0, 10, 10},
			{29 * time.Second, 5, 8, 7, 15},
			{30 * time.Second, 0, 0, 7, 15},
			{45 * time.Second, 0, 0, 7, 7.5}, // half of the last period is past
			{45 * time.Second, 4, 7, 4, 11.5},
			{20 * time.Second, 1, 0, 5, 20}, // a clock that is behind counts now, and all of the last period
			{60 * time.Second, 0, 5, 0, 5},
			{89 * time.Second, 0, 0, 0, 5.0 / 30},
			{90 * time.Second, 2, 2, 0, 2},
			{time.Hour, 0, 0, 0, 0},
		} {
			now := b.start.Add(step.at)
			for range step.begin {
				l, ok := c.Lease(now, small)
				if !ok {
					t.Fatalf("no lease at %s", step.at)
				}
				under = append(under, l)
			}
			for range step.end {
				under[0].Settle(now, pool.Outcome{Class: pool.ClassOK})
				under = under[1:]
			}
			if calls, recent := c.Carries(now); calls != step.calls || math.Abs(recent-step.recent) > 1e-9 {
				t.Errorf("at %s it carries %d and %.3f, want %d and %.3f", step.at, calls, recent, step.calls, step.recent)
			}
			c.Expect(2)
			if calls, recent := c.Carries(now); calls != step.calls+2 || math.Abs(recent-step.recent-2) > 1e-9 {
				t.Errorf("at %s it carries %d and %.3f with two calls that are expected", step.at, calls, recent)
			}
			c.Expect(-2)
		}
	})
}

func TestHashesOfEndpointsDifferAndStayWhatTheyAre(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{keyless("a", "us", "eu"), keyless("b", "us")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		seen := map[uint64]bool{}
		for _, c := range b.pool.View(b.start, flash).All() {
			if seen[c.Hash()] {
				t.Errorf("%s has the hash of another", c)
			}
			seen[c.Hash()] = true
			if other := b.candidate(pro, c.String()); other.Hash() != c.Hash() {
				t.Errorf("%s has another hash for another model", c)
			}
		}
		if got := strconv.FormatUint(b.candidate(flash, "a/us/on_demand").Hash(), 16); got != "84a54d95b238f13b" {
			t.Errorf("hash %s", got)
		}
	})
}

func TestWeightIsLessWhileServersRecover(t *testing.T) {
	p := geminiProject("acme", "k")
	p.Weight = 4
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "acme/global/on_demand")
		if w := c.WeightAt(b.start); w != 4 {
			t.Errorf("weight %v before", w)
		}
		for range 5 {
			b.answer(b.start, c, pool.Outcome{Class: pool.ClassServerFault})
		}
		time.Sleep(time.Minute)
		now := time.Now()
		b.answer(now, c, pool.Outcome{Class: pool.ClassOK}) // the probe
		first, then := c.WeightAt(now), c.WeightAt(now.Add(5*time.Second))
		if first >= 1 || then <= first || then >= 4 || c.WeightAt(now.Add(time.Minute)) != 4 || c.Weight != 4 {
			t.Errorf("weights %v, %v, %v", first, then, c.WeightAt(now.Add(time.Minute)))
		}
	})
}
