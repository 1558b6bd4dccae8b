package pool

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// savedVersion is the version of the format of [Pool.Save].
const savedVersion = 2

// savedFor is how long what was saved of a project that is not configured is kept.
const savedFor = 7 * 24 * time.Hour

// savedState is what a pool knows that outlives the process.
type savedState struct {
	Version  int          `json:"version"`
	Subjects []savedEntry `json:"subjects,omitempty"`
	Pauses   []savedPause `json:"pauses,omitempty"`
}

// savedEntry is what is kept of one subject.
type savedEntry struct {
	Subject  string          `json:"subject"`
	Cooldown *cooldown.Saved `json:"cooldown,omitempty"`
	Day      *savedDay       `json:"day,omitempty"`
	Limits   *savedLimits    `json:"limits,omitempty"`
}

// Save returns, as JSON, what the pool knows that should outlive the process: cooldowns that have
// not ended, pauses, the requests counted since midnight in Los Angeles, and the limits that Google's
// refusals named, each by its [Subject]. The same knowledge makes the same bytes. No key is in it,
// only short hashes. Minute windows, ledgers and circuit breakers are not in it: they are over in
// minutes.
func (p *Pool) Save(now time.Time) ([]byte, error) {
	at := p.instant(now)
	configured := make(map[string]bool)
	for _, project := range p.setup.Load().projects {
		configured[project.Name] = true
	}
	all := p.memory.all()
	for _, m := range p.models.all() {
		all = append(all, m.all()...)
	}
	state := savedState{Version: savedVersion}
	for _, e := range all {
		s := e.save(now, at)
		if s == nil {
			continue
		}
		stale := s.Cooldown != nil && now.Sub(s.Cooldown.Since) > savedFor
		if name := e.subject.Project; name != "" && !configured[name] && stale {
			continue
		}
		state.Subjects = append(state.Subjects, *s)
	}
	for _, x := range p.pauses.active(at) {
		s := x.save(p)
		s.Subject = x.subject.String()
		state.Pauses = append(state.Pauses, s)
	}
	slices.SortFunc(state.Subjects, func(a, b savedEntry) int { return cmp.Compare(a.Subject, b.Subject) })
	return json.MarshalIndent(state, "", "  ")
}

// save returns what is to be kept of the entry; nil if nothing is.
func (e *entry) save(now time.Time, at int64) *savedEntry {
	s := savedEntry{Subject: e.subject.String()}
	if c, ok := e.cool.Save(now, at); ok {
		s.Cooldown = &c
	}
	if e.limits != nil {
		if day, ok := e.limits.saveDay(now); ok {
			s.Day = &day
		}
		if l := e.limits.save(now, at); l != (savedLimits{}) {
			s.Limits = &l
		}
	}
	if s.Cooldown == nil && s.Day == nil && s.Limits == nil {
		return nil
	}
	return &s
}

// Restore takes over what [Pool.Save] of an earlier pool returned, for the projects of the same
// name. What has ended since is forgotten, and no cooldown lasts longer than its class allows. It
// fails, and changes nothing, if data is not what Save returned.
func (p *Pool) Restore(now time.Time, data []byte) error {
	var state savedState
	if err := json.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("pool: saved state cannot be read: %w", err)
	}
	if state.Version != savedVersion {
		return fmt.Errorf("pool: saved state is of version %d; this program reads version %d", state.Version, savedVersion)
	}
	defer p.outbox.deliver()
	p.reload.Lock()
	defer p.reload.Unlock()
	p.models.mu.Lock()
	r := restorer{p, p.setup.Load(), now, p.instant(now)}
	for i := range state.Subjects {
		s := &state.Subjects[i]
		subject, err := parseSubject(s.Subject)
		if err != nil {
			continue // of a later version, or broken
		}
		if e := r.entry(subject); e != nil {
			r.restore(e, s)
		}
	}
	for _, s := range state.Pauses {
		if subject, err := parseSubject(s.Subject); err == nil {
			p.pauses.restore(now, subject, s)
		}
	}
	for _, m := range p.models.all() { // plans look up what is there now, and show it in Stat
		before := m.plan.Load()
		if before == nil && len(m.all()) == 0 {
			continue // of a project that is not configured
		}
		m.plan.Store(newPlan(p, m, r.setup))
		if before == nil {
			p.models.bytes += m.bytes() - modelBytes // which entry counted
		}
	}
	p.models.mu.Unlock()
	p.queue.changed(now)
	return nil
}

// restorer takes over what was saved. Its owner holds the lock of the pool's models.
type restorer struct {
	p     *Pool
	setup *setup
	now   time.Time
	at    int64
}

// entry returns the entry of a saved subject; nil if nothing is kept for its kind.
func (r *restorer) entry(s Subject) *entry {
	switch s.Kind {
	case kindModel:
		m := r.p.models.find(s.modelKey())
		if m == nil {
			m = &model{modelKey: s.modelKey()}
			r.p.models.byKey.Store(m.modelKey, m)
			r.p.models.bytes += modelBytes
		}
		return r.modelEntry(m, s)
	case kindKey, kindProject, kindBackend:
		return r.p.memory.entry(s, none)
	case kindOrder:
		return lotEntry(&r.p.memory, s)
	case kindHost:
		return hostEntry(&r.p.memory, s.Host, s.Method)
	default:
		return nil
	}
}

// modelEntry returns the entry of a model's subject, made before its first call; nil if no project
// has it.
func (r *restorer) modelEntry(m *model, s Subject) *entry {
	for _, project := range r.setup.projects {
		if project.Name != s.Project {
			continue
		}
		if s.Location == "" {
			return r.part(m, s, m.entry(s.whole(), func(e *entry) { e.limits = newLimits(project, m) }))
		}
		for _, end := range slices.Concat(project.provisioned, project.onDemand, project.others) {
			if end.subject(m.modelKey) == s.whole() {
				return r.part(m, s, m.entry(s.whole(), func(e *entry) { e.fill(end, r.p, r.setup, m.modelKey) }))
			}
		}
	}
	return nil
}

// part returns the entry of a subject that may be about one version or set of tools. e is the entry
// of the whole.
func (r *restorer) part(m *model, s Subject, e *entry) *entry {
	if s == s.whole() {
		return e
	}
	return m.narrowed(r.at, e, s)
}

// restore takes over what was saved of one subject.
func (r *restorer) restore(e *entry, s *savedEntry) {
	if c := s.Cooldown; c != nil && e.subject.keeps(Class(c.Class)) {
		e.cool.Restore(r.now, r.at, r.p.seq.Load(), *c, &Class(c.Class).rule().Rule)
	}
	if e.limits != nil && s.Day != nil {
		e.limits.restoreDay(r.now, *s.Day)
	}
	if e.limits != nil && s.Limits != nil {
		e.limits.restore(r.now, r.at, *s.Limits)
	}
	e.recalled(r.p, r.now, r.at)
}

// keeps reports whether a cooldown of the class may be kept at the subject.
func (s *Subject) keeps(c Class) bool {
	switch c.rule().scope {
	case ScopeKey, ScopeProject, ScopeBackend:
		return s.Kind != kindServer && s.Kind != kindOrder
	case scopeOrder:
		return s.Kind == kindOrder
	case ScopeVersion, ScopeTool, ScopeEndpoint, ScopeModel:
		return s.Kind == kindModel
	case ScopeClass, ScopeCall, scopeNone, scopeBreaker:
	}
	return false
}
