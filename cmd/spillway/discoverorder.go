package main

import (
	"errors"
	"math"
	"path"
	"slices"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/discover"
	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// moreOrders are the orders that Google shows and the file does not declare.
func (d *discoveredProject) moreOrders() (more []pool.Order) {
	for _, o := range d.facts.Orders {
		if d.declared(&o) != nil {
			continue
		}
		order := pool.Order{Model: o.Model, Location: o.Location, GSUs: o.GSUs, TokensPerSecond: o.TokensPerSecond}
		if rate, ok := quota.Throughput(o.Model, o.GSUs); ok && math.Abs(o.TokensPerSecond-rate) < rate/100 {
			order.TokensPerSecond = 0 // the units say it
		}
		more = append(more, order)
	}
	return more
}

// declared returns the file's order for the same model, whatever its version, and location: of several
// the one of the same version and, of those that follow each other, the one in force, else the next to
// begin, else the last. It is nil if there is none.
func (d *discoveredProject) declared(o *discover.Order) *pool.Order {
	shown := &pool.Order{Model: o.Model, Location: o.Location}
	var found *pool.Order
	for i := range d.Provisioned {
		p := &d.Provisioned[i]
		if sameLot(p, shown) && (found == nil || d.nearer(p, found, o.Model)) {
			found = p
		}
	}
	return found
}

// nearer reports whether a rather than b is the order that Google shows.
func (d *discoveredProject) nearer(a, b *pool.Order, model string) bool {
	if exact := a.Model == model; exact != (b.Model == model) {
		return exact
	}
	switch {
	case over(a, d.at) != over(b, d.at):
		return over(b, d.at)
	case over(a, d.at):
		return a.Until.After(b.Until)
	default:
		return a.From.Before(b.From)
	}
}

// sameLot reports whether two orders are for the same model, whatever its version, and location.
func sameLot(a, b *pool.Order) bool {
	return a.Location == b.Location && modelid.Same(a.Model, b.Model)
}

// offers writes the orders that Google shows and the file does not declare: those that a router would
// not use as comments.
func (t *tomlFile) offers(cfg *config.Config, d *discoveredProject) {
	more := d.moreOrders()
	for i := range more {
		if why := d.unusable(cfg, &more[i], more[:i]); why != "" {
			t.line("")
			t.comment("This order is not used: " + why + ".")
			t.mark = "# "
		}
		t.order(&more[i])
		t.mark = ""
	}
}

// unusable says why an order cannot stand in the file, or should not; "" if it can. before are those
// that come before it.
func (d *discoveredProject) unusable(cfg *config.Config, o *pool.Order, before []pool.Order) string {
	alone := pool.Config{Projects: []pool.Project{{
		Name: "order", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Provisioned: []pool.Order{*o},
	}}}
	inside := func(glob string) bool {
		ok, _ := path.Match(glob, o.Location)
		return ok
	}
	switch err := alone.Validate(); {
	case err != nil:
		return faultOf(err)
	case slices.ContainsFunc(before, func(other pool.Order) bool { return sameLot(o, &other) }):
		return "there is an order for the same model and location; write one with the sum of both"
	case !modelid.Matches(d.Models, o.Model):
		return "its model is none of the project's; take it in to use it"
	case len(cfg.Pool.Locations) > 0 && !slices.ContainsFunc(cfg.Pool.Locations, inside):
		return "it is outside the locations of the pool; add its location to those under [router] if data may go there"
	case !slices.Contains(d.locations(), "global") && !slices.Contains(d.locations(), o.Location):
		return "its location is none of the project's; take it in if data may go there"
	}
	return ""
}

// faultOf returns the first problem of an order, and what to do.
func faultOf(err error) string {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		err = all.Unwrap()[0]
	}
	if f, ok := errors.AsType[*pool.FieldError](err); ok {
		return f.Problem + "; " + f.Fix
	}
	return err.Error()
}
