package pool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// ramped is a Vertex AI project with an order and two locations, and a Developer API project.
func ramped(on bool) pool.Config {
	v := keyless("v", "global", "eu")
	v.Provisioned = []pool.Order{{Model: flash, Location: "us", GSUs: 1000}}
	return pool.Config{Projects: []pool.Project{v, geminiProject("studio", "k")}, Ramp: on}
}

func TestRampKeepsOnDemandVertexAloneFromRisingSharply(t *testing.T) {
	for name, tt := range map[string]struct {
		on   bool
		want int
	}{
		"v/global/on_demand": {true, 10}, "v/us/provisioned": {true, 100}, studio: {true, 100}, "v/eu/on_demand": {false, 100},
	} {
		inBubble(t, ramped(tt.on), func(t *testing.T, b *bed) {
			if got := b.admitted(b.start, b.candidate(flash, name), 100); got != tt.want {
				t.Errorf("%s with the ramp %v: %d of 100 calls admitted at once, want %d", name, tt.on, got, tt.want)
			}
		})
	}
}

func TestRampSaysWhenTheNextCallMayGo(t *testing.T) {
	inBubble(t, ramped(true), func(t *testing.T, b *bed) {
		c, sibling, now := b.candidate(flash, "v/global/on_demand"), b.candidate(flash, "v/eu/on_demand"), b.start
		b.admitted(now, c, 100)
		if got := c.Reason(now, small); !strings.HasPrefix(got, "its rate rises slowly until ") {
			t.Errorf("it refuses a call because of %q", got)
		}
		if got := b.admitted(now, sibling, 100); got != 10 {
			t.Errorf("the other location admits %d calls at once, want 10", got)
		}
		for range 20 {
			wake, known := c.Wake(now, small)
			if !known || wake.Sub(now) > 101*time.Millisecond {
				t.Fatalf("the next call goes after %v", wake.Sub(now))
			}
			b.refuses(wake.Add(-time.Microsecond), c, "before it said")
			now = wake
			b.answer(now, c, good)
		}
	})
}

func TestRampCountsOnlyCallsThatAreSent(t *testing.T) {
	inBubble(t, ramped(true), func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/on_demand")
		for range 100 {
			b.lease(b.start, c).Release(b.start)
		}
		if got := b.admitted(b.start, c, 100); got != 10 {
			t.Errorf("%d calls admitted at once, want 10", got)
		}
	})
}

// TestCallsThatTheRampKeepsGoElsewhereOrWait sends 30 calls at once to two locations.
func TestCallsThatTheRampKeepsGoElsewhereOrWait(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{keyless("v", "global", "eu")}, Ramp: true}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		c := newCrowd(b)
		for _, name := range numbered("call", 30) {
			c.comes(t.Context(), name, 10*second, waits())
		}
		if served, failed := c.count(); served != 20 || failed != 0 {
			t.Errorf("%d calls served at once and %d failed, want the 10 of each location", served, failed)
		}
		if _, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash}); err == nil {
			t.Error("a call that does not wait is served")
		}
		c.leavesNothing()
		served, failed := c.count()
		if last := c.served["call 29"]; served != 30 || failed != 0 || last < 400*time.Millisecond || last > second {
			t.Errorf("%d calls served and %d failed, the last after %v, want half a second", served, failed, last)
		}
	})
}

func TestReloadTurnsTheRampOnAndOff(t *testing.T) {
	inBubble(t, ramped(true), func(t *testing.T, b *bed) {
		find := func() *pool.Candidate { return b.candidate(flash, "v/global/on_demand") }
		b.admitted(b.start, find(), 100)
		l := b.lease(b.start.Add(second), find())
		b.reload(b.start, ramped(true))
		if got := b.admitted(b.start.Add(second), find(), 100); got > 10 {
			t.Errorf("after a reload that changes nothing %d calls admitted", got)
		}
		b.reload(b.start, ramped(false))
		l.Release(b.start.Add(second))
		if got := b.admitted(b.start.Add(second), find(), 100); got != 100 {
			t.Errorf("without the ramp %d of 100 calls admitted", got)
		}
		now := b.start.Add(2 * minute)
		for range 30 * 60 { // 60 a second
			now = now.Add(second / 60)
			b.answer(now, find(), good)
		}
		b.reload(now, ramped(true)) // what goes already may go on
		for range 60 {
			now = now.Add(second / 60)
			b.answer(now, find(), good)
		}
		if got := b.admitted(now, find(), 1000); got > 200 {
			t.Errorf("with the ramp again %d of 1000 calls admitted", got)
		}
	})
}
