package pool

import (
	"sync"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// portion is what the calls that keep to a share use of one thing: of a project's limits for a
// model, of an order, or of a pace. All of them are counted together, so two jobs of a share of 0.3
// use 0.3 in all.
type portion struct {
	limits quota.Quota // of a project's limits

	mu   sync.Mutex
	next time.Time // of an order or a pace: when the next such call goes
}

// portionHold is what one call holds of portions.
type portionHold struct {
	limits quota.Reservation // of the project's limits, if counted
	counts bool
	time   time.Duration // of the order or the pace: by how much later the next call goes
}

// ofPortion returns the portion of the entry's thing; it makes it if there is none.
func (e *entry) ofPortion() *portion {
	if p := e.portion.Load(); p != nil {
		return p
	}
	e.portion.CompareAndSwap(nil, &portion{})
	return e.portion.Load()
}

// limit takes a call's tokens of a share of the limits.
func (p *portion) limit(now time.Time, tokens int64, all quota.Limits, share float64) (quota.Reservation, bool) {
	p.keepTo(divided(all, share))
	return p.limits.Reserve(now, tokens)
}

// limitWait returns how long a call waits for its share of the limits.
func (p *portion) limitWait(now time.Time, tokens int64, all quota.Limits, share float64) time.Duration {
	p.keepTo(divided(all, share))
	return p.limits.Wait(now, tokens)
}

// keepTo sets what the share of the limits is now.
func (p *portion) keepTo(part quota.Limits) {
	if p.limits.Limits() != part {
		p.limits.SetLimits(part)
	}
}

// take takes so much time of an order or a pace, unless an earlier call still has it.
func (p *portion) take(now time.Time, d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.After(now) {
		return false
	}
	p.next = now.Add(d)
	return true
}

// wait returns how long the next call waits for an order or a pace.
func (p *portion) wait(now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.next.Sub(now), 0)
}

// correct changes by how much later the next call goes.
func (p *portion) correct(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = p.next.Add(d)
}

// portionTime returns how long a share of the candidate's order or pace takes for a call with this
// need. Zero means that it has neither, or that its pace is not limited: then nothing is known that
// it could be a share of.
func (c *candidate) portionTime(now time.Time, n *need) time.Duration {
	rate, amount := 0.0, 1.0
	if c.ledger() != nil {
		cost := c.order.cost(n)
		rate, amount = c.order.ledger.Stat(now).TokensPerSecond, cost.Input+cost.Output
	} else if pacer := c.pacer(); pacer != nil && pacer.Limited() {
		rate = pacer.Stat(now).Rate
	}
	if rate <= 0 {
		return 0
	}
	return time.Duration(amount / (rate * n.share) * float64(time.Second))
}

// portionWait returns how long the call waits for its share of what the candidate has.
func (c *candidate) portionWait(now time.Time, n *need) time.Duration {
	wait := time.Duration(0)
	if own := c.own.entry.Load(); own != nil && c.portionTime(now, n) > 0 {
		wait = own.portion.Load().wait(now)
	}
	if q := c.quota(); q != nil && c.order == nil {
		wait = max(wait, c.shared.entry.Load().ofPortion().limitWait(now, n.Input, q.Limits(), n.share))
	}
	return wait
}

// reservePortion takes the call's share: all of it or nothing.
func (r *lease) reservePortion(now time.Time) bool {
	h := &r.charges.portion
	*h = portionHold{}
	c := r.candidate
	if q := c.quota(); q != nil && c.order == nil {
		if h.limits, h.counts = r.shared.ofPortion().limit(now, r.need.Input, q.Limits(), r.need.share); !h.counts {
			return false
		}
	}
	d := c.portionTime(now, &r.need)
	if d == 0 {
		return true
	}
	if !r.own.ofPortion().take(now, d) {
		r.releasePortion(now)
		return false
	}
	h.time = d
	return true
}

// releasePortion gives back the share of a call that used nothing.
func (r *lease) releasePortion(now time.Time) {
	h := &r.charges.portion
	if h.counts {
		r.shared.ofPortion().limits.Release(now, h.limits)
	}
	if h.time > 0 {
		r.own.ofPortion().correct(-h.time)
	}
	*h = portionHold{}
}

// settlePortion corrects the share to what the call used.
func (r *lease) settlePortion(now time.Time, o *Outcome) {
	h := &r.charges.portion
	if *h == (portionHold{}) {
		return
	}
	if !o.Counted && !r.accepted() && !charged(o.Class) {
		r.releasePortion(now)
		return
	}
	used := r.need.Input
	if o.Counted {
		used = o.Usage.Input
	}
	if h.counts {
		r.shared.ofPortion().limits.Settle(now, h.limits, used)
	}
	if order := r.candidate.order; h.time > 0 && o.Counted && order != nil {
		estimated, real := order.cost(&r.need), order.ledger.Cost(o.Usage)
		if sum := estimated.Input + estimated.Output; sum > 0 {
			r.own.ofPortion().correct(time.Duration(float64(h.time) * ((real.Input+real.Output)/sum - 1)))
		}
	}
	*h = portionHold{}
}
