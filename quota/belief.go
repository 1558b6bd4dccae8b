package quota

import (
	"math"
	"time"
)

// What the ledger believes is a set of candidate windows that spans the documented range, each with
// its own view of the server. An answer that a candidate did not foresee surprises it; the
// candidate with the least surprise is believed.
//
// The server does not count the answer of a running call at its real cost but at an estimate of its
// own. Each candidate learns, for each [estimator], how the two compare: its guess, a factor on
// what is open. It is the second unknown beside the window, and it moves, so it is never settled: a
// refusal raises it, calls accepted close to the edge lower it a little, so that refusals come at
// the pace the budget allows. Neither unknown can stand in for the other: a wrong window misjudges
// bursts, a wrong guess misjudges the mean.
//
// The constants were chosen by simulation (internal/quotasim), not derived.
const (
	candidates    = 64   // windows, as many as an outlook has bits: one that is 3 % off costs 3 % of the order
	bucketsPerMin = 200  // buckets in the shortest window
	bucketsPerMax = 2400 // buckets in the longest window, at most

	noise         = 0.015 // share of the capacity by which a forecast must be wrong to surprise, at most
	memory        = 0.98  // of past surprise, kept at each new one
	conviction    = 1.0   // how much less surprised another candidate must be to be believed instead
	surpriseOK    = 1.0   // accepted where refusal was foreseen
	surpriseFull  = 12.0  // refused where room was foreseen: rarer, and dearer
	surpriseNear  = 1.0   // refused where the forecast was within the noise, and little is open
	surpriseStale = 1.0   // the same of a call that left before the last refusal came back

	still      = 0.009 // the same while nothing is open
	gridMargin = 0.006 // share of the capacity that is left free while nothing is open
	stir       = 0.1   // how much of what is open adds to it
	edge       = 0.08  // share of the capacity within which an accepted call was close
	guessMin   = 0.4
	guessMax   = 3.0
	guessStep  = 0.02 // by which a refusal raises a guess that was right within the noise
	guessJump  = 0.10 // by which a refusal raises it at most
	guessOver  = 0.01 // by which an acceptance that seemed impossible lowers it
	guessHaste = 5.0  // how much faster it falls the longer nothing is refused

	refusalAim    = 0.007  // share of the calls that may be refused
	refusalBudget = 0.0085 // share of the calls refused at which the guess stops falling
	refusalMost   = 0.01   // the most that share is: a change of the window costs many at once, and must not stop the guess for long
	refusalIdle   = 0.002  // share of the calls refused up to which a call may try whether the window is longer
	refusalSpan   = 0.0005 // weight of one call in that share: it looks back over about two thousand
	refusalCredit = 0.002  // by which it begins below zero: finding the window costs refusals, which must not stop what follows
	pressureSpan  = 0.002  // weight of one call in the share of calls that are asked at all
	pressureIdle  = 0.8    // share of the calls asked from which a call may try that
	pressureMost  = 5.0    // calls offered for one asked, beyond which more pressure permits no more refusals
)

type belief struct {
	buckets  int64   // length of the window
	capacity float64 // rate times window
	share    float64 // 1/capacity: what one thousandth of a token is of it
	charge           // of the calls inside the window
	margin   float64 // share of the capacity that is left free while nothing is open; 0 where the window is known
	views    [estimators]view
}

// view is what one estimator makes of one window.
type view struct {
	guess    float64
	surprise float64
}

func (b *belief) empty() bool { return b.known == 0 && b.open[0] == 0 }

// used is what the server has counted, by this belief.
func (b *belief) used(e int) float64 { return float64(b.known) + b.views[e].guess*float64(b.open[e]) }

// room is the share of the capacity that would be left with one more call. A window with nothing in
// it has room for every call that is not larger than the capacity, whatever the guess. Otherwise a
// guess that is too high could never be corrected.
func (b *belief) room(e int, c *charge) float64 {
	r := 1 - (float64(b.known+c.known)+b.views[e].guess*float64(b.open[e]+c.open[e]))*b.share
	if r < 0 && b.empty() && float64(c.known+c.open[e]) <= b.capacity {
		return 0
	}
	return r
}

// fits reports whether a call is to be sent. What is known is exact, but the window only to within
// the steps of the grid: that much of it is left free.
func (b *belief) fits(e int, c *charge) bool {
	return b.room(e, c) >= b.margin*float64(b.known)*b.share
}

// refused learns from a refusal that was foreseen with room to spare, or else was within the noise.
func (b *belief) refused(e int, c *charge, spare bool) {
	v := &b.views[e]
	step := guessStep
	if spare {
		implied := (b.capacity - float64(b.known+c.known)) / max(float64(b.open[e]+c.open[e]), 1)
		step = min(step+max(implied/v.guess-1, 0), guessJump)
	}
	v.guess = min(v.guess*(1+step), guessMax)
}

// accepted learns from a call that was served although no room was foreseen, or else close to the
// edge. pace is the refusals that such a call should bring on the average, run those that should have come
// since the last one.
func (b *belief) accepted(e int, impossible bool, pace, run float64) {
	v := &b.views[e]
	step := guessStep * pace * (1 + guessHaste*run)
	if impossible {
		step = guessOver
	}
	v.guess = max(v.guess*(1-min(step, guessJump)), guessMin)
}

// outlook is what every candidate foresaw for one call by every estimator, a bit each: room to
// spare, none, or so little of either that it could be wrong (near), and whether the call was close
// to the edge.
type outlook struct{ spare, edge, over, near [estimators]uint64 }

func (o *outlook) note(k int, b *belief, c *charge) {
	bit := uint64(1) << k
	for e := range o.edge {
		room := b.room(e, c)
		if room >= edge {
			o.spare[e] |= bit
			continue
		}
		o.edge[e] |= bit
		// Little is uncertain while little is open: then the window alone is judged, as finely as
		// its buckets allow.
		open := stir * float64(b.open[e]+c.open[e]) * b.share
		switch noise := min(noise, still+open); {
		case room > noise:
			o.spare[e] |= bit
		case room < -noise:
			o.over[e] |= bit
		case still+open <= noise: // else answers to come explain a refusal as well as the window does
			o.near[e] |= bit
		}
	}
}

// grid returns candidates over the range of windows, the longest first, and the bucket their
// lengths are counted in.
func grid(rate float64, shortest, longest time.Duration) ([]belief, time.Duration) {
	bucket := max(shortest/bucketsPerMin, longest/bucketsPerMax, 1)
	n, margin := 1, 0.0
	if longest > shortest {
		n, margin = candidates, gridMargin
	}
	beliefs := make([]belief, n)
	for k := range beliefs {
		w := float64(longest) * math.Pow(float64(shortest)/float64(longest), float64(k)/max(float64(n-1), 1))
		buckets := int64(math.Round(w / float64(bucket)))
		capacity := rate * millis * (time.Duration(buckets) * bucket).Seconds()
		beliefs[k] = belief{buckets: buckets, capacity: capacity, share: 1 / capacity, margin: margin}
		for e := range beliefs[k].views {
			beliefs[k].views[e].guess = 1
		}
	}
	return beliefs, bucket
}
