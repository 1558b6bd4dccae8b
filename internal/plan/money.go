package plan

import (
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/quota"
)

// costSpan is for how long costs are shown.
const costSpan = 30 * 24 * time.Hour

// prices fills in what everything costs. total is what all calls burn down.
func (a *Answer) prices(total float64) {
	scale := 0.0 // from the span of the calls to that of the costs
	if a.Span > 0 {
		scale = costSpan.Seconds() / a.Span.Seconds()
	}
	a.OnDemand = a.byToken(nil, scale)
	var least Money
	for i := range a.Sizes {
		s := &a.Sizes[i]
		s.Order = a.bought(s.GSUs)
		s.Spilled = a.byToken(s.worse().spilled, scale)
		if s.worse().SpilledTokens == 0 {
			s.Spilled = Money{0, a.OnDemand.Known}
		}
		s.Total = s.Order.plus(s.Spilled)
		if s.Total.Known && s.Total.USD < a.OnDemand.USD && (!least.Known || s.Total.USD < least.USD) {
			least, a.Cheapest = s.Total, s.GSUs
		}
	}
	if gsu := a.bought(1); gsu.Known && a.OnDemand.Known && total > 0 && a.OnDemand.USD > 0 {
		perToken := a.OnDemand.USD / (total * scale)
		a.BreakEven = gsu.USD / (perToken * a.PerGSU * costSpan.Seconds())
	}
}

// bought is what an order costs.
func (a *Answer) bought(gsus int) Money {
	o, ok := a.Prices.Order(a.Term, a.Location)
	if !ok {
		return Money{}
	}
	return Money{o.USD * float64(gsus) * costSpan.Hours() / 24 / a.Term.Days(), true}
}

// byToken is what calls cost on demand: those with the numbers, or all where there are none.
func (a *Answer) byToken(numbers []int32, scale float64) Money {
	usd := 0.0
	add := func(c *demand.Call) bool {
		one, ok := a.Prices.Call(a.Model, price.Standard, a.Location, c.At, c.Usage)
		usd += one
		return ok
	}
	if numbers == nil {
		for i := range a.Calls {
			if !add(&a.Calls[i]) {
				return Money{}
			}
		}
	}
	for _, n := range numbers {
		if !add(&a.Calls[n]) {
			return Money{}
		}
	}
	return Money{usd * scale, scale > 0}
}

// cheaper is u with more of the prompt cached, or a shorter response.
func cheaper(u quota.Usage, cached, output float64) quota.Usage {
	u.Cached = max(u.Cached, int64(cached*float64(u.Input)))
	u.Output = int64(output * float64(u.Output))
	return u
}
