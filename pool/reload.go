package pool

import (
	"cmp"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/quota"
)

// goneFor is how long the pool remembers what a reload has taken away, in case another one brings
// it back: as long as a day's quota counts, on the longest day of the year.
const goneFor = 25 * time.Hour

// Reload replaces the configuration that the pool was made with. It checks cfg as [New] does; if it
// fails, all stays as it was.
//
// What is the same in both goes on as if nothing had happened: minute windows, day counters,
// cooldowns, circuit breakers, ledgers, paces, and leases. Limits that Google named are forgotten:
// whoever changes the configuration may have changed a quota, too. A project is the same if
// its name, back end, project id and address are; a key if its text is; an order if nothing of it
// has changed but its time. An order that follows one that has ended takes over its window. A project
// that is gone gets no new leases, and its leases end as they would have; if it comes back within a
// day, it goes on where it was. Changed limits hold from now on, for what
// was used before as well. A project with other keys or another provider of tokens is probed at
// once, if it was on cooldown for its credentials, its account or its set-up.
func (p *Pool) Reload(now time.Time, cfg Config) error {
	defer p.outbox.deliver()
	p.reload.Lock()
	defer p.reload.Unlock()
	old := p.setup.Load()
	adc := sync.OnceValues(credential.Default)
	if old.usesADC() {
		adc = old.adc
	}
	cfg.Store, cfg.StoreTimeout, cfg.Discover = old.cfg.Store, old.cfg.StoreTimeout, old.cfg.Discover
	s, err := newSetup(cfg, adc, p.fleet, p.jobs.discovery)
	if err != nil {
		return err
	}
	s.install(p, now, old, true)
	at := p.instant(now)
	for _, project := range s.projects {
		if was := old.project(project.Name); was != nil && !project.sameCredentials(was) {
			hasten(p, at, project.Name)
		}
	}
	p.outbox.reloaded(now)
	p.jobs.discovery.follow(s)
	p.queue.changed(now)
	return nil
}

// install puts a setup in force, in the place of old. unlearn says that learned limits are forgotten.
// The caller holds p.reload.
func (s *setup) install(p *Pool, now time.Time, old *setup, unlearn bool) {
	at := p.instant(now)
	p.jobs.calendars.pass(now)
	p.roster.update(at, s)
	known := p.memory.all()
	replaced := s.connect(&p.memory, now)
	for _, e := range known {
		if p.memory.find(e.subject) != e { // of an order in whose place there is another
			e.forgotten(p, now, at)
		}
	}
	p.owners.SetBound(ownerBytes(s.cfg.memory()))
	p.sent.configured(s.secrets)
	p.models.mu.Lock()
	p.models.bound = modelBytesBound(s.cfg.memory())
	p.setup.Store(s)
	for _, m := range p.models.all() {
		if unlearn {
			m.unlearn(p, now, at)
		}
		m.reload(p, now, old, s, replaced)
		if m.plan.Load() != nil {
			m.plan.Store(newPlan(p, m, s))
		}
	}
	p.models.mu.Unlock()
	p.jobs.calendars.follow(now)
}

// hasten makes everything due for a probe that only an operator could mend and that is of a project
// whose credentials are others now.
func hasten(p *Pool, at int64, project string) {
	all := p.memory.all()
	for _, m := range p.models.all() {
		all = append(all, m.all()...)
	}
	for _, e := range all {
		if e.subject.Project == project && Class(e.cool.Class(at)).needsOperator() {
			e.cool.Hasten(at)
			p.models.wakesEarlier(e)
		}
	}
}

// sameCredentials reports whether a project has the keys and the provider of tokens that another
// has.
func (p *project) sameCredentials(other *project) bool {
	key := func(a, b key) bool { return a.secret.Reveal() == b.secret.Reveal() }
	if !slices.EqualFunc(p.keys, other.keys, key) {
		return false
	}
	mine, theirs := reflect.ValueOf(p.Credentials), reflect.ValueOf(other.Credentials)
	if !mine.IsValid() || !theirs.IsValid() {
		return mine.IsValid() == theirs.IsValid()
	}
	return mine.Comparable() && theirs.Comparable() && mine.Equal(theirs)
}

// unlearn forgets what Google named of the limits of all projects.
func (m *model) unlearn(p *Pool, now time.Time, at int64) {
	for _, e := range m.all() {
		if e.limits != nil {
			e.unlearn(p, now, at)
		}
	}
}

// reload adapts the model's entries to another configuration.
func (m *model) reload(p *Pool, now time.Time, old, s *setup, replaced map[*order]bool) {
	at := p.instant(now)
	for _, e := range m.all() {
		if s.cfg.Breaker != old.cfg.Breaker {
			e.renewBreaker(p, now)
		}
	}
	m.adapt(p, now, at, old, s)
	for _, project := range s.projects {
		for _, end := range project.provisioned {
			if !replaced[end.order] {
				continue
			}
			if e := m.find(end.subject(m.modelKey)); e != nil { // what is known was said of another order
				e.forgotten(p, now, at)
				e.cool.Clear(at)
			}
		}
	}
}

// adapt puts the limits and the pacing of a configuration in force.
func (m *model) adapt(p *Pool, now time.Time, at int64, old, s *setup) {
	for _, project := range s.projects {
		if e := m.find(project.sharedSubject(m.modelKey)); e != nil && e.limits != nil {
			project.promised(m.name).hold(p, now, at, e)
		}
		if s.cfg.Pacing == old.cfg.Pacing && s.cfg.Ramp == old.cfg.Ramp {
			continue
		}
		for _, end := range slices.Concat(project.provisioned, project.onDemand, project.others) {
			e := m.find(end.subject(m.modelKey))
			if e == nil || e.pacer.Load() == nil {
				continue
			}
			if s.cfg.Pacing != old.cfg.Pacing {
				e.pacer.Store(newPace(&s.cfg, p.fleet, end, m.modelKey))
			}
			switch {
			case s.cfg.Ramp == old.cfg.Ramp:
			case s.cfg.Ramp:
				_, recent := e.load.recent(at)
				e.ramp.Store(quota.NewRamp(now, recent/recently.Seconds()))
			default:
				e.ramp.Store(nil)
			}
		}
	}
}

// catchUp adapts entries that were made for a plan of the configuration made, which a reload has
// replaced, and leads the plan in force to them.
func (m *model) catchUp(p *Pool, made *setup) {
	if p.setup.Load() == made {
		return
	}
	p.models.mu.Lock() // no reload goes on
	defer p.models.mu.Unlock()
	inForce := p.setup.Load()
	now := p.clock.now()
	m.adapt(p, now, p.instant(now), made, inForce)
	if m.plan.Load() != nil {
		m.plan.Store(newPlan(p, m, inForce))
	}
}

// identity is what makes two configurations speak of the same project, whatever else they say of
// it.
type identity struct {
	name      string
	backend   Backend
	projectID string
	base      string
}

func (p *Project) identity() identity {
	id := identity{p.Name, p.Backend, cmp.Or(p.ProjectID, p.Name), p.BaseURL}
	if p.Backend == BackendGemini { // its keys say whose quota it is
		id.projectID = ""
	}
	return id
}

// roster knows the projects of the configurations that were in force, by name.
type roster struct {
	pool    *Pool
	known   map[string]*member
	retired map[identity]*member
}

// member is a project of the roster. The entries of a retired one, in whose place there is another
// of the same name, are kept aside.
type member struct {
	identity identity
	gone     int64 // instant at which a reload took it away; zero: it is in force
	entries  []*entry
}

// update follows a new setup: it forgets projects that have been gone for long, and puts the
// entries of projects that change their identity aside.
func (r *roster) update(at int64, s *setup) {
	for name, m := range r.known {
		if m.gone > 0 && at-m.gone >= int64(goneFor) {
			r.take(name)
			delete(r.known, name)
		}
	}
	for id, m := range r.retired {
		if at-m.gone >= int64(goneFor) {
			delete(r.retired, id)
		}
	}
	inForce := make(map[string]bool)
	for _, project := range s.projects {
		id := project.identity()
		inForce[id.name] = true
		was := r.known[id.name]
		if was == nil || was.identity != id {
			if was != nil {
				was.entries, was.gone = r.take(id.name), max(at, 1)
				r.retired[was.identity] = was
			}
			if back := r.retired[id]; back != nil {
				r.put(back.entries)
				delete(r.retired, id)
			}
			r.known[id.name] = &member{identity: id}
		}
		r.known[id.name].gone = 0
	}
	for name, m := range r.known {
		if !inForce[name] && m.gone == 0 {
			m.gone = max(at, 1)
		}
	}
}

// take removes the entries of a project from the memory.
func (r *roster) take(name string) []*entry {
	p := r.pool
	its := func(e *entry) bool { return e.subject.Project == name }
	taken := p.memory.drop(its)
	for _, m := range p.models.all() {
		taken = append(taken, m.drop(its)...)
	}
	now := p.clock.now()
	at := p.instant(now)
	for _, e := range taken {
		e.forgotten(p, now, at)
	}
	return taken
}

// put brings entries back that were taken.
func (r *roster) put(list []*entry) {
	p := r.pool
	now := p.clock.now()
	at := p.instant(now)
	for _, e := range list {
		into := &p.memory
		if e.subject.Kind == kindModel {
			m := p.models.find(e.subject.modelKey())
			if m == nil {
				m = &model{modelKey: e.subject.modelKey()}
				p.models.byKey.Store(m.modelKey, m)
			}
			into = &m.entries
		}
		into.put(e)
		e.recalled(p, now, at)
	}
}
