package router

import (
	"context"
	"errors"
	"net/http"

	"github.com/spillway-go/spillway/internal/discover"
	"github.com/spillway-go/spillway/pool"
)

// discoverer reads what projects have, over a transport. It never delays a call: the pool asks it in
// the background.
type discoverer struct{ transport http.RoundTripper }

// discover reads what a project has, see [pool.Config].Discover.
func (d discoverer) discover(ctx context.Context, p pool.Project) (found pool.Project, err error) {
	s := discover.Source{
		ProjectID: p.ProjectID, Vertex: p.Backend == pool.BackendVertex, Locations: p.Locations, Tokens: p.Credentials,
		APIs: p.DiscoverURL, Models: p.BaseURL, Transport: d.transport,
	}
	if len(p.Keys) > 0 {
		s.Key = p.Keys[0].Reveal
	}
	f := discover.Read(ctx, s)
	if f.Limits != nil {
		found.Limits = make([]pool.Limit, 0, len(f.Limits))
	}
	for _, l := range f.Limits {
		found.Limits = append(found.Limits, pool.Limit{Model: l.Model, RPM: l.RPM, TPM: l.TPM, RPD: l.RPD})
	}
	if f.Orders != nil {
		found.Provisioned = make([]pool.Order, 0, len(f.Orders))
	}
	for _, o := range f.Orders {
		found.Provisioned = append(found.Provisioned, pool.Order{
			Model: o.Model, Location: o.Location, GSUs: o.GSUs, TokensPerSecond: o.TokensPerSecond,
		})
	}
	problems := make([]error, len(f.Problems))
	for i, p := range f.Problems {
		problems[i] = p
	}
	return found, errors.Join(problems...)
}
