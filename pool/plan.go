package pool

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/quota"
)

// maxPlans bounds how many models a pool remembers. Callers can misspell a model in endless ways; what was not asked for the longest
// time goes first.
const maxPlans = 1000

// Plan is how calls for one model are served: tiers of candidates, in the order they are tried. A Plan is built when its model is
// first asked for, its tiers never change, and it is safe for concurrent use.
type Plan struct {
	// Model is the model's id; empty for calls that name none.
	Model string
	// Tiers are tried in order.
	Tiers []*Tier

	all    []*Candidate
	tokens means
	used   atomic.Int64 // instant of the last use
}

// Tier is a set of candidates that are equally preferred.
type Tier struct {
	// Candidates of one tier, in the order of the configuration.
	Candidates []*Candidate

	heaviest float64
	turn     atomic.Uint64
}

// MaxWeight returns the greatest weight of the candidates.
func (t *Tier) MaxWeight() float64 { return t.heaviest }

// Turn returns 0, 1, 2, … : a counter for policies that take turns.
func (t *Tier) Turn() uint64 { return t.turn.Add(1) - 1 }

// All returns the candidates of every tier, in the order of the tiers. The caller does not change it.
func (p *Plan) All() []*Candidate { return p.all }

// rank orders candidates into tiers: provisioned first, then by the project's priority, then from the largest capacity pool to the
// smallest.
type rank struct {
	onDemand bool
	priority int
	reach    int
}

func (r rank) compare(s rank) int {
	switch {
	case r.onDemand != s.onDemand:
		if s.onDemand {
			return -1
		}
		return 1
	default:
		return cmp.Or(cmp.Compare(r.priority, s.priority), cmp.Compare(r.reach, s.reach))
	}
}

// reach is 0 for global, 1 for a multi-region, 2 for a region.
func reach(location string) int {
	switch {
	case location == "global":
		return 0
	case !strings.Contains(location, "-"):
		return 1
	default:
		return 2
	}
}

// newPlan finds every endpoint that could ever serve model.
func (p *Pool) newPlan(model string) *Plan {
	plan := &Plan{Model: model}
	servers := make(map[serverID]*server)
	tiers := make(map[rank]*Tier)
	var ranks []rank
	add := func(r rank, c *Candidate) {
		t := tiers[r]
		if t == nil {
			t = &Tier{}
			tiers[r] = t
			ranks = append(ranks, r)
		}
		t.Candidates = append(t.Candidates, c)
		t.heaviest = max(t.heaviest, c.Weight())
	}

	homes := make(map[Backend]*project)
	for _, project := range p.projects {
		if homes[project.Backend] == nil {
			homes[project.Backend] = project
		}
		if !project.serves(model) {
			continue
		}
		shared := newProjectModel(project.limits(model))
		candidate := func(location string, o *order) *Candidate {
			id := serverID{project.Backend, project.BaseURL, location}
			if servers[id] == nil {
				servers[id] = p.newServer(model, id)
			}
			traffic, shared := TrafficOnDemand, shared
			if o != nil { // an order may have what pay-as-you-go has run out of: the model rests for each by itself
				traffic, shared = TrafficProvisioned, newOrderModel()
			}
			return &Candidate{
				pool: p, plan: plan, project: project, shared: shared, place: &place{pacer: quota.NewPacer(p.cfg.Pacing)},
				order: o, server: servers[id], backend: p.backends[project.Backend],
				location: location, traffic: traffic,
				name: project.Name + "/" + location + "/" + string(traffic),
				home: homes[project.Backend] == project && location == project.Locations[0],
			}
		}
		if model != "" {
			for _, o := range project.orders {
				if sameModel(o.Model, model) {
					add(rank{}, candidate(o.Location, o))
				}
			}
		}
		for _, location := range project.Locations {
			if model == "" && location != project.Locations[0] {
				continue // what belongs to no model is the same everywhere in a project
			}
			add(rank{true, project.Priority, reach(location)}, candidate(location, nil))
		}
	}

	slices.SortStableFunc(ranks, rank.compare)
	for _, r := range ranks {
		plan.Tiers = append(plan.Tiers, tiers[r])
		plan.all = append(plan.all, tiers[r].Candidates...)
	}
	return plan
}

// version is the suffix of a stable model version. An order names a version, callers often do not.
var version = regexp.MustCompile(`-\d{3}$`)

func sameModel(a, b string) bool {
	return a == b || version.ReplaceAllString(a, "") == version.ReplaceAllString(b, "")
}

// serverID names the servers that fail together: one model's, in one location, behind one address.
type serverID struct {
	backend  Backend
	base     string
	location string
}

// server is the health of a location's servers of one model.
type server struct {
	breaker  *breaker.Breaker
	answered atomic.Int64 // instant of the last byte from there, whoever asked
}

func (p *Pool) newServer(model string, id serverID) *server {
	return &server{breaker: breaker.New(p.cfg.Breaker, func(c breaker.Change) { p.logBreaker(model, id, c) })}
}

// Need returns what a call needs: input is an estimate of its prompt's tokens, maxOutput its own bound of the answer's (0: none) for
// each of candidates, deadline when its caller gives up (zero: never). The estimates are corrected by what the model has been
// counting and answering.
func (p *Plan) Need(input, maxOutput, candidates int64, deadline time.Time) Need {
	scale, output := p.tokens.read()
	out := output * float64(max(candidates, 1))
	if maxOutput > 0 {
		out = min(out, float64(maxOutput*max(candidates, 1)))
	}
	return Need{input: input, Input: int64(float64(input)*scale + 0.5), Output: int64(out + 0.5), Deadline: deadline}
}

// Need is what a call needs of an endpoint, see [Plan.Need].
type Need struct {
	// Input and Output are estimated tokens.
	Input, Output int64
	// Deadline is when the caller gives up; zero: never.
	Deadline time.Time
	// Free says that Google counts the call against no limit and no order.
	Free bool

	input int64 // the estimate before it was corrected
}
