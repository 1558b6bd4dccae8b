package pool

import (
	"sync"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Calls that keep to a share of what there is are counted together: two jobs of a share of 0.3 use
// 0.3 in all. Of limits they have a quota of their own, a part of the real one. Of an order, or a
// pace, they have a part of its time; and so of a limit of whose minute their part is less than one
// call.

// limitPortion is what calls with a share have used of limits.
type limitPortion struct {
	quota quota.Quota // whose limits are a part of the real ones, though each at least one
	large portion     // the time of calls that use more than the share of a minute
}

// minuteOf returns how much of a minute's limits a call of so many tokens uses.
func minuteOf(l quota.Limits, tokens int64) time.Duration {
	part := 0.0
	if l.RPM > 0 {
		part = 1 / float64(l.RPM)
	}
	if l.TPM > 0 {
		part = max(part, float64(tokens)/float64(l.TPM))
	}
	return clamped(part * float64(time.Minute))
}

// largeOf is minuteOf for a call that uses more of a minute than a share has; else it is zero, and the
// quota does.
func largeOf(l quota.Limits, tokens int64, share float64) time.Duration {
	d := minuteOf(l, tokens)
	if clamped(float64(d)/share) <= time.Minute {
		return 0
	}
	return d
}

// portion is the time of an order, a pace or limits that the last call with a share has taken. That call takes
// it whole from a call with the whole; from one with a tenth it takes ten times as much. So a call
// with a small share waits long itself, and has no other wait for it.
type portion struct {
	mu    sync.Mutex
	began time.Time
	took  time.Duration // of the whole
	share float64       // of the last call
}

// longestPortion is the most time that a call may take or wait for: whatever keeps it longer will
// have changed by then.
const longestPortion = 24 * time.Hour

// waitLocked returns how long a call with a share waits. The caller holds p.mu.
func (p *portion) waitLocked(now time.Time, share float64) time.Duration {
	return p.began.Add(clamped(float64(p.took) / share)).Sub(now)
}

// take takes so much time, unless an earlier call still has the share.
func (p *portion) take(now time.Time, share float64, d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waitLocked(now, share) > 0 {
		return false
	}
	p.began, p.took, p.share = now, d, share
	return true
}

// wait returns how long the next call with a share waits.
func (p *portion) wait(now time.Time, share float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.waitLocked(now, share), 0)
}

// idle reports whether nothing is left of what was taken, for a call like the last one.
func (p *portion) idle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took == 0 || p.waitLocked(now, p.share) <= 0
}

// correct changes the time that the last call has taken, by nanoseconds.
func (p *portion) correct(by float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = clamped(float64(p.took) + by)
}

// clamped makes a duration of nanoseconds, none of which is too long to count with.
func clamped(nanoseconds float64) time.Duration {
	return time.Duration(min(max(nanoseconds, 0), float64(longestPortion)))
}

// portionHold is what one call holds of shares.
type portionHold struct {
	limits  quota.Reservation // of the project's limits, if it counts there
	limited bool
	large   time.Duration // of the limits, if it uses more than the share of a minute
	time    time.Duration // of the order or the pace
}

// portionOf returns what calls that keep to a share of the limits have of them.
func portionOf(l *limits, share float64) *limitPortion {
	if l.portion.Load() == nil {
		l.portion.CompareAndSwap(nil, &limitPortion{})
	}
	p := l.portion.Load()
	if part := divided(l.quota.Limits(), share); p.quota.Limits() != part {
		p.quota.SetLimits(part)
	}
	return p
}

// reserve takes a call's part of the limits, all of it or nothing.
func (h *portionHold) reserve(l *limits, now time.Time, n *need) bool {
	p, share := portionOf(l, n.asked.Share), n.asked.Share
	large := largeOf(l.quota.Limits(), n.Input, share)
	if large == 0 && p.large.wait(now, share) > 0 || large > 0 && !p.large.take(now, share, large) {
		return false
	}
	if h.limits, h.limited = p.quota.Reserve(now, n.Input); !h.limited {
		p.large.correct(-float64(large))
		return false
	}
	h.large = large
	return true
}

// portionTime returns how long the candidate's whole order or pace takes for a call with this need.
// Zero means that it has neither, or that its pace is not limited: then nothing is known that it could
// be a share of.
func portionTime(c *candidate, now time.Time, n *need) time.Duration {
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
	return clamped(amount / rate * float64(time.Second))
}

// portionWait returns how long a call waits for its share of what the candidate has.
func portionWait(c *candidate, now time.Time, n *need) time.Duration {
	wait := time.Duration(0)
	if own := c.own.entry.Load(); own != nil && portionTime(c, now, n) > 0 {
		wait = own.load.portion.wait(now, n.asked.Share)
	}
	if c.order == nil && c.quota() != nil {
		p := portionOf(c.shared.entry.Load().limits, n.asked.Share)
		wait = max(wait, p.quota.Wait(now, n.Input), p.large.wait(now, n.asked.Share))
	}
	return wait
}

// reservePortion takes a call's share: all of it or nothing.
func reservePortion(r *lease, now time.Time) bool {
	h, c := &r.charges.portion, r.candidate
	if c.order == nil && c.quota() != nil && !h.reserve(r.shared.limits, now, &r.need) {
		return false
	}
	d := portionTime(c, now, &r.need)
	if d == 0 {
		return true
	}
	if !r.own.load.portion.take(now, r.need.asked.Share, d) {
		releasePortion(r, now)
		return false
	}
	h.time = d
	return true
}

// releasePortion gives back the share of a call that used nothing.
func releasePortion(r *lease, now time.Time) {
	h := &r.charges.portion
	if h.limited {
		p := r.shared.limits.portion.Load()
		p.quota.Release(now, h.limits)
		p.large.correct(-float64(h.large))
	}
	if h.time > 0 {
		r.own.load.portion.correct(-float64(h.time))
	}
	*h = portionHold{}
}

// settlePortion corrects the share of a call to what it used.
func settlePortion(r *lease, now time.Time, o *Outcome) {
	h := &r.charges.portion
	if !o.Counted && !r.accepted() && !charged(o.Class) {
		releasePortion(r, now)
		return
	}
	if h.limited {
		used := r.need.Input
		if o.Counted {
			used = o.Usage.Input
		}
		p := r.shared.limits.portion.Load()
		p.quota.Settle(now, h.limits, used)
		if h.large > 0 {
			p.large.correct(float64(minuteOf(r.shared.limits.quota.Limits(), used) - h.large))
		}
	}
	if order := r.candidate.order; h.time > 0 && o.Counted && order != nil {
		estimate, cost := order.cost(&r.need), order.ledger.Cost(o.Usage)
		if sum := estimate.Input + estimate.Output; sum > 0 {
			r.own.load.portion.correct(float64(h.time) * ((cost.Input+cost.Output)/sum - 1))
		}
	}
	*h = portionHold{}
}
