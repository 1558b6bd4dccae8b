package quota

// How Google estimates the answer of a running call is not published: a steady figure, or the mean
// of recent answers? An estimator is one such way, as its mean over so many answers. All are tried,
// and the one that foresees refusals best is believed.
//
// Where calls of one kind follow each other the shortest mean and the longest differ by a fifth,
// and while most of a window is open that is a large part of the order: a ledger with only one
// estimator serves 0.93 of it where the server's memory is another.
type estimator struct {
	memory float64 // answers
	mean   float64 // what they cost, in tokens; at first what the caller expects
}

const estimators = 3

// memories are far enough apart to differ, and close enough that whatever memory the server has is
// near one. The longest hardly moves while an order is new and the first answers to end are the
// short ones.
var memories = [estimators]float64{1000, 80, 20}

// offerSpan is over how many calls the caller's estimates are averaged.
const offerSpan = 64

// outputs foresees answers in every way at once.
type outputs struct {
	ways    [estimators]estimator
	offered float64 // mean of the caller's recent estimates
}

// offer notes the caller's estimate of an answer.
func (o *outputs) offer(tokens float64) {
	tokens = float64(thousandths(tokens)) / millis
	switch {
	case tokens == 0: // it answers nothing, as embeddings do
	case o.offered == 0:
		o.offered = tokens
		for e := range o.ways {
			o.ways[e] = estimator{memories[e], tokens}
		}
	default:
		o.offered += (tokens - o.offered) / offerSpan
	}
}

// observe notes what an answer cost.
func (o *outputs) observe(tokens float64) {
	tokens = float64(thousandths(tokens)) / millis
	for e := range o.ways {
		if w := &o.ways[e]; w.memory > 0 {
			w.mean += (tokens - w.mean) / w.memory
		}
	}
}

// charge is what a call weighs before it has ended. An answer that the caller expects to be larger
// than its usual ones, or that it bounds, is larger or smaller in the same proportion in every way.
func (o *outputs) charge(c Cost) charge {
	r := charge{known: thousandths(c.Input)}
	for e := range o.ways {
		scale := 1.0 // nothing was offered yet
		if o.offered > 0 {
			scale = o.ways[e].mean / o.offered
		}
		r.open[e] = thousandths(c.Output * scale)
	}
	return r
}
