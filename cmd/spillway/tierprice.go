package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/plan"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// tierPrice is what calls cost at a service tier of pay-as-you-go.
type tierPrice struct {
	Factor float64 `json:"factor"`               // of the standard price in global
	Input  float64 `json:"input_usd,omitempty"`  // dollars for a million tokens; absent: not known
	Output float64 `json:"output_usd,omitempty"` // the same
}

// priceOf returns the price of an endpoint on demand. It is false for an order, and for a service tier
// without a price.
func priceOf(model string, e *pool.Endpoint, at time.Time) (p tierPrice, ok bool) {
	tier, location, sold := plan.TierOf(e)
	if !sold {
		return p, false
	}
	table := price.BuiltIn()
	if p.Factor, ok = table.Factor(tier, location, at); !ok {
		return p, false
	}
	million := func(thousand quota.Usage) float64 { // of a short prompt: long ones may cost more
		usd, _ := table.Call(model, tier, location, at, thousand)
		return math.Round(usd*1e9) / 1e6
	}
	p.Input, p.Output = million(quota.Usage{Input: 1e3}), million(quota.Usage{Output: 1e3})
	p.Factor = math.Round(p.Factor*1e6) / 1e6
	return p, true
}

// words says it for a person.
func (p tierPrice) words() string {
	text := "the standard price"
	if p.Factor != 1 {
		text = strconv.FormatFloat(p.Factor, 'f', -1, 64) + " × the standard price"
	}
	if p.Input > 0 && p.Output > 0 {
		text += fmt.Sprintf(": $%s in, $%s out a million tokens", perMillion(p.Input), perMillion(p.Output))
	}
	return text
}

// perMillion writes an amount with two decimals, or more where it is small.
func perMillion(usd float64) string {
	text := strconv.FormatFloat(usd, 'f', 4, 64)
	whole, cents, _ := strings.Cut(text, ".")
	for len(cents) > 2 && strings.HasSuffix(cents, "0") {
		cents = cents[:len(cents)-1]
	}
	return whole + "." + cents
}

// hasLadder reports whether a plan has service tiers to choose from.
func hasLadder(tiers [][]pool.Endpoint) bool {
	return slices.ContainsFunc(slices.Concat(tiers...), func(e pool.Endpoint) bool {
		return e.Traffic == pool.TrafficFlex || e.Traffic == pool.TrafficPriority
	})
}

// rung says which calls of those that name no service tier go to an endpoint. Batch calls ask flex
// before endpoints of earlier tiers, see [router.Call.Priority].
func rung(e *pool.Endpoint, interactive, batch bool) string {
	switch {
	case interactive && batch:
		return ""
	case interactive:
		return "interactive calls"
	case batch && e.Traffic == pool.TrafficFlex:
		return "batch calls first"
	case batch:
		return "batch calls"
	default:
		return "calls that name it"
	}
}

// mayServe returns the endpoints of a plan that its call may go to, now or later. A reason without a
// cause is of the call itself.
func mayServe(p pool.Plan) map[string]bool {
	all := make(map[string]bool)
	for _, e := range slices.Concat(p.Tiers...) {
		all[e.Name] = true
	}
	for _, r := range p.Reasons {
		all[r.Endpoint] = r.Cause != ""
	}
	return all
}
