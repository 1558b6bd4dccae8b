package quota

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

// Reserve begins a call of that estimated cost.
func (l *SharedLedger) Reserve(now time.Time, cost Cost) (Hold, Room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.asked = l.last
	h := Hold{At: l.last, Cost: cost, bucket: l.current, charge: l.weigh(cost), lesson: l.lesson, belief: l.best, way: l.way}
	l.offered()
	if l.sync.away {
		return l.aloneLocked(h)
	}
	if !l.easyLocked(&h.charge) {
		return h, RoomUnknown
	}
	l.blindLocked(&h)
	l.chargeLocked(h.bucket, h.charge, false)
	h.tells = true
	return h, RoomHeld
}

// easyLocked reports whether so little is used that other replicas may admit calls at the same
// time, and all will fit.
func (l *SharedLedger) easyLocked(c *charge) bool {
	b := &l.beliefs[l.best]
	late := sharedRush * float64(store.OrderPause) / (float64(b.buckets) * float64(l.bucket))
	return l.last.Sub(l.sync.at) <= sharedStale*store.OrderPause && l.last.Sub(l.surprised) > sharedCalm && b.room(l.way, c) >= 1-sharedEasy+late
}

// Ask returns what the store has to be asked for a call whose room is unknown.
func (l *SharedLedger) Ask(h Hold) store.OrderAsk {
	l.mu.Lock()
	defer l.mu.Unlock()
	window := func(b *belief) store.OrderWindow {
		return store.OrderWindow{Buckets: b.buckets, Capacity: b.capacity, Margin: b.margin}
	}
	b := &l.beliefs[h.belief]
	a := store.OrderAsk{Charge: h.charge.shared(), By: h.way, Guess: b.views[h.way].guess, Window: window(b)}
	if l.idle() {
		a.Longer, a.Every = window(&l.beliefs[0]), l.beliefs[len(l.beliefs)-1].buckets
	}
	return a
}

// Granted brings the store's answer to an ask.
func (l *SharedLedger) Granted(now time.Time, h Hold, g store.OrderGrant) (Hold, Room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heardLocked(now, g.Now)
	l.sync.hurry = l.sync.hurry || g.Lesson > l.lesson
	if !g.OK {
		return Hold{}, RoomNone
	}
	l.moveLocked(g.Bucket)
	h.bucket = g.Bucket
	missing := unshared(g.Sum) // what others did that this replica does not know yet
	missing.sub(l.beliefs[h.belief].charge)
	l.holdLocked(&h, missing)
	l.chargeLocked(h.bucket, h.charge, false)
	return h, RoomHeld
}

// holdLocked holds a call. What is missing in the sums of this replica is foreseen with it.
func (l *SharedLedger) holdLocked(h *Hold, missing charge) {
	l.book.asked()
	missing.add(h.charge)
	l.note(&h.outlook, &missing)
	l.add(h.bucket, h.charge)
}

// blindLocked holds a call without knowing all that other replicas use. What becomes of it teaches
// nothing: they may have filled the order unseen.
func (l *SharedLedger) blindLocked(h *Hold) {
	l.book.asked()
	l.add(h.bucket, h.charge)
	h.lesson = blind
}

// Alone decides for a call of which the store could not be asked, or did not answer in time.
func (l *SharedLedger) Alone(now time.Time, h Hold) (Hold, Room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.sync.away = true
	h.bucket = l.current
	return l.aloneLocked(h)
}

// aloneLocked admits a call that fits this replica's share of the order with what this replica
// uses.
func (l *SharedLedger) aloneLocked(h Hold) (Hold, Room) {
	b := &l.beliefs[l.best]
	share := b.capacity / float64(max(l.share, 1))
	guess := b.views[l.way].guess
	weight := float64(h.charge.known) + guess*float64(h.charge.open[l.way])
	if l.share == 0 || weight > share {
		h.charge, h.lesson = charge{}, blind
		return h, RoomOpen
	}
	own := l.own.sum(b.buckets)
	if float64(own.known)*(1+b.margin)+guess*float64(own.open[l.way])+weight > share {
		return Hold{}, RoomNone
	}
	if l.share == 1 {
		l.holdLocked(&h, charge{})
	} else {
		l.blindLocked(&h)
	}
	l.chargeLocked(h.bucket, h.charge, true)
	return h, RoomHeld
}

// Held returns the change of which the store has to be told when a call was given room. It is empty
// if the store was asked.
func (l *SharedLedger) Held(h Hold) store.OrderChange {
	if !h.tells {
		return store.OrderChange{}
	}
	return store.OrderChange{Bucket: h.bucket, Charge: h.charge.shared()}
}

// Settle ends a call that the order served, at its real cost. It returns what the store has to be
// told.
func (l *SharedLedger) Settle(now time.Time, h Hold, cost Cost) store.OrderChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	return l.tellLocked(&h, l.settle(&h, cost))
}

// Refuse ends a call that Google refused because the order is full. It returns what the store has
// to be told; whether others have learned the same already, the store knows.
func (l *SharedLedger) Refuse(now time.Time, h Hold) store.OrderChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	change := l.tellLocked(&h, l.release(&h))
	if h.tells {
		l.surprised = l.last
	}
	if l.sync.away {
		l.refuse(&h, l.fresh(&h))
		return change
	}
	change.Refused, change.Lesson = true, h.lesson
	return change
}

// Release ends a call that says nothing about the order. It returns what the store has to be told.
func (l *SharedLedger) Release(now time.Time, h Hold) store.OrderChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	return l.tellLocked(&h, l.release(&h))
}

// tellLocked returns a change of a call's bucket for the store. While the store is gone it is kept
// for the next pull.
func (l *SharedLedger) tellLocked(h *Hold, c charge) store.OrderChange {
	l.chargeLocked(h.bucket, c, l.sync.away)
	if l.sync.away {
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
		l.lesson, l.sync.hurry = max(l.lesson, answer.Lesson), true
	}
}

// Untold says that a change may not have reached the store. What a call was given without asking is
// told again, at the risk that it counts twice. The rest is left: the window forgets it.
func (l *SharedLedger) Untold(now time.Time, h Hold, change store.OrderChange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.sync.away = true
	if change.Refused {
		l.refuse(&h, l.fresh(&h))
	}
	if c := unshared(change.Charge); h.tells && c == h.charge {
		l.untold.put(h.bucket, c)
	}
}

// heardLocked notes what every answer of the store says.
func (l *SharedLedger) heardLocked(now, at time.Time) {
	l.time.learn(at, now)
	l.advanceLocked(now)
}
