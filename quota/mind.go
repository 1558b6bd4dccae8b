package quota

import (
	"math/bits"
	"time"
)

// mind is what a ledger knows and believes of an order.
type mind struct {
	ring
	beliefs  []belief
	outputs  outputs
	best     int     // the belief that decides
	way      int     // and the estimator
	tried    int64   // the bucket in which a call last tried whether the window is longer
	run      float64 // refusals that calls served close to the edge should have brought since the last one
	pressure float64 // share of the calls offered that are asked
	refusals float64 // share of the calls offered that are refused
	lately   lately
}

func newMind(rate float64, shortest, longest time.Duration) mind {
	beliefs, bucket := grid(rate, shortest, longest)
	return mind{
		ring:    ring{bucket: bucket, charges: make([]charge, beliefs[0].buckets+1)},
		beliefs: beliefs, pressure: 1, refusals: -refusalCredit,
		lately: never,
	}
}

// weigh returns what a call weighs that is offered.
func (m *mind) weigh(cost Cost) charge {
	m.outputs.offer(cost)
	return m.outputs.charge(cost)
}

// fits reports whether a call is to be sent, by the belief that decides.
func (m *mind) fits(c *charge) bool { return m.beliefs[m.best].fits(m.way, c) }

// tries reports whether a call is to be sent that does not fit, because a longer window has room
// for it. An order that is seldom full would not learn otherwise that its window has grown: only a
// call that is served beyond the window tells, and few calls come close to it. It happens at most
// once in the shortest window, and not while other calls are refused.
func (m *mind) tries(c *charge) bool {
	if !m.idle() || !m.beliefs[0].fits(m.way, c) || m.current-m.tried <= m.beliefs[len(m.beliefs)-1].buckets {
		return false
	}
	m.tried = m.current
	return true
}

// idle reports whether the order is seldom full, so that calls may try.
func (m *mind) idle() bool { return m.refusals <= refusalIdle && m.pressure >= pressureIdle }

// offered notes that a call came, asked that it is sent.
func (m *mind) offered() {
	m.lately.offered++
	m.refusals *= 1 - refusalSpan
	m.pressure *= 1 - pressureSpan
}

func (m *mind) asked() { m.pressure += pressureSpan }

// note puts what every belief foresees for a call into o.
func (m *mind) note(o *outlook, c *charge) {
	for k := range m.beliefs {
		o.note(k, &m.beliefs[k], c)
	}
}

// learnServed learns from a call that was served with such an answer.
func (m *mind) learnServed(h *Hold, answer float64) {
	m.lately.served++
	m.outputs.observe(h.Cost, answer, &m.lately.means)
	pace := m.pace()
	if h.edge[m.way]>>m.best&1 != 0 {
		m.run += pace
	}
	for e, edges := range h.edge {
		for ; edges != 0; edges &= edges - 1 {
			k := bits.TrailingZeros64(edges)
			m.beliefs[k].accepted(e, h.over[e]>>k&1 != 0, pace, m.run)
		}
	}
	m.surprise(&h.over, surpriseOK)
}

// learnRefused learns from a call that was refused. It is fresh if it left after the last one that
// taught came back.
func (m *mind) learnRefused(h *Hold, fresh bool) {
	m.refusals = min(m.refusals+refusalSpan, refusalMost)
	if !fresh {
		m.surprise(&h.spare, surpriseStale)
		return
	}
	m.lately.lessons++
	m.run = 0
	for k := range m.beliefs {
		for e := range h.over {
			if h.over[e]>>k&1 == 0 {
				m.beliefs[k].refused(e, &h.charge, h.spare[e]>>k&1 != 0)
			}
		}
	}
	m.surprise(&h.spare, surpriseFull)
	m.surprise(&h.near, surpriseNear)
}

// pace returns how many refusals one edge call may bring. The budget counts all calls, so the fewer
// of them are asked the more each may risk; it slows as the budget is used up.
func (m *mind) pace() float64 {
	offered := min(1/max(m.pressure, 1/pressureMost), pressureMost)
	return refusalAim * offered * min(max(2*(1-m.refusals/refusalBudget), 0), 1)
}

// surprise adds surprise to the views in mask, and changes to another if that is clearly less
// surprised.
func (m *mind) surprise(mask *[estimators]uint64, weight float64) {
	if *mask == ([estimators]uint64{}) {
		return
	}
	m.lately.surprises++
	for k := range m.beliefs {
		for e := range m.beliefs[k].views {
			v := &m.beliefs[k].views[e]
			v.surprise *= memory
			if mask[e]>>k&1 != 0 {
				v.surprise += weight
			}
		}
	}
	m.choose()
}

// choose changes to the view with the least surprise if it is clearly less than that of the one
// believed.
func (m *mind) choose() {
	best, way := 0, 0
	for k := range m.beliefs {
		for e := range m.beliefs[k].views {
			if m.beliefs[k].views[e].surprise < m.beliefs[best].views[way].surprise {
				best, way = k, e
			}
		}
	}
	if m.beliefs[m.best].views[m.way].surprise > m.beliefs[best].views[way].surprise+conviction {
		m.best, m.way = best, way
	}
}
