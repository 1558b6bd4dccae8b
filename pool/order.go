package pool

import (
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
)

// order is one Provisioned Throughput order.
type order struct {
	Order
	*lot

	ledger   orderLedger   // one of the two:
	alone    *quota.Ledger // of this process
	common   *commonOrder  // that a fleet shares
	evidence orderEvidence
	bypassed onceFlag // a call for it was served on demand, which was reported
	alert    usageAlert
}

// unknownRow is what to write in an order for a model that the table of package quota does not have.
const unknownRow = "write tokens_per_second = GSUs × the throughput in Google's table, and its rates: burndown = { output = 6 }"

func newOrder(o Order) (*order, error) {
	ledger, err := quota.NewLedger(o.quota())
	o.From, o.Until = time.Time{}, time.Time{} // a reload may change them: an endpoint has them
	return &order{Order: o, ledger: ledger, alone: ledger}, err
}

// quota returns the order in the words of package quota.
func (o *Order) quota() quota.Order {
	return quota.Order{
		Model: o.Model, GSUs: o.GSUs, TokensPerSecond: o.TokensPerSecond, Burndown: o.Burndown, Window: o.Window,
	}
}

// cost is what a call burns of the order, as estimated.
func (o *order) cost(n *need) quota.Cost {
	c := o.ledger.Cost(n.usage())
	if n.Output > 0 {
		c.Usual = c.Output * float64(n.Usual) / float64(n.Output) // of the same modalities
	}
	return c
}

// spill counts a call that was served on demand for lack of room in the order.
func (o *order) spill(u quota.Usage) {
	cost := o.ledger.Cost(u)
	o.spilledTokens.Add(int64(cost.Input + cost.Output))
}

// same reports whether nothing of an order has changed but for its time.
func (o *order) same(other *Order) bool {
	mine := o.Order
	mine.From, mine.Until = other.From, other.Until
	if mine.Burndown != nil && other.Burndown != nil && *mine.Burndown == *other.Burndown {
		mine.Burndown = other.Burndown
	}
	return mine == *other
}

const (
	// orderProven is how long an answer proves that an order exists. Google refuses alike for a
	// full order and for one that does not exist.
	orderProven = 5 * time.Minute
	// An order that has never served is reported once it has refused so many calls over so much
	// time: longer than the longest enforcement window of text models, in which a real order has
	// room again.
	unconfirmedCalls = 5
	unconfirmedAfter = 2 * time.Minute
)

// orderEvidence is what is known of whether an order exists. Only an answer that it served proves
// that.
type orderEvidence struct {
	served  atomic.Int64 // instant of the last answer by the order, plus one; zero: none yet
	spilled atomic.Int64 // the same of the last one on demand to a call that was for the order
	refused atomic.Int64 // instant of the first call that it did not serve, plus one; zero: none yet
	calls   atomic.Int64 // calls that it did not serve
	told    onceFlag
}

// proven reports whether the order has served a call lately.
func (o *orderEvidence) proven(at int64) bool {
	served := o.served.Load()
	return served > 0 && at-served < int64(orderProven)
}

// serve notes that the order has served a call.
func (o *orderEvidence) serve(at int64) { o.served.Store(at + 1) }

// refuse notes that the order has refused a call. It reports the first time that this is enough to
// doubt that the order exists.
func (o *orderEvidence) refuse(at int64) bool {
	if o.served.Load() > 0 {
		return false
	}
	o.refused.CompareAndSwap(0, at+1)
	o.calls.Add(1)
	return o.unconfirmed(at) && o.told.first()
}

// unconfirmed reports whether the order has refused enough to be doubted, and served nothing.
func (o *orderEvidence) unconfirmed(at int64) bool {
	return o.served.Load() == 0 && o.calls.Load() >= unconfirmedCalls && at-o.refused.Load() >= int64(unconfirmedAfter)
}

// spill notes that a call that was for the order was served on demand.
func (o *orderEvidence) spill(at int64) { o.spilled.Store(at + 1) }

// bypassed says what shows that the order does not serve the calls that are for it; "" if nothing
// does.
func (o *orderEvidence) bypassed(at int64) string {
	switch {
	case o.spilled.Load() > o.served.Load():
		return "calls for the order are served on demand"
	case o.unconfirmed(at):
		return "the order has not served a single call yet"
	default:
		return ""
	}
}

// cause is why the order refuses calls.
func (o *orderEvidence) cause(at int64) remedy.Cause {
	if o.bypassed(at) != "" {
		return remedy.OrderBypassed
	}
	return remedy.OrderFull
}

// onceFlag is true the first time that it is asked.
type onceFlag struct{ done atomic.Bool }

func (o *onceFlag) first() bool { return !o.done.Load() && o.done.CompareAndSwap(false, true) }

// alertAgain is how long an alert does not repeat: a minute's quota may pass a threshold every
// minute.
const alertAgain = time.Hour

// thresholds are the shares of a quota or an order at which an operator should know.
var thresholds = [...]float64{0.8, 0.9}

// usageAlert tells, at most once an hour, that the use of something has passed a threshold.
type usageAlert struct {
	told [len(thresholds)]atomic.Int64 // instant of the last alert, plus one; zero: never
}

// passed returns the highest threshold that a use has passed and that was not reported lately, or
// zero.
func (a *usageAlert) passed(at int64, used float64) float64 {
	highest := 0.0
	for i, t := range thresholds {
		if used < t {
			break
		}
		last := a.told[i].Load()
		if (last == 0 || at+1-last >= int64(alertAgain)) && a.told[i].CompareAndSwap(last, at+1) {
			highest = t
		}
	}
	return highest
}
