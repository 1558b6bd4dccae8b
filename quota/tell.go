package quota

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

// Held returns the change of which the store has to be told when a call was given room. It is empty
// if the store was asked.
func (l *SharedLedger) Held(h Hold) store.OrderChange {
	if !h.tells {
		return store.OrderChange{}
	}
	return store.OrderChange{Bucket: h.bucket, Charge: h.charge.shared()}
}

// Spend charges what a running call has used by now, beside what is held for it. It returns what the
// store has to be told.
func (l *SharedLedger) Spend(now time.Time, cost Cost) store.OrderChange {
	l.mu.Lock()
	l.advanceLocked(now)
	h, change := Hold{bucket: l.current}, charge{}.settled(cost)
	told, heir := l.tellLocked(&h, change), l.heir
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endNone)
	return told
}

// Settle ends a call that the order served, at its real cost. It returns what the store has to be
// told.
func (l *SharedLedger) Settle(now time.Time, h Hold, cost Cost) store.OrderChange {
	l.mu.Lock()
	l.advanceLocked(now)
	change := l.settle(&h, cost)
	told, heir := l.tellLocked(&h, change), l.heir
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endServed)
	return told
}

// Refuse ends a call that Google refused because the order is full. It returns what the store has
// to be told; whether others have learned the same already, the store knows.
func (l *SharedLedger) Refuse(now time.Time, h Hold) store.OrderChange {
	l.mu.Lock()
	l.advanceLocked(now)
	change := l.release(&h)
	told, heir := l.refusedLocked(&h, change), l.heir
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endRefused)
	return told
}

func (l *SharedLedger) refusedLocked(h *Hold, c charge) store.OrderChange {
	change := l.tellLocked(h, c)
	if h.tells {
		l.surprised = l.last
	}
	if l.pulls.away {
		l.refuse(h, l.fresh(h))
		return change
	}
	change.Refused, change.Lesson = true, h.lesson
	return change
}

// Release ends a call that says nothing about the order. It returns what the store has to be told.
func (l *SharedLedger) Release(now time.Time, h Hold) store.OrderChange {
	l.mu.Lock()
	l.advanceLocked(now)
	change := l.release(&h)
	told, heir := l.tellLocked(&h, change), l.heir
	l.mu.Unlock()
	l.hand(heir, now, h.bucket, change, endNone)
	return told
}

// tellLocked returns a change of a call's bucket for the store. While the store is gone it is kept
// for the next pull.
func (l *SharedLedger) tellLocked(h *Hold, c charge) store.OrderChange {
	l.chargeLocked(h.bucket, c, l.pulls.away)
	if l.pulls.away {
		return store.OrderChange{}
	}
	return store.OrderChange{Bucket: h.bucket, Charge: c.shared()}
}

// Told brings the store's answer to a change.
func (l *SharedLedger) Told(now time.Time, h Hold, change store.OrderChange, answer store.OrderChanged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heardLocked(now, answer.Now)
	if !change.Refused {
		return
	}
	l.refuse(&h, answer.Teaches)
	if answer.Teaches {
		l.lesson, l.pulls.hurry = max(l.lesson, answer.Lesson), true
	}
}

// Untold says that a change may not have reached the store. What a call was given without asking is
// told again, at the risk that it counts twice. The rest is left: the window forgets it.
func (l *SharedLedger) Untold(now time.Time, h Hold, change store.OrderChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.pulls.away = true
	if change.Refused {
		l.refuse(&h, l.fresh(&h))
	}
	if c := unshared(change.Charge); h.tells && c == h.charge {
		l.untold.put(h.bucket, c)
	}
}

// heardLocked notes what every answer of the store says.
func (l *SharedLedger) heardLocked(now, at time.Time) {
	l.clock.learn(at, now)
	l.advanceLocked(now)
}
