package quota

import (
	"math"

	"github.com/spillway-go/spillway/store"
)

// What replicas share of what a ledger has learned is a row of numbers: the surprise of every view,
// the logarithm of its guess, the means of answers, and what mind counts. All that a ledger does
// with one of them is to keep a share of it and add something. So replicas learn alone, and what
// they have learned is put together in any order.
const evidenceCounts = 3 // numbers of mind: pressure, refusals, run

// lately is what has happened to a mind since its evidence was last given away. It tells what share
// of each number was kept.
type lately struct {
	offered, served    int64
	surprises, lessons int64
	means              [estimators]float64 // share kept of each
}

// never is lately when nothing has happened.
var never = lately{means: [estimators]float64{1, 1, 1}}

// evidence appends all that m has learned to x.
func (m *mind) evidence(x []float64) []float64 {
	for k := range m.beliefs {
		for e := range m.beliefs[k].views {
			x = append(x, m.beliefs[k].views[e].surprise)
		}
	}
	for k := range m.beliefs {
		for e := range m.beliefs[k].views {
			x = append(x, math.Log(m.beliefs[k].views[e].guess))
		}
	}
	for e := range m.outputs.ways {
		x = append(x, m.outputs.ways[e].mean)
	}
	return append(x, m.pressure, m.refusals, m.run)
}

// bound brings evidence within the bounds that m keeps. What is cut off must not look like something
// that was learned here.
func (m *mind) bound(x []float64) {
	views := len(m.beliefs) * estimators
	for i, guess := range x[views : 2*views] {
		x[views+i] = min(max(guess, math.Log(guessMin)), math.Log(guessMax))
	}
	refusals := &x[len(x)-2]
	*refusals = min(*refusals, refusalMost)
}

// believe puts evidence in the place of what m has learned.
func (m *mind) believe(x []float64) {
	views := len(m.beliefs) * estimators
	for k := range m.beliefs {
		for e := range m.beliefs[k].views {
			i := k*estimators + e
			m.beliefs[k].views[e] = view{surprise: x[i], guess: math.Exp(x[views+i])}
		}
	}
	x = x[2*views:]
	for e := range m.outputs.ways {
		m.outputs.ways[e].mean = x[e]
	}
	x = x[estimators:]
	m.pressure, m.refusals, m.run = x[0], x[1], x[2]
	m.choose()
}

// numbers returns how many numbers the evidence has.
func (m *mind) numbers() int { return 2*len(m.beliefs)*estimators + estimators + evidenceCounts }

// shifts returns what has happened to evidence since it was from: keeps shares of it, and adds the
// rest. It changes to, which is what from has become, into what is added.
func (l *lately) shifts(from, to []float64) []store.Shift {
	views := (len(to) - estimators - evidenceCounts) / 2
	parts := make([]store.Shift, 0, 2+estimators+evidenceCounts)
	part := func(n int, keep float64) {
		for i := range n {
			to[i] -= keep * from[i]
		}
		parts = append(parts, store.Shift{Keep: keep, Add: to[:n:n]})
		from, to = from[n:], to[n:]
	}
	part(views, math.Pow(memory, float64(l.surprises)))
	part(views, 1)
	for e := range l.means {
		if from[0] == 0 { // the first expectation, which other ledgers also had
			part(1, 0)
		} else {
			part(1, l.means[e])
		}
	}
	part(1, math.Pow(1-pressureSpan, float64(l.offered)))
	part(1, math.Pow(1-refusalSpan, float64(l.offered)))
	if l.lessons > 0 {
		part(1, 0)
	} else {
		part(1, 1)
	}
	return parts
}

// seeds returns evidence as shifts of nothing.
func seeds(x []float64) []store.Shift { return []store.Shift{{Add: x}} }

// shift applies parts to x.
func shift(x []float64, parts []store.Shift) {
	for _, p := range parts {
		for i, add := range p.Add {
			x[i] = p.Keep*x[i] + add
		}
		x = x[len(p.Add):]
	}
}
