package pool

import (
	"fmt"
	"net/url"
	"path"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/quota"
)

// project is one [Project] with what rests in it as a whole.
type project struct {
	Project
	base   *url.URL
	tokens auth.TokenProvider // nil where keys are used
	keys   []*key             // empty where tokens are used
	orders []*order
	cool   *cooldown
	gone   int64 // instant at which a reload took it away, of those that are in setup.gone
}

// key is one API key.
type key struct {
	secret Secret
	cool   cooldown
}

// order is one Provisioned Throughput order.
type order struct {
	Order
	ledger *quota.Ledger
	cool   cooldown
	proof
	spill once // it answered ON_DEMAND, which was reported
	gauge gauge
}

func newProject(c Project, adc func() (auth.TokenProvider, error)) (*project, error) {
	p := &project{Project: c, tokens: c.Credentials, cool: &cooldown{}}
	if p.ProjectID == "" {
		p.ProjectID = p.Name
	}
	if p.Weight == 0 {
		p.Weight = 1
	}
	if len(p.Locations) == 0 {
		p.Locations = []string{"global"}
	}
	for _, s := range c.Keys {
		p.keys = append(p.keys, &key{secret: s})
	}
	var err error
	if c.BaseURL != "" {
		if p.base, err = url.Parse(c.BaseURL); err != nil {
			return nil, fmt.Errorf("pool: project %q: base_url is no URL", c.Name)
		}
	}
	if p.tokens == nil && len(p.keys) == 0 {
		if p.tokens, err = adc(); err != nil {
			return nil, fmt.Errorf("pool: project %q: application default credentials: %w; "+
				"run `gcloud auth application-default login`, or set credentials", c.Name, err)
		}
	}
	for _, o := range c.Provisioned {
		ledger, err := quota.NewLedger(quota.Order{
			Model: o.Model, GSUs: o.GSUs, TokensPerSecond: o.TokensPerSecond, Burndown: o.Burndown, Window: o.Window,
		})
		if err != nil {
			return nil, fmt.Errorf("pool: project %q: %w", c.Name, err)
		}
		p.orders = append(p.orders, &order{Order: o, ledger: ledger})
	}
	return p, nil
}

// serves reports whether the project may be asked for model. Calls that name no model are always welcome.
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

// key leases a key: the first that does not rest. probe says that it rests and is only tried. nil, true means that the project
// uses tokens; nil, false that every key rests.
func (p *project) key(at, deadline int64, seq uint64) (k *key, probe, ok bool) {
	for _, k := range p.keys {
		if probe, ok := k.cool.admit(at, deadline, seq); ok {
			return k, probe, true
		}
	}
	return nil, false, len(p.keys) == 0
}

// keyWake is when the first key may be asked.
func (p *project) keyWake(at int64) int64 {
	if len(p.keys) == 0 {
		return at
	}
	wake := int64(never)
	for _, k := range p.keys {
		wake = min(wake, k.cool.wake(at))
	}
	return wake
}
