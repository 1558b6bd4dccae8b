package pool

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/modelid"
)

// Plan is how calls for one model are served, and where a call would go now.
type Plan struct {
	// Model is the model's id; empty for calls that name none.
	Model string
	// Tiers are tried in order. The endpoints of one tier are equally preferred, in the order of
	// the configuration. Without a tier no project takes the model. Of orders that follow each other
	// each has an endpoint of the same name, until it has ended.
	Tiers [][]Endpoint
	// Reasons say of the endpoints that cannot be asked for the call now why, until when, and what to
	// do, in the order of the tiers. Of orders that follow each other they are about the one in force,
	// else the next to begin, else the last.
	Reasons []Reason
	// Next are the names of the endpoints to one of which the call would go at once, if nothing
	// else happens: where there are several, the policy draws. Empty means that the call would wait
	// or be refused.
	Next []string
	// RetryAt is the earliest moment at which an endpoint could serve the call, as far as is known.
	// Zero means that none is known. Never says that no endpoint may serve it at any time.
	RetryAt time.Time
	Never   bool
	// Status is that of the answer of Google's that the caller would get if the call were refused now;
	// zero if that would be the pool's own word.
	Status int
	// Ahead is how many calls wait for the same endpoints and go first.
	Ahead int
}

// Plan returns how a call is served, and where it would go now. It reserves and changes nothing, and
// the result shares nothing with the pool that changes. A request without an Estimate stands for
// the last call that was refused, if that is at most 10 s ago, else for one of the model's usual
// size. The pool need not have seen the model.
func (p *Pool) Plan(r *Request) Plan {
	defer p.outbox.deliver()
	now := p.clock.now()
	at := p.instant(now)
	see(p, now)
	lookAt(p, r, now)
	plan := Plan{Model: r.Model, Never: true}
	for _, t := range r.state.plan.tiers {
		tier := make([]Endpoint, 0, len(t.candidates))
		for _, c := range t.candidates {
			if c.when.after != nil && c.when.inForceAt(at) == cooldown.Forever {
				continue // another order has followed
			}
			e := c.Endpoint
			e.Limits = c.limitsInForce()
			if e.Order != nil {
				o := *e.Order
				o.TokensPerSecond = c.order.ledger.Stat(now).TokensPerSecond
				e.Order = &o
			}
			barred := r.ineligible(c)
			plan.Never = plan.Never && barred != ""
			reason := reasonFor(r, now, c, barred)
			if e.Why = reason.Why; e.Why != "" && c.when.stands(at) {
				plan.Reasons = append(plan.Reasons, reason)
			}
			tier = append(tier, e)
		}
		plan.Tiers = append(plan.Tiers, tier)
	}
	if r.Model == "" || plan.Never {
		return plan
	}
	t := trial{pool: p, r: r, now: now, at: at, limit: now}
	plan.Ahead = p.queue.ahead(r, now)
	r.state.ahead = plan.Ahead
	for _, c := range (preview{&t}).choices() {
		plan.Next = append(plan.Next, c.Name)
	}
	if plan.RetryAt = now; len(plan.Next) == 0 {
		plan.RetryAt, _ = r.retryAt(now)
		plan.Status = r.findKept(now, at).Status
	}
	return plan
}

// lookAt gives a request that only looks the plan and the need of a call. The pool does not remember
// the model for it.
func lookAt(p *Pool, r *Request, now time.Time) {
	k := modelKey{r.Model, r.Asked.Method}
	m := p.models.find(k)
	if m == nil {
		m = &model{modelKey: k}
	}
	r.state = requestState{began: now, plan: m.plan.Load()}
	if r.state.plan == nil {
		r.state.plan = newPlan(p, m, p.setup.Load())
	}
	n := &r.state.need
	if *n = r.state.plan.usual(p.instant(now)); r.Estimate != (Estimate{}) {
		n.fill(m, &r.Estimate, r.Deadline)
	}
	n.Deadline, n.Unmetered, n.asked, n.ties.asks = r.Deadline, r.Estimate.Unmetered, r.Asked, nil
	r.state.claimed = r.state.plan.setup.claims(r.Asked.Label)
}

// plan is how calls for one model are served: a view of the model's entries in the order of a
// configuration. It never changes; a reload makes another.
type plan struct {
	pool   *Pool
	model  *model
	setup  *setup
	tiers  []*tier
	all    []*candidate
	speaks []Backend // of all
	// Some calls may not go to all endpoints, for their service tier.
	laddered bool
	paced    bool // some endpoint has hidden capacity
	renewed  bool // some orders follow others

	changes atomic.Uint64 // counts what may have changed when an endpoint wakes
	closed  [versions]atomic.Pointer[closed]
}

// only reports whether all endpoints have that kind of traffic.
func (p *plan) only(t Traffic) bool { // provisioned ones come first
	return len(p.tiers) > 0 && p.tiers[0].candidates[0].Traffic == t &&
		p.tiers[len(p.tiers)-1].candidates[0].Traffic == t
}

// orderFor returns the first order in force that a request may use, or nil.
func (p *plan) orderFor(r *Request, at int64) *order {
	if r.Estimate.Unmetered {
		return nil
	}
	for _, c := range p.all {
		if c.order == nil { // orders come first
			break
		}
		if eligibleAt(r, c, at) {
			return c.order
		}
	}
	return nil
}

// asks reports whether the store that replicas share may have to be asked for single calls: for
// orders, which come first, or for paces.
func (p *plan) asks() bool {
	return p.paced || len(p.all) > 0 && p.all[0].order != nil
}

// closed says that every endpoint is on cooldown until an instant, as long as changes is what it
// was.
type closed struct {
	version string
	changes uint64
	until   int64
	kept    atomic.Pointer[kept] // what Google answered, see Request.kept; nil until it is asked for
}

// versions is the number of versions of the API that are told apart, with those of OpenAI's
// dialect. A cooldown may be for one of them.
const versions = 16

// closedFor returns what is known of calls of the same version.
func (p *plan) closedFor(n *need) *atomic.Pointer[closed] {
	h := uint32(len(n.asked.Version))
	for i := range len(n.asked.Version) {
		h = h*31 + uint32(n.asked.Version[i])
	}
	return &p.closed[h%versions]
}

// closedUntil returns the instant before which no endpoint of the plan can be asked; zero if none
// is known.
func (p *plan) closedUntil(n *need, at int64) int64 {
	c := p.closedFor(n).Load()
	if c != nil && c.version != n.asked.Version {
		return 0
	}
	if c == nil || c.until <= at || c.changes != p.changes.Load() {
		return 0
	}
	return c.until
}

// tier is a set of candidates that are equally preferred.
type tier struct {
	candidates []*candidate
	heaviest   float64 // the greatest weight
	turn       atomic.Uint64
	tally      tally
	ring       ring
	choosing   choosing
	dice       *dice
}

// rank orders candidates into tiers: provisioned first, then by the project's priority, then from
// the cheapest step to the dearest, then from the largest capacity pool to the smallest.
type rank struct {
	onDemand bool
	priority int
	step     int
	reach    int
}

// rankOf returns the rank of an endpoint on demand.
func rankOf(e *endpoint) rank {
	return rank{true, e.project.Priority, stepOf(e.Traffic), reach(e.Location)}
}

func (r rank) compare(s rank) int {
	if r.onDemand != s.onDemand {
		if s.onDemand {
			return -1
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(r.priority, s.priority), cmp.Compare(r.step, s.step), cmp.Compare(r.reach, s.reach),
	)
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

// newPlan finds every endpoint of s that could ever serve m.
func newPlan(p *Pool, m *model, s *setup) *plan {
	b := planner{plan: &plan{pool: p, model: m, setup: s}, tiers: make(map[rank]*tier), servers: make(map[Subject]*slot)}
	for _, project := range s.projects {
		if !project.serves(m.name) {
			continue
		}
		if m.name != "" {
			for _, e := range project.provisioned {
				if modelid.Same(e.order.Model, m.name) {
					b.add(rank{}, e, nil)
				}
			}
		}
		shared := b.slot(project.sharedSubject(m.modelKey))
		tiered := m.name != "" && m.method == "" // nothing else than generating has service tiers
		b.plan.laddered = b.plan.laddered || tiered && project.laddered
		for _, e := range project.onDemand {
			if tiered || stepAt(e) == "" {
				b.add(rankOf(e), e, shared)
			}
		}
		if m.name == "" {
			for _, e := range project.others {
				b.add(rankOf(e), e, shared)
			}
		}
	}
	return b.finish()
}

// planner puts a plan together.
type planner struct {
	plan    *plan
	tiers   map[rank]*tier
	ranks   []rank
	servers map[Subject]*slot
}

// slot leads to the entry of a subject, if there is one yet.
func (b *planner) slot(s Subject) *slot {
	slot := &slot{}
	slot.entry.Store(b.plan.model.find(s))
	return slot
}

func (b *planner) add(r rank, e *endpoint, shared *slot) {
	t := b.tiers[r]
	if t == nil {
		t = &tier{dice: b.plan.pool.clock.dice}
		b.tiers[r] = t
		b.ranks = append(b.ranks, r)
	}
	k := b.plan.model.modelKey
	server := e.serverSubject(k)
	if b.servers[server] == nil {
		b.servers[server] = b.slot(server)
	}
	c := &candidate{endpoint: *e, plan: b.plan, tier: t, shared: shared, server: b.servers[server], when: scheduleOf(b.plan.pool, e.Order)}
	if k.method != "" {
		b.account(c)
	}
	c.own.entry.Store(b.plan.model.find(e.subject(k)))
	if shared == nil {
		c.shared = &c.own
	}
	c.shared.members = append(c.shared.members, c)
	t.candidates = append(t.candidates, c)
	t.heaviest = max(t.heaviest, c.Weight)
}

// account gives a candidate the entries of the account that its calls belong to: what is known of
// keys, projects and hosts holds for the calls that it was learned from.
func (b *planner) account(c *candidate) {
	method, memory := b.plan.model.method, &b.plan.pool.memory
	c.whole, c.backend = c.project.entries(memory, method)
	c.host = hostEntry(memory, c.Host, method)
	c.keys = c.keys.of(memory, c.Project, method)
}

func (b *planner) finish() *plan {
	p := b.plan
	slices.SortStableFunc(b.ranks, rank.compare)
	for i, r := range b.ranks {
		p.tiers = append(p.tiers, b.tiers[r])
		for _, c := range b.tiers[r].candidates {
			c.Tier = i
			p.all = append(p.all, c)
		}
	}
	for _, c := range p.all {
		if !slices.Contains(p.speaks, c.Backend) {
			p.speaks = append(p.speaks, c.Backend)
		}
		p.paced = p.paced || c.paced()
		addPace(c, c.own.entry.Load())
	}
	p.follow()
	return p
}
