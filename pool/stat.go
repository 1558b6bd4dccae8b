package pool

import (
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// Cooldown says why something is not asked, and until when. The zero value means that it is ready.
type Cooldown struct {
	// Class is the class of the answer that started it.
	Class Class
	// Since is its start.
	Since time.Time
	// Until is its end. Zero means that only a successful probe ends it.
	Until time.Time
	// Probe is when a caller's call may be tried all the same. Zero means not before Until.
	Probe time.Time
	// Quota is Google's name of the quota that is used up, if the answer gave one.
	Quota string
	// Message is the first line of what Google said, without any key.
	Message string
	// Answer is Google's whole answer, for classes that callers get to see again while everything
	// is on cooldown; else nil.
	Answer *Answer
}

// Answer is an answer of Google's that is kept.
type Answer struct {
	Status int
	// Body is Google's error body, without any key.
	Body []byte
}

// String says the cooldown in a few words: class, end, quota.
func (c Cooldown) String() string {
	if c.Class == "" {
		return "ready"
	}
	s := string(c.Class)
	if c.Until.IsZero() {
		s += " until a probe succeeds"
	} else {
		s += " until " + stamp(c.Until)
	}
	if c.Quota != "" {
		s += " (" + c.Quota + ")"
	}
	return s
}

func newCooldown(i cooldown.Info) Cooldown {
	c := Cooldown{
		Class: Class(i.Class), Since: i.Since, Until: i.Until, Probe: i.Probe, Quota: i.Quota, Message: i.Message,
	}
	if i.Status > 0 {
		c.Answer = &Answer{Status: i.Status, Body: i.Body}
	}
	return c
}

// Stat is a snapshot of a pool. It shares nothing with the pool. Counts are cumulative.
type Stat struct {
	At       time.Time
	Projects []ProjectStat
	// Endpoints are in the order of their model's tiers, models in the order of their names.
	Endpoints []EndpointStat
	// Models are the models that were asked for or restored, in the order of their names.
	Models []ModelStat
	// Cooldowns are those of everything that is on cooldown, by subject: of keys, projects, models,
	// orders, servers, hosts and back ends.
	Cooldowns map[string]Cooldown `json:",omitzero"`
	// QueueCount is how many queues there are: one for calls that the same endpoints can serve.
	QueueCount int
	// Store is what is known of the store that replicas share; nil without one.
	Store *store.Stat `json:",omitzero"`
}

// ProjectStat is a project as a whole.
type ProjectStat struct {
	Name    string
	Backend Backend
	// Cooldown is what keeps all of the project from being asked; the zero Cooldown means nothing
	// does.
	Cooldown Cooldown
	Keys     []KeyStat
}

// KeyStat is one API key. Its text is not shown.
type KeyStat struct {
	Key      Secret
	Cooldown Cooldown
}

// EndpointStat is an endpoint as it stands for one model that was asked for.
type EndpointStat struct {
	// Endpoint is "project/location/traffic".
	Endpoint string
	Model    string
	// Method is the account of the calls' method, see [Asked]: empty for generating.
	Method string
	// Tier is 0 for the endpoints that are tried first.
	Tier int
	// Calls and Tokens are in flight now.
	Calls  int
	Tokens int64
	// AttemptCounts counts the attempts that ended, by the class of their answer. TokenCounts are
	// the tokens that Google counted for what the model answered here, also in place of another
	// model.
	AttemptCounts map[Class]int64
	TokenCounts   TokenCounts
	// Why says in a few words what keeps the endpoint from a call now, as a [Reason] does: a
	// cooldown, an open breaker, a limit, a full order. It is empty if nothing does. The call is
	// one like the last that was refused, in the last 10 s, else one of the usual size.
	Why string
	// Cooldown is the longest of the cooldowns that keep the endpoint from being asked; the zero
	// Cooldown means that none does.
	Cooldown Cooldown
	// Parts are cooldowns that are for one version of the API or one set of tools alone, each by its
	// subject.
	Parts map[string]Cooldown
	// ProbeDue is the cooldown that the next call may pass as its probe, while other calls wait for
	// how that ends; the zero Cooldown means that there is none.
	ProbeDue Cooldown `json:",omitzero"`
	Breaker  breaker.Stat
	// Quota is what the project has of its limits for the model, declared or learned; nil where
	// there is none, and for orders.
	Quota *quota.Stat
	// Learned are the limits that Google's refusals named. One call at a time tests a limit that
	// keeps others out, now and then: a good answer ends the limit. It begins to grow a day after it
	// was named last, until it is forgotten.
	Learned quota.Limits
	// Order is the Provisioned Throughput order's ledger; nil on demand.
	// OrderModel is the model that the order names, which may be a version of Model.
	Order      *quota.LedgerStat
	OrderModel string `json:",omitzero"`
	// BypassedCount counts the calls that were sent for the order and served on demand all the same.
	// SpilledTokenCount are the tokens, at the order's burndown rates, of calls that the order could
	// have served, were it larger or not on cooldown, and that were served on demand. A call that
	// several orders could have served counts for the first. All methods of a model share the counts.
	BypassedCount, SpilledTokenCount int64 `json:",omitzero"`
	// Pacing is how on-demand calls to Vertex AI are paced; nil elsewhere.
	Pacing *quota.PacerStat
}

// Stat returns a snapshot of every project and key, and of every endpoint for every model that was
// asked for, or of which [Pool.Restore] knows something.
func (p *Pool) Stat(now time.Time) Stat {
	defer p.outbox.deliver()
	at := p.instant(now)
	s := Stat{At: now, QueueCount: p.queue.count(), Store: p.fleet.stat()}
	s.cooldowns(now, at, p.memory.all())
	for _, project := range p.setup.Load().projects {
		ps := ProjectStat{
			Name: project.Name, Backend: project.Backend, Cooldown: newCooldown(project.entry.cool.Info(now, at)),
		}
		for _, k := range project.keys {
			ps.Keys = append(ps.Keys, KeyStat{Key: k.secret, Cooldown: newCooldown(k.entry.cool.Info(now, at))})
		}
		s.Projects = append(s.Projects, ps)
	}
	for _, m := range p.models.sorted() {
		plan := m.plan.Load()
		if plan == nil {
			continue
		}
		s.Models = append(s.Models, m.stat())
		s.cooldowns(now, at, m.all())
		usual := plan.usual(at)
		for i, tier := range plan.tiers {
			for _, c := range tier.candidates {
				e := c.stat(now, at, i)
				e.Why = c.reason(now, &usual)
				s.Endpoints = append(s.Endpoints, e)
			}
		}
	}
	return s
}

// cooldowns adds those of some entries.
func (s *Stat) cooldowns(now time.Time, at int64, all []*entry) {
	for _, e := range all {
		if !e.cool.Active(at) {
			continue
		}
		if s.Cooldowns == nil {
			s.Cooldowns = make(map[string]Cooldown)
		}
		s.Cooldowns[e.subject.String()] = newCooldown(e.cool.Info(now, at))
	}
}

func (c *candidate) stat(now time.Time, at int64, tier int) EndpointStat {
	e := EndpointStat{Endpoint: c.Name, Model: c.plan.model.name, Method: c.plan.model.method, Tier: tier, Cooldown: newCooldown(c.info(now, at, &need{}))}
	if e.Cooldown.Class == "" {
		e.ProbeDue = newCooldown(probeDue(c, now, at))
	}
	if own := c.own.entry.Load(); own != nil {
		own.load.sweep(now, at)
		e.Calls, e.Tokens = int(own.load.underWay.Load()), own.load.tokens.Load()
		e.AttemptCounts, e.TokenCounts = own.load.counts.stat()
	}
	for _, slot := range [...]*slot{&c.own, c.shared} {
		for _, part := range slot.entry.Load().parts() {
			if cool := newCooldown(part.cool.Info(now, at)); cool.Class != "" {
				if e.Parts == nil {
					e.Parts = make(map[string]Cooldown)
				}
				e.Parts[part.subject.String()] = cool
			}
		}
	}
	e.Breaker = breaker.Stat{Weight: 1}
	if b := c.own.breaker(); b != nil {
		e.Breaker = b.Stat(now)
	}
	if shared := c.shared.entry.Load(); shared != nil && shared.limits != nil && shared.limits.due(at) {
		shared.grow(c.plan.pool, now, at)
	}
	if q := c.quota(); q != nil {
		stat := q.Stat(now)
		e.Quota = &stat
		e.Learned = c.shared.entry.Load().limits.known(at)
	} else if l := c.limitsInForce(); l != (quota.Limits{}) { // before the first call
		stat := quota.New(l).Stat(now)
		e.Quota = &stat
	}
	if c.order != nil {
		l := c.order.ledger.Stat(now)
		e.Order, e.OrderModel = &l, c.order.Model
		e.BypassedCount, e.SpilledTokenCount = c.order.bypassedCount.Load(), c.order.spilledTokens.Load()
	}
	if c.paced() {
		pacer := c.pacer()
		if pacer == nil { // before the first call
			pacer = newPace(&c.plan.setup.cfg, nil, &c.endpoint, c.plan.model.modelKey)
		}
		stat := pacer.Stat(now)
		e.Pacing = &stat
	}
	return e
}

// info returns what keeps the endpoint from being asked: the longest of its cooldowns.
func (c *candidate) info(now time.Time, at int64, n *need) cooldown.Info {
	var longest *entry
	wake := at
	consider := func(e *entry, w int64) {
		if w > wake {
			longest, wake = e, w
		}
	}
	var buf [maxGates]*entry
	for _, e := range c.gates(buf[:0], n, nil) {
		consider(e, e.cool.Wake(at))
	}
	if w := c.keys.wake(at); w > wake {
		for _, k := range c.keys {
			if k.entry.cool.Wake(at) == w {
				consider(k.entry, w)
			}
		}
	}
	if longest == nil {
		return cooldown.Info{}
	}
	return longest.cool.Info(now, at)
}

// probeDue returns the endpoint's cooldown of which one call may be the probe now.
func probeDue(c *candidate, now time.Time, at int64) cooldown.Info {
	for _, e := range c.gates(nil, &need{}, nil) {
		if e.cool.Active(at) {
			return e.cool.Info(now, at)
		}
	}
	for i, k := range c.keys {
		if !k.entry.cool.Active(at) {
			break
		}
		if i == len(c.keys)-1 {
			return k.entry.cool.Info(now, at)
		}
	}
	return cooldown.Info{}
}
