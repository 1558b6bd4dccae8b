package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// candidate is an endpoint as it stands for one model. It holds no state: its slots lead to the
// entries of the model's memory, which are made when the candidate is first used.
type candidate struct {
	endpoint

	plan   *plan
	tier   *tier
	shared *slot // the project's model; of an order its own
	server *slot
	own    slot

	when schedule // of its order
}

// use makes the candidate's entries, once.
func (c *candidate) use() {
	if c.own.entry.Load() != nil && c.shared.entry.Load() != nil && c.server.entry.Load() != nil {
		return
	}
	m, p := c.plan.model, c.plan.pool
	if c.shared != &c.own && c.shared.entry.Load() == nil {
		fill := func(e *entry) { e.limits = newLimits(c.project, m) }
		c.shared.entry.Store(m.entry(c.project.sharedSubject(m.modelKey), fill))
	}
	if c.server.entry.Load() == nil {
		fill := func(e *entry) { e.outage = &outage{} }
		c.server.entry.Store(m.entry(c.serverSubject(m.modelKey), fill))
	}
	if c.own.entry.Load() == nil {
		fill := func(e *entry) { e.fill(&c.endpoint, p, c.plan.setup, m.modelKey) }
		e := m.entry(c.subject(m.modelKey), fill)
		c.own.entry.Store(e)
		for _, other := range c.when.others() {
			other.own.entry.Store(e)
			addPace(other, e)
		}
	}
	m.catchUp(p, c.plan.setup)
}

// addPace gives an entry of a candidate what paces it, if that has nothing yet: the order before may be
// one that overflows otherwise.
func addPace(c *candidate, e *entry) {
	if e != nil && e.pacer.Load() == nil {
		e.fill(&c.endpoint, c.plan.pool, c.plan.setup, c.plan.model.modelKey)
	}
}

// fill makes the parts of a new entry for a model at an endpoint.
func (e *entry) fill(at *endpoint, p *Pool, s *setup, k modelKey) {
	if at.paced() {
		e.pacer.Store(newPace(&s.cfg, p.fleet, at, k))
		if s.cfg.Ramp {
			e.ramp.Store(&quota.Ramp{})
		}
	}
}

// breaker returns the breaker behind the slot, or nil.
func (s *slot) breaker() *breaker.Breaker {
	if e := s.entry.Load(); e != nil {
		return e.breaker.Load()
	}
	return nil
}

// outage returns the breaker of the servers, if it concerns the endpoint; else nil. One endpoint
// may be well where most are not: its own breaker says so.
func (c *candidate) outage() *breaker.Breaker {
	b := c.server.breaker()
	if b == nil || b.Closed() {
		return nil
	}
	if own := c.own.entry.Load(); own != nil && own.proof.wellSince(c.server.entry.Load().outage.began.Load()-int64(outageWindow)) {
		return nil
	}
	return b
}

// quota returns the quota to keep to; nil if nothing is limited.
func (c *candidate) quota() *quota.Quota {
	if e := c.shared.entry.Load(); e != nil {
		return e.limits.inForce()
	}
	return nil
}

// limitsInForce returns the limits to keep to; zero for what is not limited, and for orders.
func (c *candidate) limitsInForce() quota.Limits {
	switch e := c.shared.entry.Load(); {
	case c.order != nil:
		return quota.Limits{}
	case e == nil:
		return c.project.promised(c.plan.model.name).limits()
	default:
		if q := e.limits.inForce(); q != nil {
			return q.Limits()
		}
		return quota.Limits{}
	}
}

// pacer returns what paces the endpoint; nil if nothing does.
func (c *candidate) pacer() *pace {
	if e := c.own.entry.Load(); e != nil && c.paced() {
		return e.pacer.Load()
	}
	return nil
}

// maxGates is the number of things that a call passes, but for parts of two of them. There are more
// of these where a version or a tool was refused.
const maxGates = 8

// gates appends what a call with a key passes, each of which may be on cooldown. A nil key is none.
func (c *candidate) gates(g []*entry, n *need, k *key) []*entry {
	own, shared := c.own.entry.Load(), c.shared.entry.Load()
	g = append(g, c.backend, c.host, c.whole)
	if own != nil {
		g = append(g, own)
	}
	if k != nil {
		g = append(g, k.entry)
	}
	g = own.appendParts(g, n)
	if c.order != nil {
		if c.order.turned() {
			g = append(g, c.order.entry)
		}
		return g
	}
	if shared != nil {
		g = append(g, shared)
	}
	return shared.appendParts(g, n)
}

// appendParts appends the parts of e that the call asks for.
func (e *entry) appendParts(g []*entry, n *need) []*entry {
	for _, part := range e.parts() {
		if part.subject.concerns(&n.asked) {
			g = append(g, part)
		}
	}
	return g
}

// concerns reports whether what is known of a part of a thing concerns a call that asks so.
func (s *Subject) concerns(a *Asked) bool {
	if s.Version != "" && s.Version != a.Version {
		return false
	}
	if s.Tool == "" {
		return true
	}
	for tool := range strings.SplitSeq(s.Tool, toolsTogether) {
		if !slices.Contains(a.Tools, tool) {
			return false
		}
	}
	return true
}

// toolsTogether joins the names of tools in a subject that is about all of them together.
const toolsTogether = "+"

// cooldownWake returns the instant at which no cooldown and no pause keeps the endpoint from a call.
func (c *candidate) cooldownWake(at int64, n *need) int64 {
	wake := max(c.sharedWake(at), c.keys.wake(at))
	own := c.own.entry.Load()
	if own != nil {
		wake = max(wake, own.partsWake(at, n))
		if w := own.cool.Wake(at); w > at && (!contended(own, at) || !braves(c, n)) {
			wake = max(wake, w)
		}
	}
	if c.order != nil {
		if c.order.turned() { // else what keeps the entry was said of the order before
			wake = max(wake, c.order.entry.cool.Wake(at))
		}
	} else if shared := c.shared.entry.Load(); shared != nil {
		wake = max(wake, shared.partsWake(at, n))
	}
	if held := c.plan.pool.pauses.held.Load(); held != nil {
		wake = max(wake, held.wake(c, at, n))
	}
	return c.when.inForceAt(wake)
}

// partsWake is cooldownWake for the parts of the entry's thing that the call asks for.
func (e *entry) partsWake(at int64, n *need) int64 {
	wake := at
	for _, part := range e.parts() {
		if part.subject.concerns(&n.asked) {
			wake = max(wake, part.cool.Wake(at))
		}
	}
	return wake
}

// sharedWake is cooldownWake for what the project's other locations share.
func (c *candidate) sharedWake(at int64) int64 {
	wake := max(c.backend.cool.Wake(at), c.host.cool.Wake(at), c.whole.cool.Wake(at))
	if cool := c.shared.cooldown(); cool != nil {
		wake = max(wake, cool.Wake(at))
	}
	return wake
}

// ready reports, without side effect, whether no cooldown and no breaker keeps the endpoint from a
// call. A limit or an order may still refuse it.
func (c *candidate) ready(now time.Time, at int64, n *need) bool {
	if c.cooldownWake(at, n) > at {
		return false
	}
	if b := c.own.breaker(); b != nil && !b.Ready(now) {
		return false
	}
	b := c.outage()
	return b == nil || b.Ready(now)
}

// opening says when an endpoint can take a call, as far as is known. Instants in the past mean now.
type opening struct {
	cooldown int64 // no cooldown keeps it from then on
	breaker  int64 // nor its breaker
	room     int64 // nor limits, order and pace
	guessed  bool  // room is a guess: one of the concurrent calls may end at any moment
}

// wake returns the earliest moment at which the endpoint could be asked.
func (o *opening) wake() int64 { return max(o.cooldown, o.breaker, o.room) }

// onlyBreaker reports whether the breaker is all that keeps the endpoint from being asked, but for
// limits.
func (o *opening) onlyBreaker(at int64) bool { return o.cooldown <= at && o.breaker > at }

// earliest returns the moment before which the endpoint certainly cannot be asked. It is wake but
// for what may change before: a concurrent call may end, and the last endpoint is asked past its
// breaker.
func (o *opening) earliest(at int64) int64 {
	wake := max(o.cooldown, o.room)
	if o.guessed && wake == o.room {
		return at
	}
	return wake
}

// ask returns when to look again. The last endpoint is asked past its breaker as soon as nothing
// else keeps it.
func (o *opening) ask(at int64) int64 {
	if forced := max(o.cooldown, o.room); o.breaker > forced && forced > at {
		return forced
	}
	return o.wake()
}

// paceWait returns how long a pace keeps the next call; nil is no pace.
func paceWait(p *pace, now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	return p.Wait(now)
}

// rampWait returns how long the next call waits for the rate to rise.
func (e *entry) rampWait(now time.Time) time.Duration {
	if e == nil {
		return 0
	}
	if ramp := e.ramp.Load(); ramp != nil {
		return ramp.Wait(now)
	}
	return 0
}

// opens answers the one question: can the endpoint take a call with this need now, and if not,
// when? Forever means that nothing is known to end what keeps it.
func (c *candidate) opens(now time.Time, at int64, n *need) opening {
	o := opening{cooldown: c.cooldownWake(at, n), breaker: at, room: at}
	for _, b := range [...]*breaker.Breaker{c.own.breaker(), c.outage()} {
		if b == nil {
			continue
		}
		if until := b.Until(now); until.After(now) {
			o.breaker = max(o.breaker, at+int64(until.Sub(now)))
		}
	}
	if o.cooldown == cooldown.Forever || n.Unmetered {
		return o
	}
	wait := time.Duration(0)
	if l := c.ledger(); l != nil {
		turn(c, now, at)
		if wait = l.Wait(now, c.order.cost(n)); wait == quota.Never {
			o.room = cooldown.Forever
			return o
		}
	}
	if q := c.quota(); q != nil {
		d := c.shared.entry.Load().limitWait(now, at, n.Input)
		o.guessed = d == quota.ConcurrencyWait && q.Limits().Concurrency > 0 || d == quota.CreditWait && c.plan.pool.fleet != nil
		wait = max(wait, d)
	}
	if !braves(c, n) {
		wait = max(wait, paceWait(c.pacer(), now))
	}
	if c.paced() {
		wait = max(wait, c.own.entry.Load().rampWait(now))
	}
	if n.asked.Share > 0 {
		wait = max(wait, portionWait(c, now, n))
	}
	if state, until := n.told(c); state == askNone {
		wait = max(wait, until.Sub(now))
	}
	o.room = at + int64(wait)
	if c.when.inForceAt(o.wake()) == cooldown.Forever { // its time ends before it has room
		o.room = cooldown.Forever
	}
	return o
}

// weightAt returns the weight, less of it while the endpoint's servers recover from an outage.
func (c *candidate) weightAt(now time.Time) float64 {
	if b := c.own.breaker(); b != nil {
		return c.Weight * b.Weight(now)
	}
	return c.Weight
}

// loadAt returns the tokens in flight per unit of weight and of headroom that is left; lower is
// better.
func (c *candidate) loadAt(now time.Time) float64 {
	e := c.own.entry.Load()
	if e == nil {
		return 0
	}
	tokens := e.load.tokens.Load()
	if tokens == 0 {
		return 0
	}
	headroom := c.weightAt(now)
	if l := c.ledger(); l != nil {
		headroom *= l.Headroom(now)
	} else if q := c.quota(); q != nil {
		headroom *= q.Headroom(now)
	}
	return float64(tokens) / max(headroom, 1e-6)
}

// carries returns how many calls are under way, and how many began recently. Those that are
// expected count in both.
func (c *candidate) carries(at int64) (calls int, recent float64) {
	e := c.own.entry.Load()
	if e == nil {
		return 0, 0
	}
	coming := max(e.load.coming.Load(), 0)
	underWay, recent := e.load.recent(at)
	return int(underWay + coming), recent + float64(coming)
}

// expect notes that n more calls have chosen the endpoint and will ask it for a lease or, with a
// negative n, that they have asked.
func (c *candidate) expect(n int64) {
	c.use()
	c.own.entry.Load().load.coming.Add(n)
	if c.tier.ring.made.Load() {
		c.tier.tally.underWay.Add(n)
	}
}
