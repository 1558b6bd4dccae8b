package pool_test

import (
	"math"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

func TestEarliestIsABoundWhereWakeGuesses(t *testing.T) {
	p := keyedProject()
	p.Limits = []pool.Limit{{Concurrency: 1}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		l := b.lease(b.start, c)
		wake, _ := c.Wake(b.start, small)
		if earliest, ok := c.Earliest(b.start, small); !ok || !earliest.Equal(b.start) || wake.Equal(b.start) {
			t.Errorf("while its one call is out: earliest in %v, %v, and wake in %v; want at any moment, and a guess", earliest.Sub(b.start), ok, wake.Sub(b.start))
		}
		l.Settle(b.start, pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 30 * time.Second})
		wake, _ = c.Wake(b.start, small)
		if earliest, ok := c.Earliest(b.start, small); !ok || !earliest.Equal(wake) || wake.Sub(b.start) < 30*time.Second {
			t.Errorf("while it rests: earliest in %v, %v, and wake in %v; want both when the rest ends", earliest.Sub(b.start), ok, wake.Sub(b.start))
		}
	})
}

func TestOpenBreakerIsNoBound(t *testing.T) {
	p := keyedProject()
	p.Limits = []pool.Limit{{RPM: 6}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		for range 5 {
			b.answer(b.start, c, pool.Outcome{Class: pool.ClassServerFault})
		}
		if _, open := c.Open(b.start); !open {
			t.Fatal("the breaker is not open after five failures")
		}
		if earliest, ok := c.Earliest(b.start, small); !ok || !earliest.Equal(b.start) {
			t.Errorf("earliest in %v, %v; want now, for the last endpoint is never shut out", earliest.Sub(b.start), ok)
		}
		if _, ok := c.Force(b.start, small); !ok {
			t.Fatal("the last endpoint is shut out")
		}
		if earliest, ok := c.Earliest(b.start, small); !ok || earliest.Sub(b.start) < time.Minute {
			t.Errorf("with the minute spent, earliest in %v, %v; want when it is over", earliest.Sub(b.start), ok)
		}
	})
}

func TestOutlookCountsTheLimitsOfAProjectOnce(t *testing.T) {
	v := keyless("v", "global", "us", "eu")
	v.Limits = []pool.Limit{{RPM: 10}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		plan := b.pool.View(b.start, flash)
		for _, c := range plan.All() {
			b.answer(b.start, c, cancelled)
		}
		time.Sleep(2 * time.Minute)
		now := time.Now()
		if got := plan.Forecast(now, &pool.Request{}).By(time.Second); got != 10 {
			t.Errorf("three locations of a project of 10 RPM take %d calls in a second, want 10", got)
		}
		b.answer(now, b.candidate(flash, "v/eu/on_demand"), pool.Outcome{Class: pool.ClassContention, Hint: 30 * time.Second})
		only := &pool.Request{Locations: []string{"eu"}}
		if o := plan.Forecast(now, only); o.By(29*time.Second) != 0 || o.By(40*time.Second) != 10 {
			t.Errorf("one that opens after 30 s takes %d calls before and %d after, want 0 and 10", o.By(29*time.Second), o.By(40*time.Second))
		}
		if got := b.pool.View(now, "").Forecast(now, &pool.Request{}).By(0); got != math.MaxInt64 {
			t.Errorf("what has no limits takes %d calls", got)
		}
	})
}
