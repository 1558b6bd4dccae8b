package quota

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

// Reserve begins a call of that estimated cost.
func (l *SharedLedger) Reserve(now time.Time, cost Cost) (Hold, Room) {
	l.mu.Lock()
	l.advanceLocked(now)
	h, room := l.reserveLocked(cost)
	return l.admitted(now, h, room)
}

// admitted unlocks l, whose heir hears of a call that is held.
func (l *SharedLedger) admitted(now time.Time, h Hold, room Room) (Hold, Room) {
	heir := l.heir
	l.mu.Unlock()
	if room == RoomHeld {
		l.hand(heir, now, h.bucket, h.charge, endNone)
	}
	return h, room
}

func (l *SharedLedger) reserveLocked(cost Cost) (Hold, Room) {
	l.asked = l.last
	h := Hold{At: l.last, Cost: cost, bucket: l.current, charge: l.weigh(cost), lesson: l.lesson, belief: l.best, way: l.way}
	l.offered()
	if l.pulls.away {
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
// time, and all will fit. A refusal of such a call ends that for two windows, in which every call
// asks, and can teach.
func (l *SharedLedger) easyLocked(c *charge) bool {
	calm := 2 * time.Duration(l.beliefs[0].buckets) * l.bucket
	if l.last.Sub(l.pulls.at) > sharedStale*store.OrderPause || l.last.Sub(l.surprised) <= calm {
		return false
	}
	b := &l.beliefs[l.best]
	unseen := sharedRush * float64(store.OrderPause) / (float64(b.buckets) * float64(l.bucket))
	return b.room(l.way, c) >= 1-sharedEasy+unseen
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
	l.heardLocked(now, g.Now)
	h, room := l.grantedLocked(h, &g)
	return l.admitted(now, h, room)
}

func (l *SharedLedger) grantedLocked(h Hold, g *store.OrderGrant) (Hold, Room) {
	l.pulls.hurry = l.pulls.hurry || g.Lesson > l.lesson
	if !g.OK {
		return Hold{}, RoomNone
	}
	l.moveLocked(g.Bucket)
	h.bucket = g.Bucket
	missing := unshared(g.Sum) // what others did that this replica does not know yet
	missing.sub(l.beliefs[h.belief].charge)
	l.holdLocked(&h, missing)
	if g.Version > l.pulls.version { // else a pull was faster than the grant, and has the call
		l.add(h.bucket, h.charge)
	}
	l.chargeLocked(h.bucket, h.charge, false)
	return h, RoomHeld
}

// holdLocked holds a call. What is missing in the sums of this replica is foreseen with it.
func (l *SharedLedger) holdLocked(h *Hold, missing charge) {
	l.book.asked()
	missing.add(h.charge)
	l.note(&h.outlook, &missing)
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
	l.advanceLocked(now)
	l.pulls.away = true
	h.bucket = l.current
	h, room := l.aloneLocked(h)
	return l.admitted(now, h, room)
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
		l.add(h.bucket, h.charge)
	} else {
		l.blindLocked(&h)
	}
	l.chargeLocked(h.bucket, h.charge, true)
	return h, RoomHeld
}
