package pool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spillway-go/spillway/pool"
)

func TestADeadKeyRestsAloneWhileItsProjectHasAnother(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "a/global/on_demand")
		if got := keyOf(t, b.lease(b.start, c)); got != "a-first" {
			t.Fatalf("the first call has key %q", got)
		}
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassKeyDead})
		if diff := cmp.Diff([]string{"key a0"}, b.resting(b.start)); diff != "" {
			t.Errorf("what rests (-want +got):\n%s", diff)
		}
		if got := keyOf(t, b.lease(b.start, c)); got != "a-second" {
			t.Errorf("while the first key rests calls have key %q", got)
		}
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassKeyDead})
		if c.Ready(b.start) {
			t.Error("ready with two dead keys")
		}
		probe := b.lease(b.start.Add(minute), c)
		if got := keyOf(t, probe); got != "a-first" {
			t.Errorf("the first probe has key %q", got)
		}
		if got := keyOf(t, b.lease(b.start.Add(minute), c)); got != "a-second" {
			t.Errorf("the second probe has key %q: each key has its own", got)
		}
		b.refuses(b.start.Add(minute), c, "with both probes out")
		probe.Settle(b.start.Add(minute), pool.Outcome{Class: pool.ClassOK})
		if got := keyOf(t, b.lease(b.start.Add(minute), c)); got != "a-first" {
			t.Errorf("once a key is back calls have key %q", got)
		}
	})
}

// keyOf returns the key that a lease signs with.
func keyOf(t *testing.T, l pool.Lease) string {
	t.Helper()
	h := make(map[string][]string)
	if err := l.Authorize(t.Context(), h, ""); err != nil {
		t.Fatal(err)
	}
	return strings.Join(h["X-Goog-Api-Key"], ",")
}

func TestALastingRestIsProbedByOneCallAtATimeAtGrowingGaps(t *testing.T) {
	eachLife(t, probed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		now := b.start
		b.answer(now, c, pool.Outcome{Class: l.class})
		for _, gap := range l.gaps {
			b.refuses(now.Add(gap-1), c, "before the gap is over")
			if got := b.next(now, c).Sub(now); got != gap {
				t.Errorf("the next probe is after %v, want %v", got, gap)
			}
			if got := c.Resting(now).Probe.Sub(now); got != gap {
				t.Errorf("the rest shows its probe after %v, want %v", got, gap)
			}
			now = now.Add(gap)
			probe := b.lease(now, c)
			b.refuses(now, c, "while a probe is out")
			probe.Settle(now, pool.Outcome{Class: l.class})
		}
		if l.last {
			end := c.Resting(now).Until
			b.refuses(end.Add(-1), c, "though it was probed often enough")
			if got := b.next(now, c); !got.Equal(end) {
				t.Errorf("it wakes at %v, want when the rest ends, %v", got, end)
			}
			now = end
		} else {
			now = b.next(now, c)
		}
		b.answer(now, c, pool.Outcome{Class: pool.ClassOK})
		if rest := b.resting(now); rest != nil {
			t.Errorf("after a good answer there rest %q", rest)
		}
		if !l.last {
			now = now.Add(6 * minute) // a good answer of the last minutes speaks against some classes
		}
		b.answer(now, c, pool.Outcome{Class: l.class})
		if got := b.next(now, c).Sub(now); got != l.gaps[0] {
			t.Errorf("after a good answer the first gap is %v, want %v", got, l.gaps[0])
		}
	})
}

func TestAProbeThatIsNotHeardOfMakesRoomForAnother(t *testing.T) {
	for _, tt := range []struct {
		name     string
		deadline time.Duration // 0: none
		after    time.Duration
	}{
		{"after 30 s", 0, 30 * second},
		{"after 30 s of a longer deadline", minute, 30 * second},
		{"after its deadline", 10 * second, 10 * second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachLife(t, probed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
				b.answer(b.start, c, pool.Outcome{Class: l.class})
				now := b.start.Add(l.gaps[0])
				n := small
				if tt.deadline > 0 {
					n.Deadline = now.Add(tt.deadline)
				}
				lost := b.leaseFor(now, c, n)
				b.refuses(now.Add(tt.after-1), c, "while a probe is out")
				now = now.Add(tt.after)
				another := b.lease(now, c)
				lost.Settle(now, pool.Outcome{Class: pool.ClassCancelled})
				b.refuses(now.Add(2*probeAgain), c, "while the second probe is out, whatever became of the first")
				another.Release(now)
				if !c.Ready(now) {
					t.Error("not ready after the second probe was taken back")
				}
			})
		})
	}
}

// probeAgain is when a probe that came to nothing is followed by another.
const probeAgain = time.Second

func TestAProbeThatWasNotSentCostsNothing(t *testing.T) {
	eachLife(t, probed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		b.answer(b.start, c, pool.Outcome{Class: l.class})
		now := b.start.Add(l.gaps[0])
		for range 10 {
			b.lease(now, c).Release(now)
		}
		for _, gap := range l.gaps[1:] {
			b.answer(now, c, pool.Outcome{Class: l.class})
			if got := b.next(now, c).Sub(now); got != gap {
				t.Fatalf("then a gap is %v, want %v", got, gap)
			}
			now = now.Add(gap)
		}
	})
}

func TestAProbeThatCameToNothingIsRepeatedAfterASecond(t *testing.T) {
	for _, nothing := range []pool.Class{pool.ClassCancelled, pool.ClassCallerFault, pool.ClassServerFault} {
		t.Run(string(nothing), func(t *testing.T) {
			eachLife(t, probed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
				b.answer(b.start, c, pool.Outcome{Class: l.class})
				now := b.start.Add(l.gaps[0])
				b.answer(now, c, pool.Outcome{Class: nothing})
				b.refuses(now.Add(probeAgain-1), c, "less than a second after a probe that came to nothing")
				now = now.Add(probeAgain)
				b.answer(now, c, pool.Outcome{Class: l.class})
				if got := b.next(now, c).Sub(now); got != l.gaps[1] {
					t.Errorf("then the gap is %v, want %v", got, l.gaps[1])
				}
			})
		})
	}
}

func TestAProbeRefusedForALesserReasonDoublesTheGapToo(t *testing.T) {
	for _, class := range []pool.Class{pool.ClassDayQuota, pool.ClassNoQuota} {
		t.Run(string(class), func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				c := b.candidate(flash, "a/global/on_demand")
				b.answer(b.start, c, pool.Outcome{Class: class})
				now := b.next(b.start, c)
				b.answer(now, c, pool.Outcome{Class: pool.ClassMinuteQuota, Hint: 20 * second})
				if got := c.Resting(now).Class; got != class {
					t.Errorf("now it rests for %s", got)
				}
				want := map[pool.Class]time.Duration{pool.ClassDayQuota: 30 * minute, pool.ClassNoQuota: time.Hour}[class]
				if got := b.next(now, c).Sub(now); got != want {
					t.Errorf("the next probe is after %v, want %v", got, want)
				}
			})
		})
	}
}

func TestALateErrorLeavesTheProbeAlone(t *testing.T) {
	eachLife(t, probed, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		late := b.lease(b.start, c)
		b.answer(b.start, c, pool.Outcome{Class: l.class})
		now := b.next(b.start, c)
		probe := b.lease(now, c)
		late.Settle(now, pool.Outcome{Class: l.class})
		b.refuses(now, c, "while a probe is out")
		probe.Settle(now, pool.Outcome{Class: pool.ClassOK})
		if rest := b.resting(now); rest != nil {
			t.Errorf("though the probe was answered well there rest %q", rest)
		}
	})
}
