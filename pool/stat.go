package pool

import (
	"slices"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// Cooldown says why something is not asked, and until when. The zero value means that it is ready.
type Cooldown struct {
	// Subject is what is not asked, as the text of a [Subject].
	Subject string
	// Class is the class of the answer that started it, or ClassPaused.
	Class Class
	// Cause is a finer word for why, Remedy what to do about it, and Page the page of Google's for
	// that; empty where there is none. All causes are in docs/429.md.
	Cause, Remedy, Page string
	// Since is its start.
	Since time.Time
	// Until is its end. Zero means that only a successful probe ends it or, of a pause, an operator.
	Until time.Time
	// Probe is when a caller's call may be tried all the same. Zero means not before Until.
	Probe time.Time
	// Quota is Google's name of the quota that is used up, if the answer gave one.
	Quota string
	// Message is the first line of what Google said, or an operator's reason, without any key.
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
	// IDs are what Google sent to find the call by, as "name=value", without any key. Inside says that
	// a response had begun with status 200, in which the error came. Cooldowns keep neither.
	IDs    []string `json:",omitempty"`
	Inside bool     `json:",omitempty"`
}

// String says the cooldown in a few words: class, end, quota.
func (c Cooldown) String() string {
	if c.Class == "" {
		return "ready"
	}
	s := string(c.Class)
	if c.Class == ClassPaused {
		return c.paused()
	}
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

// paused says who took something out, until when, and why.
func (c Cooldown) paused() string {
	s := "paused by an operator until "
	if c.Until.IsZero() {
		s += remedy.Paused.Ends()
	} else {
		s += stamp(c.Until)
	}
	if c.Message != "" {
		s += ": " + c.Message
	}
	return s
}

// bar is what keeps calls from something: a cooldown of a subject, or the pause of one. The zero bar
// is nothing.
type bar struct {
	subject Subject
	cooldown.Info
}

// bar returns what keeps calls from the entry's subject, pauses apart; a nil entry is none.
func (e *entry) bar(now time.Time, at int64) bar {
	if e == nil {
		return bar{}
	}
	return bar{e.subject, e.cool.Info(now, at)}
}

// cooldown describes the bar. owner is as in helpWith.
func (b bar) cooldown(owner *project) Cooldown {
	i := &b.Info
	if i.Class == "" {
		return Cooldown{}
	}
	c := Cooldown{
		Subject: b.subject.String(), Class: Class(i.Class), Since: i.Since, Until: i.Until, Probe: i.Probe, Quota: i.Quota, Message: i.Message,
	}
	h := b.subject.helpWith(owner, func(vertex bool) remedy.Cause { return remedy.For(i.Class, i.Cause, i.Quota, vertex) })
	c.Cause, c.Remedy, c.Page = h.cause, h.do, h.page
	if i.Status > 0 {
		c.Answer = &Answer{Status: i.Status, Body: i.Body}
	}
	return c
}

// Stat is a snapshot of a pool. It shares nothing with the pool. Counts are cumulative.
type Stat struct {
	At       time.Time
	Projects []ProjectStat
	// Endpoints are in the order of their model's tiers, models in the order of their names. Of orders
	// that follow each other there is the one in force, else the next to begin, else the last.
	Endpoints []EndpointStat
	// Models are the models that were asked for or restored, in the order of their names.
	Models []ModelStat
	// Pauses are what operators have taken out, see [Pool.Pause], each by its subject.
	Pauses map[string]Cooldown `json:",omitempty"`
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
	// Reason is the endpoint, "project/location/traffic", and what keeps a call from it now: a
	// cooldown, an open breaker, a limit, a full order. Why is empty if nothing does. The call is
	// one like the last that was refused, in the last 10 s, else one of the usual size.
	Reason

	Model string
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
	// RefusedCount counts the calls that the pool refused, this endpoint among those that could not
	// serve them.
	RefusedCount int64
	// DowngradedCount counts the answers of another service tier than the endpoint's, at that one's
	// price: what Google does with priority when it has no room for it, and where it has none.
	DowngradedCount int64 `json:",omitzero"`
	// Warning is what is wrong although calls are served: they go past an order. The zero Reason
	// means nothing is.
	Warning Reason `json:",omitzero"`
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
	// Quota is what the project has of its limits for the model, wherever they are known from; nil where
	// there is none, and for orders.
	Quota *quota.Stat
	// Learned are the limits that Google's refusals named. One call at a time tests a limit that
	// keeps others out, now and then: a good answer ends the limit. It begins to grow a day after it
	// was named last, until it is forgotten.
	Learned quota.Limits
	// Declared are the limits of the configuration, and Discovered, in the other dimensions, those
	// that Google shows for the project, see [Project].Discover.
	Declared, Discovered quota.Limits `json:",omitzero"`
	// Order is the Provisioned Throughput order's ledger; nil on demand.
	// OrderModel is the model that the order names, which may be a version of Model.
	Order *quota.LedgerStat
	// OrderDiscovered says that the configuration does not have the order, and Google shows it. OrderOut
	// says that it is not in force: it is yet to begin, or has ended.
	OrderModel      string `json:",omitzero"`
	OrderDiscovered bool   `json:",omitzero"`
	OrderOut        bool   `json:",omitzero"`
	// Faults counts what the order answered with HTTP status 5XX. [Pool.OrderFaults] has each.
	Faults quota.FaultStat `json:",omitzero"`
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
	see(p, p.clock.now())
	s := Stat{At: now, QueueCount: p.queue.count(), Store: p.fleet.stat()}
	s.pauses(p, at)
	s.cooldowns(p, now, at, p.memory.all())
	for _, project := range p.setup.Load().projects {
		ps := ProjectStat{
			Name: project.Name, Backend: project.Backend,
			Cooldown: p.pauses.bar(now, at, project.entry, project.backend).cooldown(project),
		}
		for _, k := range project.keys {
			ps.Keys = append(ps.Keys, KeyStat{Key: k.secret, Cooldown: p.pauses.bar(now, at, k.entry).cooldown(project)})
		}
		s.Projects = append(s.Projects, ps)
	}
	for _, m := range p.models.sorted() {
		plan := m.plan.Load()
		if plan == nil {
			continue
		}
		s.Models = append(s.Models, m.stat())
		s.cooldowns(p, now, at, m.all())
		usual := plan.usual(at)
		for i, tier := range plan.tiers {
			for _, c := range tier.candidates {
				if !c.when.stands(at) {
					continue
				}
				e := c.stat(now, at, i)
				e.Reason = c.reason(now, &usual)
				s.Endpoints = append(s.Endpoints, e)
			}
		}
	}
	return s
}

// pauses adds what operators have taken out.
func (s *Stat) pauses(p *Pool, at int64) {
	for _, x := range p.pauses.active(at) {
		if s.Pauses == nil {
			s.Pauses = make(map[string]Cooldown)
		}
		s.Pauses[x.subject.String()] = x.bar(p).cooldown(p.setup.Load().project(x.subject.Project))
	}
}

// cooldowns adds those of some entries.
func (s *Stat) cooldowns(p *Pool, now time.Time, at int64, all []*entry) {
	for _, e := range all {
		if !e.cool.Active(at) {
			continue
		}
		if s.Cooldowns == nil {
			s.Cooldowns = make(map[string]Cooldown)
		}
		s.Cooldowns[e.subject.String()] = e.bar(now, at).cooldown(p.setup.Load().project(e.subject.Project))
	}
}

func (c *candidate) stat(now time.Time, at int64, tier int) EndpointStat {
	turn(c, now, at)
	e := EndpointStat{
		Model: c.plan.model.name, Method: c.plan.model.method, Tier: tier,
		Cooldown: c.longest(now, at, &need{}).cooldown(c.project), Warning: obstacles{c, now, at, &need{}}.bypassed(),
	}
	if e.Cooldown.Class == "" {
		e.ProbeDue = probeDue(c, at).bar(now, at).cooldown(c.project)
	}
	if own := c.own.entry.Load(); own != nil {
		own.load.sweep(now, at)
		e.Calls, e.Tokens = int(own.load.underWay.Load()), own.load.tokens.Load()
		e.AttemptCounts, e.TokenCounts = own.load.counts.stat()
		e.RefusedCount, e.DowngradedCount = own.load.counts.refused.Load(), own.load.counts.downgraded.Load()
	}
	for _, slot := range [...]*slot{&c.own, c.shared} {
		for _, part := range slot.entry.Load().parts() {
			if cool := part.bar(now, at).cooldown(c.project); cool.Class != "" {
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
	if c.order == nil {
		promised := c.project.promised(c.plan.model.name)
		e.Declared, e.Discovered = promised.declared, promised.discovered
	} else {
		l := c.order.ledger.Stat(now)
		e.OrderOut = !c.when.holds(at)
		e.OrderDiscovered = slices.ContainsFunc(c.project.found.used, c.order.sameLot)
		e.Order, e.OrderModel, e.Faults = &l, c.order.Model, c.order.faults.Stat()
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

// longest returns what keeps the endpoint from being asked: the longest of its cooldowns and pauses.
func (c *candidate) longest(now time.Time, at int64, n *need) bar {
	p := c.plan.pool
	held := p.pauses.held.Load()
	var longest *entry
	var pause *pause
	wake := at
	var buf [maxGates]*entry
	for _, e := range c.gates(buf[:0], n, nil) {
		if w := e.cool.Wake(at); w > wake {
			longest, wake = e, w
		}
	}
	if e, by, w := held.keyOut(c, at, n); w > wake {
		longest, pause, wake = e, by, w
	}
	if by := held.longest(c, at, n); by != nil && by.until > wake {
		pause = by
	}
	if pause != nil {
		return pause.bar(p)
	}
	return longest.bar(now, at)
}

// probeDue returns the entry whose cooldown one call may pass as its probe now; nil if there is none.
func probeDue(c *candidate, at int64) *entry {
	for _, e := range c.gates(nil, &need{}, nil) {
		if e.cool.Active(at) {
			return e
		}
	}
	held := c.plan.pool.pauses.held.Load()
	var due *entry
	for i := range c.keys {
		k := &c.keys[i]
		switch wake, _ := held.keyWake(c, k, at, &need{}); {
		case wake > at: // another one serves
		case !k.entry.cool.Active(at):
			return nil
		case due == nil:
			due = k.entry
		}
	}
	return due
}
