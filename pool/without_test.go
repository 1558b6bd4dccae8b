package pool_test

import (
	"errors"
	"testing"

	"github.com/spillway-go/spillway/pool"
)

// TestRequestThatCanDoWithoutForcesNothing opens the breaker of the only endpoint. A request that
// must be served is sent there all the same; one that can do without is not.
func TestRequestThatCanDoWithoutForcesNothing(t *testing.T) {
	inBubble(t, pool.Config{Projects: []pool.Project{keyless("a", "eu")}}, func(t *testing.T, b *bed) {
		acquire := func(r *pool.Request) (pool.Lease, error) { return b.pool.Acquire(t.Context(), r) }
		without := &pool.Request{Model: flash, MaxWait: -1}
		l, err := acquire(without)
		if err != nil {
			t.Fatalf("an endpoint that is ready is not taken: %v", err)
		}
		l.Release(b.start)
		for range 10 {
			l, err := acquire(&pool.Request{Model: flash})
			if err != nil {
				t.Fatal(err)
			}
			l.Settle(b.start, pool.Outcome{Class: pool.ClassTransport})
		}
		exhausted := func() (n int64) {
			for _, m := range b.pool.Stat(b.start).Models {
				n += m.ExhaustedCount
			}
			return n
		}
		before := exhausted()
		if _, err := acquire(without); err == nil {
			t.Error("an open breaker was passed for nothing")
		} else if _, ok := errors.AsType[*pool.ExhaustedError](err); !ok {
			t.Errorf("error is %v", err)
		}
		if after := exhausted(); after != before {
			t.Errorf("%d calls are counted as exhausted, want %d", after, before)
		}
		if _, err := acquire(&pool.Request{Model: flash}); err != nil {
			t.Errorf("the last endpoint is kept from who needs it: %v", err)
		}
	})
}
