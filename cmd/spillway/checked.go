package main

import (
	"errors"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/pool"
)

// checked is what "check --json" prints. Names stay, others may be added.
type checked struct {
	File     string           `json:"file"`
	OK       bool             `json:"ok"`
	Backend  string           `json:"backend,omitempty"` // the dialect of clients
	Projects []checkedProject `json:"projects,omitempty"`
	Caches   []checkedCache   `json:"caches,omitempty"`
	Models   []checkedModel   `json:"models,omitempty"`
	Warnings []mistake        `json:"warnings,omitempty"`
	Problems []mistake        `json:"problems,omitempty"`
	Probes   []probed         `json:"probes,omitempty"`
	Store    *storeProbed     `json:"store,omitempty"` // if it was probed
}

// mistake is something in a file, or about a model.
type mistake struct {
	Line    int    `json:"line,omitempty"`
	Problem string `json:"problem"`
	Fix     string `json:"fix,omitempty"`
}

type checkedProject struct {
	Name       string   `json:"name"`
	Backend    string   `json:"backend"`
	Credential string   `json:"credential"`
	BaseURL    string   `json:"base_url,omitempty"`
	Models     []string `json:"models,omitempty"` // globs; absent: all
	Labels     []string `json:"labels,omitempty"` // globs of the only calls that it serves
}

type checkedModel struct {
	Asked     string              `json:"asked"` // the model or alias
	Model     string              `json:"model"`
	Tiers     [][]checkedEndpoint `json:"tiers"`
	Fallbacks []string            `json:"fallbacks,omitempty"`
}

type checkedEndpoint struct {
	Endpoint string  `json:"endpoint"`
	Backend  string  `json:"backend"`
	Weight   float64 `json:"weight"`
	GSUs     int     `json:"gsus,omitempty"`
	Overflow string  `json:"overflow,omitempty"`
	// When the order begins and ends; absent: it has begun, or no end is known.
	From        time.Time `json:"from,omitzero"`
	Until       time.Time `json:"until,omitzero"`
	RPM         int64     `json:"rpm,omitempty"`
	TPM         int64     `json:"tpm,omitempty"`
	RPD         int64     `json:"rpd,omitempty"`
	Concurrency int64     `json:"concurrency,omitempty"`
	// Price is there where the model has service tiers to choose from.
	Price *tierPrice `json:"price,omitempty"`
	// Calls is "interactive" or "batch" if only such calls go there, "named" if only those that name its
	// service tier.
	Calls string `json:"calls,omitempty"`
}

// mistakesOf returns what is wrong with a file that could not be loaded.
func mistakesOf(err error) []mistake {
	var all config.Errors
	if !errors.As(err, &all) {
		return []mistake{{Problem: err.Error()}}
	}
	mistakes := make([]mistake, len(all))
	for i, e := range all {
		mistakes[i] = mistake{e.Line, e.Problem, e.Fix}
	}
	return mistakes
}

// describe adds the projects and warnings of a file.
func (c *checked) describe(cfg *config.Config, backend pool.Backend) {
	c.Backend = string(backend)
	for _, p := range cfg.Pool.Projects {
		c.Projects = append(c.Projects, checkedProject{p.Name, string(p.Backend), credential(p), p.BaseURL, p.Models, p.Labels})
	}
	c.Caches = cachesIn(cfg)
	for _, w := range cfg.Warnings {
		c.Warnings = append(c.Warnings, mistake{w.Line, w.Problem, w.Fix})
	}
}

// plan adds how a model is served.
func (c *checked) plan(cfg *config.Config, asked string, plan pool.Plan) {
	m := checkedModel{Asked: asked, Model: plan.Model, Tiers: [][]checkedEndpoint{}, Fallbacks: cfg.Router.StandIns(plan.Model)}
	for _, tier := range plan.Tiers {
		var endpoints []checkedEndpoint
		for _, e := range tier {
			one := checkedEndpoint{
				Endpoint: e.Name, Backend: string(e.Backend), Weight: e.Weight, Overflow: string(e.Overflow),
				RPM: e.Limits.RPM, TPM: e.Limits.TPM, RPD: e.Limits.RPD, Concurrency: e.Limits.Concurrency,
			}
			if e.Order != nil {
				one.GSUs, one.From, one.Until = e.Order.GSUs, utc(e.Order.From), utc(e.Order.Until)
			}
			if p, ok := priceOf(plan.Model, &e, time.Now()); ok && hasLadder(plan.Tiers) {
				one.Price, one.Calls = &p, callsTo(cfg, &e)
			}
			endpoints = append(endpoints, one)
		}
		m.Tiers = append(m.Tiers, endpoints)
	}
	c.Models = append(c.Models, m)
}
