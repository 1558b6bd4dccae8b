package pool

import (
	"cmp"
	"slices"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/quota"
)

// Stat is a snapshot of a pool. It shares nothing with the pool.
type Stat struct {
	At       time.Time
	Projects []ProjectStat
	// Endpoints are in the order of their model's tiers, models in the order of their names.
	Endpoints []EndpointStat
}

// ProjectStat is a project as a whole.
type ProjectStat struct {
	Name    string
	Backend Backend
	// Rest is what keeps all of the project from being asked; the zero Rest means nothing does.
	Rest Rest
	Keys []KeyStat
}

// KeyStat is one API key. Its text is not shown.
type KeyStat struct {
	Key  Secret
	Rest Rest
}

// EndpointStat is an endpoint as it stands for one model that was asked for.
type EndpointStat struct {
	// Endpoint is "project/location/traffic".
	Endpoint string
	Model    string
	Tier     int
	// Calls and Tokens are in flight now.
	Calls  int
	Tokens int64
	// Rest is the longest of what keeps the endpoint from being asked; the zero Rest means nothing does.
	Rest    Rest
	Breaker breaker.Stat
	// Quota is what the project has of its limits for the model, declared or learned; nil where there is none, and for orders.
	Quota *quota.Stat
	// Learned are the limits that Google's refusals named, as far as they are not forgotten: a day after the last time they begin to grow.
	Learned quota.Limits
	// Order is the Provisioned Throughput order's ledger; nil on demand.
	Order *quota.LedgerStat
	// Pacing is how on-demand calls to Vertex AI are paced; nil elsewhere.
	Pacing *quota.PacerStat
}

// Stat returns a snapshot of every project and key, and of every endpoint for every model that was asked for.
func (p *Pool) Stat(now time.Time) Stat {
	at := p.instant(now)
	s := Stat{At: now}
	for _, project := range p.setup.Load().projects {
		ps := ProjectStat{Name: project.Name, Backend: project.Backend, Rest: project.cool.stat(at, p.epoch)}
		for _, k := range project.keys {
			ps.Keys = append(ps.Keys, KeyStat{Key: k.secret, Rest: k.cool.stat(at, p.epoch)})
		}
		s.Projects = append(s.Projects, ps)
	}
	plans := p.everyPlan()
	slices.SortFunc(plans, func(a, b *Plan) int { return cmp.Compare(a.Model, b.Model) })
	for _, plan := range plans {
		for i, tier := range plan.Tiers {
			for _, c := range tier.Candidates {
				s.Endpoints = append(s.Endpoints, c.stat(now, at, i))
			}
		}
	}
	return s
}

func (c *Candidate) stat(now time.Time, at int64, tier int) EndpointStat {
	c.sweep(now, at)
	e := EndpointStat{
		Endpoint: c.name, Model: c.plan.Model, Tier: tier,
		Calls: c.load.leases.carried(), Tokens: c.load.tokens.Load(),
		Rest: c.Resting(now), Breaker: c.server.breaker.Stat(now),
	}
	if c.limited() {
		q := c.shared.quota.Stat(now)
		e.Quota = &q
		e.Learned = c.shared.known(at)
	}
	if c.order != nil {
		l := c.order.ledger.Stat(now)
		e.Order = &l
	}
	if c.paced() {
		p := c.place.pacer.Stat(now)
		e.Pacing = &p
	}
	return e
}
