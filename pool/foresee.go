package pool

import (
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Earliest returns the moment before which the endpoint cannot be asked for a call with this need, as far as is known now; ok is false if
// nothing is known to end what keeps it. It is [Candidate.Wake] but for what may be otherwise before: one of the concurrent calls may end at
// any moment, and an endpoint is asked past its circuit breaker if it is the last.
func (c *Candidate) Earliest(now time.Time, n Need) (earliest time.Time, ok bool) {
	t, ok := c.Wake(now, n)
	if !ok {
		return t, false
	}
	if _, open := c.Open(now); open {
		wait, _ := c.roomWait(now, n)
		t = now.Add(wait)
	}
	if c.limited() && c.Limits().Concurrency > 0 && t.Equal(now.Add(quota.ConcurrencyWait)) {
		return now, true
	}
	return t, true
}

// roomWait returns how long it takes until limits, order and pace have room for a call with this need; not ok if they never do.
func (c *Candidate) roomWait(now time.Time, n Need) (wait time.Duration, ok bool) {
	if n.Free {
		return 0, true
	}
	if l := c.ledger(); l != nil {
		if wait = l.Wait(now, c.cost(n)); wait == quota.Never {
			return 0, false
		}
	}
	if c.limited() {
		wait = max(wait, c.shared.quota.Wait(now, n.Input))
	}
	if c.paced() {
		wait = max(wait, c.place.pacer.Wait(now))
	}
	return wait, true
}

// Outlook foresees how many calls the plan's endpoints take by and by, at most. opens says from when on a call may go to an endpoint; false
// means never. Endpoints of one project share its limits, so they are counted once.
func (p *Plan) Outlook(now time.Time, opens func(*Candidate) (time.Time, bool)) *quota.Outlook {
	o := &quota.Outlook{}
	var several map[*projectModel]time.Duration // of projects that have more than one endpoint
	for _, c := range p.all {
		t, ok := opens(c)
		if !ok {
			continue
		}
		from := t.Sub(now)
		switch {
		case !c.limited():
			o.Open(from)
		case len(c.project.Locations) == 1:
			o.Add(now, c.shared.quota, from)
		default:
			if several == nil {
				several = make(map[*projectModel]time.Duration)
			}
			if first, seen := several[c.shared]; !seen || from < first {
				several[c.shared] = from
			}
		}
	}
	for shared, from := range several {
		o.Add(now, shared.quota, from)
	}
	return o
}
