package plan

import (
	"iter"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/quota"
)

// costSpan is for how long costs are shown.
const costSpan = 30 * 24 * time.Hour

// prices fills in what everything costs. total is what all calls burn down.
func (a *Answer) prices(total float64) {
	a.Once, a.OnDemand = a.once(price.Standard, a.all), a.byToken(price.Standard, a.all)
	var least Money
	for i := range a.Sizes {
		s := &a.Sizes[i]
		s.Order = a.bought(s.GSUs)
		s.Spilled = a.byToken(price.Standard, a.numbered(s.worse().spilled))
		s.Total = s.Order.plus(s.Spilled)
		if s.Total.Known && s.Total.USD < a.OnDemand.USD && (!least.Known || s.Total.USD < least.USD) {
			least, a.Cheapest = s.Total, s.GSUs
		}
	}
	if gsu := a.bought(1); gsu.Known && a.OnDemand.Known && total > 0 && a.OnDemand.USD > 0 {
		perToken := a.OnDemand.USD / (total * spanScale(a.Calls))
		a.BreakEven = gsu.USD / (perToken * a.PerGSU * costSpan.Seconds())
	}
}

// WithOrder is what the recommended order costs in 30 days. It is not known if there is none.
func (a *Answer) WithOrder() Money {
	if a.Recommended == 0 {
		return Money{}
	}
	return a.bought(a.Recommended)
}

// bought is what an order costs.
func (a *Answer) bought(gsus int) Money {
	o, ok := a.Prices.Order(a.Term, a.Location)
	if !ok {
		return Money{}
	}
	return Money{o.USD * float64(gsus) * costSpan.Hours() / 24 / a.Term.Days(), true}
}

// leastSpan is the shortest span of calls that says anything of costSpan.
const leastSpan = time.Minute

// spanScale is the span of the costs, as a multiple of that of calls; zero if that is too short.
func spanScale(calls []demand.Call) float64 {
	_, span := (&demand.Log{Calls: calls}).Span()
	if span < leastSpan {
		return 0
	}
	return costSpan.Seconds() / span.Seconds()
}

// all are all calls.
func (a *Answer) all(yield func(demand.Call) bool) {
	for i := range a.Calls {
		if !yield(a.Calls[i]) {
			return
		}
	}
}

// numbered are the calls with some numbers.
func (a *Answer) numbered(numbers []int32) iter.Seq[demand.Call] {
	return func(yield func(demand.Call) bool) {
		for _, n := range numbers {
			if !yield(a.Calls[n]) {
				return
			}
		}
	}
}

// byToken is what calls cost at a service tier in the span of costs. It is known if all calls have a
// price there.
func (a *Answer) byToken(tier price.Tier, calls iter.Seq[demand.Call]) Money {
	once, scale := a.once(tier, calls), spanScale(a.Calls)
	if !once.Known || scale == 0 {
		return Money{}
	}
	return Money{once.USD * scale, true}
}

// once is what calls themselves cost at a service tier.
func (a *Answer) once(tier price.Tier, calls iter.Seq[demand.Call]) Money {
	_, known := a.Prices.Call(a.Model, tier, a.Location, a.Calls[0].At, quota.Usage{})
	usd := 0.0
	for c := range calls {
		one, ok := a.Prices.Call(a.Model, tier, a.Location, c.At, c.Usage)
		if known = known && ok; !known {
			break
		}
		usd += one
	}
	if !known {
		return Money{}
	}
	return Money{usd, true}
}

// cheaper is u with more of the prompt cached, or a shorter response.
func cheaper(u quota.Usage, cached, output float64) quota.Usage {
	u.Cached = max(u.Cached, int64(cached*float64(u.Input)))
	u.Output = int64(output * float64(u.Output))
	return u
}
