package pool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

func TestFaultsOpenTheBreakerOfTheEndpointForTheModel(t *testing.T) {
	for _, class := range []pool.Class{pool.ClassOverloaded, pool.ClassServerFault, pool.ClassTransport} {
		t.Run(string(class), func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				c := b.candidate(flash, "v/global/on_demand")
				for range 5 {
					b.answer(b.start, c, pool.Outcome{Class: class})
				}
				for _, model := range []string{flash, pro} {
					for _, d := range b.pool.View(b.start, model).All() {
						same := d == c
						if until, open := d.Open(b.start); open != same || d.Ready(b.start) == same || open != until.After(b.start) {
							t.Errorf("%s %s: open %v, until %v, ready %v", model, d, open, until, d.Ready(b.start))
						}
					}
				}
				b.refuses(b.start, c, "with the breaker open")
				time.Sleep(5 * second)
				now := time.Now()
				probe := b.lease(now, c)
				b.refuses(now, c, "while a probe is out")
				probe.Settle(now, pool.Outcome{Class: pool.ClassOK})
				if !c.Ready(now) {
					t.Error("not ready after the probe succeeded")
				}
			})
		})
	}
}

func TestClassesThatAreNobodysFaultOpenNoBreaker(t *testing.T) {
	eachLife(t, func(l life) bool { return !l.class.Fault() }, func(t *testing.T, b *bed, l life, c *pool.Candidate) {
		now := b.start
		for range 12 {
			now = b.next(now, c)
			b.answer(now, c, pool.Outcome{Class: l.class})
			if until, open := c.Open(b.next(now, c)); open {
				t.Fatalf("open until %v", until)
			}
			if l.last && b.next(now, c).Sub(now) > 4*time.Hour {
				break
			}
		}
	})
}

// What a full order has room for its ledger knows, call by call: a small one may fit where a large
// one was refused.
func TestAFullOrderTakesWhatItsLedgerHasRoomFor(t *testing.T) {
	v := keyless("v", "global")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", TokensPerSecond: 1000, Window: 10 * second}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/provisioned")
		n := pool.Need{Input: 4000}
		large, full := b.leaseFor(b.start, c, n), b.leaseFor(b.start, c, n)
		o := pool.Outcome{Class: pool.ClassOK, Counted: true}
		o.Usage.Input = 8000 // of the 10,000 that fit the window, so that 4,000 do not fit beside it
		large.Settle(b.start, o)
		full.Settle(b.start, pool.Outcome{Class: pool.ClassProvisionedFull})
		now := b.start.Add(200 * time.Millisecond) // a 64th of its window is over
		b.leaseFor(now, c, pool.Need{Input: 1000}).Release(now)
		if l, ok := c.Lease(now, n); ok {
			l.Release(now)
			t.Error("a large call is taken, for which there is no room")
		}
		wake, ok := c.Wake(now, n)
		if after := wake.Sub(b.start); !ok || after < 10*second || after > 12*second {
			t.Errorf("a large call can be asked for after %v, want when the first one has left the window of 10 s", after)
		}
	})
}

func TestAnOrderThatHasServedLatelyRestsShortlyHoweverOftenItIsFull(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/provisioned")
		now := b.start
		b.answer(now, c, pool.Outcome{Class: pool.ClassOK})
		for range 10 {
			b.answer(now, c, pool.Outcome{Class: pool.ClassProvisionedFull})
			if got := c.Resting(now).Until.Sub(now); got < 78*time.Millisecond || got > 86*time.Millisecond {
				t.Errorf("it rests for %v, want a 64th of its window of 5 s, and a tenth of that at most", got)
			}
			now = now.Add(100 * time.Millisecond)
		}
	})
}

func TestContentionRestsNoMoreOnceThePaceIsKept(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		now := b.start
		for range 10 {
			b.answer(now, c, pool.Outcome{Class: pool.ClassContention})
			now = now.Add(2 * time.Second)
		}
		limited := false
		for _, e := range b.pool.Stat(now).Endpoints {
			limited = limited || e.Endpoint == c.String() && e.Pacing.Limited
		}
		if rest := c.Resting(now.Add(-2 * time.Second)); !limited || rest.Class != "" {
			t.Errorf("paced: %v; it rests: %v", limited, rest)
		}
	})
}

func TestAFullOrdersRefusalOfACallThatWasForNoOrderIsContention(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassProvisionedFull})
		if got := c.Resting(b.start).Class; got != pool.ClassContention {
			t.Errorf("it rests for %s", got)
		}
		b.spans(b.start, c, 400*time.Millisecond, 0.25)
	})
}

func TestADeadKeyThatIsNotOursIsTheProjectsTrouble(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "w/global/on_demand")
		b.answer(b.start, c, pool.Outcome{Class: pool.ClassKeyDead})
		if got := c.Resting(b.start).Class; got != pool.ClassProjectMisconfigured {
			t.Errorf("it rests for %s", got)
		}
	})
}

func TestAnUnknownClassCountsNowhere(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		for _, class := range []pool.Class{"", "no such class"} {
			c := b.candidate(flash, "a/global/on_demand")
			for range 10 {
				b.answer(b.start, c, pool.Outcome{Class: class, Hint: time.Hour})
			}
			if rest := b.resting(b.start); rest != nil {
				t.Errorf("for class %q there rest %q", class, rest)
			}
			if class.Retryable() || class.Fault() || class.NeedsOperator() {
				t.Errorf("class %q means something", class)
			}
		}
	})
}

func TestContentionPacesOnDemandCallsOfTheLocation(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		c, now := b.candidate(flash, "v/global/on_demand"), b.start
		for range 8 {
			b.answer(now, c, pool.Outcome{Class: pool.ClassContention})
			now = b.next(now, c)
		}
		if p := b.endpoint(now, c, flash).Pacing; p == nil || !p.Limited || p.Rate > 1 {
			t.Errorf("after nothing but contention the pacing is %+v", p)
		}
		b.lease(now, c).Release(now) // what was not sent does not count
		b.lease(now, c)
		b.refuses(now, c, "faster than its pace")
		if got := c.Reason(now, small); !strings.HasPrefix(got, "paced after contention until ") {
			t.Errorf("the reason is %q", got)
		}
		for _, other := range []string{"v/eu/on_demand", "v/global/provisioned", "w/global/on_demand"} {
			d := b.candidate(flash, other)
			b.lease(now, d)
			b.lease(now, d)
		}
	})
}
