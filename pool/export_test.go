package pool

import (
	"maps"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// The inside of the pool, for tests: endpoints as they stand for one model, without requests and
// queues.

// RuledClasses are the classes that have a rule.
// NeedsOperator reports whether a cooldown of the class lasts until an operator mends something.
func (c Class) NeedsOperator() bool { return c.needsOperator() }

func RuledClasses() []Class { return slices.Sorted(maps.Keys(rules)) }

type (
	Candidate = candidate
	Need      = need
	View      = plan
)

// View returns the plan for a model.
func (p *Pool) View(now time.Time, name string) *View {
	m, ok := p.model(now, modelKey{name: name})
	if !ok {
		return &View{pool: p, model: &model{modelKey: modelKey{name: name}}}
	}
	return m.plan.Load()
}

// ViewOf returns the plan for an account of a model's methods.
func (p *Pool) ViewOf(now time.Time, name, method string) *View {
	m, ok := p.model(now, modelKey{name, method})
	if !ok {
		return &View{pool: p, model: &model{modelKey: modelKey{name, method}}}
	}
	return m.plan.Load()
}

// For returns the need of a call that asks so.
func (n need) For(a Asked) Need {
	n.asked = a
	return n
}

func (p *plan) All() []*Candidate { return p.all }
func (p *plan) ModelName() string { return p.model.name }
func (p *plan) Tiers() [][]*Candidate {
	var tiers [][]*Candidate
	for _, t := range p.tiers {
		tiers = append(tiers, t.candidates)
	}
	return tiers
}
func (p *plan) Need(e Estimate, deadline time.Time) (n Need) {
	n.fill(p.model, &e, deadline)
	return n
}

// Forecast is what a request for the plan's model foresees.
func (p *plan) Forecast(now time.Time, r *Request) *quota.Outlook {
	r.Model = p.model.name
	r.refresh(p.pool, now)
	t := trial{pool: p.pool, r: r, now: now, at: p.pool.instant(now), limit: now}
	return t.forecast()
}

func (c *candidate) String() string       { return c.Name }
func (c *candidate) Hash() uint64         { return c.hash }
func (c *candidate) Limits() quota.Limits { return c.limitsInForce() }

func (c *candidate) Lease(now time.Time, n Need) (Lease, bool) {
	l, ok := c.lease(now, &n)
	c.plan.pool.outbox.deliver()
	return l, ok
}

func (c *candidate) Force(now time.Time, n Need) (Lease, bool) {
	l, ok := c.force(now, &n)
	c.plan.pool.outbox.deliver()
	return l, ok
}

func (c *candidate) Ready(now time.Time) bool            { return c.ready(now, c.plan.pool.instant(now), &need{}) }
func (c *candidate) Load(now time.Time) float64          { return c.loadAt(now) }
func (c *candidate) WeightAt(now time.Time) float64      { return c.weightAt(now) }
func (c *candidate) Reason(now time.Time, n Need) string { return c.reason(now, &n).Why }
func (c *candidate) Resting(now time.Time) Cooldown {
	at := c.plan.pool.instant(now)
	return c.longest(now, at, &need{}).cooldown(c.project)
}
func (c *candidate) Expect(n int64)                       { c.expect(n) }
func (c *candidate) SameServer(d *candidate) bool         { return c.server == d.server }
func (c *candidate) Carries(now time.Time) (int, float64) { return c.carries(c.plan.pool.instant(now)) }

// Rests is Resting for a call that asks so.
func (c *candidate) Rests(now time.Time, a Asked) Cooldown {
	at := c.plan.pool.instant(now)
	return c.longest(now, at, &need{asked: a}).cooldown(c.project)
}

// ServersOpen returns whether the breaker of the servers keeps anyone from them.
func (c *candidate) ServersOpen() bool {
	b := c.server.breaker()
	return b != nil && !b.Closed()
}

// Parts returns how many parts of the candidate are told apart.
func (c *candidate) Parts() int {
	n := len(c.own.entry.Load().parts())
	if c.shared != &c.own {
		n += len(c.shared.entry.Load().parts())
	}
	return n
}

// EntryCount returns how many subjects the pool remembers.
func (p *Pool) EntryCount() int {
	n := len(p.memory.all())
	for _, m := range p.models.all() {
		n += len(m.all())
	}
	return n
}

func (c *candidate) opening(now time.Time, n Need) (opening, int64) {
	at := c.plan.pool.instant(now)
	return c.opens(now, at, &n), at
}

func (c *candidate) timeOf(at int64) (time.Time, bool) {
	if at == cooldown.Forever {
		return time.Time{}, false
	}
	return c.plan.pool.timeOf(at), true
}

func (c *candidate) Open(now time.Time) (time.Time, bool) {
	o, at := c.opening(now, Need{Unmetered: true})
	t, _ := c.timeOf(o.breaker)
	return t, o.onlyBreaker(at)
}

func (c *candidate) Wake(now time.Time, n Need) (time.Time, bool) {
	o, _ := c.opening(now, n)
	return c.timeOf(o.wake())
}

func (c *candidate) Earliest(now time.Time, n Need) (time.Time, bool) {
	o, at := c.opening(now, n)
	return c.timeOf(o.earliest(at))
}

func (c *candidate) trialOf(now time.Time, n Need, batch bool) *trial {
	r := &Request{Model: c.plan.model.name, Batch: batch}
	r.refresh(c.plan.pool, now)
	r.state.need = n
	return &trial{pool: c.plan.pool, r: r, now: now, at: c.plan.pool.instant(now)}
}

// Waits reports whether a call waits for the model.
func (p *Pool) Waits(name string) bool { return p.models.find(modelKey{name: name}).queued.Load() > 0 }

// Turn returns when a call that waited may go to the candidate; TakeTurn notes that it does.
func (c *candidate) Turn(now time.Time, n Need, batch bool) time.Time {
	t := c.trialOf(now, n, batch)
	c.use()
	return c.plan.pool.timeOf(t.slot(c))
}

func (c *candidate) TakeTurn(now time.Time, n Need, batch bool) {
	c.use()
	if d, gap := c.drain(c.plan.pool.instant(now), &n); d != nil {
		d.takeSlot(now, gap, batch)
	}
}

// Tiers alone, for the pickers.

type Tier = tier

// NewTier returns a tier of candidates with these weights, named a, b, c and so on.
func NewTier(weights ...float64) *Tier {
	t := &tier{}
	for i, w := range weights {
		e := endpoint{Endpoint: Endpoint{Name: string(rune('a' + i)), Weight: w}}
		t.candidates = append(t.candidates, &candidate{endpoint: e, tier: t})
		t.heaviest = max(t.heaviest, w)
	}
	return t
}

func (t *tier) Members() []*Candidate { return t.candidates }

// The pickers, each alone.

func PickFirst(t *Tier, ready func(*Candidate) bool) *Candidate  { return pickFirst(t, ready) }
func PickRandom(t *Tier, ready func(*Candidate) bool) *Candidate { return pickRandom(t, ready) }
func PickNext(t *Tier, ready func(*Candidate) bool) *Candidate   { return pickNext(t, ready) }

func PickLeastLoaded(
	t *Tier, home *Candidate, ready func(*Candidate) bool, load func(*Candidate) float64,
) *Candidate {
	return pickLeastLoaded(t, home, ready, load)
}

// ParseSubject reads a subject's text.
func ParseSubject(text string) (Subject, error) { return parseSubject(text) }

// Retryable reports whether an answer of the class puts something on cooldown, or counts in a
// breaker.
func (c Class) Retryable() bool { return c.rule().scope != scopeNone }

// Kinds are the kinds of subjects.
func Kinds() []string {
	return []string{kindKey, kindProject, kindModel, kindOrder, kindServer, kindHost, kindBackend}
}

// Cooldowns returns the cooldown of every subject that has one and is in force or was.
func (p *Pool) Cooldowns(now time.Time) map[Subject]Cooldown {
	all := p.memory.all()
	for _, m := range p.models.all() {
		all = append(all, m.all()...)
	}
	cooldowns := make(map[Subject]Cooldown)
	for _, e := range all {
		if c := e.bar(now, p.instant(now)).cooldown(p.setup.Load().project(e.subject.Project)); c.Class != "" {
			cooldowns[e.subject] = c
		}
	}
	return cooldowns
}

// Gates are the subjects whose cooldowns keep the candidate from a call. The keys come apart: one
// of them is enough.
func (c *candidate) Gates() (gates, keys []Subject) {
	gates = []Subject{
		c.backend.subject, c.host.subject, c.whole.subject, c.subject(c.plan.model.modelKey),
	}
	if c.order != nil {
		gates = append(gates, c.order.entry.subject)
	} else {
		gates = append(gates, c.project.sharedSubject(c.plan.model.modelKey))
	}
	for _, k := range c.keys {
		keys = append(keys, k.entry.subject)
	}
	return gates, keys
}

// PaceSubject names what a fleet paces together with the candidate.
func (c *candidate) PaceSubject() string {
	return paceSubject(&c.endpoint, c.plan.model.modelKey).String()
}

// Sleep has the machine sleep: the time of day goes on, and instants do not.
func (p *Pool) Sleep(d time.Duration) { p.clock.since = p.clock.since.Add(-d) }
