// Package plan foresees what becomes of calls: which of them an order of Provisioned Throughput
// serves, which spill, wait or are refused, and what that costs.
//
// It drives a [pool.Pool] through the calls in virtual time, over a model of Google: the code that
// routes real calls decides, and learns, as it would.
package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/standin"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// World is what calls meet: a pool, and Google behind it. Google serves what is sent on demand, and
// keeps to the windows of orders. The limits of the pool's configuration are Google's as well.
type World struct {
	Pool    pool.Config
	MaxWait time.Duration // of each call in the pool's queue
	Policy  pool.Policy
	// MaxAttempts is how many refusals that cost something end a call at a model; zero means 4.
	MaxAttempts int
	// Window is for how long Google adds up what an order has served.
	Window func(o *pool.Order) time.Duration
	// Traffic is all that may serve calls; empty is any.
	Traffic pool.Traffic
	// StandIns returns the models that stand in for a model, in order, each after FallbackAfter. Nil:
	// none does.
	StandIns      func(model string) []string
	FallbackAfter time.Duration
}

// Fate is what became of a call.
type Fate struct {
	// Endpoint served the call; nil: none could.
	Endpoint *pool.Endpoint
	Model    string // that served it
	// Ordered says that an order served it, and Refusals how often one that was full refused it
	// before.
	Ordered  bool
	Refusals int
	Waited   time.Duration // for an endpoint
	// Cause is why no endpoint served the call: of those in docs/429.md, or one of the two below. Subject
	// is what refuses it.
	Cause, Subject string
}

// Why no endpoint served a call that none has refused.
const (
	causeNone = "no_endpoint" // the pool has none for the model
	causeWait = "wait"        // other calls were before it
)

// defaultAttempts is that of the router.
const defaultAttempts = 4

// refusal is how long an order takes to say that it is full.
const refusal = 100 * time.Millisecond

// Run makes the calls, which are in the order of time, and tells what became of each. It fails if the
// pool's configuration is wrong, or with the error of ctx.
func (w World) Run(ctx context.Context, calls []demand.Call, tell func(i int, f Fate)) error {
	if len(calls) == 0 {
		return nil
	}
	r := &run{World: w, clock: newClock(calls[0].At), calls: calls, tell: tell, orders: make(map[orderKey]*order)}
	r.Pool.Clock, r.Pool.Store = r.clock, nil
	var err error
	if r.pool, err = pool.New(r.Pool, nil); err != nil {
		return err
	}
	defer r.pool.Close()
	r.acquire = func(q *pool.Request) (pool.Lease, error) { return r.pool.Acquire(ctx, q) }
	for i := range calls {
		if i%1000 == 0 && ctx.Err() != nil {
			break
		}
		r.clock.advance(calls[i].At)
		r.clock.run(func() { r.begin(i) })
	}
	r.clock.finish()
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.err
}

// run is one World under way.
type run struct {
	World

	clock   *clock
	pool    *pool.Pool
	acquire func(r *pool.Request) (pool.Lease, error)
	calls   []demand.Call
	tell    func(i int, f Fate)
	orders  map[orderKey]*order
	err     error
}

// orderKey names an order: an endpoint may be for several.
type orderKey struct{ endpoint, model string }

// order is Google's side of an order.
type order struct {
	of     *pool.Order
	window window
	ledger *quota.Ledger // knows what calls cost
}

// order returns Google's side of the order that an endpoint is for. One that follows another has
// another size, and what was used counts for it, too.
func (r *run) order(e *pool.Endpoint) *order {
	key := orderKey{e.Name, e.Order.Model}
	o := r.orders[key]
	if o != nil && o.of == e.Order {
		return o
	}
	if o == nil {
		o = &order{}
	}
	l, err := quota.NewLedger(quota.Order{
		Model: e.Order.Model, GSUs: e.Order.GSUs, TokensPerSecond: e.Order.TokensPerSecond, Burndown: e.Order.Burndown,
	})
	if err != nil {
		r.err = fmt.Errorf("the order of %s: %w", e.Name, err) // the pool has checked it
		return nil
	}
	length := r.Window(e.Order)
	o.of, o.ledger = e.Order, l
	o.window.length, o.window.most = length, l.Stat(r.clock.now).TokensPerSecond*length.Seconds()
	r.orders[key] = o
	return o
}

// call is one call under way.
type call struct {
	run     *run
	number  int
	request pool.Request
	fate    Fate
	turn    standin.Turn
	left    []string // the models that still may stand in
	tried   bool     // an endpoint was asked
	costly  int      // refusals that count as attempts
}

func (r *run) begin(number int) {
	d := &r.calls[number]
	c := &call{run: r, number: number, request: pool.Request{
		Model: d.Model, Batch: d.Batch, Traffic: r.Traffic, Policy: r.Policy, Asked: pool.Asked{Label: d.Label},
	}}
	if r.StandIns != nil {
		c.left = r.StandIns(d.Model)
	}
	c.ask(d.Model)
}

// ask goes on with a model: that of the call, or one that stands in for it.
func (c *call) ask(model string) {
	u := &c.run.calls[c.number].Usage
	if c.request.Model != model {
		c.request.Forget(model)
	}
	c.costly = 0
	c.request.Estimate = pool.Estimate{Input: max(u.Input, 1), NoOutput: u.Output+u.OutputImage+u.OutputAudio == 0}
	next := ""
	if len(c.left) > 0 {
		next, c.left = c.left[0], c.left[1:]
	}
	c.turn.Begin(next, c.run.FallbackAfter, c.run.clock.now, time.Time{})
	c.attempt()
}

// attempt goes to the endpoint that the pool chooses. It may wait for one.
func (c *call) attempt() {
	r, began := c.run, c.run.clock.now
	c.request.MaxWait, c.request.StandIn = c.turn.Patience(r.MaxWait, began), c.turn.Next != ""
	lease, err := r.acquire(&c.request)
	c.turn.Waited(began, r.clock.now, !c.tried)
	c.fate.Waited, c.tried = c.turn.Spent, true
	if err != nil {
		c.exhausted(err)
		return
	}
	d := &r.calls[c.number]
	e := lease.Endpoint()
	c.fate.Endpoint, c.fate.Model = e, c.request.Model
	outcome := pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: d.Usage, Traffic: "ON_DEMAND"}
	if e.Order == nil { // else what it does not serve is at the standard tier
		outcome.Traffic = strings.ToUpper(string(e.Traffic))
	}
	ended := func() {}
	if e.Order != nil {
		o := r.order(e)
		if o == nil {
			lease.Release(r.clock.now)
			return
		}
		cost := o.ledger.Cost(d.Usage)
		charged, ok := o.window.admit(r.clock.now, cost.Input)
		switch {
		case ok:
			c.fate.Ordered, outcome.Traffic = true, "PROVISIONED_THROUGHPUT"
			ended = func() { o.window.settle(r.clock.now, charged, cost.Input, cost.Output) }
		case e.Overflow == pool.OverflowRouter:
			c.fate.Refusals++
			r.clock.AfterFunc(refusal, func() { r.clock.run(func() { c.refused(lease) }) })
			return
		}
	}
	r.tell(c.number, c.fate)
	r.clock.AfterFunc(d.Took, func() {
		ended()
		lease.Settle(r.clock.now, outcome)
	})
}

// exhausted goes on with a call that no endpoint for its present model can serve in time.
func (c *call) exhausted(err error) {
	e, ok := errors.AsType[*pool.ExhaustedError](err)
	if ok && c.fate.Cause == "" { // what is told is about the model of the call
		c.fate.Cause, c.fate.Subject = causeOf(e)
	}
	if c.turn.Next != "" {
		c.ask(c.turn.Next)
		return
	}
	c.run.tell(c.number, c.fate)
}

// causeOf says why no endpoint served a call.
func causeOf(e *pool.ExhaustedError) (cause, subject string) {
	switch {
	case e.Leading.Cause != "":
		return e.Leading.Cause, e.Leading.Subject
	case e.Never:
		return causeNone, ""
	default:
		return causeWait, ""
	}
}

// refused goes on with a call that a full order refused.
func (c *call) refused(lease pool.Lease) {
	c.fate.Endpoint = nil
	lease.Settle(c.run.clock.now, pool.Outcome{Class: pool.ClassProvisionedFull})
	if c.request.Refused(lease, pool.ClassProvisionedFull) {
		c.costly++
	}
	spent := c.costly >= cmp.Or(c.run.MaxAttempts, defaultAttempts)
	switch {
	case c.turn.Next != "" && (spent || c.turn.Due(c.run.clock.now)):
		c.ask(c.turn.Next)
	case spent:
		c.fate.Cause, c.fate.Subject = causeOf(c.run.pool.Explain(&c.request))
		c.run.tell(c.number, c.fate)
	default:
		c.attempt()
	}
}
