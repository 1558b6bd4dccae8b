// Package price knows what Google charges, in US dollars: for tokens, by model and tier, and for
// Provisioned Throughput, by term. All of it is data, in prices.json, with the page and the day of
// each figure. What was not found is absent.
package price

import (
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/quota"
)

// Tier is how Google sells calls that are paid by the token.
type Tier string

const (
	Standard Tier = ""
	Flex     Tier = "flex"     // cheaper, and may be shed
	Batch    Tier = "batch"    // cheaper, within a day
	Priority Tier = "priority" // dearer, and served first
)

// outsideGlobal is the factor of calls in locations of Vertex AI other than global.
const outsideGlobal = "outside_global"

// Term is for how long an order is bought.
type Term string

const (
	Week    Term = "week"
	Month   Term = "month"
	Quarter Term = "quarter"
	Year    Term = "year"
)

// Terms returns all terms, the shortest first.
func Terms() []Term { return []Term{Week, Month, Quarter, Year} }

// Days is how long a term is, a month being a twelfth of a year; 0 for no term.
func (t Term) Days() float64 {
	const year = 365
	switch t {
	case Week:
		return 7
	case Month:
		return year / 12.0
	case Quarter:
		return year / 4.0
	case Year:
		return year
	default:
		return 0
	}
}

// Origin is where a figure comes from.
type Origin struct {
	Read   time.Time // the day
	Source string    // a page
	Note   string    // what is to be known of it; may be empty
}

// Model is what a model's tokens cost from a day on.
type Model struct {
	Origin

	Model string    // its id without the version
	From  time.Time // zero: until there is another row
	// USD is dollars for a million tokens of each kind, on the standard tier, in global. Zero means the
	// price of the next wider kind: Cached, InputAudio and InputImage that of Input.
	USD quota.Burndown
}

// Order is what one GSU costs for a term.
type Order struct {
	Origin

	Term     Term
	Location string // "global" or "elsewhere"
	USD      float64
}

// factor is what the price of a tier or a location is, as a multiple.
type factor struct {
	Origin

	of     string
	factor float64
	from   time.Time
}

// Table has prices. It does not change and is safe for concurrent use.
type Table struct {
	models  map[string][]Model // in the order of From
	factors map[string][]factor
	orders  []Order
}

// Model returns the price of a model, with or without its version, at a time. Not ok if the table has
// none.
func (t *Table) Model(model string, at time.Time) (m Model, ok bool) {
	key, _ := modelid.Find(t.models, model)
	for _, row := range t.models[key] {
		if !row.From.After(at) {
			m, ok = row, true
		}
	}
	return m, ok
}

// Factor returns the multiple of the standard price in global that a tier costs in a location at a
// time. The location is "" for the Developer API, which has none.
func (t *Table) Factor(tier Tier, location string, at time.Time) (multiple float64, ok bool) {
	multiple = 1
	if tier != Standard {
		if multiple, ok = t.factor(string(tier), at); !ok {
			return 0, false
		}
	}
	if location != "" && location != "global" {
		if surcharge, ok := t.factor(outsideGlobal, at); ok {
			multiple *= surcharge
		}
	}
	return multiple, true
}

func (t *Table) factor(of string, at time.Time) (multiple float64, ok bool) {
	for _, f := range t.factors[of] {
		if !f.from.After(at) {
			multiple, ok = f.factor, true
		}
	}
	return multiple, ok
}

// Call returns what a call of that usage costs in dollars, by the token. Not ok if the table does not
// have the model or the tier.
func (t *Table) Call(model string, tier Tier, location string, at time.Time, u quota.Usage) (usd float64, ok bool) {
	m, ok := t.Model(model, at)
	if !ok {
		return 0, false
	}
	multiple, ok := t.Factor(tier, location, at)
	if !ok {
		return 0, false
	}
	return m.cost(u) * multiple, true
}

// cost is the price of a usage on the standard tier in global.
func (m *Model) cost(u quota.Usage) float64 {
	rates := m.USD
	if rates.Cached == 0 { // none is stated, which is no discount
		rates.Cached = rates.Input
	}
	c := rates.Cost(u)
	return (c.Input + c.Output) / 1e6
}

// Order returns what one GSU in a location costs for a term. Not ok if the table does not have it.
func (t *Table) Order(term Term, location string) (o Order, ok bool) {
	if location != "global" {
		location = "elsewhere"
	}
	i := slices.IndexFunc(t.orders, func(o Order) bool { return o.Term == term && o.Location == location })
	if i < 0 {
		return Order{}, false
	}
	return t.orders[i], true
}
