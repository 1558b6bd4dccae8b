package pool

import "slices"

// preview looks where a call would go, without going there.
type preview struct{ trial *trial }

// choices returns the candidates to one of which the call would go now: what try would do, without
// doing it. It has more than one where the policy draws.
func (p preview) choices() []*candidate {
	t := p.trial
	plan := t.r.state.plan
	if plan.closedUntil(&t.r.state.need, t.at) > 0 || t.pool.queue.busy(t.r) {
		return nil
	}
	braved := &t.r.state.need.ties.dearer
	*braved = false
	for i, tier := range plan.tiers {
		if tolls(t, plan, i) {
			for _, cheaper := range plan.tiers[:i] {
				if list := p.choicesOf(cheaper); len(list) > 0 {
					return list
				}
			}
			*braved = false
		}
		if list := p.choicesOf(tier); len(list) > 0 {
			return list
		}
		if t.awaitsCredit(tier) {
			return nil
		}
	}
	return p.leastBad()
}

// choicesOf returns those of one tier.
func (p preview) choicesOf(tier *tier) []*candidate {
	t := p.trial
	var open []*candidate
	for _, c := range tier.candidates {
		if p.open(c) {
			open = append(open, c)
		}
	}
	var first *candidate
	switch {
	case len(open) < 2:
	case t.r.Affinity != 0:
		first = p.preferred(tier, open)
	case t.r.Policy == PolicyFirst:
		first = pickFirst(tier, t.ready)
	case t.r.Policy == PolicyRoundRobin:
		turn := tier.turn.Load()
		first = pickTurn(tier, func() uint64 { turn++; return turn - 1 }, t.ready)
	}
	if first != nil && slices.Contains(open, first) {
		return []*candidate{first}
	}
	return open // the picked one has no room: any other
}

// open reports whether a candidate would take the call.
func (p preview) open(c *candidate) bool {
	t := p.trial
	if !t.ready(c) {
		return false
	}
	o := c.opens(t.now, t.at, &t.r.state.need)
	return o.wake() <= t.at
}

// preferred returns the open candidate that the call's affinity prefers; nil if it prefers none of
// them.
func (p preview) preferred(tier *tier, open []*candidate) *candidate {
	t := p.trial
	var room [near]preference
	list := t.nearest(tier, t.r.Affinity, room[:0])
	tier.choosing.Lock()
	t.judgeLoad(tier, list)
	tier.choosing.Unlock()
	for len(list) > 0 {
		best := foremost(list)
		if c := list[best].candidate; slices.Contains(open, c) {
			return c
		}
		list = slices.Delete(list, best, best+1)
	}
	return nil
}

// leastBad returns the candidates that are asked past their open breakers, if these are all that is
// left.
func (p preview) leastBad() []*candidate {
	t := p.trial
	if t.r.StandIn || t.r.picky() {
		return nil
	}
	s := t.survey(t.r.state.plan.all)
	if s.forced == nil {
		return nil
	}
	var list []*candidate
	for _, c := range t.r.state.plan.all {
		if !t.r.eligible(c) {
			continue
		}
		if o := c.opens(t.now, t.at, &t.r.state.need); o.onlyBreaker(t.at) && o.room <= t.at && o.breaker == s.until {
			list = append(list, c)
		}
	}
	return list
}
