package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
)

// Step is a service tier of pay-as-you-go that is sold where the order is, with its price.
type Step struct {
	Tier   string  // as in on_demand: flex, standard or priority
	Factor float64 // of the standard price in global; zero if it is not known
	// All is what all calls cost at the tier, and Spilled what spills of the recommended order, or else
	// of the largest one.
	All, Spilled Money
}

// tiers are the service tiers as prices have them.
var tiers = map[pool.Traffic]price.Tier{
	pool.TrafficFlex: price.Flex, pool.TrafficOnDemand: price.Standard, pool.TrafficPriority: price.Priority,
}

// TierOf returns the service tier at which an endpoint's calls are paid by the token, and the location
// that its price depends on. Not ok if they are not paid so: the endpoint is for an order.
func TierOf(e *pool.Endpoint) (tier price.Tier, location string, ok bool) {
	tier, ok = tiers[e.Traffic]
	if location = e.Location; e.Backend == pool.BackendGemini {
		location = "" // it has none
	}
	return tier, location, ok
}

// Check reports whether an order may be bought in the location, as far as its name tells.
func (b *Buy) Check() error {
	_, err := b.sold()
	return err
}

// sold returns the endpoints on demand that a project has where the order is, from the cheapest tier
// to the dearest.
func (b *Buy) sold() ([]pool.Endpoint, error) {
	p, err := pool.New(pool.Config{Projects: []pool.Project{{
		Name: "plan", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{b.Location},
		OnDemand: []string{pool.TierFlex, pool.TierStandard, pool.TierPriority},
	}}}, nil)
	if err != nil { // nothing else may be wrong
		return nil, fmt.Errorf(`%q is no location of Vertex AI; write "global", "us", "eu" or a region such as "europe-west4"`, b.Location)
	}
	defer p.Close()
	return slices.Concat(p.Plan(&pool.Request{Model: b.Model}).Tiers...), nil
}

// climb fills in the steps of the ladder of prices.
func (a *Answer) climb() error {
	sold, err := a.sold()
	if err != nil {
		return err
	}
	size := &a.Sizes[len(a.Sizes)-1]
	if i := slices.IndexFunc(a.Sizes, func(s Size) bool { return s.GSUs == a.Recommended }); i >= 0 {
		size = &a.Sizes[i]
	}
	for i := range sold {
		tier, location, _ := TierOf(&sold[i])
		s := Step{Tier: string(tier), All: a.byToken(tier, a.all), Spilled: a.byToken(tier, a.numbered(size.worse().spilled))}
		if tier == price.Standard {
			s.Tier = pool.TierStandard
		}
		s.Factor, _ = a.Prices.Factor(tier, location, a.Calls[0].At)
		a.Steps = append(a.Steps, s)
	}
	return nil
}

// sale is where a label's calls may move that can wait, with what their price is there, as a multiple.
type sale struct {
	names  string
	tier   price.Tier
	factor float64
}

// sales returns the cheaper ways to buy, those of one price together. Batch jobs are sold everywhere.
func (a *Answer) sales() (all []sale) {
	ways := []price.Tier{price.Batch}
	if slices.ContainsFunc(a.Steps, func(s Step) bool { return s.Tier == pool.TierFlex }) {
		ways = append(ways, price.Flex)
	}
	for _, tier := range ways {
		factor, _ := a.Prices.Factor(tier, "global", a.Calls[0].At)
		i := slices.IndexFunc(all, func(s sale) bool { return s.factor == factor })
		if i < 0 {
			all = append(all, sale{string(tier), tier, factor})
			continue
		}
		all[i].names = strings.Join([]string{all[i].names, string(tier)}, " or ")
	}
	return all
}
