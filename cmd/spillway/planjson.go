package main

import (
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plan"
)

// planned is what "plan --json" prints. Names stay, others may be added. Parts are of one, times in
// seconds, costs in dollars for 30 days.
type planned struct {
	Model    string `json:"model"`
	Location string `json:"location"`

	plannedLog

	Seconds float64       `json:"seconds"`
	PerGSU  float64       `json:"tokens_per_second_per_gsu"`
	Load    []plannedLoad `json:"load"`
	Sizes   []plannedSize `json:"sizes"`

	Recommended int      `json:"recommended_gsus,omitempty"` // absent: none of these
	Cheapest    int      `json:"cheapest_gsus,omitempty"`    // absent: none is cheaper than by the token
	Once        *float64 `json:"usd_these_calls,omitempty"`  // all calls by the token; absent: no price
	OnDemand    *float64 `json:"usd_on_demand,omitempty"`    // the same in 30 days; absent also if they are of less than a minute
	BreakEven   float64  `json:"break_even,omitempty"`       // the part of a GSU to be used

	Tiers   []plannedStep   `json:"service_tiers"`
	Changes []plannedChange `json:"changes,omitempty"`
	TOML    string          `json:"toml,omitempty"`
}

// plannedLog is the calls, and what else is in the log.
type plannedLog struct {
	From    string        `json:"from"` // what wrote it
	Calls   int           `json:"calls"`
	Filled  int           `json:"refused_in_log,omitempty"`
	Skipped int           `json:"skipped,omitempty"`
	Broken  int           `json:"broken,omitempty"`
	Left    []plannedLeft `json:"left_out,omitempty"` // why entries were skipped or are broken
	// Others are the calls for other models than the one that is planned for.
	Others map[string]int `json:"other_models,omitempty"`
}

// plannedLeft is entries that count for nothing, all for one reason.
type plannedLeft struct {
	Why     string `json:"why"`
	Entries int    `json:"entries"`
	Broken  bool   `json:"broken,omitempty"`
	File    string `json:"file,omitempty"` // of the first of them
	Line    int    `json:"line,omitempty"`
}

func leftOf(log *demand.Log) (all []plannedLeft) {
	for _, l := range log.Left {
		all = append(all, plannedLeft{l.Why, l.Entries, l.Broken, l.File, l.Line})
	}
	return all
}

// plannedLoad is tokens a second, added up over spans of that many seconds.
type plannedLoad struct {
	Over float64 `json:"over_seconds"`
	Mean float64 `json:"mean"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

type plannedSize struct {
	GSUs    int            `json:"gsus"`
	Windows []plannedTally `json:"windows"` // the shortest and the longest that Google documents
	Order   *float64       `json:"usd_order,omitempty"`
	Spilled *float64       `json:"usd_spilled,omitempty"`
	Total   *float64       `json:"usd_total,omitempty"`
}

type plannedTally struct {
	Window    float64  `json:"window_seconds"`
	Served    float64  `json:"served"`
	Burst     float64  `json:"spilled_burst"`
	Sustained float64  `json:"spilled_sustained"`
	TooLarge  float64  `json:"spilled_too_large"`
	Idle      *float64 `json:"idle,omitempty"`   // unknown where the calls are over sooner than a window
	Refused   int      `json:"refused_by_order"` // times that the full order was asked
}

// plannedStep is a service tier of pay-as-you-go. What has no price is absent.
type plannedStep struct {
	Tier    string   `json:"tier"`
	Factor  float64  `json:"factor,omitempty"`      // of the standard price in global
	All     *float64 `json:"usd_all,omitempty"`     // all calls
	Spilled *float64 `json:"usd_spilled,omitempty"` // what spills of the recommended order, or of the largest one
}

type plannedChange struct {
	What   string  `json:"what"`
	GSUs   int     `json:"gsus"`
	Before float64 `json:"spilled_before"`
	Spill  float64 `json:"spilled"`
	Needs  int     `json:"needs_gsus,omitempty"`

	Order   *float64 `json:"usd_order,omitempty"`     // with an order of what is needed
	ByToken *float64 `json:"usd_on_demand,omitempty"` // without an order
}

// idle is the part of what was bought that served nothing. Calls that are over before a window has
// passed do not tell it: the order begins with a whole one.
func idle(a *plan.Answer, t *plan.Tally) *float64 {
	if a.Span < t.Window {
		return nil
	}
	return &t.Idle
}

func plannedOf(a *plan.Answer, log *demand.Log) *planned {
	p := &planned{
		Model: a.Model, Location: a.Location, plannedLog: plannedLog{
			log.Format, len(a.Calls), log.Filled, log.Skipped, log.Broken, leftOf(log), make(map[string]int),
		}, Seconds: a.Span.Seconds(), PerGSU: a.PerGSU, Recommended: a.Recommended, Cheapest: a.Cheapest,
		Once: known(a.Once), OnDemand: known(a.OnDemand), BreakEven: a.BreakEven,
	}
	for _, other := range othersOf(log, a.Model) {
		p.Others[other.Name] = other.Calls
	}
	for _, l := range append([]plan.Load{a.Second, a.Minute}, a.Windows...) {
		p.Load = append(p.Load, plannedLoad{l.Over.Seconds(), l.Mean, l.P99, l.Max})
	}
	for i := range a.Sizes {
		s := &a.Sizes[i]
		size := plannedSize{GSUs: s.GSUs, Order: known(s.Order), Spilled: known(s.Spilled), Total: known(s.Total)}
		last := time.Duration(0)
		for _, t := range []*plan.Tally{s.Short, s.Long} {
			if t.Window == last {
				continue
			}
			last = t.Window
			all := max(t.Tokens, 1)
			size.Windows = append(size.Windows, plannedTally{
				t.Window.Seconds(), t.ServedTokens / all, t.Burst / all, t.Sustained / all, t.TooLarge / all, idle(a, t), t.Asked,
			})
		}
		p.Sizes = append(p.Sizes, size)
	}
	for _, s := range a.Steps {
		p.Tiers = append(p.Tiers, plannedStep{s.Tier, s.Factor, known(s.All), known(s.Spilled)})
	}
	for _, c := range a.Changed {
		p.Changes = append(p.Changes, plannedChange{c.What, c.GSUs, c.Before, c.Spill, c.Needs, known(c.WithOrder), known(c.ByToken)})
	}
	if a.Recommended > 0 {
		p.TOML = orderTOML(a)
	}
	return p
}

// known returns dollars; nil if they are not known.
func known(m plan.Money) *float64 {
	if !m.Known {
		return nil
	}
	return &m.USD
}
