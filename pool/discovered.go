package pool

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spillway-go/spillway/internal/modelid"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// found is what Google shows that a project has. Lists that are nil were never read.
type found struct {
	limits map[string]quota.Limits // by model
	places []string                // that the limits are of
	orders []Order
	before []Order // of the reading before: an order that one reading does not show may be there

	// In a setup:
	used    []Order    // those of both that the project has beside its own
	sharers []*Project // whose limits they are, too
}

// discovered is an answer about a project, and what it lacks.
type discovered struct {
	project  string
	places   []string // that were asked about
	answer   Project
	problems []error
	news     bool       // it changes what is known
	untold   []incident // problems that were not told yet
}

// incident is something to tell once.
type incident struct {
	subject         Subject
	message, remedy string
}

// of returns what is known of a project that the pool is to discover, and what a pool of c uses of
// it. Limits of other locations are not the project's.
func (d *discovery) of(c *Config, k kin, p *Project) found {
	if d == nil || !p.Discover {
		return found{}
	}
	d.mu.Lock()
	f := d.found[p.topic()]
	d.mu.Unlock()
	if !slices.Equal(f.places, c.fenced(*p).Locations) {
		f.limits = nil
	}
	f.used, _ = f.usable(c, k, p, time.Time{})
	f.sharers = k.sharers(c, p)
	return f
}

// limitsOf returns the limits for a model. Google may show them for the model without its version.
// Projects that share them have equal parts, so that all together keep to them.
func (f *found) limitsOf(model string) quota.Limits {
	shown, _ := modelid.Find(f.limits, model)
	l, n := f.limits[shown], 1
	for i := range f.sharers {
		if f.sharers[i].serves(model) {
			n++
		}
	}
	if n == 1 {
		return l
	}
	return divided(l, 1/float64(n))
}

// learn takes over an answer about some locations, and reports whether it changes something. Limits
// that are partial replace none.
func (f *found) learn(answer *Project, places []string, partial bool) (news bool) {
	known := f.limits != nil && slices.Equal(f.places, places)
	if answer.Limits != nil && (!partial || !known) {
		limits := make(map[string]quota.Limits)
		for _, l := range answer.Limits {
			if l.Model != "" && !strings.ContainsAny(l.Model, `*?[\`) {
				limits[l.Model] = quota.Limits{RPM: max(l.RPM, 0), TPM: max(l.TPM, 0), RPD: max(l.RPD, 0)}
			}
		}
		news = !known || len(limits) != len(f.limits)
		for model, l := range limits {
			news = news || f.limits[model] != l
		}
		f.limits, f.places = limits, places
	}
	if answer.Provisioned != nil {
		was := f.shown()
		news = news || f.orders == nil
		f.before, f.orders = f.orders, slices.Clone(answer.Provisioned)
		news = news || !slices.Equal(was, f.shown())
	}
	return news
}

// shown returns the orders of this reading, and those that only the one before shows.
func (f *found) shown() []Order {
	all := slices.Clone(f.orders)
	for _, o := range f.before {
		if !slices.ContainsFunc(all, o.sameLot) {
			all = append(all, o)
		}
	}
	return all
}

// sameLot reports whether two orders are for the same model, whatever the version, and location.
func (o Order) sameLot(other Order) bool {
	return o.Location == other.Location && modelid.Same(o.Model, other.Model)
}

// usable returns the orders of f that a project uses beside its own, as they would be declared, and
// why it does not use the others at a time.
func (f *found) usable(c *Config, k kin, p *Project, now time.Time) (orders []Order, unused []incident) {
	siblings, before := k.siblings(p)
	for _, o := range f.shown() {
		o = o.asDeclared()
		var wrong faults
		wrong.order("", &o)
		var why string
		do := "declare it under [[project.provisioned]] to use it"
		owner := -1
		for i := range siblings {
			if siblings[i].has(o, i < before && c.inside(o.Location)) {
				owner = i
				break
			}
		}
		switch {
		case slices.ContainsFunc(p.Provisioned, o.sameLot):
			if why, do = p.unforced(&o, now); why == "" {
				continue
			}
		case slices.ContainsFunc(orders, o.sameLot):
			why = "an order for another version of the model is there, too"
			do = "declare both under [[project.provisioned]], each with its version"
		case len(wrong.found) > 0:
			why = wrong.found[0].Error()
		case !modelid.Matches(p.Models, o.Model):
			why, do = "its model is none of the project's", "add its model to those of the project to use it"
		case !c.inside(o.Location):
			why, do = "it is outside the locations of the pool", "add its location to those under [router] to use it"
		case owner >= 0:
			why = "project " + siblings[owner].Name + ", which has the same project_id, uses it"
			do = "declare it under [[project.provisioned]] of this project to use it here"
		case !p.mayServeIn(o.Location):
			why = "its location is not one of the project's, and data might not be allowed there"
			do = "add its location to the project's locations, or " + do
		default:
			orders = append(orders, o)
			continue
		}
		unused = append(unused, incident{
			Subject{Kind: kindOrder, Project: p.Name, Location: o.Location, Model: o.Model}, "an order that Google shows is not used: " + why, do,
		})
	}
	return orders, unused
}

// asDeclared returns an order that Google shows as a file would declare it: by its units, unless the
// table does not have them, or has another throughput.
func (o Order) asDeclared() Order {
	plain := Order{Model: o.Model, Location: o.Location, GSUs: o.GSUs, TokensPerSecond: o.TokensPerSecond}
	if rate, ok := quota.Throughput(o.Model, o.GSUs); ok && math.Abs(o.TokensPerSecond-rate) < rate/100 {
		plain.TokensPerSecond = 0
	}
	return plain
}

// take takes over an answer about a project, unless the question has ended.
func (d *discovery) take(id topic, e *explorer, a *discovered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.explorers[id] != e {
		return
	}
	f := d.found[id]
	a.news = f.learn(&a.answer, a.places, slices.ContainsFunc(a.problems, partial))
	d.found[id] = f
	about := Subject{Kind: kindProject, Project: a.project}
	var all []incident
	for _, p := range a.problems {
		do := ""
		if r, ok := p.(interface{ Remedy() string }); ok {
			do = r.Remedy()
		}
		all = append(all, incident{about, p.Error(), do})
	}
	cfg := &d.pool.setup.Load().cfg
	_, unused := f.usable(cfg, cfg.kin(), &e.declared, time.Now())
	told := make(map[incident]bool)
	for _, i := range append(all, unused...) {
		if !e.told[i] {
			a.untold = append(a.untold, i)
		}
		told[i] = true
	}
	e.told = told
	d.news = append(d.news, *a)
	if d.due == nil {
		d.due = time.AfterFunc(discoverBatch, d.apply)
	}
}

// apply puts in force what was taken over, and tells of it.
func (d *discovery) apply() {
	p := d.pool
	defer p.outbox.deliver()
	p.reload.Lock()
	defer p.reload.Unlock()
	d.mu.Lock()
	news, closed := d.news, d.closed
	d.news, d.due = nil, nil
	d.mu.Unlock()
	if closed {
		return
	}
	now := time.Now()
	if slices.ContainsFunc(news, func(a discovered) bool { return a.news }) {
		old := p.setup.Load()
		s, err := newSetup(old.cfg, old.adc, p.fleet, d)
		if err != nil { // what is in force was checked, and so were the orders
			return
		}
		s.install(p, now, old, false)
		p.queue.changed(now)
	}
	for _, a := range news {
		if a.news {
			p.outbox.discovered(now, a.project, a.words())
		}
		for _, i := range a.untold {
			p.outbox.discoveryIncomplete(now, i.subject, p.sent.line(i.message), p.sent.line(i.remedy))
		}
	}
}

// words says how much was read.
func (a *discovered) words() string {
	var parts []string
	if a.answer.Limits != nil {
		parts = append(parts, plain.Plural(len(a.answer.Limits), "limit"))
	}
	if a.answer.Provisioned != nil {
		parts = append(parts, plain.Plural(len(a.answer.Provisioned), "order"))
	}
	return strings.Join(parts, ", ")
}
