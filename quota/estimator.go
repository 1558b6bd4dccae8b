package quota

import "github.com/spillway-go/spillway/store"

// How Google estimates the answer of a running call is not published: a steady figure, or the mean
// of recent answers? An estimator is one such way, as its mean over so many answers. All are tried,
// and the one that foresees refusals best is believed.
//
// Where calls of one kind follow each other the shortest mean and the longest differ by a fifth,
// and while most of a window is open that is a large part of the order: a ledger with only one
// estimator serves 0.93 of it where the server's memory is another.
type estimator struct {
	mean float64 // what answers cost, in tokens; at first what the caller expects
}

const estimators = store.Estimates

// memories are far enough apart to differ, and close enough that whatever memory the server has is
// near one. The longest hardly moves while an order is new and the first answers to end are the
// short ones.
var memories = [estimators]float64{1000, 60, 16}

// outputs foresees answers in every way at once.
type outputs struct {
	ways [estimators]estimator
}

// offer notes what a call is expected to answer.
func (o *outputs) offer(c Cost) {
	usual := c.usual()
	if usual == 0 || o.ways[0].mean > 0 { // it answers nothing, as embeddings do, or there are means
		return
	}
	for e := range o.ways {
		o.ways[e] = estimator{usual}
	}
}

// observe notes what an answer cost of which c was expected. An answer that was expected to be so
// many usual ones counts as many. It multiplies keeps by the share that each mean keeps of itself.
func (o *outputs) observe(c Cost, tokens float64, keeps *[estimators]float64) {
	usual := c.usual()
	if usual == 0 {
		return
	}
	answers := c.output() / usual
	tokens = float64(thousandths(tokens)) / millis / answers
	for e := range o.ways {
		w := &o.ways[e]
		step := min(answers/memories[e], 1)
		w.mean += (tokens - w.mean) * step
		keeps[e] *= 1 - step
	}
}

// charge is what a call weighs before it has ended. An answer that the caller expects to be larger
// than its usual ones, or that it bounds, is larger or smaller in the same proportion in every way.
func (o *outputs) charge(c Cost) charge {
	r := charge{known: thousandths(c.Input)}
	usual := c.usual()
	if usual == 0 {
		return r
	}
	answers := c.output() / usual
	for e := range o.ways {
		mean := o.ways[e].mean
		if mean == 0 { // it was never offered a call: as offer would have it
			mean = usual
		}
		r.open[e] = thousandths(answers * mean)
	}
	return r
}
