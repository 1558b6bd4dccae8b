package pool

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// project is one [Project] with its keys, orders and endpoints.
type project struct {
	Project

	base      *url.URL
	share     float64                // of the limits that Google names, that this process may use; zero is all
	tokens    auth.TokenProvider     // nil where keys are used
	lastToken atomic.Pointer[string] // that went out
	keys      keys                   // empty where tokens are used
	orders    []*order
	found     found // what Google shows that the project has
	entry     *entry
	backend   *entry // of all projects of the back end

	provisioned, onDemand []*endpoint
	others                []*endpoint // on demand where only an order is: for calls that name no model
	laddered              bool        // it has other service tiers than the standard one
}

// key is one API key.
type key struct {
	secret Secret
	entry  *entry
}

// newProject makes a project of what the fence has left of its configuration.
func newProject(c Project, adc func() (auth.TokenProvider, error)) (*project, error) {
	p := &project{Project: c, tokens: c.Credentials}
	if len(c.Keys) > 0 {
		p.tokens = nil // those are for Discover
	}
	if p.ProjectID == "" {
		p.ProjectID = p.Name
	}
	if p.Weight == 0 {
		p.Weight = 1
	}
	interactive, batch := c.ladders()
	p.laddered = interactive|batch != onlyStandard
	for _, s := range c.Keys {
		p.keys = append(p.keys, key{secret: s})
	}
	var err error
	if c.BaseURL != "" {
		if p.base, err = url.Parse(c.BaseURL); err != nil {
			return nil, fmt.Errorf("pool: project %q: base_url is not a valid URL", c.Name)
		}
	}
	if p.tokens == nil && len(p.keys) == 0 {
		if p.tokens, err = adc(); err != nil {
			return nil, fmt.Errorf("pool: project %q: application default credentials: %w; "+
				"run `gcloud auth application-default login`, or set credentials", c.Name, err)
		}
	}
	for _, o := range c.Provisioned {
		order, err := newOrder(o)
		if err != nil {
			return nil, fmt.Errorf("pool: project %q: %w", c.Name, err)
		}
		p.orders = append(p.orders, order)
	}
	return p, nil
}

// connect gives the project its entries, and makes its endpoints. It adds to replaced
// the orders in whose place the memory had another.
func (p *project) connect(memory *entries, now time.Time, replaced map[*order]bool) {
	p.entry, p.backend = p.entries(memory, "")
	p.keys = p.keys.of(memory, p.Name, "")
	p.connectLots(memory, now, replaced)
	for i, o := range p.orders {
		p.provisioned = append(p.provisioned, newEndpoint(p, o.Location, TrafficProvisioned, o, &p.Provisioned[i]))
	}
	for _, l := range p.Locations {
		p.onDemand = append(p.onDemand, p.climbs(l)...)
	}
	for _, o := range p.orders {
		at := func(e *endpoint) bool { return e.Location == o.Location }
		if !slices.ContainsFunc(p.onDemand, at) && !slices.ContainsFunc(p.others, at) {
			p.others = append(p.others, newEndpoint(p, o.Location, TrafficOnDemand, nil, nil))
		}
	}
	for _, e := range slices.Concat(p.provisioned, p.onDemand, p.others) {
		e.host = hostEntry(memory, e.Host, "")
	}
}

func none(*entry) {}

// entries returns the entries of the project and of its back end for an account of methods.
func (p *project) entries(memory *entries, method string) (whole, backend *entry) {
	whole = memory.entry(Subject{Kind: kindProject, Project: p.Name, Method: method}, none)
	return whole, memory.entry(Subject{Kind: kindBackend, Backend: p.Backend, Method: method}, none)
}

// hostEntry returns the entry of a host for an account of methods.
func hostEntry(memory *entries, host, method string) *entry {
	return memory.entry(Subject{Kind: kindHost, Host: host, Method: method}, func(e *entry) { e.outage = &outage{} })
}

// of returns the keys with their entries for an account of methods.
func (ks keys) of(memory *entries, project, method string) keys {
	var all keys
	for _, k := range ks {
		s := Subject{Kind: kindKey, Project: project, Credential: k.secret.hash(), Method: method}
		all = append(all, key{secret: k.secret, entry: memory.entry(s, none)})
	}
	return all
}

// serves reports whether the project may be asked for a model. Calls that name no model are always
// welcome.
func (p *Project) serves(model string) bool {
	return model == "" || len(p.Models) == 0 || matches(p.Models, model)
}

func matches(globs []string, model string) bool {
	for _, g := range globs {
		if ok, _ := path.Match(g, model); ok {
			return true
		}
	}
	return false
}

// in reports whether the project has an endpoint in a location.
func (p *project) in(location string) bool {
	at := func(e *endpoint) bool { return e.Location == location }
	return slices.ContainsFunc(p.provisioned, at) || slices.ContainsFunc(p.onDemand, at) || slices.ContainsFunc(p.others, at)
}

// limits returns the strictest of each dimension among the limits that match model.
func (p *Project) limits(model string) quota.Limits {
	var l quota.Limits
	if model == "" {
		return l
	}
	strictest := func(have *int64, want int64) {
		if want > 0 && (*have == 0 || want < *have) {
			*have = want
		}
	}
	for _, x := range p.Limits {
		if x.Model == "" || matches([]string{x.Model}, model) {
			strictest(&l.RPM, x.RPM)
			strictest(&l.TPM, x.TPM)
			strictest(&l.RPD, x.RPD)
			strictest(&l.Concurrency, x.Concurrency)
		}
	}
	return l
}

// keys are the keys of one project.
type keys []key

// ended returns when the last time ended at which every key was on cooldown; zero if there was
// none.
func (ks keys) ended(at int64) int64 {
	if len(ks) == 0 {
		return 0
	}
	ended := int64(cooldown.Forever)
	for i := range ks {
		ended = min(ended, ks[i].entry.cool.Ended(at))
	}
	return ended
}

// wake returns when the first key may be asked.
func (ks keys) wake(at int64) int64 {
	if len(ks) == 0 {
		return at
	}
	wake := int64(cooldown.Forever)
	for i := range ks {
		wake = min(wake, ks[i].entry.cool.Wake(at))
	}
	return wake
}
