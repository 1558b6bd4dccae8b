// Package standin decides when a call gives up its model for another one that stands in for it.
package standin

import "time"

// After is how long a call stays with a model, unless it is told otherwise.
const After = time.Second

// Turn is the time that a call stays with its present model. The zero Turn is that of no model yet.
type Turn struct {
	// Next is the model that stands in for the present one; "" if there is none.
	Next string
	// Spent is how long the call has waited for endpoints in all, for all of its models.
	Spent time.Duration

	after  time.Time // when Next is asked; zero: the call has always had an attempt in flight
	period time.Duration
	half   time.Time // half of the time that the caller gives is spent; zero: he gives all
}

// Begin starts the turn of a model for which next stands in, before the first attempt at it. The call
// has so much time for it, and no more than half of what is left to its deadline, if it has one.
func (t *Turn) Begin(next string, period time.Duration, now, deadline time.Time) {
	t.Next, t.period, t.after = next, period, time.Time{}
	if !deadline.IsZero() {
		t.half = now.Add(deadline.Sub(now) / 2)
	}
}

// Patience returns how long the call may wait in all, of most, for what is tried from now on.
func (t *Turn) Patience(most time.Duration, now time.Time) time.Duration {
	if t.Next == "" || most <= 0 {
		return most
	}
	until := now.Add(t.period)
	if !t.after.IsZero() {
		until = t.after
	}
	if !t.half.IsZero() && t.half.Before(until) {
		until = t.half
	}
	return min(most, t.Spent+max(until.Sub(now), 0))
}

// Waited takes note of a wait for an endpoint. The first moment without an attempt in flight is the
// beginning of the call if it had to wait then.
func (t *Turn) Waited(from, to time.Time, first bool) {
	t.Spent += to.Sub(from)
	if first && to.Sub(from) < time.Millisecond {
		return
	}
	if t.after.IsZero() {
		t.after = from.Add(t.period)
	}
}

// Due reports whether the stand-in is to be asked rather than the same model again. No attempt is
// in flight.
func (t *Turn) Due(now time.Time) bool {
	if t.Next == "" {
		return false
	}
	if t.after.IsZero() {
		t.after = now.Add(t.period)
	}
	return !now.Before(t.after) || !t.half.IsZero() && !now.Before(t.half)
}
