package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// hands is a clock whose hands a test moves.
type hands struct {
	mu     sync.Mutex
	now    time.Time
	alarms map[int]alarm
	next   int
	parked chan struct{} // a call waits
}

type alarm struct {
	at time.Time
	do func()
}

func newHands() *hands {
	return &hands{now: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), alarms: make(map[int]alarm), parked: make(chan struct{}, 9)}
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) AfterFunc(d time.Duration, f func()) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	n := h.next
	h.alarms[n] = alarm{h.now.Add(d), f}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.alarms, n)
	}
}

func (h *hands) Parking() (wait, wake func()) {
	woken := make(chan struct{})
	wake = sync.OnceFunc(func() { close(woken) })
	return func() {
		h.parked <- struct{}{}
		<-woken
	}, wake
}

// move goes on by d, from alarm to alarm.
func (h *hands) move(d time.Duration) {
	to := h.Now().Add(d)
	for {
		h.mu.Lock()
		first, due := 0, alarm{at: to}
		for n, a := range h.alarms {
			if !a.at.After(due.at) {
				first, due = n, a
			}
		}
		h.now = due.at
		delete(h.alarms, first)
		h.mu.Unlock()
		if due.do == nil {
			return
		}
		due.do()
	}
}

// Seconds pass for the pool as its clock says, and for nobody else.
func TestAPoolLivesInTheTimeOfItsClock(t *testing.T) {
	clock := newHands()
	cfg := limited(pool.Limit{RPM: 1})
	cfg.Clock = clock
	p, err := pool.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	began := time.Now()
	acquire := func(wait time.Duration) (pool.Lease, error) {
		return p.Acquire(context.Background(), &pool.Request{Model: flash, MaxWait: wait})
	}
	if _, err := acquire(0); err != nil {
		t.Fatal(err)
	}
	if _, err := acquire(10 * time.Second); !errors.As(err, new(*pool.ExhaustedError)) {
		t.Errorf("a second call in the minute: %v", err)
	}
	type got struct {
		lease pool.Lease
		err   error
		at    time.Time
	}
	served := make(chan got)
	go func() {
		l, err := acquire(5 * time.Minute)
		served <- got{l, err, clock.Now()}
	}()
	<-clock.parked
	start := clock.Now()
	clock.move(59 * time.Second)
	select {
	case g := <-served:
		t.Fatalf("served after 59 s: %v", g.err)
	default:
	}
	clock.move(10 * time.Second)
	g := <-served
	if after := g.at.Sub(start); g.err != nil || after < time.Minute || after > 70*time.Second {
		t.Errorf("served after %v: %v", after, g.err)
	}
	if stat := p.Stat(clock.Now()); stat.Models[0].WaitDuration < time.Minute || time.Since(began) > 30*time.Second {
		t.Errorf("the call waited for %v, and the test for %v", stat.Models[0].WaitDuration, time.Since(began))
	}
	g.lease.Settle(clock.Now(), pool.Outcome{Class: pool.ClassOK})

	go func() {
		l, err := acquire(90 * time.Second)
		served <- got{l, err, clock.Now()}
	}()
	<-clock.parked
	p.Close()
	if g = <-served; !errors.Is(g.err, pool.ErrClosed) {
		t.Errorf("a call that waits for a closed pool: %v", g.err)
	}
}
