package plan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// Served is how much an endpoint served, and what is paid for it by the token in 30 days of such
// calls: nothing for what an order serves.
type Served struct {
	Endpoint string
	Calls    int
	ByToken  Money
}

// Refused is why calls were refused: the cause that kept most endpoints from them, what it is about,
// and how many calls.
type Refused struct {
	Cause, Subject string
	Calls          int
}

// StoodIn is how many calls for one model another one served.
type StoodIn struct {
	Model, By string
	Calls     int
}

// Fit is what becomes of calls in a pool.
type Fit struct {
	Calls, Refused int
	Served         []Served  // the most calls first
	StoodIn        []StoodIn // the same
	Causes         []Refused // the same
	// Waits is how many of the calls that were served waited, and how long: the median and the 95th
	// percentile of all calls that were served, and the longest.
	Waits                int
	Median, P95, Longest time.Duration
	// Bounds are the limits of the pool, the one that is asked for most beyond what it allows first.
	Bounds []Bound
}

// Within makes calls, each for its own model, in a world of a pool as it is configured. Orders have the
// shortest window that Google documents for them.
func (w World) Within(ctx context.Context, calls []demand.Call, prices *price.Table, progress func(done int)) (*Fit, error) {
	w.Window = shortestOf
	t := fitting{
		fit: &Fit{Calls: len(calls)}, calls: calls, prices: prices, scale: spanScale(calls), demands: demandsOn(&w.Pool, calls),
		endpoints: make(map[string]*Served), causes: make(map[Refused]int), stoodIn: make(map[StoodIn]int),
	}
	told := 0
	err := w.Run(ctx, calls, func(i int, fate Fate) {
		if told++; told%progressEvery == 0 {
			progress(told)
		}
		t.add(i, &fate)
	})
	if err != nil {
		return nil, err
	}
	t.finish()
	return t.fit, nil
}

// fitting adds up what becomes of calls.
type fitting struct {
	fit       *Fit
	calls     []demand.Call
	prices    *price.Table
	scale     float64
	endpoints map[string]*Served
	causes    map[Refused]int // without calls
	stoodIn   map[StoodIn]int // the same
	demands   demands
	waits     []time.Duration
}

func (t *fitting) add(i int, fate *Fate) {
	if fate.Endpoint == nil {
		t.demands.add(&t.calls[i])
		t.fit.Refused++
		t.causes[Refused{Cause: fate.Cause, Subject: fate.Subject}]++
		return
	}
	s := t.endpoints[fate.Endpoint.Name]
	if s == nil {
		s = &Served{fate.Endpoint.Name, 0, Money{0, t.scale > 0}}
		t.endpoints[s.Endpoint] = s
	}
	call := t.calls[i]
	if fate.Model != call.Model {
		t.stoodIn[StoodIn{Model: call.Model, By: fate.Model}]++
		t.demands.add(&call)
		call.Model = fate.Model
	}
	if fate.Endpoint.Order == nil { // an order has no part in the limits
		t.demands.add(&call)
	}
	s.Calls++
	s.ByToken = s.ByToken.plus(fate.cost(&call, t.prices, t.scale))
	t.waits = append(t.waits, fate.Waited)
	if fate.Waited > 0 {
		t.fit.Waits++
	}
}

func (t *fitting) finish() {
	f := t.fit
	for _, name := range slices.Sorted(maps.Keys(t.endpoints)) {
		f.Served = append(f.Served, *t.endpoints[name])
	}
	slices.SortStableFunc(f.Served, func(a, b Served) int { return b.Calls - a.Calls })
	for cause, n := range t.causes {
		cause.Calls = n
		f.Causes = append(f.Causes, cause)
	}
	slices.SortFunc(f.Causes, func(a, b Refused) int {
		return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Subject, b.Subject))
	})
	for stood, n := range t.stoodIn {
		stood.Calls = n
		f.StoodIn = append(f.StoodIn, stood)
	}
	slices.SortFunc(f.StoodIn, func(a, b StoodIn) int {
		return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Model, b.Model), cmp.Compare(a.By, b.By))
	})
	if slices.Sort(t.waits); len(t.waits) > 0 {
		f.Median, f.P95, f.Longest = t.waits[len(t.waits)/2], t.waits[(len(t.waits)*95+99)/100-1], t.waits[len(t.waits)-1]
	}
	f.Bounds = t.demands.bounds()
}

// OutOfForce returns the orders of a pool that are not in force in a part of some time, as the words of
// a file have them.
func OutOfForce(cfg *pool.Config, from, to time.Time) (all []string) {
	for i := range cfg.Projects {
		for _, o := range cfg.Projects[i].Provisioned {
			what := fmt.Sprintf("the order of %s for %s in %s ", cfg.Projects[i].Name, o.Model, o.Location)
			if o.From.After(from) {
				all = append(all, what+"begins on "+plain.Instant(o.From))
			}
			if !o.Until.IsZero() && o.Until.Before(to) {
				all = append(all, what+"has ended on "+plain.Instant(o.Until))
			}
		}
	}
	return all
}

// cost is what a call that was served costs by the token.
func (f *Fate) cost(c *demand.Call, prices *price.Table, scale float64) Money {
	if f.Ordered {
		return Money{0, true}
	}
	tier, location, _ := TierOf(f.Endpoint) // what an order does not serve is at the standard tier
	usd, ok := prices.Call(c.Model, tier, location, c.At, c.Usage)
	return Money{usd * scale, ok}
}

// shortestOf is the window of an order that says it, else the shortest that Google documents.
func shortestOf(o *pool.Order) time.Duration {
	gsus := o.GSUs
	if row, known := quota.RowOf(o.Model); gsus == 0 && known {
		gsus = max(int(math.Round(o.TokensPerSecond/row.TokensPerSecond)), 1)
	}
	return cmp.Or(o.Window, windows(o.Model, gsus)[0])
}
