package pool_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

var (
	ten      = quota.Limits{RPM: 10}
	tenAgain = pool.Outcome{Class: pool.ClassMinuteQuota, Stated: ten, Hint: 10 * second}
)

// minutely serves so many requests in any minute, and names that limit when it refuses.
type minutely struct {
	rpm    int
	served []time.Time
}

func (g *minutely) answers(now time.Time) pool.Outcome {
	g.served = slices.DeleteFunc(g.served, func(at time.Time) bool { return now.Sub(at) >= minute })
	if len(g.served) >= g.rpm {
		wait := g.served[len(g.served)-g.rpm].Add(minute).Sub(now)
		return pool.Outcome{Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPM: int64(g.rpm)}, Hint: wait}
	}
	g.served = append(g.served, now)
	return good
}

// learnTen teaches the candidate a limit of 10 requests a minute, and uses it up: it returns the
// time right after.
func (b *bed) learnTen(c *pool.Candidate) time.Time {
	b.t.Helper()
	b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, ten))
	return b.full(b.start.Add(2*second), c)
}

// full uses up the ten of a minute.
func (b *bed) full(now time.Time, c *pool.Candidate) time.Time {
	b.t.Helper()
	if got := b.admitted(now, c, 10); got != 10 {
		b.t.Fatalf("%d calls admitted, want 10", got)
	}
	return now
}

// tests checks that calls that the limits keep out are admitted for the first time at an instant
// after from, and returns the lease.
func (b *bed) tests(from time.Time, after time.Duration, c *pool.Candidate) (pool.Lease, time.Time) {
	b.t.Helper()
	b.refuses(from, c, "though the limit keeps it out")
	at := from.Add(after)
	b.refuses(at.Add(-1), c, "before the test is due")
	if wake, known := c.Wake(at.Add(-1), small); !known || wake.After(at) {
		b.t.Errorf("it says to wait until %v, want %v at the latest", wake, at)
	}
	return b.lease(at, c), at
}

// TestUpgradeInTheMiddleIsFoundInMinutes has 10 requests a minute, then 1000, and calls that come
// twice as fast as the first.
func TestUpgradeInTheMiddleIsFoundInMinutes(t *testing.T) {
	for _, upgraded := range []time.Duration{17 * minute, 3*time.Hour + 33*second} {
		inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}}, func(t *testing.T, b *bed) {
			g, c := &minutely{rpm: 10}, b.candidate(flash, studio)
			refused, served, found := 0, 0, time.Duration(0)
			for d := time.Duration(0); d < upgraded+20*minute; d += 3 * second {
				if d >= upgraded {
					g.rpm = 1000
				}
				now := b.start.Add(d)
				l, ok := c.Lease(now, small)
				if !ok {
					continue
				}
				o := g.answers(now)
				if o.Class == pool.ClassOK {
					served++
				} else {
					refused++
				}
				l.Settle(now, o)
				if learned := b.endpoint(now, c, flash).Learned; found == 0 && d >= upgraded && learned == (quota.Limits{}) {
					found = d - upgraded
					served = 0
				}
			}
			if most := int(upgraded/(5*minute)) + 2; refused > most {
				t.Errorf("%d calls refused in %v, want at most %d", refused, upgraded, most)
			}
			if found == 0 || found > 5*minute+3*second {
				t.Errorf("the upgrade is found after %v, want 5 min at most", found)
			}
			if want := int((20*minute - found) / (3 * second)); served < want-2 {
				t.Errorf("of %d calls after it is found %d are served", want, served)
			}
		})
	}
}

func TestLearnedMinuteLimitIsTestedByOneCallInFiveMinutes(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.learnTen(c)
		for range 5 {
			b.full(b.start.Add(4*minute+30*second), c)
			l, at := b.tests(b.start.Add(4*minute+30*second), 30*second, c)
			b.refuses(at, c, "while another tests")
			l.Settle(at, tenAgain)
			b.refuses(at, c, "though the limit was confirmed")
			if got := b.endpoint(at, c, flash).Learned; got != ten {
				t.Errorf("after the test it has learned %+v", got)
			}
			b.start = at
		}
	})
}

func TestTestOfALearnedLimitThatPassesForgetsIt(t *testing.T) {
	for name, stated := range map[string]quota.Limits{"requests": ten, "tokens": {TPM: 1000}} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, accepted early: %v", name, early), func(t *testing.T) {
				inBubble(t, scene(), func(t *testing.T, b *bed) {
					c := b.candidate(flash, "v/global/on_demand")
					b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, stated))
					now := b.start.Add(5*minute - second)
					for range 10 {
						b.answer(now, c, good)
					}
					l, at := b.tests(now, second, c)
					b.lines()
					if early {
						l.Accept(at)
						if got := b.endpoint(at, c, flash).Learned; got != (quota.Limits{}) {
							t.Errorf("after the first piece of its answer %+v is learned", got)
						}
					}
					l.Settle(at, good)
					if got := b.endpoint(at, c, flash).Learned; got != (quota.Limits{}) {
						t.Errorf("after the test %+v is learned", got)
					}
					if got := b.admitted(at, c, 500); got != 500 {
						t.Errorf("%d of 500 calls admitted", got)
					}
					if lines := b.lines(); len(lines) != 1 || lines[0]["msg"] != "spillway: learned limit forgotten" {
						t.Errorf("the log says %v", lines)
					}
				})
			})
		}
	}
}

// TestTestOfALearnedLimitForgetsOnlyWhatItWentBeyond passes a test of the requests a minute.
func TestTestOfALearnedLimitForgetsOnlyWhatItWentBeyond(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, quota.Limits{RPM: 10, TPM: 1200, RPD: 5000}))
		now := b.full(b.start.Add(5*minute), c)
		b.answer(now, c, good)
		if got := b.endpoint(now, c, flash).Learned; got != (quota.Limits{TPM: 1200, RPD: 5000}) {
			t.Errorf("after a test of the requests a minute %+v is learned", got)
		}
	})
}

func TestTestOfALearnedLimitThatProvesNothingIsGivenBack(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(l pool.Lease, now time.Time)
		wait time.Duration
	}{
		"not sent":         {func(l pool.Lease, now time.Time) { l.Release(now) }, 0},
		"a server's fault": {func(l pool.Lease, now time.Time) { l.Settle(now, pool.Outcome{Class: pool.ClassServerFault}) }, second},
		"cancelled":        {func(l pool.Lease, now time.Time) { l.Settle(now, cancelled) }, second},
		"the caller's":     {func(l pool.Lease, now time.Time) { l.Settle(now, pool.Outcome{Class: pool.ClassCallerFault}) }, second},
		"never heard of":   {func(pool.Lease, time.Time) {}, 30 * second},
		"refused, no limit": {func(l pool.Lease, now time.Time) {
			l.Settle(now, pool.Outcome{Class: pool.ClassMinuteQuota, Hint: second})
		}, 5 * minute},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				c := b.candidate(flash, "v/global/on_demand")
				b.learnTen(c)
				now := b.full(b.start.Add(5*minute), c)
				tt.end(b.lease(now, c), now)
				if tt.wait > minute {
					now, tt.wait = b.full(now.Add(tt.wait-10*second), c), 10*second
				}
				if tt.wait > 0 {
					b.refuses(now.Add(tt.wait-1), c, "before the next test")
				}
				b.lease(now.Add(tt.wait), c)
				b.refuses(now.Add(tt.wait), c, "while that tests")
			})
		})
	}
}

func TestTestOfALearnedLimitIsForgottenAtItsCallsDeadline(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.learnTen(c)
		now := b.full(b.start.Add(5*minute), c)
		b.leaseFor(now, c, pool.Need{Input: 10, Deadline: now.Add(3 * second)})
		b.refuses(now.Add(3*second-1), c, "while another tests")
		b.lease(now.Add(3*second), c)
	})
}

// TestLateSuccessOfATestDoesNotForgetALimitThatWasNamedSince has a call under way that Google
// refuses while the test waits for its answer.
func TestLateSuccessOfATestDoesNotForgetALimitThatWasNamedSince(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.learnTen(c)
		other := b.lease(b.start.Add(5*minute-second), c)
		now := b.start.Add(5 * minute)
		b.admitted(now, c, 9)
		test := b.lease(now, c)
		other.Settle(now.Add(second), tenAgain)
		test.Settle(now.Add(2*second), good)
		if got := b.endpoint(now.Add(2*second), c, flash).Learned; got != ten {
			t.Errorf("it has learned %+v", got)
		}
	})
}

func TestDeclaredLimitsAreNotTested(t *testing.T) {
	for name, declared := range map[string]pool.Limit{
		"the same":     {RPM: 10},
		"a lower one":  {RPM: 5},
		"another kind": {TPM: 1000},
		"of the day":   {RPD: 10},
		"at once":      {Concurrency: 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, limited(declared), func(t *testing.T, b *bed) {
				c := b.candidate(flash, studio)
				b.answer(b.start, c, refusedFor(pool.ClassMinuteQuota, ten))
				now := b.start.Add(2 * time.Hour)
				for range 10 {
					if l, ok := c.Lease(now, small); ok && declared.Concurrency == 0 {
						l.Settle(now, good)
					}
				}
				b.refuses(now, c, "beyond what is declared")
				if wake, _ := c.Wake(now, small); !wake.After(now) {
					t.Error("it says that a call may go now")
				}
			})
		})
	}
}

// TestLearnedDayLimitIsTestedLikeADayQuota keeps calls out for two days.
func TestLearnedDayLimitIsTestedLikeADayQuota(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		twenty := pool.Outcome{Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPD: 20}, Hint: second}
		b.answer(b.start, c, twenty)
		for day := range 2 {
			now := quota.NextMidnight(b.start).Add(time.Duration(day)*24*time.Hour + time.Hour)
			if got := b.admitted(now, c, 100); got != 20 {
				t.Fatalf("%d calls admitted, want 20", got)
			}
			for _, gap := range []time.Duration{15 * minute, 30 * minute, time.Hour, 2 * time.Hour} {
				var l pool.Lease
				l, now = b.tests(now, gap, c)
				b.refuses(now, c, "while another tests")
				l.Settle(now, twenty)
				b.refuses(now.Add(2*second), c, "though the limit was confirmed")
			}
			for range 18 {
				now = now.Add(time.Hour)
				b.refuses(now, c, "after the day's four tests")
			}
		}
		now := quota.NextMidnight(b.start).Add(49 * time.Hour)
		b.admitted(now, c, 20)
		l, now := b.tests(now, 15*minute, c)
		l.Settle(now, good)
		if got := b.endpoint(now, c, flash).Learned; got != (quota.Limits{}) {
			t.Errorf("after a test that passed %+v is learned", got)
		}
	})
}

// TestProbeOfADayQuotaTestsTheDaysLimit has counted the day's requests, because a minute's limit is
// declared.
func TestProbeOfADayQuotaTestsTheDaysLimit(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 1000}), func(t *testing.T, b *bed) {
		c := b.candidate(flash, studio)
		b.admitted(b.start, c, 20)
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassDayQuota, Stated: quota.Limits{RPD: 20}})
		now := b.start.Add(15 * minute)
		b.refuses(now.Add(-1), c, "before the probe")
		b.answer(now, c, good)
		if got := b.endpoint(now, c, flash); got.Learned != (quota.Limits{}) || got.Cooldown.Class != "" {
			t.Errorf("after the probe it has learned %+v and is on cooldown for %v", got.Learned, got.Cooldown)
		}
		if got := b.admitted(now, c, 100); got != 100 {
			t.Errorf("%d of 100 calls admitted", got)
		}
	})
}

func TestCallThatWaitsGoesWhenTheTestIsDueAndThoseBehindItWhenItPasses(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}}, func(t *testing.T, b *bed) {
		limit := quota.Limits{RPD: 20}
		b.answer(b.start, b.candidate(flash, studio), pool.Outcome{Class: pool.ClassMinuteQuota, Stated: limit, Hint: second})
		time.Sleep(quota.NextMidnight(b.start).Sub(b.start))
		for range 20 {
			b.acquire(waits()).Settle(time.Now(), good)
		}
		if _, err := b.pool.Acquire(t.Context(), waits()); err == nil {
			t.Fatal("the 21st call of 20 is served")
		}
		time.Sleep(15*minute - 10*second)
		from := time.Now()
		c := newCrowd(b)
		c.comes(t.Context(), "first", 5*second, waits())
		time.Sleep(10*second - 1)
		synctest.Wait()
		if served, failed := c.count(); served+failed != 0 {
			t.Fatalf("%d calls served and %d failed before the test is due", served, failed)
		}
		time.Sleep(minute / 2)
		c.leavesNothing()
		if got := c.served["first"] - from.Sub(b.start); got != 10*second {
			t.Errorf("the first call is served after %v, want 10 s: %v", got, c.failed)
		}
		c.comes(t.Context(), "second", 0, waits())
		c.leavesNothing()
		if len(c.failed) != 0 {
			t.Errorf("after the test that passed %v", c.failed)
		}
	})
}

func TestCallsBehindATestThatPassesDoNotWait(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, studio), refusedFor(pool.ClassMinuteQuota, ten))
		time.Sleep(5*minute - 20*second)
		for range 10 {
			b.acquire(waits()).Settle(time.Now(), good)
		}
		from := time.Since(b.start)
		c := newCrowd(b)
		for _, name := range numbered("call", 5) {
			c.comes(t.Context(), name, 2*second, &pool.Request{Model: flash, MaxWait: 2 * minute})
		}
		c.leavesNothing()
		for i, name := range numbered("call", 5) {
			got, want := c.served[name]-from, 20*second // when the test is due
			if i > 0 {
				want = 22 * second // when it passes
			}
			if got < want || got > want+second {
				t.Errorf("%s is served after %v, want %v: %v", name, got, want, c.failed)
			}
		}
	})
}

func TestRestartDoesNotTestALearnedLimitMoreOften(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		find := func() *pool.Candidate { return b.candidate(flash, studio) }
		b.learnTen(find())
		time.Sleep(5 * minute)
		now := b.full(time.Now(), find())
		b.lease(now, find()).Settle(now, tenAgain)
		now = b.restart(cfg, b.saved(now), 4*minute)
		b.full(now.Add(30*second), find())
		l, now := b.tests(now.Add(30*second), 30*second, find())
		time.Sleep(time.Until(now))
		data := b.saved(now) // while the test is under way
		l.Release(now)
		now = b.restart(cfg, data, 4*minute+50*second)
		b.full(now, find())
		b.refuses(now, find(), "before the next test is due")
	})
}

func TestRestartKeepsTheDaysTestsOfALearnedLimit(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{geminiProject("studio", "k")}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		find := func() *pool.Candidate { return b.candidate(flash, studio) }
		twenty := pool.Outcome{Class: pool.ClassMinuteQuota, Stated: quota.Limits{RPD: 20}, Hint: second}
		b.answer(b.start, find(), twenty)
		time.Sleep(quota.NextMidnight(b.start).Sub(b.start))
		now := time.Now()
		b.admitted(now, find(), 20)
		b.refuses(now, find(), "beyond the limit")
		for i := range 4 {
			data := b.saved(now)
			if again := b.saved(now.Add(time.Millisecond)); string(data) != string(again) {
				t.Errorf("the same knowledge is saved as\n%s\nand as\n%s", data, again)
			}
			gap := 15 * minute << i
			now = b.restart(cfg, data, gap-second)
			l, at := b.tests(now, second, find())
			l.Settle(at, twenty)
			now = at
			time.Sleep(time.Until(now))
		}
		now = b.restart(cfg, b.saved(now), 12*time.Hour)
		b.refuses(now, find(), "after the day's four tests")
		now = b.restart(cfg, b.saved(now), 9*time.Hour)
		if got := b.admitted(now, find(), 100); got != 20 {
			t.Errorf("the next day %d calls admitted, want 20", got)
		}
		b.tests(now, 15*minute, find())
	})
}

func TestReloadForgetsLearnedLimits(t *testing.T) {
	cfg := limited(pool.Limit{RPM: 100})
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		b.learnTen(b.candidate(flash, studio))
		b.answer(b.start.Add(2*minute), b.candidate(pro, studio), refusedFor(pool.ClassMinuteQuota, quota.Limits{RPD: 7}))
		b.log.take()
		now := b.start.Add(2*minute + 2*second)
		b.reload(now, cfg)
		for _, e := range b.pool.Stat(now).Endpoints {
			if e.Learned != (quota.Limits{}) {
				t.Errorf("after a reload %s %s has learned %+v", e.Model, e.Endpoint, e.Learned)
			}
		}
		if got := strings.Count(b.log.String(), "learned limit forgotten"); got != 2 {
			t.Errorf("the log says %d times that a limit is forgotten, want twice", got)
		}
		if got := b.admitted(now, b.candidate(flash, studio), 200); got != 100 {
			t.Errorf("%d calls admitted, want the 100 that are declared", got)
		}
	})
}
