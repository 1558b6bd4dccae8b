package pool_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// refusedFor is a refusal that states limits.
func refusedFor(class pool.Class, stated quota.Limits) pool.Outcome {
	return pool.Outcome{Class: class, Stated: stated, Hint: time.Second}
}

// admitted counts how many of n calls a candidate takes, each answered well at once.
func (b *bed) admitted(now time.Time, c *pool.Candidate, n int) int {
	b.t.Helper()
	taken := 0
	for range n {
		if l, ok := c.Lease(now, pool.Need{Input: 10}); ok {
			l.Settle(now, pool.Outcome{Class: pool.ClassOK})
			taken++
		}
	}
	return taken
}

func TestLimitThatGoogleNamesIsKeptTo(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c, sibling := b.candidate(flash, "v/global/on_demand"), b.candidate(flash, "v/eu/on_demand")
		if got := b.admitted(b.start, c, 100); got != 100 {
			t.Fatalf("%d of 100 calls admitted without a limit", got)
		}
		b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{RPM: 20}))
		now := b.start.Add(minute)
		if got := b.admitted(now, c, 100); got != 20 {
			t.Errorf("%d of 100 calls admitted, want the 20 of the learned limit", got)
		}
		if sibling.Ready(now) && b.admitted(now, sibling, 1) != 0 {
			t.Error("another location of the project has room: the quota is the project's")
		}
		for _, e := range b.pool.Stat(now).Endpoints {
			if e.Endpoint == c.String() && (e.Learned != quota.Limits{RPM: 20} || e.Quota == nil || e.Quota.Requests.Limit != 20) {
				t.Errorf("Stat shows learned %+v, quota %+v", e.Learned, e.Quota)
			}
		}
	})
}

func TestLearnedLimitLowersADeclaredOneAndNeverRaisesIt(t *testing.T) {
	for _, tt := range []struct{ declared, stated, want int }{{100, 20, 20}, {20, 100, 20}} {
		v := keyless("v", "global")
		v.Limits = []pool.Limit{{RPM: int64(tt.declared)}}
		inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
			c := b.candidate(flash, "v/global/on_demand")
			b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{RPM: int64(tt.stated)}))
			if got := b.admitted(b.start.Add(2*minute), c, 200); got != tt.want {
				t.Errorf("declared %d, named %d: %d calls admitted in a minute, want %d", tt.declared, tt.stated, got, tt.want)
			}
		})
	}
}

// TestLearnedLimitIsForgottenByAndBy lets two days pass in which it keeps nothing out: a day it
// holds, then it grows by the hour, and is gone.
func TestLearnedLimitIsForgottenByAndBy(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{RPM: 100}))
		last := int64(0)
		for hour := 1; hour <= 40; hour++ {
			now := b.start.Add(time.Duration(hour) * time.Hour)
			got := b.endpoint(now, c, flash).Learned.RPM
			switch {
			case hour < 24 && got != 100:
				t.Errorf("after %d hours %d calls a minute, want 100", hour, got)
			case hour < 34 && got < last || hour > 25 && hour < 34 && (got <= last || got > last*13/10+1):
				t.Errorf("after %d hours %d calls a minute, after %d %d", hour, got, hour-1, last)
			case hour == 40 && (got != 0 || b.admitted(now, c, 5000) != 5000):
				t.Errorf("after %d hours still %d calls a minute", hour, got)
			}
			last = got
		}
	})
}

func TestLearnedLimitThatIsNamedAgainHoldsForAnotherDay(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		now := b.start
		for range 5 {
			b.answer(now, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{RPM: 100}))
			now = now.Add(20 * time.Hour)
		}
		if got := b.endpoint(now, c, flash).Learned.RPM; got != 100 {
			t.Errorf("%d calls a minute are learned, want 100", got)
		}
	})
}

// TestEachDimensionIsLearnedByItself checks that a limit of tokens or of the day leaves the others
// alone.
func TestEachDimensionIsLearnedByItself(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{TPM: 300}))
		b.answer(b.start.Add(minute), c, refusedFor(pool.ClassDayQuota, quota.Limits{RPD: 1000}))
		b.answer(b.start.Add(2*minute), c, refusedFor(pool.ClassOK, quota.Limits{}))
		want := quota.Limits{TPM: 300, RPD: 1000}
		for _, e := range b.pool.Stat(b.start.Add(3 * minute)).Endpoints {
			if e.Endpoint == c.String() && e.Learned != want {
				t.Errorf("learned %+v, want %+v", e.Learned, want)
			}
		}
		tomorrow := quota.NextMidnight(b.start).Add(minute)
		b.answer(tomorrow.Add(-30*second), c, refusedFor(pool.ClassMinuteQuota, quota.Limits{TPM: 300}))
		if got := b.admitted(tomorrow, c, 500); got != 30 {
			t.Errorf("%d calls of 10 tokens admitted in a minute, want 30", got)
		}
	})
}

func TestLearnedLimitIsLoggedOnce(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		now := b.start
		for range 5 {
			b.answer(now, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{RPM: 100}))
			now = now.Add(time.Duration(60+rand.IntN(60)) * time.Second)
		}
		if got := strings.Count(b.log.String(), "limit learned"); got != 1 {
			t.Errorf("the log says %d times that the limit was learned, want once:\n%s", got, b.log.String())
		}
	})
}
