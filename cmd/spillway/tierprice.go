package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
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

// Which calls of those that name no service tier go to an endpoint, if not all.
const (
	callsInteractive = "interactive"
	callsBatch       = "batch"
	callsNamed       = "named" // none: only those that name its tier
)

// callsTo says it of an endpoint on demand; "" of others, and if all do. See [pool.Project].
func callsTo(cfg *config.Config, e *pool.Endpoint) string {
	tier := map[pool.Traffic]string{
		pool.TrafficFlex: pool.TierFlex, pool.TrafficOnDemand: pool.TierStandard, pool.TrafficPriority: pool.TierPriority,
	}[e.Traffic]
	p := projectOf(cfg, e.Project)
	if tier == "" || p == nil {
		return ""
	}
	interactive, batch := p.OnDemand, p.BatchOnDemand
	if len(interactive) == 0 {
		interactive = []string{pool.TierStandard}
	}
	if len(batch) == 0 {
		batch = slices.DeleteFunc(slices.Clone(interactive), func(t string) bool { return t == pool.TierPriority })
	}
	if len(batch) == 0 {
		batch = interactive
	}
	switch first, second := slices.Contains(interactive, tier), slices.Contains(batch, tier); {
	case first && second:
		return ""
	case first:
		return callsInteractive
	case second:
		return callsBatch
	default:
		return callsNamed
	}
}

// projectOf returns a project of a file; nil if there is none of that name.
func projectOf(cfg *config.Config, name string) *pool.Project {
	i := slices.IndexFunc(cfg.Pool.Projects, func(p pool.Project) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &cfg.Pool.Projects[i]
}
