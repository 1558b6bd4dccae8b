package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spillway-go/spillway/config"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// page prints a configuration as the router reads it.
type page struct {
	out      io.Writer
	cfg      *config.Config
	router   *router.Router
	unserved []string // models that no project serves
}

// head prints the projects.
func (p *page) head(file string) {
	writef(p.out, "%s: %s, clients speak to %s\n", file,
		plain.Plural(len(p.cfg.Pool.Projects), "project"), p.router.Backend())
	for _, project := range p.cfg.Pool.Projects {
		about := []string{string(project.Backend), credential(project)}
		if project.BaseURL != "" {
			about = append(about, "at "+project.BaseURL)
		}
		if len(project.Models) > 0 {
			about = append(about, "models "+strings.Join(project.Models, " "))
		}
		writef(p.out, "  %-16s %s\n", project.Name, strings.Join(about, ", "))
	}
	label := "replicas"
	for _, line := range replicas(p.cfg) {
		writef(p.out, "  %-16s %s\n", label, line)
		label = ""
	}
	for _, c := range cachesIn(p.cfg) {
		label = "cache"
		for _, line := range c.words() {
			writef(p.out, "  %-16s %s\n", label, line)
			label = ""
		}
	}
}

// credential describes a project's credential without showing it.
func credential(project pool.Project) string {
	switch {
	case len(project.Keys) > 0:
		return plain.Plural(len(project.Keys), "key")
	case project.Credentials == nil:
		return "application default credentials"
	case project.Credentials == pool.NoCredentials:
		return "no credentials"
	default:
		return "credentials"
	}
}

// model prints how one model is served.
func (p *page) model(name string) {
	plan := p.router.Plan(name)
	writef(p.out, "\n%s\n", heading(name, plan.Model, aliases(p.cfg, plan.Model)))
	if len(plan.Tiers) == 0 {
		p.unserved = append(p.unserved, name)
		writef(p.out, "  no project serves it\n")
	}
	ladder := p.ladder(plan)
	for i, tier := range plan.Tiers {
		label := fmt.Sprintf("tier %d", i+1)
		for _, c := range tier {
			line := fmt.Sprintf("  %-8s %-40s %s", label, c.Name, strings.Join(append(p.notes(c, tier), ladder(&c)...), ", "))
			writef(p.out, "%s\n", strings.TrimRight(line, " "))
			label = ""
		}
	}
	if to := p.cfg.Router.StandIns(plan.Model); len(to) > 0 {
		writef(p.out, "  %-8s %s\n", "else", strings.Join(to, ", then "))
	}
}

// ladder returns what says of an endpoint which calls go to it, and what they cost there, where the
// model has service tiers to choose from.
func (p *page) ladder(plan pool.Plan) func(*pool.Endpoint) []string {
	if !hasLadder(plan.Tiers) {
		return func(*pool.Endpoint) []string { return nil }
	}
	return func(e *pool.Endpoint) (notes []string) {
		switch who := callsTo(p.cfg, e); {
		case who == "":
		case who == callsNamed:
			notes = append(notes, "calls that name it")
		case who == callsBatch && e.Traffic == pool.TrafficFlex: // before endpoints of earlier tiers, see [router.Call]
			notes = append(notes, "batch calls first")
		default:
			notes = append(notes, who+" calls")
		}
		if price, ok := priceOf(plan.Model, e, time.Now()); ok {
			notes = append(notes, price.words())
		}
		return notes
	}
}

// heading returns a model's name with its aliases.
func heading(asked, model string, aliases []string) string {
	if asked != model {
		return asked + " = " + model
	}
	if len(aliases) > 0 {
		return model + " (also " + strings.Join(aliases, ", ") + ")"
	}
	return model
}

// notes returns the properties of an endpoint.
func (p *page) notes(c pool.Endpoint, tier []pool.Endpoint) []string {
	var notes []string
	if c.Backend != p.router.Backend() {
		notes = append(notes, "translated for "+string(c.Backend))
	}
	if c.Order != nil {
		notes = append(notes, bought(c, time.Now())...)
	}
	if of := projectOf(p.cfg, c.Project); of != nil && len(of.Labels) > 0 {
		notes = append(notes, "only calls labelled "+strings.Join(of.Labels, " or "))
	}
	limits := c.Limits
	for _, l := range []struct {
		name  string
		value int64
	}{{"rpm", limits.RPM}, {"tpm", limits.TPM}, {"rpd", limits.RPD}, {"concurrency", limits.Concurrency}} {
		if l.value > 0 {
			notes = append(notes, l.name+" "+plain.Number(l.value))
		}
	}
	for _, other := range tier {
		if other.Weight != c.Weight {
			notes = append(notes, "weight "+strconv.FormatFloat(c.Weight, 'g', -1, 64))
			break
		}
	}
	return notes
}

// bought returns the properties of an endpoint's provisioned order.
func bought(c pool.Endpoint, now time.Time) []string {
	o := c.Order
	var notes []string
	if o.GSUs > 0 {
		notes = append(notes, plain.Plural(o.GSUs, "GSU"))
	}
	notes = append(notes, plain.Number(int64(o.TokensPerSecond))+" tokens a second")
	if o.Window > 0 {
		notes = append(notes, "window "+o.Window.String())
	}
	notes = append(notes, "overflow by "+string(c.Overflow))
	return append(notes, inForce(o, now)...)
}

// inForce says when an order begins and ends, as it stands at a moment.
func inForce(o *pool.Order, now time.Time) (notes []string) {
	switch {
	case over(o, now):
		return []string{"ended at " + plain.Instant(o.Until)}
	case now.Before(o.From):
		notes = append(notes, "begins in "+plain.Span(o.From.Sub(now))+", at "+plain.Instant(o.From))
	}
	if !o.Until.IsZero() {
		notes = append(notes, "ends at "+plain.Instant(o.Until))
	}
	return notes
}
