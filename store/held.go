package store

import (
	"context"
	"time"
)

// heldOrder is an order in a [Memory].
type heldOrder struct {
	*OrderState

	touched time.Time
}

// heldPacers are the paces of one key in a [Memory].
type heldPacers struct {
	PacerSet

	touched time.Time
}

// orderLocked returns an order, which is touched thereby.
func (m *Memory) orderLocked(now time.Time, k OrderKey) *OrderState {
	o := m.orders[k]
	if o == nil {
		o = &heldOrder{OrderState: NewOrderState(k, randomName())}
		m.orders[k] = o
	}
	o.touched = now
	return o.OrderState
}

// pacersLocked returns the paces of a key, which are touched thereby.
func (m *Memory) pacersLocked(now time.Time, k Key) *PacerSet {
	p := m.pacers[k]
	if p == nil {
		p = &heldPacers{}
		m.pacers[k] = p
	}
	p.touched = now
	return &p.PacerSet
}

// sweepHeldLocked forgets orders and paces that nobody has touched for long.
func (m *Memory) sweepHeldLocked(now time.Time) {
	for k, o := range m.orders {
		if now.Sub(o.touched) >= OrderKeep {
			delete(m.orders, k)
		}
	}
	for k, p := range m.pacers {
		if now.Sub(p.touched) >= PacerKeep {
			delete(m.pacers, k)
		}
	}
}

// ReserveOrder implements [Orders].
func (l *line) ReserveOrder(ctx context.Context, key OrderKey, ask OrderAsk) (OrderGrant, error) {
	return write(ctx, l, func(m *Memory, now time.Time) OrderGrant {
		return m.orderLocked(now, key).Reserve(now, &ask)
	})
}

// SettleOrder implements [Orders].
func (l *line) SettleOrder(ctx context.Context, key OrderKey, change OrderChange) (OrderChanged, error) {
	return write(ctx, l, func(m *Memory, now time.Time) OrderChanged {
		return m.orderLocked(now, key).Settle(now, &change)
	})
}

// PullOrder implements [Orders].
func (l *line) PullOrder(ctx context.Context, key OrderKey, pull OrderPull) (OrderNews, error) {
	return write(ctx, l, func(m *Memory, now time.Time) OrderNews {
		return m.orderLocked(now, key).Pull(now, &pull)
	})
}

// AllowPaced implements [Pacers].
func (l *line) AllowPaced(ctx context.Context, key Key, ask PaceAsk) (PaceGrant, error) {
	return write(ctx, l, func(m *Memory, now time.Time) PaceGrant {
		return m.pacersLocked(now, key).Allow(now, &ask)
	})
}

// RejectPaced implements [Pacers].
func (l *line) RejectPaced(ctx context.Context, key Key, rejection PaceRejection) (PaceRejected, error) {
	return write(ctx, l, func(m *Memory, now time.Time) PaceRejected {
		return m.pacersLocked(now, key).Reject(now, &rejection)
	})
}

// ReturnPaced implements [Pacers].
func (l *line) ReturnPaced(ctx context.Context, key Key, location string) error {
	_, err := write(ctx, l, func(m *Memory, now time.Time) struct{} {
		m.pacersLocked(now, key).Return(now, location)
		return struct{}{}
	})
	return err
}

// write carries out one operation, and returns its answer if it came back.
func write[T any](ctx context.Context, l *line, effect func(m *Memory, now time.Time) T) (answer T, err error) {
	err = l.do(ctx, true, func(m *Memory, now time.Time) {
		m.operations++
		answer = effect(m, now)
	})
	if err != nil {
		var none T
		return none, err
	}
	return answer, nil
}
