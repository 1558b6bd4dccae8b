package pool

import (
	"strings"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// spend charges what a running call has used since the last time. A session lasts longer than the
// window of a limit; charged at its end, all of it would fall into a minute that has passed.
func (l Lease) spend(now time.Time, o *Outcome) {
	if l.record == nil || !o.Counted {
		return
	}
	s := &l.candidate.own.entry.Load().load.leases
	s.mu.Lock()
	r := l.record
	if r.generation.Load() != l.generation {
		s.mu.Unlock()
		return
	}
	fresh := o.Usage.Minus(r.charges.spent)
	r.charges.spent = o.Usage
	running := r.lease
	s.mu.Unlock()
	spend(&running, now, fresh, o.Traffic)
	l.candidate.plan.pool.outbox.deliver()
}

func spend(r *lease, now time.Time, fresh quota.Usage, traffic string) {
	if r.need.Unmetered {
		return
	}
	p := r.candidate.plan.pool
	if r.held&heldQuota != 0 {
		r.shared.limits.quota.Spend(now, fresh.Input)
	}
	onDemand := strings.HasPrefix(traffic, trafficOnDemand)
	if r.held&heldOrder != 0 && !onDemand {
		order := r.candidate.order
		order.spend(now, order.ledger.Cost(fresh))
	}
	if order := r.need.ties.order; order != nil && (r.candidate.order == nil || onDemand) {
		order.spill(fresh)
	}
	r.checkUsage(now, p.instant(now))
	r.own.load.counts.add(&Outcome{Counted: true, Usage: fresh})
}
