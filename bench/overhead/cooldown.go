package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/router"
)

// manyEndpoints are all on cooldown.
const manyEndpoints = 10_000

// cooldown measures the calls that no endpoint can serve now: of many, each has answered that its
// quota of the minute is used up, and stays on cooldown for 5 s.
//
//   - An attempt that Google refuses is one of those by which it came to that: a single call went
//     from one endpoint to the next until none was left.
//   - A refusal is a call that may not wait (Spillway-Max-Wait: 0s), from the request to the
//     answer.
//   - A call joins the queue when it may wait for 10 s. Hundreds start at once, and the round is
//     over when all of them are blocked.
//   - A lease ends when a call that began before the cooldowns is answered. The round is over when
//     the calls that wait have taken note of it and are blocked again.
//
// Time stands still in the bubble meanwhile, so nothing is measured that happens by the clock
// alone.
func cooldown(t *testing.T, e effort) []figure {
	t.Helper()
	var figures []figure
	synctest.Test(t, func(t *testing.T) {
		const leases = 50 // that end in each round
		s := newScarce(t)
		s.hold.Store(true)
		early := s.start(t.Context(), t, leases*e.rounds)
		s.hold.Store(false)
		attempt := s.cool(t)
		s.hold.Store(true)
		var refusals, joins, ends []float64
		for range e.rounds {
			refusals = append(refusals, s.refuse(t))
			join, end := s.queue(t, leases)
			joins, ends = append(joins, join), append(ends, end)
		}
		early.Wait()
		_ = s.Close()
		micros := func(v float64) string { return fmt.Sprintf("%.1f", v) }
		figures = []figure{
			{"an attempt that Google refuses", micros(attempt), "µs"},
			{"a refusal", micros(median(refusals)), "µs"},
			{"a call joins the queue", micros(median(joins)), "µs"},
			{"a lease ends while calls wait", micros(median(ends)), "µs"},
		}
	})
	return figures
}

// scarce is a router, and a Google that refuses all calls but some. Those it holds until they are
// released.
type scarce struct {
	*router.Router
	hold    atomic.Bool   // whether new calls are held, or refused
	release chan struct{} // a token lets one call that is held have its answer
	refused atomic.Int64
	held    atomic.Int64
}

func newScarce(t *testing.T) *scarce {
	t.Helper()
	s := &scarce{release: make(chan struct{})}
	var err error
	cfg := router.Config{MaxAttempts: 2 * manyEndpoints}
	s.Router, err = router.New(manyProjects(manyEndpoints, false), cfg, router.WithTransport(s.google()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scarce) google() roundTripper {
	answer := unary("Yes.")
	return func(req *http.Request) (*http.Response, error) {
		if !s.hold.Load() {
			s.refused.Add(1)
			return minuteQuota(req, 5*time.Second), nil
		}
		s.held.Add(1)
		select {
		case <-s.release:
			return answer(req)
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
}

// start begins calls that may wait, and returns when all of them have got as far as they can.
func (s *scarce) start(ctx context.Context, t *testing.T, n int) *sync.WaitGroup {
	t.Helper()
	var calls sync.WaitGroup
	for range n {
		req := request(t, model).WithContext(ctx)
		req.Header.Set("Spillway-Max-Wait", "10s")
		calls.Go(func() { send(t, s, req) })
	}
	synctest.Wait()
	return &calls
}

// cool puts every endpoint on cooldown and returns the microseconds of an attempt.
func (s *scarce) cool(t *testing.T) float64 {
	t.Helper()
	began := processorTime(t)
	status, refused := send(t, s, impatient(t)), s.refused.Load()
	if status != http.StatusTooManyRequests || refused != manyEndpoints {
		t.Fatalf("status %d after %d attempts, want 429 after %d", status, refused, manyEndpoints)
	}
	return micros(processorTime(t)-began, manyEndpoints)
}

// refuse returns the microseconds of a refusal.
func (s *scarce) refuse(t *testing.T) float64 {
	t.Helper()
	const calls = 50
	began, held := processorTime(t), s.held.Load()
	for range calls {
		status, attempts := send(t, s, impatient(t)), s.held.Load()-held
		if status != http.StatusTooManyRequests || attempts != 0 {
			t.Fatalf("status %d after %d attempts, want 429 after none", status, attempts)
		}
	}
	return micros(processorTime(t)-began, calls)
}

// impatient is a call that does not wait.
func impatient(t *testing.T) *http.Request {
	t.Helper()
	req := request(t, model)
	req.Header.Set("Spillway-Max-Wait", "0s")
	return req
}

// queue returns the microseconds of a call that joins the queue, and of a lease that ends while it
// is full.
func (s *scarce) queue(t *testing.T, leases int) (join, end float64) {
	t.Helper()
	const waiting = 200
	ctx, cancel := context.WithCancel(t.Context())
	began, held := processorTime(t), s.held.Load()
	calls := s.start(ctx, t, waiting)
	join = micros(processorTime(t)-began, waiting)

	began = processorTime(t)
	for range leases {
		s.release <- struct{}{}
		synctest.Wait()
	}
	end = micros(processorTime(t)-began, leases)
	if n := s.held.Load() - held; n != 0 {
		t.Errorf("%d of the calls that wait had an endpoint, want none", n)
	}
	cancel()
	calls.Wait()
	return join, end
}

// micros is the share of one in what n took.
func micros(d time.Duration, n int) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(n)
}
