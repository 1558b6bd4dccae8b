package pool

import (
	"hash/fnv"
	"io"
	"net/url"

	"github.com/spillway-go/spillway/quota"
)

// Endpoint is a project in one location for one kind of traffic: what a call is sent to.
type Endpoint struct {
	// Name is "project/location/traffic".
	Name string
	// Project is the project's name in the configuration, ProjectID its Google Cloud project id.
	Project, ProjectID string
	Backend            Backend
	// Location is "global" for the Gemini back end.
	Location string
	Traffic  Traffic
	// Tier is, in a [Plan] and of a [Lease], the endpoint's tier for the model: 0 is tried first.
	Tier int
	// Keyed says that calls carry an API key, rather than an access token.
	Keyed bool
	// Overflow says how calls beyond an order are routed. Empty on demand.
	Overflow Overflow
	// Host is the address that the endpoint is at, which it shares with others.
	Host string
	// BaseURL replaces Google's address. Nil means Google's.
	BaseURL *url.URL
	// Weight is the project's.
	Weight float64
	// Order is the Provisioned Throughput order that the endpoint is for. Nil on demand. In a [Plan]
	// its TokensPerSecond are there in any case.
	Order *Order
	// Limits are, in a [Plan], the limits to keep to for the plan's model, wherever they are known from.
	// The project's on-demand endpoints share them.
	Limits quota.Limits
	// Why says, in a [Plan], what keeps the plan's call from the endpoint now, as a [Reason] does.
	// Empty means that nothing does.
	Why string
}

// Home returns where the resources that the endpoint makes live.
func (e *Endpoint) Home() Home { return Home{e.Project, e.Location} }

// endpoint is an Endpoint with what belongs to it in the pool.
type endpoint struct {
	Endpoint

	// What every call looks at stands together.
	order   *order // nil on demand
	backend *entry // of the project's back end,
	host    *entry // of the endpoint's host, and
	whole   *entry // of the project itself
	keys    keys   // of the project
	project *project
	hash    uint64 // of the name; the same in every process
	rungs   rungs
}

// newEndpoint returns the endpoint of a project in a location. Of an order, declared is what the
// configuration says: what is known of the order may be from before a reload.
func newEndpoint(p *project, location string, t Traffic, o *order, declared *Order) *endpoint {
	e := &endpoint{project: p, order: o, backend: p.backend, whole: p.entry, keys: p.keys, rungs: rungs{true, true}}
	e.Endpoint = Endpoint{
		Project: p.Name, ProjectID: p.ProjectID, Backend: p.Backend, Location: location,
		Traffic: t, Keyed: len(p.keys) > 0, BaseURL: p.base, Weight: p.Weight,
	}
	if o != nil {
		e.Order, e.Overflow = declared, o.Overflow
		if e.Overflow == "" {
			e.Overflow = OverflowRouter
		}
	}
	e.Name = p.Name + "/" + location + "/" + string(e.Traffic)
	if e.Host = googleHost(p.Backend, location); p.base != nil {
		e.Host = p.base.Host
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, e.Name)
	e.hash = h.Sum64()
	return e
}

// ledger returns the order's ledger if the endpoint is to keep to it.
func (e *endpoint) ledger() orderLedger {
	if e.order == nil || e.Overflow == OverflowVertex {
		return nil
	}
	return e.order.ledger
}

// paced reports whether hidden capacity is behind the endpoint, so that it is paced after
// contention. On the Developer API that of each service tier is, where a project has several.
func (e *endpoint) paced() bool { return hidden(e) && e.ledger() == nil }

// hidden reports whether the back end has capacity on demand that no quota tells of.
func hidden(e *endpoint) bool { return e.Backend == BackendVertex || e.project.laddered }

// subject names the endpoint's state for a model and method.
func (e *endpoint) subject(k modelKey) Subject {
	s := Subject{Kind: kindModel, Project: e.Project, Location: e.Location, Model: k.name, Method: k.method}
	if e.Traffic != TrafficOnDemand {
		s.Traffic = e.Traffic
	}
	return s
}

// sharedSubject names the state of the project for a model and method.
func (p *project) sharedSubject(k modelKey) Subject {
	return Subject{Kind: kindModel, Project: p.Name, Model: k.name, Method: k.method}
}

// paceSubject names what a fleet paces together: the project's model, at one service tier.
func paceSubject(e *endpoint, k modelKey) Subject {
	s := e.project.sharedSubject(k)
	s.Traffic = stepAt(e)
	return s
}

// serverSubject names the servers behind the endpoint for a model and method. Each service tier has
// room of its own.
func (e *endpoint) serverSubject(k modelKey) Subject {
	s := Subject{
		Kind: kindServer, Backend: e.Backend, Location: e.Location, Model: k.name, Method: k.method, Traffic: stepAt(e),
	}
	if e.BaseURL != nil {
		s.Host = e.BaseURL.String()
	}
	return s
}
