package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/pool"
)

// crowd is calls that wait, each in its goroutine, and what became of them.
type crowd struct {
	*bed

	mu     sync.Mutex
	order  []string // of those served
	failed map[string]error
	served map[string]time.Duration // after the start of the bed
	done   sync.WaitGroup
}

func newCrowd(b *bed) *crowd {
	return &crowd{bed: b, failed: make(map[string]error), served: make(map[string]time.Duration)}
}

// comes lets a call ask for an endpoint, which it keeps for a while.
func (c *crowd) comes(ctx context.Context, name string, keep time.Duration, r *pool.Request) {
	c.done.Go(func() {
		l, err := c.pool.Acquire(ctx, r)
		c.mu.Lock()
		if err != nil {
			c.failed[name] = err
			c.mu.Unlock()
			return
		}
		c.order = append(c.order, name)
		c.served[name] = time.Since(c.start)
		c.mu.Unlock()
		time.Sleep(keep)
		l.Settle(time.Now(), good)
	})
	synctest.Wait()
}

// waits is a call for flash that waits for a minute.
func waits() *pool.Request { return &pool.Request{Model: flash, MaxWait: time.Minute} }

// count returns how many were served and how many failed.
func (c *crowd) count() (served, failed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.order), len(c.failed)
}

// leavesNothing waits for the end of all calls and checks that the queue is empty.
func (c *crowd) leavesNothing() {
	c.t.Helper()
	c.done.Wait()
	s := c.pool.Stat(time.Now())
	if s.QueueCount != 0 {
		c.t.Errorf("%d queues are left", s.QueueCount)
	}
	for _, m := range s.Models {
		if m.Waiting != 0 {
			c.t.Errorf("%d calls for %s still wait", m.Waiting, m.Model)
		}
	}
	for _, e := range s.Endpoints {
		if e.Calls != 0 || e.Tokens != 0 {
			c.t.Errorf("%s carries %d calls of %d tokens", e.Endpoint, e.Calls, e.Tokens)
		}
	}
}

// numbered returns "NAME 0" to "NAME n-1".
func numbered(name string, n int) []string {
	all := make([]string, 0, n)
	for i := range n {
		all = append(all, fmt.Sprintf("%s %d", name, i))
	}
	return all
}

func TestCallsAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		want := numbered("call", 50)
		for _, name := range want {
			c.comes(t.Context(), name, 10*time.Millisecond, waits())
			time.Sleep(time.Microsecond)
		}
		c.leavesNothing()
		if !slices.Equal(c.order, want) {
			t.Errorf("the order is %v", c.order)
		}
		if got := c.served["call 49"]; got < 490*time.Millisecond || got > 492*time.Millisecond {
			t.Errorf("the 50th is served after %v, want 49 times 10 ms", got)
		}
	})
}

func TestCallsOfOneMomentAreServedInTheOrderInWhichTheyQueued(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		want := numbered("call", 50)
		for _, name := range want {
			c.comes(t.Context(), name, time.Millisecond, waits())
		}
		c.leavesNothing()
		if !slices.Equal(c.order, want) {
			t.Errorf("the order is %v", c.order)
		}
	})
}

func TestInteractiveCallsGoBeforeBatchCalls(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		c.comes(t.Context(), "first", 10*time.Millisecond, waits())
		for i := range 10 {
			batch := waits()
			batch.Batch = true
			if i%2 == 1 { // in another line
				batch.Locations = []string{"global"}
			}
			c.comes(t.Context(), fmt.Sprintf("batch %d", i), 10*time.Millisecond, batch)
			time.Sleep(time.Microsecond)
		}
		for i := range 10 {
			r := waits()
			if i%3 == 1 {
				r.Traffic = pool.TrafficOnDemand
			}
			c.comes(t.Context(), fmt.Sprintf("interactive %d", i), 10*time.Millisecond, r)
			time.Sleep(time.Microsecond)
		}
		c.leavesNothing()
		want := slices.Concat([]string{"first"}, numbered("interactive", 10), numbered("batch", 10))
		if !slices.Equal(c.order, want) {
			t.Errorf("the order is %v", c.order)
		}
	})
}

// lineOf is a call of the i-th line: those that ask for the same locations, of which there is but
// one.
func lineOf(i int) *pool.Request {
	r := waits()
	r.MaxWait = time.Hour
	r.Locations = []string{"global", fmt.Sprintf("moon%d", i)}
	return r
}

func TestTheOldestHeadOfAllLinesGoesFirst(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		want := numbered("call", 60)
		for i, name := range want {
			c.comes(t.Context(), name, 10*time.Millisecond, lineOf(i*7%11))
			time.Sleep(time.Microsecond)
		}
		if got := b.pool.Stat(time.Now()).QueueCount; got != 11 {
			t.Errorf("there are %d lines, want 11", got)
		}
		c.leavesNothing()
		if !slices.Equal(c.order, want) {
			t.Errorf("the order is %v", c.order)
		}
	})
}

// jain is Jain's index of fairness: 1 if all are equal, 1/n if one has everything.
func jain(counts []int) float64 {
	sum, squares := 0.0, 0.0
	for _, n := range counts {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	return sum * sum / (float64(len(counts)) * squares)
}

func TestLinesShareASlowResourceFairly(t *testing.T) {
	const lines, each = 200, 8
	// Nothing comes free at the moment at which a timer looks, a second after a try: who has it
	// then is chance.
	const slow = 9_700_001 * time.Nanosecond
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		served := make([]int, lines)
		total := 0
		var done sync.WaitGroup
		for i := range lines {
			done.Go(func() { // each line has as many calls as it can get served
				for {
					l, err := b.pool.Acquire(ctx, lineOf(i))
					if err != nil {
						return
					}
					mu.Lock()
					served[i]++
					if total++; total == each*lines {
						cancel()
					}
					mu.Unlock()
					time.Sleep(slow)
					l.Settle(time.Now(), good)
				}
			})
		}
		done.Wait()
		if got := jain(served); got < 0.97 {
			t.Errorf("Jain's index is %.3f, want 0.97 at least", got)
		}
		if got := b.pool.Stat(time.Now()).QueueCount; got != 0 {
			t.Errorf("%d queues are left", got)
		}
	})
}

func TestAnEndpointThatComesFreeServesOneCall(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 2}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		held := []pool.Lease{b.acquire(waits()), b.acquire(waits())}
		for i := range 6 {
			r := waits()
			if i%2 == 1 {
				r = lineOf(i)
			}
			c.comes(t.Context(), fmt.Sprintf("call %d", i), time.Second, r)
		}
		if served, _ := c.count(); served != 0 {
			t.Fatalf("%d calls are served though all is taken", served)
		}
		ends := []func(){
			func() { held[0].Settle(time.Now(), good) }, func() { held[1].Release(time.Now()) },
		}
		for i, end := range ends {
			end()
			synctest.Wait()
			if served, _ := c.count(); served != i+1 {
				t.Errorf("after %d leases ended %d calls are served", i+1, served)
			}
			end() // an end too many frees nothing
			synctest.Wait()
			if served, _ := c.count(); served != i+1 {
				t.Errorf("after lease %d ended twice %d calls are served", i+1, served)
			}
		}
		c.leavesNothing()
	})
}

func TestACallThatComesLateTakesNothingFromOneThatWaits(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 1}), func(t *testing.T, b *bed) {
		b.acquire(waits()).Settle(b.start, good)
		c := newCrowd(b)
		early := waits()
		early.MaxWait = 2 * time.Minute
		c.comes(t.Context(), "early", 0, early)
		time.Sleep(time.Minute - time.Millisecond)
		for range 3 {
			time.Sleep(500 * time.Microsecond)
			c.comes(t.Context(), "late", 0, &pool.Request{Model: flash, MaxWait: 10 * time.Second})
		}
		c.leavesNothing()
		if !slices.Equal(c.order, []string{"early"}) || len(c.failed) != 1 {
			t.Errorf("served are %v, failed %v", c.order, c.failed)
		}
	})
}

func TestTheNextCallIsServedWhenTheHeadIsCancelled(t *testing.T) {
	inBubble(t, limited(pool.Limit{TPM: 1_000}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		b.acquire(&pool.Request{Model: flash, Estimate: pool.Estimate{Input: 600}}).Settle(b.start, good)
		ctx, cancel := context.WithCancel(t.Context())
		large := waits()
		large.Estimate.Input, large.MaxWait = 900, 2*time.Minute
		c.comes(ctx, "large", 0, large)
		for i := range 3 {
			small := waits()
			small.Estimate.Input = 100
			c.comes(t.Context(), fmt.Sprintf("small %d", i), 0, small)
		}
		if served, _ := c.count(); served != 0 {
			t.Errorf("%v are served before the head", c.order)
		}
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		if err := c.failed["large"]; !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled call fails with %v", err)
		}
		if served, _ := c.count(); served != 3 {
			t.Errorf("a second after the head has gone %v are served", c.order)
		}
		c.leavesNothing()
		if m := b.pool.Stat(time.Now()).Models[0]; m.WaitCount != 4 || m.WaitDuration != 4*time.Second {
			t.Errorf("four calls waited a second each, and Stat says %+v", m)
		}
	})
}

func TestCancelledCallsLeaveTheirPlaceWhereverTheyStand(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		c := newCrowd(b)
		held := b.acquire(waits())
		var want []string
		for i, name := range numbered("call", 12) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.comes(ctx, name, time.Second, waits())
			if i%3 == 0 {
				time.AfterFunc(time.Second, cancel)
			} else {
				want = append(want, name)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, failed := c.count(); failed != 4 {
			t.Errorf("%d of 12 calls have failed, want the four that were cancelled", failed)
		}
		held.Settle(time.Now(), good)
		c.leavesNothing()
		if !slices.Equal(c.order, want) {
			t.Errorf("the order is %v, want %v", c.order, want)
		}
	})
}

func TestADeadlineThatPassesWhileACallWaitsGivesAnExhaustedError(t *testing.T) {
	const patience = 5 * time.Second
	for name, impatient := range map[string]func(context.Context, *pool.Request) (context.Context, context.CancelFunc){
		"of the context": func(ctx context.Context, _ *pool.Request) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, patience)
		},
		"of the request": func(ctx context.Context, r *pool.Request) (context.Context, context.CancelFunc) {
			r.Deadline = time.Now().Add(patience)
			return context.WithCancel(ctx)
		},
		"of its longest wait": func(ctx context.Context, r *pool.Request) (context.Context, context.CancelFunc) {
			r.MaxWait = patience
			return context.WithCancel(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
				held := b.acquire(waits())
				c := newCrowd(b)
				for i := range 3 { // the head and two behind it
					r := waits()
					ctx, cancel := impatient(t.Context(), r)
					defer cancel()
					c.comes(ctx, fmt.Sprintf("call %d", i), 0, r)
				}
				time.Sleep(patience - 1)
				if _, failed := c.count(); failed != 0 {
					t.Errorf("%d calls give up before the deadline: %v", failed, c.failed)
				}
				c.done.Wait()
				if waited := time.Since(b.start); waited != patience {
					t.Errorf("they waited %v, want %v", waited, patience)
				}
				for name, err := range c.failed {
					var exhausted *pool.ExhaustedError
					if !errors.As(err, &exhausted) || errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("%s fails with %v", name, err)
					}
					if exhausted.Never || len(exhausted.Reasons) != 1 || exhausted.RetryAt.Before(time.Now()) {
						t.Errorf("%s fails with %+v", name, exhausted)
					}
				}
				if _, failed := c.count(); failed != 3 {
					t.Errorf("%d calls failed, want all three", failed)
				}
				held.Settle(time.Now(), good)
				c.leavesNothing()
			})
		})
	}
}

func TestACallThatIsOverBeforeItBeginsFailsWithItsContext(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.pool.Acquire(ctx, waits()); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		if e := b.pool.Stat(b.start); len(e.Models) != 0 {
			t.Errorf("it is counted: %+v", e.Models)
		}
	})
}

func TestACallThatCannotBeServedInTimeDoesNotWait(t *testing.T) {
	inBubble(t, limited(pool.Limit{RPM: 1}), func(t *testing.T, b *bed) {
		b.acquire(waits()).Settle(b.start, good)
		r := waits()
		r.MaxWait = 59 * time.Second
		_, err := b.pool.Acquire(t.Context(), r)
		var exhausted *pool.ExhaustedError
		if !errors.As(err, &exhausted) || exhausted.RetryAt.Round(time.Second) != b.start.Add(time.Minute) {
			t.Errorf("the error is %v", err)
		}
		if waited := time.Since(b.start); waited != 0 {
			t.Errorf("it waited %v", waited)
		}
		// Of three that come at once two cannot be served within two minutes.
		c := newCrowd(b)
		for i := range 3 {
			r := waits()
			r.MaxWait = 100 * time.Second
			c.comes(t.Context(), fmt.Sprintf("call %d", i), 0, r)
		}
		time.Sleep(time.Second)
		if _, failed := c.count(); failed != 2 {
			t.Errorf("%d calls fail within a second, want 2", failed)
		}
		c.leavesNothing()
		m := b.pool.Stat(time.Now()).Models[0]
		if m.CallCount != 5 || m.ExhaustedCount != 3 {
			t.Errorf("3 of 5 calls got nothing, and Stat says %+v", m)
		}
	})
}

func TestCloseFailsEveryCallInEveryLine(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		held := b.acquire(waits())
		c := newCrowd(b)
		for i, name := range numbered("call", 20) {
			c.comes(t.Context(), name, 0, lineOf(i%5))
		}
		b.pool.Close()
		c.done.Wait()
		if time.Since(b.start) != 0 {
			t.Errorf("it takes %v", time.Since(b.start))
		}
		for name, err := range c.failed {
			if !errors.Is(err, pool.ErrClosed) {
				t.Errorf("%s fails with %v", name, err)
			}
		}
		if served, failed := c.count(); served != 0 || failed != 20 {
			t.Errorf("%d of 20 calls are served and %d fail", served, failed)
		}
		if _, err := b.pool.Acquire(t.Context(), waits()); !errors.Is(err, pool.ErrClosed) {
			t.Errorf("a later call that has to wait fails with %v", err)
		}
		held.Settle(time.Now(), good)
		c.leavesNothing()
	})
}

func TestAProjectThatAReloadAddsServesWhatWaits(t *testing.T) {
	cfg := limited(pool.Limit{Concurrency: 1})
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		held := b.acquire(waits())
		c := newCrowd(b)
		for i, name := range numbered("call", 3) {
			c.comes(t.Context(), name, time.Second, lineOf(i%2))
		}
		time.Sleep(3 * time.Second)
		cfg.Projects = append(cfg.Projects, keyless("new"))
		b.reload(time.Now(), cfg)
		synctest.Wait()
		if served, _ := c.count(); served != 3 {
			t.Errorf("%d of 3 calls are served by the project that came", served)
		}
		for name, at := range c.served {
			if at != 3*time.Second {
				t.Errorf("%s is served after %v", name, at)
			}
		}
		held.Settle(time.Now(), good)
		c.leavesNothing()
	})
}

func TestCallsFailForGoodWhenAReloadTakesTheLastProjectOfTheirModel(t *testing.T) {
	cfg := limited(pool.Limit{Concurrency: 1})
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		held := b.acquire(waits())
		c := newCrowd(b)
		for i, name := range numbered("call", 4) {
			c.comes(t.Context(), name, 0, lineOf(i%2))
		}
		other := keyless("other")
		other.Models = []string{pro}
		b.reload(time.Now(), pool.Config{Projects: []pool.Project{other}})
		c.done.Wait()
		if time.Since(b.start) != 0 {
			t.Errorf("they fail after %v, want at once", time.Since(b.start))
		}
		for name, err := range c.failed {
			var exhausted *pool.ExhaustedError
			if !errors.As(err, &exhausted) || !exhausted.Never || !exhausted.RetryAt.IsZero() {
				t.Errorf("%s fails with %+v", name, err)
			}
		}
		if _, failed := c.count(); failed != 4 {
			t.Errorf("%d of 4 calls fail", failed)
		}
		held.Settle(time.Now(), good)
		c.leavesNothing()
	})
}

func TestARaisedLimitServesWhatWaits(t *testing.T) {
	inBubble(t, limited(pool.Limit{Concurrency: 1}), func(t *testing.T, b *bed) {
		held := b.acquire(waits())
		c := newCrowd(b)
		for _, name := range numbered("call", 5) {
			c.comes(t.Context(), name, time.Second, waits())
		}
		b.reload(time.Now(), limited(pool.Limit{Concurrency: 4}))
		synctest.Wait()
		if served, _ := c.count(); served != 3 {
			t.Errorf("%d of 5 calls are served where there is room for 3 more", served)
		}
		held.Settle(time.Now(), good)
		c.leavesNothing()
	})
}

func TestRoomThatComesFreeIsOfferedToEveryLine(t *testing.T) {
	p := keyless("a", "us", "eu")
	p.Limits = []pool.Limit{{RPM: 1}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		b.answer(b.start, b.candidate(flash, "a/us/on_demand"), pool.Outcome{Class: pool.ClassModelMissing})
		held := b.lease(b.start, b.candidate(flash, "a/eu/on_demand"))
		c := newCrowd(b)
		at := func(location string, input int64, wait time.Duration) *pool.Request {
			r := waits()
			r.MaxWait, r.Locations, r.Estimate.Input = wait, []string{location}, input
			return r
		}
		c.comes(t.Context(), "us", 0, at("us", 10, 2*time.Hour)) // older and smaller, and its endpoint is on cooldown
		time.Sleep(time.Millisecond)
		c.comes(t.Context(), "eu", 0, at("eu", 100, 2*time.Minute))
		time.Sleep(time.Second)
		held.Release(time.Now())
		free := time.Since(b.start)
		c.done.Wait()
		if got, ok := c.served["eu"]; !ok || got > free {
			t.Errorf("room is free after %v; served after %v %v", free, got, c.failed)
		}
	})
}

func TestABreakersProbeThatIsGivenBackIsOfferedToOtherProjects(t *testing.T) {
	first, second := keyless("a", "us"), keyless("b", "us", "eu")
	first.Limits = []pool.Limit{{RPM: 6}}
	inBubble(t, pool.Config{Projects: []pool.Project{first, second}}, func(t *testing.T, b *bed) {
		us := b.candidate(flash, "a/us/on_demand")
		for range 5 {
			b.answer(time.Now(), us, pool.Outcome{Class: pool.ClassServerFault})
		}
		busy := pool.Outcome{Class: pool.ClassContention, Hint: 28 * time.Second}
		b.answer(time.Now(), b.candidate(flash, "b/eu/on_demand"), busy)
		time.Sleep(6 * time.Second)
		probe := b.lease(time.Now(), us) // and the last of the project's minute
		c := newCrowd(b)
		c.comes(t.Context(), "x", 0, waits())
		time.Sleep(time.Second)
		probe.Settle(time.Now(), pool.Outcome{Class: pool.ClassCancelled})
		free := time.Since(b.start)
		c.done.Wait()
		if got, ok := c.served["x"]; !ok || got > free+time.Second {
			t.Errorf("the probe is free after %v; served after %v %v", free, got, c.failed)
		}
	})
}

// Those who wait may hold plans from before a reload.
func TestThoseWhoWaitOverAReloadAreServedAsSoonAsThereIsRoom(t *testing.T) {
	p := keyless("a", "us")
	p.Limits = []pool.Limit{{RPM: 1}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		other := b.candidate(pro, "a/us/on_demand")
		b.answer(b.start, other, pool.Outcome{Class: pool.ClassBilling})
		time.Sleep(61 * time.Second)
		probe := b.lease(time.Now(), other)
		got := make(chan pool.Lease)
		for range 3 {
			go func() {
				l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, MaxWait: 10 * time.Minute})
				if err != nil {
					t.Error(err)
				}
				got <- l
			}()
			time.Sleep(time.Millisecond)
		}
		b.reload(time.Now(), pool.Config{Projects: []pool.Project{p}})
		probe.Settle(time.Now(), good)
		for i := range 3 {
			free := time.Now()
			l := <-got
			if d := time.Since(free); d > 2*time.Second {
				t.Errorf("call %d waits for %v although there is room", i, d)
			}
			time.Sleep(time.Second)
			l.Release(time.Now())
		}
	})
}

func TestRoomThatComesFreeWhileACallBacksOffIsTheCallsAfterwards(t *testing.T) {
	p := keyless("a", "us")
	p.Limits = []pool.Limit{{RPM: 2}}
	inBubble(t, pool.Config{Projects: []pool.Project{p}}, func(t *testing.T, b *bed) {
		r := &pool.Request{Model: flash, MaxWait: 2 * time.Minute}
		failed := b.acquire(r)
		other := b.acquire(waits())
		failed.Settle(time.Now(), pool.Outcome{Class: pool.ClassServerFault})
		r.Failed(failed, true, b.start.Add(time.Second))
		time.AfterFunc(500*time.Millisecond, func() { other.Release(time.Now()) })
		b.acquire(r).Release(time.Now())
		if d := time.Since(b.start); d > 1500*time.Millisecond {
			t.Errorf("served after %v", d)
		}
	})
}

func TestForcePassesOverAnEndpointWithoutRoom(t *testing.T) {
	first, second := keyless("a", "us"), keyless("b", "us")
	first.Limits = []pool.Limit{{RPM: 5}}
	inBubble(t, pool.Config{Projects: []pool.Project{first, second}}, func(t *testing.T, b *bed) {
		us := b.candidate(flash, "a/us/on_demand")
		for range 5 {
			b.answer(time.Now(), us, pool.Outcome{Class: pool.ClassServerFault})
		}
		l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash})
		if err != nil || l.Endpoint().Name != "b/us/on_demand" {
			t.Errorf("%v, %v; a breaker is all that keeps b from the call", l.Endpoint(), err)
		}
	})
}

func TestNoBreakerIsForcedWhileAnotherEndpointOpensInTime(t *testing.T) {
	for _, order := range [][]string{{"us", "eu"}, {"eu", "us"}} {
		cfg := pool.Config{Projects: []pool.Project{keyless("a", order...)}}
		inBubble(t, cfg, func(t *testing.T, b *bed) {
			for range 5 {
				b.answer(b.start, b.candidate(flash, "a/us/on_demand"), pool.Outcome{Class: pool.ClassServerFault})
			}
			busy := pool.Outcome{Class: pool.ClassContention, Hint: 20 * time.Second}
			b.answer(b.start, b.candidate(flash, "a/eu/on_demand"), busy)
			l, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, MaxWait: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(b.start); d < time.Second {
				t.Errorf("%v: %s is forced after %v", order, l.Endpoint().Name, d)
			}
		})
	}
}

func TestTheLastEndpointIsAskedPastItsBreakerOnceItHasRoom(t *testing.T) {
	p := keyless("a", "us")
	p.Limits = []pool.Limit{{RPM: 5}}
	cfg := pool.Config{Projects: []pool.Project{p}, Breaker: breaker.Config{Open: 10 * time.Minute}}
	inBubble(t, cfg, func(t *testing.T, b *bed) {
		for range 5 {
			b.answer(b.start, b.candidate(flash, "a/us/on_demand"), pool.Outcome{Class: pool.ClassServerFault})
		}
		_, err := b.pool.Acquire(t.Context(), &pool.Request{Model: flash, MaxWait: 2 * time.Minute})
		if d := time.Since(b.start); err != nil || d > 62*time.Second {
			t.Errorf("after %v: %v", d, err)
		}
	})
}
