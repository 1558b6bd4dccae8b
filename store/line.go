package store

import (
	"context"
	"fmt"
	"time"
)

// line is a way to a Memory. It has the faults of the Memory and its own.
type line struct {
	memory  *Memory
	latency time.Duration
	faults  *faults
}

// SetFault puts a fault in the place of the one before. The zero Fault ends it.
func (l *line) SetFault(f Fault) {
	l.faults.set(f)
}

// Beat implements [Store].
func (l *line) Beat(ctx context.Context, member string, leaves bool) (f Fleet, err error) {
	err = l.do(ctx, true, func(m *Memory, now time.Time) {
		m.operations++
		f = m.fleet.beat(now, member, leaves)
		f.Epoch = m.epoch
	})
	if err != nil {
		return Fleet{}, err
	}
	return f, nil
}

// Take implements [Store].
func (l *line) Take(ctx context.Context, member string, asks []Ask) ([]Grant, time.Time, error) {
	var at time.Time
	grants := make([]Grant, len(asks))
	err := l.do(ctx, true, func(m *Memory, now time.Time) {
		m.operations += int64(len(asks))
		at = now
		for i, a := range asks {
			grants[i] = m.windowLocked(a.Key).take(now, member, a)
		}
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return grants, at, nil
}

// Publish implements [Store].
func (l *line) Publish(ctx context.Context, facts []Fact) (at time.Time, err error) {
	for _, f := range facts {
		if len(f.Value) > MaxValue {
			return time.Time{}, fmt.Errorf("store: the value of a fact has %d bytes, want at most %d",
				len(f.Value), MaxValue)
		}
	}
	err = l.do(ctx, true, func(m *Memory, now time.Time) {
		m.operations++
		at = now
		m.publishLocked(now, facts)
	})
	if err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// Subscribe implements [Store].
func (l *line) Subscribe(ctx context.Context, f func(facts []Fact)) error {
	s := &subscription{wake: make(chan struct{}, 1)}
	defer l.memory.unsubscribe(s)
	err := l.do(ctx, false, func(m *Memory, _ time.Time) {
		m.operations++
		m.subscribeLocked(s)
	})
	for err == nil {
		if facts := l.memory.collect(s); len(facts) > 0 {
			f(facts)
		}
		if err = await(ctx, l, s.wake); err == nil {
			err = l.travel(ctx)
		}
	}
	return err
}

// Lookup implements [Store].
func (l *line) Lookup(ctx context.Context, keys []Key) (facts []Fact, err error) {
	err = l.do(ctx, false, func(m *Memory, now time.Time) {
		m.operations++
		facts = m.lookupLocked(now, keys)
	})
	if err != nil {
		return nil, err
	}
	return facts, nil
}

// Claim implements [Store].
func (l *line) Claim(
	ctx context.Context, member string, k Key, ttl time.Duration,
) (claimed bool, err error) {
	err = l.do(ctx, true, func(m *Memory, now time.Time) {
		m.operations++
		claimed = m.claimLocked(now, member, k, ttl)
	})
	return claimed && err == nil, err
}

// do carries out one operation: there, its effect, and back.
func (l *line) do(ctx context.Context, writes bool, effect func(m *Memory, now time.Time)) error {
	if err := l.travel(ctx); err != nil {
		return err
	}
	fault, _, _ := l.fault()
	refused := writes && fault.WriteErr != nil
	if !refused {
		l.memory.do(effect)
	}
	if fault.LosesReplies {
		if err := await[struct{}](ctx, l, nil); err != nil {
			return err
		}
	}
	if err := l.travel(ctx); err != nil {
		return err
	}
	if refused {
		return fault.WriteErr
	}
	return nil
}

// do carries out the effect of an operation at the store's time.
func (m *Memory) do(effect func(m *Memory, now time.Time)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.nowLocked()
	m.sweepLocked(now)
	effect(m, now)
}

func (m *Memory) nowLocked() time.Time {
	return time.Now().Round(0).Add(m.offset)
}

// travel takes half of the latency. It fails with ctx and with the line.
func (l *line) travel(ctx context.Context) error {
	fault, _, _ := l.fault()
	half := (l.latency + fault.Delay) / 2
	if half <= 0 && fault.Err == nil && !fault.Hangs {
		return ctx.Err()
	}
	timer := time.NewTimer(half)
	defer timer.Stop()
	return await(ctx, l, timer.C)
}

// await waits until ready, while nothing hangs. It fails with ctx and with the line.
func await[T any](ctx context.Context, l *line, ready <-chan T) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		fault, changed, ownChanged := l.fault()
		if fault.Err != nil {
			return fault.Err
		}
		open := ready
		if fault.Hangs {
			open = nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-ownChanged:
		case <-open:
			return nil
		}
	}
}

// fault returns what is wrong with the line, with channels that tell of a change.
func (l *line) fault() (f Fault, changed, ownChanged <-chan struct{}) {
	f, changed = l.memory.faults.get()
	if l.faults == l.memory.faults {
		return f, changed, nil
	}
	own, ownChanged := l.faults.get()
	return own.and(f), changed, ownChanged
}
