package quota

import (
	"fmt"
	"sync"
	"time"

	"github.com/spillway-go/spillway/store"
)

const (
	sharedFormat = 1               // of what replicas share; other numbers share nothing with this one
	sharedEasy   = 0.8             // share of an order used below which a replica admits calls without asking
	sharedRush   = 5               // multiple of the throughput that the others may admit so between two pulls
	sharedStale  = 2               // pauses after which the news are too old for that
	sharedIdle   = 2 * time.Second // the longest pause between two pulls
	blind        = -1              // the lesson of a call whose refusal teaches nothing
)

// Room says how a call for a shared order goes on.
type Room int

// The answers of a [SharedLedger] to a call.
const (
	// RoomNone means that Google would refuse the call.
	RoomNone Room = iota
	// RoomHeld means that the order has room for the call, and that this replica holds it.
	RoomHeld
	// RoomUnknown means that the store has to be asked.
	RoomUnknown
	// RoomOpen means that the store is gone, and this replica's share too small for such a call. Send
	// it without a header that asks for the order or forbids it. Then Google serves it by the order if
	// it has room, and on demand if not. Settle it in the first case, release it in the second.
	RoomOpen
)

// SharedLedger follows a Provisioned Throughput order that the replicas of a service use together.
// It is one replica's side of a [store.Orders], and does what a [Ledger] does for one process. It
// calls no store: its user carries what it gives to the store, and brings back what the store
// answers.
//
//	h, room := l.Reserve(now, cost)
//	if room == quota.RoomUnknown {
//		grant, err := orders.ReserveOrder(ctx, key, l.Ask(h)) // within a bound
//		if err == nil {
//			h, room = l.Granted(now, h, grant)
//		} else {
//			h, room = l.Alone(now, h)
//		}
//	}
//	if room == quota.RoomNone { … }
//	tell(h, l.Held(h))
//	…
//	tell(h, l.Settle(now, h, cost)) // or Refuse or Release, once
//
// where tell brings a change to the store, if it is not empty, and need not be waited for:
//
//	changed, err := orders.SettleOrder(ctx, key, change)
//	if err == nil {
//		l.Told(now, h, change, changed)
//	} else {
//		l.Untold(now, h, change)
//	}
//
// At the time that PullAt says, one pull at a time:
//
//	news, err := orders.PullOrder(ctx, key, l.Pull(now))
//	if err == nil {
//		l.Pulled(now, news)
//	} else {
//		l.PullFailed(now)
//	}
//
// While the store is gone the replica keeps to its share of the throughput. What it uses then, and
// what it learns, it tells when the store is back. A store that has lost its content is told what
// each replica has used in its window.
//
// It is safe for concurrent use. The zero value is not usable; call [NewSharedLedger].
type SharedLedger struct {
	member string

	mu        sync.Mutex
	book           // its ring is that of all replicas, as far as it is known
	own       ring // what this replica was charged
	untold    ring // the part of that which the store was not told
	last      time.Time
	clock     storeTime
	pulls     pulling
	share     int       // members of the fleet; 0: unknown
	asked     time.Time // when the last call came
	surprised time.Time // when Google last refused a call that was admitted without asking
	heir      *SharedLedger
}

// NewSharedLedger returns one replica's ledger of an order. The member is its name in the store. It
// fails as [NewLedger] does.
func NewSharedLedger(o Order, member string) (*SharedLedger, error) {
	b, err := newBook(o)
	if err != nil {
		return nil, err
	}
	l := &SharedLedger{book: b, member: member}
	l.own = ring{bucket: l.bucket, charges: make([]charge, len(l.charges))}
	l.untold = ring{bucket: l.bucket, charges: make([]charge, len(l.charges))}
	l.pulls.away = true
	return l, nil
}

// Key returns the key of the order in the store: replicas that know the order otherwise have
// another. The name is the same in all replicas, and belongs to this order alone.
func (l *SharedLedger) Key(name string) store.OrderKey {
	return store.OrderKey{
		Name:   fmt.Sprintf("%s/%d/%g/%d", name, sharedFormat, l.rate, len(l.beliefs)),
		Bucket: l.bucket, Buckets: int64(len(l.charges)),
	}
}

// SetMembers tells how many replicas the fleet has, this one included. The last number holds while
// the store is gone.
func (l *SharedLedger) SetMembers(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share = n
}

// Cost returns what a call of that usage takes from the order.
func (l *SharedLedger) Cost(u Usage) Cost { return l.burndown.cost(u) }

// Wait is [Ledger.Wait], as far as this replica knows.
func (l *SharedLedger) Wait(now time.Time, cost Cost) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	c := l.outputs.charge(cost)
	switch buckets, ok := l.wait(&c); {
	case !ok:
		return Never
	case buckets == 0:
		return 0
	default:
		return l.clock.until((l.current+buckets)*int64(l.bucket), now)
	}
}

// Utilisation is [Ledger.Utilisation] for the whole fleet.
func (l *SharedLedger) Utilisation(now time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	return l.used()
}

// Headroom is [Ledger.Headroom] for the whole fleet.
func (l *SharedLedger) Headroom(now time.Time) float64 {
	return min(max(1-l.Utilisation(now), 0), 1)
}

// Stat returns what is believed of the order now. Its counts are those of this replica.
func (l *SharedLedger) Stat(now time.Time) LedgerStat {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	return l.stat()
}

// advanceLocked moves to the bucket of now in the store's time, unless a later one has been seen.
func (l *SharedLedger) advanceLocked(now time.Time) {
	if now.After(l.last) {
		l.last = now
	}
	l.moveLocked(l.clock.of(l.last) / int64(l.bucket))
}

func (l *SharedLedger) moveLocked(to int64) {
	l.advance(max(to, l.current))
	l.own.skip(l.current)
	l.untold.skip(l.current)
}

// chargeLocked adds to what this replica was charged. The store was not told if untold.
func (l *SharedLedger) chargeLocked(bucket int64, c charge, untold bool) {
	l.own.put(bucket, c)
	if untold {
		l.untold.put(bucket, c)
	}
}
