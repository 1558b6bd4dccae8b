package metrics

import (
	"github.com/spillway-go/spillway/internal/observed"
)

// The metrics of Provisioned Throughput orders. Tokens are at the order's burndown rates.
var (
	orderCapacity = gauge("order_capacity_tokens", "Tokens that the order has in its enforcement window.", orderLabels...)
	orderUsed     = gauge("order_used_tokens", "Tokens of the order that are used in its enforcement window.", orderLabels...)
	orderRatio    = gauge("order_used_ratio", "Share of the order that is used.", orderLabels...)
	orderServed   = counter("order_served_total", "Calls that the order served.", orderLabels...)
	orderRefused  = counter("order_refused_total", "Calls that the order refused.", orderLabels...)
	orderBypassed = counter("order_bypassed_total", "Calls for the order that were served on demand.", orderLabels...)
	orderFailed   = counter("order_failed_total", "Answers of the order with 5XX, below the purchase or above it.", append(orderLabels, "purchase")...)
	orderSpilled  = counter("order_spilled_tokens_total", "Tokens served on demand that a larger order would have taken.", orderLabels...)

	orderLabels = []string{"project", "location", "model"}
)

func (s snapshot) orders() {
	type series struct{ project, location, model string }
	seen := make(map[series]bool)
	for i := range s.stat.Endpoints {
		e := &s.stat.Endpoints[i]
		if e.Order == nil {
			continue
		}
		at := observed.PlaceOf(e.Endpoint)
		of := series{at.Project, at.Location, observed.Text(e.OrderModel)}
		if seen[of] { // versions of a model, and methods, share the order
			continue
		}
		seen[of] = true
		send := func(m metric, v float64) { s.send(m, v, of.project, of.location, of.model) }
		if !e.OrderOut {
			send(orderCapacity, e.Order.Capacity)
			send(orderUsed, e.Order.Used)
		}
		if e.Order.Capacity > 0 && !e.OrderOut {
			send(orderRatio, e.Order.Used/e.Order.Capacity)
		}
		send(orderServed, float64(e.Order.ServedCount))
		send(orderRefused, float64(e.Order.RefusedCount))
		send(orderBypassed, float64(e.BypassedCount))
		s.send(orderFailed, float64(e.Faults.BelowCount), of.project, of.location, of.model, "below")
		s.send(orderFailed, float64(e.Faults.AboveCount), of.project, of.location, of.model, "above")
		send(orderSpilled, float64(e.SpilledTokenCount))
	}
}
