package pool_test

import (
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Where standard meets contention, and priority could take a call, the call tries standard all the
// same; one that has no such way out waits for the pace.
func TestACallThatMayGoToPriorityTriesStandardThoughItIsContended(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), all[1:], nil)}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		goes := func(r pool.Request) string {
			r.Model = flash
			l, err := b.pool.Acquire(t.Context(), &r)
			if err != nil {
				return "nowhere"
			}
			defer l.Release(time.Now())
			return l.Endpoint().Name
		}
		b.answer(b.start, b.candidate(flash, "acme/global/on_demand"), pool.Outcome{Class: pool.ClassContention})
		for range 20 {
			if got := goes(pool.Request{}); got != "acme/global/on_demand" {
				t.Fatalf("an interactive call goes to %s", got)
			}
		}
		if got := goes(pool.Request{Batch: true}); got != "nowhere" {
			t.Errorf("a batch call goes to %s at once", got)
		}
		if next := b.pool.Plan(&pool.Request{Model: flash}).Next; len(next) != 1 || next[0] != "acme/global/on_demand" {
			t.Errorf("a plan says that the call goes to %v", next)
		}

		b.answer(b.start, b.candidate(flash, "acme/global/on_demand_priority"), pool.Outcome{Class: pool.ClassContention})
		if got := goes(pool.Request{}); got != "nowhere" {
			t.Errorf("with priority contended, too, an interactive call goes to %s at once", got)
		}
	})
}

func TestFewerCallsTryStandardTheMoreOfThemItRefuses(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), all[1:], nil)}}
	for share, want := range map[float64][2]float64{0.5: {1, 1}, 0.9: {0.2, 0.7}, 1: {0.02, 0.1}} {
		inBubble(t, cfg, func(t *testing.T, b *bed) {
			const calls = 2000
			tried, refused := 0, 0.0
			for i := range calls {
				now := b.start.Add(time.Duration(i) * 50 * time.Millisecond)
				time.Sleep(time.Until(now))
				r := pool.Request{Model: flash}
				l, err := b.pool.Acquire(t.Context(), &r)
				if err != nil {
					t.Fatal(err)
				}
				class := pool.ClassOK
				if l.Endpoint().Traffic == pool.TrafficOnDemand {
					if refused += share; refused >= 1 {
						refused--
						class = pool.ClassContention
					}
					if i >= calls/4 {
						tried++
					}
				}
				l.Settle(now, pool.Outcome{Class: class})
			}
			if got := float64(tried) / (calls * 3 / 4); got < want[0] || got > want[1] {
				t.Errorf("of %.1f refused: %.2f of the calls tried standard, want %v", share, got, want)
			}
		})
	}
}

// Refusals come at once and answers late: a call that is in flight has not been refused.
func TestCallsInFlightCountAsAnsweredForThoseThatWouldPayPriority(t *testing.T) {
	cfg := pool.Config{Projects: []pool.Project{climber(keyless("acme", "global"), all[1:], nil)}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		var held []pool.Lease
		refusing, tried := true, 0
		for i := range 2000 {
			time.Sleep(10 * time.Millisecond)
			l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash})
			switch standard := err == nil && l.Endpoint().Traffic == pool.TrafficOnDemand; {
			case err != nil:
				t.Fatal(err)
			case standard && refusing:
				l.Settle(time.Now(), pool.Outcome{Class: pool.ClassContention})
			case standard && i >= 1500:
				tried++
				fallthrough
			default:
				held = append(held, l)
			}
			refusing = refusing && i < 500
		}
		if tried < 450 {
			t.Errorf("%d of 500 calls tried standard, which refuses none of those in flight", tried)
		}
		for _, l := range held {
			l.Settle(time.Now(), pool.Outcome{Class: pool.ClassOK})
		}
	})
}
