package pool

import (
	"sync"
	"time"
)

// goneFor is how long the pool remembers what a reload has taken away, in case another one brings it back: as long as a day's quota counts.
const goneFor = longestDay

// Reload puts cfg in the place of the configuration that the pool was made with. It checks cfg as [New] does; if it fails, all stays as it was.
//
// What is the same in both goes on as if nothing had happened: minute windows, day counters, learned limits, cooldowns, circuit breakers,
// ledgers, paces, and the leases that are out. A project is the same if its name, back end, project id and address are; a key if its text
// is; an order if nothing of it has changed; an endpoint if its project, location and order are. What is gone gets no new leases, and those
// that are out end as they would have; if it comes back within a day, it goes on where it was. Changed limits hold from now on, for what was
// used before as well. Plans are made anew: a [Plan] that was asked for earlier still works, but is of the old configuration.
func (p *Pool) Reload(now time.Time, cfg Config) error {
	adc := sync.OnceValues(detect)
	if old := p.setup.Load(); old.usesADC() {
		adc = old.adc
	}
	s, err := newSetup(cfg, adc)
	if err != nil {
		return err
	}
	p.replan(now, s)
	p.wake()
	return nil
}

// replan puts s in force, and makes every plan that is known anew from it.
func (p *Pool) replan(now time.Time, s *setup) {
	p.planMu.Lock()
	defer p.planMu.Unlock()
	at, old := p.instant(now), p.setup.Load()
	s.inherit(old, at)
	p.setup.Store(s)
	for _, known := range p.everyPlan() {
		plan := p.newPlan(known.Model, s)
		h := newHeritage(known, at, s.cfg.Breaker == old.cfg.Breaker, s.cfg.Pacing == old.cfg.Pacing)
		for _, c := range plan.all {
			h.leave(c, at)
		}
		plan.used.Store(known.used.Load())
		plan.tokens, plan.gone = known.tokens, h.left(at)
		p.recall(now, plan)
		p.plans.Store(plan.Model, plan)
	}
}

// identity is what makes two configurations speak of the same project, whatever else they say of it.
type identity struct {
	name      string
	backend   Backend
	projectID string
	base      string
}

func (p *project) identity() identity { return identity{p.Name, p.Backend, p.ProjectID, p.BaseURL} }

// inherit gives the projects of s what the same projects of old know: what rests as a whole, and the ledgers of orders that are the same.
func (s *setup) inherit(old *setup, at int64) {
	known := make(map[identity]*project)
	for _, o := range old.gone {
		if at-o.gone < int64(goneFor) {
			known[o.identity()] = o
		}
	}
	for _, o := range old.projects {
		o.gone = at
		known[o.identity()] = o
	}
	for _, p := range s.projects {
		if o := known[p.identity()]; o != nil {
			p.inherit(o)
			delete(known, p.identity())
		}
	}
	for _, o := range known {
		s.gone = append(s.gone, o)
	}
}

func (p *project) inherit(o *project) {
	p.cool = o.cool
	for i, k := range p.keys {
		for _, known := range o.keys {
			if k.secret.Equal(known.secret) {
				p.keys[i] = known
			}
		}
	}
	for i, order := range p.orders {
		for _, known := range o.orders {
			if order.same(known.Order) {
				p.orders[i] = known
			}
		}
	}
}

// same reports whether nothing of an order has changed.
func (o *order) same(known Order) bool {
	mine := o.Order
	if mine.Burndown != nil && known.Burndown != nil && *mine.Burndown == *known.Burndown {
		mine.Burndown = known.Burndown
	}
	return mine == known
}

// heritage is what a plan leaves to the one that takes its place.
type heritage struct {
	endpoints map[endpointID]*Candidate
	shared    map[identity]*projectModel // on demand
	servers   map[serverID]*server       // empty if breakers are set otherwise now
	paces     bool                       // they go on
}

// endpointID names an endpoint, whatever the configuration.
type endpointID struct {
	project  identity
	location string
	order    *order
}

func (c *Candidate) endpointID() endpointID {
	return endpointID{c.project.identity(), c.location, c.order}
}

func newHeritage(old *Plan, at int64, breakers, paces bool) *heritage {
	h := &heritage{
		endpoints: make(map[endpointID]*Candidate), shared: make(map[identity]*projectModel), servers: make(map[serverID]*server), paces: paces,
	}
	for _, c := range old.gone {
		h.add(c, breakers)
	}
	for _, c := range old.all {
		c.gone = at
		h.add(c, breakers)
	}
	return h
}

func (h *heritage) add(c *Candidate, breaker bool) {
	h.endpoints[c.endpointID()] = c
	if c.order == nil {
		h.shared[c.project.identity()] = c.shared
	}
	if breaker {
		h.servers[c.serverID()] = c.server
	}
}

// leave gives a candidate of the new plan what the old one's knew.
func (h *heritage) leave(c *Candidate, at int64) {
	if server := h.servers[c.serverID()]; server != nil {
		c.server = server
	}
	if shared := h.shared[c.project.identity()]; shared != nil && c.order == nil {
		shared.declare(at, c.project.limits(c.plan.Model))
		c.shared = shared
	}
	id := c.endpointID()
	known := h.endpoints[id]
	if known == nil {
		return
	}
	delete(h.endpoints, id)
	c.load = known.load
	c.place.cool = known.place.cool
	if h.paces {
		c.place = known.place
	}
	if c.order != nil {
		c.shared = known.shared
	}
}

// left are the candidates that nobody took over and that may come back.
func (h *heritage) left(at int64) (gone []*Candidate) {
	for _, c := range h.endpoints {
		if at-c.gone < int64(goneFor) {
			gone = append(gone, c)
		}
	}
	return gone
}
