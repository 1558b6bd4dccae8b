package pool

import (
	"cmp"
	"hash/fnv"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/tokens"
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

	all     []*Candidate
	speaks  []Backend    // of all
	gone    []*Candidate // taken away by reloads
	tokens  *tokens.Estimator
	secrets []string     // of the whole pool
	used    atomic.Int64 // instant of the last use
}

// Tier is a set of candidates that are equally preferred.
type Tier struct {
	// Candidates of one tier, in the order of the configuration.
	Candidates []*Candidate

	heaviest float64
	turn     atomic.Uint64
	choosing sync.Mutex
}

// Lock makes those who choose by what the candidates carry do so one after the other; see [Candidate.Expect]. It is for no more than that.
func (t *Tier) Lock() { t.choosing.Lock() }

// Unlock ends Lock.
func (t *Tier) Unlock() { t.choosing.Unlock() }

// MaxWeight returns the greatest weight of the candidates.
func (t *Tier) MaxWeight() float64 { return t.heaviest }

// Turn returns 0, 1, 2, … : a counter for policies that take turns.
func (t *Tier) Turn() uint64 { return t.turn.Add(1) - 1 }

// Speaks reports whether any candidate is of a back end.
func (p *Plan) Speaks(b Backend) bool { return slices.Contains(p.speaks, b) }

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

// newPlan finds every endpoint of s that could ever serve model.
func (p *Pool) newPlan(model string, s *setup) *Plan {
	plan := &Plan{Model: model, tokens: &tokens.Estimator{}, secrets: s.secrets}
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

	for _, project := range s.projects {
		if !project.serves(model) {
			continue
		}
		shared := newProjectModel(project.limits(model))
		candidate := func(location string, o *order) *Candidate {
			traffic, shared := TrafficOnDemand, shared
			if o != nil { // an order may have what pay-as-you-go has run out of: the model rests for each by itself
				traffic, shared = TrafficProvisioned, newOrderModel()
			}
			c := &Candidate{
				pool: p, plan: plan, project: project, shared: shared, place: newPlace(s.cfg.Pacing), load: &load{},
				order: o, backend: p.backends[project.Backend],
				location: location, traffic: traffic,
				name: project.Name + "/" + location + "/" + string(traffic),
			}
			h := fnv.New64a()
			_, _ = io.WriteString(h, c.name)
			c.hash = h.Sum64()
			id := c.serverID()
			if servers[id] == nil {
				servers[id] = p.newServer(s.cfg.Breaker, model, id)
			}
			c.server = servers[id]
			return c
		}
		if model != "" {
			for _, o := range project.orders {
				if sameModel(o.Model, model) {
					add(rank{}, candidate(o.Location, o))
				}
			}
		}
		for _, location := range project.places(model) {
			add(rank{true, project.Priority, reach(location)}, candidate(location, nil))
		}
	}

	slices.SortStableFunc(ranks, rank.compare)
	for _, r := range ranks {
		plan.Tiers = append(plan.Tiers, tiers[r])
		plan.all = append(plan.all, tiers[r].Candidates...)
	}
	for _, c := range plan.all {
		if !plan.Speaks(c.Backend()) {
			plan.speaks = append(plan.speaks, c.Backend())
		}
	}
	return plan
}

// places are the locations where calls for a model may go on demand. What belongs to no model may live wherever the project is asked at all.
func (p *project) places(model string) []string {
	places := slices.Clone(p.Locations)
	for _, o := range p.orders {
		if model == "" && !slices.Contains(places, o.Location) {
			places = append(places, o.Location)
		}
	}
	return places
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

// serverID names the servers that the endpoint is asked of.
func (c *Candidate) serverID() serverID {
	return serverID{c.project.Backend, c.project.BaseURL, c.location}
}

// server is the health of a location's servers of one model.
type server struct {
	breaker  *breaker.Breaker
	answered atomic.Int64 // instant of the last byte from there, whoever asked
}

func (p *Pool) newServer(cfg breaker.Config, model string, id serverID) *server {
	return &server{breaker: breaker.New(cfg, func(c breaker.Change) { p.logBreaker(model, id, c) })}
}
