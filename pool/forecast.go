package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// forecast foresees how many calls the endpoints take by and by that the request may go to, at
// most: of the smallest calls, because it is a bound. Endpoints of one project share its limits, so
// they count once.
func (t *trial) forecast() *quota.Outlook {
	o := &quota.Outlook{}
	n := need{Unmetered: t.r.state.need.Unmetered}
	var several map[*quota.Quota]time.Duration // of projects with more than one endpoint
	for _, c := range t.r.state.plan.all {
		opens := t.earliest(c, &n)
		if opens == cooldown.Forever {
			continue
		}
		from := time.Duration(opens - t.at)
		switch q := c.quota(); {
		case q == nil:
			o.Open(from)
		case len(c.project.Locations) == 1:
			o.Add(t.now, q, from)
		default:
			if several == nil {
				several = make(map[*quota.Quota]time.Duration)
			}
			if first, seen := several[q]; !seen || from < first {
				several[q] = from
			}
		}
	}
	for q, from := range several {
		o.Add(t.now, q, from)
	}
	return o
}

// earliest returns the instant before which a candidate certainly takes no such call of the
// request's.
func (t *trial) earliest(c *candidate, n *need) int64 {
	if !t.r.eligible(c) || t.r.spent(c) {
		return cooldown.Forever
	}
	o := c.opens(t.now, t.at, n)
	earliest := o.earliest(t.at)
	if t.r.hasFailed(c) {
		earliest = max(earliest, t.pool.instant(t.r.state.notBy))
	}
	return earliest
}

// soonest returns the first instant at which any candidate may take such a call.
func (t *trial) soonest(n *need) int64 {
	soonest := int64(cooldown.Forever)
	for _, c := range t.r.state.plan.all {
		soonest = min(soonest, t.earliest(c, n))
	}
	return soonest
}
