package store

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// window is what a Memory counts for one key.
type window struct {
	ring

	epoch   string
	days    map[int64]int64    // requests, by the end of their day in nanoseconds
	slots   map[string]holding // by member
	applied map[string]applied // by member
}

// holding is the slots of one member.
type holding struct {
	slots int64
	until time.Time
}

// applied is the last Number of one member whose changes were applied.
type applied struct {
	number int64
	at     time.Time
}

// remembered is how long a Number is known after it was applied. By then even the day of its
// changes has ended.
const remembered = 24 * time.Hour

// windowLocked returns the window of a key.
func (m *Memory) windowLocked(k Key) *window {
	w := m.windows[k]
	if w == nil {
		w = &window{
			epoch: m.epochLocked(k),
			days:  map[int64]int64{}, slots: map[string]holding{}, applied: map[string]applied{},
		}
		m.windows[k] = w
	}
	return w
}

// epochLocked returns the epoch of a window. It is the same again for a window that was swept, for
// nothing was lost.
func (m *Memory) epochLocked(k Key) string {
	sum := sha256.Sum256([]byte(m.epoch + string(k.Kind) + k.Name))
	return hex.EncodeToString(sum[:8])
}

// sweep forgets what is over, and reports whether nothing is left.
func (w *window) sweep(now time.Time) bool {
	now = w.forget(now)
	for member, a := range w.applied {
		if now.Sub(a.at) > remembered {
			delete(w.applied, member)
		}
	}
	return len(w.slices)+len(w.days)+len(w.slots) == 0
}

// forget drops what has left the window, days that have ended and slots that have lapsed. It
// returns the window's time.
func (w *window) forget(now time.Time) time.Time {
	at := w.advance(now)
	for end := range w.days {
		if end <= at.UnixNano() {
			delete(w.days, end)
		}
	}
	for member, h := range w.slots {
		if latest := now.Add(Hold); h.until.After(latest) {
			h.until = latest // the clock went back
			w.slots[member] = h
		}
		if !h.until.After(now) {
			delete(w.slots, member)
		}
	}
	return at
}

// change applies the changes of an ask, unless they were.
func (w *window) change(now time.Time, member string, a Ask) {
	if a.Number <= w.applied[member].number {
		return
	}
	w.applied[member] = applied{a.Number, now}
	for _, c := range a.Changes {
		at := c.At
		if at.After(now) {
			// A member's idea of the store's time is not exact. What it takes back was not counted yet.
			at, c.Requests, c.Tokens = now, max(c.Requests, 0), max(c.Tokens, 0)
		}
		end := dayOf(a.Days, at)
		if at.After(now.Add(-Keep)) && sliceOf(at) > w.latest-kept {
			c.Requests = w.add(counted{sliceOf(at), c.Requests, c.Tokens}).requests
		}
		if end.After(now) {
			w.countDay(end, c.Requests)
		}
	}
}

// countDay adds to a day, or takes back what it has.
func (w *window) countDay(end time.Time, requests int64) {
	if end.IsZero() {
		return
	}
	key := end.UnixNano()
	if w.days[key] = max(w.days[key]+requests, 0); w.days[key] == 0 {
		delete(w.days, key)
	}
}

// day returns the requests of a day.
func (w *window) day(end time.Time) int64 {
	if end.IsZero() {
		return 0
	}
	return w.days[end.UnixNano()]
}

// dayOf returns the end of the day that t lies in, and zero if days do not say.
func dayOf(days [3]time.Time, t time.Time) time.Time {
	for _, end := range days {
		if end.After(t) {
			return end
		}
	}
	return time.Time{}
}

// hold gives a member the slots that others leave, and returns them.
func (w *window) hold(now time.Time, member string, a Ask) int64 {
	delete(w.slots, member)
	if a.Limits.Concurrency <= 0 {
		return 0
	}
	slots := max(min(a.Slots, a.Limits.Concurrency-w.held()), a.UnderWay)
	if slots > 0 {
		w.slots[member] = holding{slots, now.Add(Hold)}
	}
	return slots
}

// held returns the slots of all members.
func (w *window) held() int64 {
	var sum int64
	for _, h := range w.slots {
		sum += h.slots
	}
	return sum
}
