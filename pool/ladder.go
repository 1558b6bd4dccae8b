package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/remedy"
)

// The service tiers at which Google sells pay-as-you-go, as [Project.OnDemand] has them. Flex is
// slower and costs half of the standard price, priority goes first and costs more. Sources:
// https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo, …/priority-paygo and
// https://ai.google.dev/gemini-api/docs/rate-limits.
const (
	TierFlex     = "flex"
	TierStandard = "standard"
	TierPriority = "priority"
)

// step is a service tier, with the traffic that its calls are.
type step struct {
	tier    string
	traffic Traffic
}

// steps are the service tiers from the cheapest to the dearest.
var steps = [...]step{{TierFlex, TrafficFlex}, {TierStandard, TrafficOnDemand}, {TierPriority, TrafficPriority}}

// ladder is a set of steps: a bit for each, in their order.
type ladder uint8

const onlyStandard ladder = 1 << 1

// stepOf returns the place of a kind of traffic among the steps.
func stepOf(t Traffic) int {
	return slices.IndexFunc(steps[:], func(s step) bool { return s.traffic == t })
}

// has reports whether traffic of a kind is one of the ladder's steps.
func (l ladder) has(t Traffic) bool {
	i := stepOf(t)
	return i >= 0 && l&(1<<i) != 0
}

// ladderOf returns the ladder of some service tiers. Those that are none are left out.
func ladderOf(tiers []string) (l ladder) {
	for i, s := range steps {
		if slices.Contains(tiers, s.tier) {
			l |= 1 << i
		}
	}
	return l
}

// ladders returns the steps that calls may go to which name no service tier: interactive calls, and
// batch calls. Without steps of their own, batch calls do without priority.
func (p *Project) ladders() (interactive, batch ladder) {
	if interactive = ladderOf(p.OnDemand); interactive == 0 {
		interactive = onlyStandard
	}
	if batch = ladderOf(p.BatchOnDemand); batch == 0 {
		batch = interactive
		if cheaper := batch &^ (1 << stepOf(TrafficPriority)); cheaper != 0 {
			batch = cheaper
		}
	}
	return interactive, batch
}

// sells reports whether a back end has the service tier of some traffic in a location. Elsewhere
// Vertex AI ignores the header that asks for it. Sources: as for the tiers.
func (b Backend) sells(t Traffic, location string) bool {
	switch {
	case b == BackendGemini, t == TrafficOnDemand:
		return true
	case t == TrafficFlex:
		return reach(location) == 0
	default:
		return reach(location) <= 1
	}
}

// climbs returns the endpoints on demand in a location: the standard one, which also serves calls
// that have no service tier, and the steps beside it.
func (p *project) climbs(location string) []*endpoint {
	var all []*endpoint
	interactive, batch := p.ladders()
	for _, s := range steps {
		r := rungs{interactive.has(s.traffic), batch.has(s.traffic)}
		if s.traffic != TrafficOnDemand && (r == rungs{} || !p.Backend.sells(s.traffic, location)) {
			continue
		}
		e := newEndpoint(p, location, s.traffic, nil, nil)
		e.rungs = r
		all = append(all, e)
	}
	return all
}

// offers reports whether the project has endpoints for a kind of traffic.
func (p *project) offers(t Traffic) bool {
	return slices.ContainsFunc(p.onDemand, func(e *endpoint) bool { return e.Traffic == t })
}

// stepAt returns the traffic of an endpoint that is a step beside the standard one; "" for others.
// Such a step has room of its own.
func stepAt(e *endpoint) Traffic {
	if e.order != nil || e.Traffic == TrafficOnDemand {
		return ""
	}
	return e.Traffic
}

// quotaApart reports whether Google counts calls of the endpoint apart from the project's others.
// Flex has a quota of its own on Vertex AI; the Developer API counts priority in the standard limits.
// Sources: https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo,
// https://ai.google.dev/gemini-api/docs/rate-limits.
func quotaApart(e *endpoint) bool { return e.Backend == BackendVertex && e.Traffic == TrafficFlex }

// rungs says which calls that name no service tier an endpoint is for.
type rungs struct{ interactive, batch bool }

// bar says why a call that names no service tier does not go to an endpoint; "" if it may.
func (r rungs) bar(batch bool) string {
	switch {
	case batch && r.batch, !batch && r.interactive:
		return ""
	case r.batch:
		return "serves batch calls"
	case r.interactive:
		return "serves interactive calls"
	default:
		return "serves calls that name its service tier"
	}
}

// offStep says why a request does not go to the service tier of a candidate; "" if it may.
func offStep(r *Request, c *candidate) string {
	if !c.plan.laddered || c.order != nil {
		return ""
	}
	a := &r.Asked
	switch {
	case c.Traffic == a.Without, a.Only != "" && c.Traffic != a.Only:
	case a.OnDemand == "":
		return c.rungs.bar(r.Batch)
	case c.Traffic == a.OnDemand, c.Traffic == TrafficOnDemand && !c.project.offers(a.OnDemand):
		return ""
	}
	return "carries " + string(c.Traffic) + " traffic"
}

// isOnDemand reports whether traffic is pay-as-you-go, at whatever service tier.
func (t Traffic) isOnDemand() bool { return stepOf(t) >= 0 }

// covers reports whether traffic of kind u is of kind t. All of pay-as-you-go is on demand.
func (t Traffic) covers(u Traffic) bool {
	return t == "" || t == u || t == TrafficOnDemand && u.isOnDemand()
}

// climb is what decides which service tiers a call may go to. It is zero where there is one only.
type climb struct {
	onDemand, only, without Traffic
	batch                   bool
}

// climbOf returns what decides it for a request.
func climbOf(r *Request) climb {
	if !r.state.plan.laddered {
		return climb{}
	}
	return climb{r.Asked.OnDemand, r.Asked.Only, r.Asked.Without, r.Batch}
}

// lacksTier notes that an endpoint called a call wrong which another service tier has answered: it
// has not got the model. What has answered well of late has it, and the call was wrong for it alone.
func lacksTier(r *lease, now time.Time, at int64, doubted *entry) {
	if doubted == r.own || doubted.proof.proven(at) {
		return
	}
	why := cooldown.Refusal{
		Class: string(ClassModelMissing), Cause: string(remedy.TierLacksIt), Rule: &rules[ClassModelMissing].Rule,
		Message: "refused with 400 at this service tier, and answered at another",
	}
	doubted.start(r.candidate.plan.pool, now, at, r.seq, &why)
}

// downgraded reports whether another service tier answered than that of the endpoint.
func downgraded(e *endpoint, o *Outcome) bool {
	return stepAt(e) != "" && o.Class == ClassOK && o.Traffic != "" && !strings.EqualFold(o.Traffic, string(e.Traffic))
}
