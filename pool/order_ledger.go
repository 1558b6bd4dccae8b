package pool

import (
	"context"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// orderLedger is what is asked of every ledger: of this process's own, and of one that a fleet
// shares.
type orderLedger interface {
	Cost(u quota.Usage) quota.Cost
	Wait(now time.Time, cost quota.Cost) time.Duration
	Utilisation(now time.Time) float64
	Headroom(now time.Time) float64
	Stat(now time.Time) quota.LedgerStat
}

// reserve holds room for a call. If the fleet shares the order the store may have to be asked; then
// it reports false, and notes in the call's asks that it has to be.
func (o *order) reserve(now time.Time, n *need) (quota.Hold, bool) {
	if o.common == nil {
		return o.alone.Reserve(now, o.cost(n))
	}
	return o.common.reserve(now, o, n)
}

// spend charges what a running call has used by now.
func (o *order) spend(now time.Time, cost quota.Cost) {
	if o.common == nil {
		o.alone.Spend(now, cost)
		return
	}
	o.common.tell(quota.Hold{}, o.common.ledger.Spend(now, cost))
}

// settle, refuse and release end a hold, see [quota.Ledger].
func (o *order) settle(now time.Time, h quota.Hold, cost quota.Cost) {
	if o.common == nil {
		o.alone.Settle(now, h, cost)
		return
	}
	o.common.tell(h, o.common.ledger.Settle(now, h, cost))
}

func (o *order) refuse(now time.Time, h quota.Hold) {
	if o.common == nil {
		o.alone.Refuse(now, h)
		return
	}
	o.common.tell(h, o.common.ledger.Refuse(now, h))
}

func (o *order) release(now time.Time, h quota.Hold) {
	if o.common == nil {
		o.alone.Release(now, h)
		return
	}
	o.common.tell(h, o.common.ledger.Release(now, h))
}

// commonOrder is an order that a fleet shares.
type commonOrder struct {
	fleet  *fleet
	orders store.Orders
	ledger *quota.SharedLedger
	key    store.OrderKey
}

func (c *commonOrder) reserve(now time.Time, o *order, n *need) (quota.Hold, bool) {
	switch a := n.ties.asks.take(now, o); a.state {
	case askHeld:
		return a.hold, true
	case askUnknown, askNone:
		return quota.Hold{}, false
	case askNever:
	}
	h, room := c.ledger.Reserve(now, o.cost(n))
	switch room {
	case quota.RoomHeld:
		c.tell(h, c.ledger.Held(h))
		return h, true
	case quota.RoomUnknown:
		n.ties.asks.add(o, orderAsk{o, h})
	case quota.RoomNone, quota.RoomOpen: // its share holds no such call
	}
	return quota.Hold{}, false
}

// orderAsk is an order that the store has to be asked for, for one call.
type orderAsk struct {
	order *order
	hold  quota.Hold
}

func (a orderAsk) ask(ctx context.Context) (h quota.Hold, held bool, again time.Duration) {
	h, room := a.order.common.ask(ctx, a.hold)
	return h, room == quota.RoomHeld, noRoom
}

func (a orderAsk) giveBack(now time.Time, h quota.Hold) { a.order.release(now, h) }

// noRoom is how long an order is not asked again for a call that it has no room for, at least.
const noRoom = 50 * time.Millisecond

// tell brings a change to the store, in the background.
func (c *commonOrder) tell(h quota.Hold, change store.OrderChange) {
	if change == (store.OrderChange{}) {
		return
	}
	sent := c.fleet.send(func(ctx context.Context) {
		answer, err := c.orders.SettleOrder(ctx, c.key, change)
		if now := time.Now(); err == nil {
			c.ledger.Told(now, h, change, answer)
		} else {
			c.ledger.Untold(now, h, change)
		}
		if !c.ledger.PullAt().After(time.Now()) { // others should hear of it
			c.fleet.kick()
		}
	})
	if !sent {
		c.ledger.Untold(time.Now(), h, change)
	}
}

// ask asks the store for a call whose room is unknown.
func (c *commonOrder) ask(ctx context.Context, h quota.Hold) (quota.Hold, quota.Room) {
	// A caller that has gone must not leave a hold in the store that nobody knows of.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.fleet.link.bound())
	defer cancel()
	grant, err := c.orders.ReserveOrder(ctx, c.key, c.ledger.Ask(h))
	if now := time.Now(); err == nil {
		return c.ledger.Granted(now, h, grant)
	}
	return c.ledger.Alone(time.Now(), h)
}

// pull exchanges what was learned with the store, if it is time.
func (c *commonOrder) pull(ctx context.Context, members int) bool {
	c.ledger.SetMembers(max(members, 1))
	now := time.Now()
	if c.ledger.PullAt().After(now) {
		return true
	}
	what := c.ledger.Pull(now)
	var news store.OrderNews
	ok := c.fleet.call(ctx, errandOther, func(ctx context.Context) (at time.Time, err error) {
		news, err = c.orders.PullOrder(ctx, c.key, what)
		return news.Now, err
	})
	if now = time.Now(); ok {
		c.ledger.Pulled(now, news)
	} else {
		c.ledger.PullFailed(now)
	}
	return ok
}
