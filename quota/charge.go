package quota

import "github.com/spillway-go/spillway/store"

const (
	millis     = 1000 // tokens are counted in thousandths, as integers, so that sums stay exact
	mostTokens = 1e12 // more than any call has, and far from overflow
)

// charge is what calls weigh, in thousandths of a token. It is what replicas share of an order.
type charge struct {
	known int64             // calls that have ended, and the prompts of running calls
	open  [estimators]int64 // the responses to running calls, by each estimator
}

func (c *charge) add(d charge) {
	c.known += d.known
	for e := range c.open {
		c.open[e] += d.open[e]
	}
}

func (c *charge) sub(d charge) {
	c.known -= d.known
	for e := range c.open {
		c.open[e] -= d.open[e]
	}
}

// settled is ended for a call that was served at a cost.
func (c charge) settled(cost Cost) charge {
	return c.ended(thousandths(cost.Input) + thousandths(cost.Output))
}

// ended is what is to be added when a call ends at a cost, in place of what it weighed before.
func (c charge) ended(cost int64) charge {
	d := charge{known: cost}
	d.sub(c)
	return d
}

// shared returns c as the store has it.
func (c charge) shared() store.Charge { return store.Charge{Known: c.known, Open: c.open} }

func unshared(c store.Charge) charge { return charge{c.Known, c.Open} }

func thousandths(tokens float64) int64 {
	if !(tokens > 0) {
		return 0
	}
	return int64(min(tokens, mostTokens) * millis)
}
