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

// cooldown measures the calls that no endpoint can serve now: of many, each has answered that its quota
// of the minute is used up.
//
//   - A refusal is a call that may not wait (Spillway-Max-Wait: 0s), from the request to the answer.
//   - A call joins the queue when it may wait for 10 s and the cooldowns end after 5 s. Hundreds start at
//     once, and the round is over when all of them are blocked.
//   - A lease ends when a call that began before the cooldowns is answered. The round is over when the
//     waiting calls have taken note of it and are blocked again.
//
// Time stands still in the bubble meanwhile, so nothing is measured that happens by the clock alone.
func cooldown(t *testing.T, e effort) []figure {
	t.Helper()
	var refusals, joins, ends []float64
	for range e.rounds {
		synctest.Test(t, func(t *testing.T) { refusals = append(refusals, refuse(t)) })
		synctest.Test(t, func(t *testing.T) {
			join, end := queue(t)
			joins, ends = append(joins, join), append(ends, end)
		})
	}
	micros := func(v []float64) string { return fmt.Sprintf("%.1f", median(v)) }
	return []figure{
		{"a refusal", micros(refusals), "µs"},
		{"a call joins the queue", micros(joins), "µs"},
		{"a lease ends while calls wait", micros(ends), "µs"},
	}
}

// scarce is a router, and a Google that refuses all calls but some. Those it holds until they are
// released.
type scarce struct {
	*router.Router
	hint    time.Duration
	hold    atomic.Bool   // whether new calls are held, or refused
	release chan struct{} // a token lets one call that is held have its answer
	refused atomic.Int64
	held    atomic.Int64
}

func newScarce(t *testing.T, hint time.Duration) *scarce {
	t.Helper()
	s := &scarce{hint: hint, release: make(chan struct{})}
	var err error
	s.Router, err = router.New(manyProjects(manyEndpoints, false), router.Config{MaxAttempts: 2 * manyEndpoints},
		router.WithTransport(s.google()))
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
			return minuteQuota(req, s.hint), nil
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

// cool puts every endpoint on cooldown: a call goes to one after the other until none is left.
func (s *scarce) cool(t *testing.T) {
	t.Helper()
	if status := send(t, s, impatient(t)); status != http.StatusTooManyRequests || s.refused.Load() != manyEndpoints {
		t.Fatalf("status %d after %d endpoints had refused, want 429 and all %d", status, s.refused.Load(), manyEndpoints)
	}
}

// impatient is a call that does not wait.
func impatient(t *testing.T) *http.Request {
	t.Helper()
	req := request(t, model)
	req.Header.Set("Spillway-Max-Wait", "0s")
	return req
}

// refuse returns the microseconds of a refusal.
func refuse(t *testing.T) float64 {
	t.Helper()
	const calls = 100
	s := newScarce(t, time.Minute)
	s.cool(t)
	began := processorTime(t)
	for range calls {
		if status := send(t, s, impatient(t)); status != http.StatusTooManyRequests {
			t.Fatalf("status %d, want 429", status)
		}
	}
	took := processorTime(t) - began
	if n := s.refused.Load(); n != manyEndpoints {
		t.Fatalf("%d calls reached Google, want %d", n, manyEndpoints)
	}
	_ = s.Close()
	return micros(took, calls)
}

// queue returns the microseconds of a call that joins the queue, and of a lease that ends while it is
// full.
func queue(t *testing.T) (join, end float64) {
	t.Helper()
	const waiting, leases = 400, 50
	s := newScarce(t, 5*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	start := func(n int) {
		for range n {
			req := request(t, model).WithContext(ctx)
			req.Header.Set("Spillway-Max-Wait", "10s")
			calls.Go(func() { send(t, s, req) })
		}
		synctest.Wait()
	}
	s.hold.Store(true)
	start(leases)
	s.hold.Store(false)
	s.cool(t)
	s.hold.Store(true)

	began := processorTime(t)
	start(waiting)
	join = micros(processorTime(t)-began, waiting)
	if n := s.held.Load(); n != leases {
		t.Fatalf("%d calls had an endpoint, want %d", n, leases)
	}

	began = processorTime(t)
	for range leases {
		s.release <- struct{}{}
		synctest.Wait()
	}
	end = micros(processorTime(t)-began, leases)
	cancel()
	calls.Wait()
	_ = s.Close()
	return join, end
}

// micros is the share of one in what n took.
func micros(d time.Duration, n int) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(n)
}
