package quota

import (
	"math"
	"time"
)

// What the ledger believes is a set of candidate windows that spans the documented range, each with its own
// view of the server. An answer that a candidate did not foresee surprises it; the candidate with the least
// surprise is believed.
//
// The server does not count a running call at its real cost but at an estimate of its own. Each candidate
// learns how that compares with the caller's estimate: its guess, a factor on what is open. It is the second
// unknown beside the window, and it moves, so it is never settled: a refusal raises it, calls accepted close
// to the edge lower it a little, so that refusals come at the pace the budget allows. Neither unknown can
// stand in for the other: a wrong window misjudges bursts, a wrong guess misjudges the mean.
//
// The constants were chosen by simulation (ledger_simulation_test.go), not derived.
const (
	candidates    = 64   // windows, as many as an outlook has bits: one that is 3 % off costs 3 % of the order
	bucketsPerMin = 200  // buckets in the shortest window
	bucketsPerMax = 2400 // buckets in the longest window, at most

	noise         = 0.015 // share of the capacity by which a forecast must be wrong to surprise, at most
	memory        = 0.98  // of past surprise, kept at each new one
	conviction    = 1.0   // how much less surprised another candidate must be to be believed instead
	surpriseOK    = 1.0   // accepted where refusal was foreseen
	surpriseFull  = 12.0  // refused where room was foreseen: rarer, and dearer
	surpriseStale = 1.0   // the same of a call that left before the last refusal came back

	still      = 0.009 // the same while nothing is open
	gridMargin = 0.006 // share of the capacity that is left free while nothing is open
	stir       = 0.1   // how much of what is open adds to it
	edge       = 0.05  // share of the capacity within which an accepted call was close
	guessMin   = 0.4
	guessMax   = 3.0
	guessStep  = 0.02 // by which a refusal raises a guess that was right within the noise
	guessJump  = 0.10 // by which a refusal raises it at most
	guessOver  = 0.01 // by which an acceptance that seemed impossible lowers it
	guessHaste = 5.0  // how much faster it falls the longer nothing is refused

	refusalAim    = 0.007 // share of the calls that may be refused
	refusalBudget = 0.009 // share of the calls refused at which the guess stops falling
	refusalSpan   = 0.001 // weight of one call in that share: it looks back over about a thousand
	pressureSpan  = 0.002 // weight of one call in the share of calls that are asked at all
	pressureMost  = 5.0   // calls offered for one asked, beyond which more pressure permits no more refusals

	millis     = 1000 // tokens are counted in thousandths, as integers, so that sums stay exact
	mostTokens = 1e12 // more than any call has, and far from overflow
)

// charge is what calls weigh: in all, and of that the running ones at the caller's estimate. In thousandths
// of a token.
type charge struct{ all, open int64 }

func (c *charge) add(d charge) {
	c.all += d.all
	c.open += d.open
}

func (c *charge) sub(d charge) {
	c.all -= d.all
	c.open -= d.open
}

type belief struct {
	buckets  int64   // length of the window
	capacity float64 // rate times window
	charge           // of the calls inside the window
	guess    float64
	margin   float64 // share of the capacity that is left free while nothing is open; 0 where the window is known
	run      float64 // edge acceptances since the last refusal, weighed by the refusals they should have brought
	surprise float64
}

// used is what the server has counted, by this belief.
func (b *belief) used() float64 { return float64(b.all-b.open) + b.guess*float64(b.open) }

// room is the share of the capacity that would be left with one more call. A window with nothing in it has
// room for all that is not larger than the capacity, whatever the guess: else a guess that is too high could
// never be corrected.
func (b *belief) room(cost int64) float64 {
	r := 1 - (b.used()+b.guess*float64(cost))/b.capacity
	if b.all == 0 && float64(cost) <= b.capacity {
		return max(r, 0)
	}
	return r
}

// fits reports whether a call of that cost is to be sent. What has ended is known exactly, but the window only to within the steps
// of the grid: that much of it is left free.
func (b *belief) fits(cost int64) bool {
	if b.all == 0 {
		return b.room(cost) >= 0
	}
	return b.room(cost) >= b.margin*float64(b.all-b.open)/b.capacity
}

// refused learns from a refusal of cost that was foreseen with room to spare, or else was within the noise.
func (b *belief) refused(cost int64, spare bool) {
	b.run = 0
	step := guessStep
	if spare {
		implied := (b.capacity - float64(b.all-b.open)) / max(float64(b.open+cost), 1)
		step = min(step+max(implied/b.guess-1, 0), guessJump)
	}
	b.guess = min(b.guess*(1+step), guessMax)
}

// accepted learns from a call that was served although no room was foreseen, or else close to the edge. pace
// is the refusals that such a call should bring on the average.
func (b *belief) accepted(impossible bool, pace float64) {
	b.run += pace
	step := guessStep * pace * (1 + guessHaste*b.run)
	if impossible {
		step = guessOver
	}
	b.guess = max(b.guess*(1-min(step, guessJump)), guessMin)
}

// outlook is what every candidate foresaw for one call, a bit each.
type outlook struct{ spare, edge, over uint64 }

func (o *outlook) note(k int, b *belief, cost int64) {
	bit := uint64(1) << k
	room := b.room(cost)
	// Little is uncertain while little is open: then the window alone is judged, as finely as its buckets allow.
	noise := min(noise, still+stir*float64(b.open+cost)/b.capacity)
	if room < edge {
		o.edge |= bit
	}
	if room > noise {
		o.spare |= bit
	}
	if room < -noise {
		o.over |= bit
	}
}

// grid returns candidates over the range of windows, the longest first, and the bucket their lengths are
// counted in.
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
		beliefs[k] = belief{buckets: buckets, capacity: rate * millis * (time.Duration(buckets) * bucket).Seconds(), guess: 1, margin: margin}
	}
	return beliefs, bucket
}
