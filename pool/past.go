package pool

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// pastVersion is the version of the format of [Pool.Save].
const pastVersion = 1

// unclaimedFor is how long a saved rest is kept for a model that nobody asks for any more.
const unclaimedFor = 7 * 24 * time.Hour

// past is what a pool knows that outlives the program: what rests, what is used up of the day, and the limits that Google named.
type past struct {
	rests  map[subject]savedRest
	days   map[subject]savedDay
	limits map[subject]savedLimits
}

// subject says what something saved is about. Fields that do not apply are empty.
type subject struct {
	Scope    string  `json:"scope"`
	Backend  Backend `json:"backend"`
	Project  string  `json:"project,omitempty"`
	Key      string  `json:"key,omitempty"` // its short hash
	Model    string  `json:"model,omitempty"`
	Location string  `json:"location,omitempty"`
	Traffic  Traffic `json:"traffic,omitempty"`
}

func (s subject) compare(t subject) int {
	return cmp.Or(cmp.Compare(s.Project, t.Project), cmp.Compare(s.Model, t.Model), cmp.Compare(s.Scope, t.Scope), cmp.Compare(s.Location, t.Location),
		cmp.Compare(s.Traffic, t.Traffic), cmp.Compare(s.Key, t.Key), cmp.Compare(s.Backend, t.Backend))
}

// savedRest is a rest with what its doubling needs.
type savedRest struct {
	Class   Class     `json:"class"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"`
	Probe   time.Time `json:"probe,omitzero"`
	Strikes int       `json:"strikes"`
	Gap     float64   `json:"gap_seconds,omitempty"`
	Probes  int       `json:"probes,omitempty"`
	Quota   string    `json:"quota,omitempty"`
	Message string    `json:"message,omitempty"`
	Status  int       `json:"status,omitempty"` // and
	Body    string    `json:"body,omitempty"`   // are the answer that callers get to see again
}

// savedDay counts the requests of the day that ends at Resets.
type savedDay struct {
	Requests int64     `json:"requests"`
	Resets   time.Time `json:"resets"`
}

// savedLimits are limits that Google named, each with the time it did so last.
type savedLimits struct {
	RPM savedLimit `json:"rpm,omitzero"`
	TPM savedLimit `json:"tpm,omitzero"`
	RPD savedLimit `json:"rpd,omitzero"`
}

type savedLimit struct {
	Limit int64     `json:"limit"`
	Named time.Time `json:"named,omitzero"`
}

// entry is one thing of a past, as it is written.
type entry[V any] struct {
	Subject subject `json:"subject"`
	Saved   V       `json:"saved"`
}

// record is a past as it is written.
type record struct {
	Version int                  `json:"version"`
	Rests   []entry[savedRest]   `json:"rests,omitempty"`
	Days    []entry[savedDay]    `json:"days,omitempty"`
	Limits  []entry[savedLimits] `json:"limits,omitempty"`
}

// Save returns, as JSON, what the pool knows that should outlive the program: cooldowns that have not ended, the requests counted since
// midnight in Los Angeles, and the limits that Google's refusals named. The same knowledge makes the same bytes. No key is in it, only the
// short hashes that logs show. Minute windows, ledgers and circuit breakers are not in it: they are over in minutes.
func (p *Pool) Save(now time.Time) ([]byte, error) {
	m := p.recollect(now)
	return json.MarshalIndent(record{pastVersion, entries(m.rests), entries(m.days), entries(m.limits)}, "", "  ")
}

// Restore takes over what [Pool.Save] of an earlier pool returned, for the projects of the same name. What has ended since is forgotten, and
// no rest lasts longer than its class allows. It fails, and changes nothing, if data is not what Save returned.
func (p *Pool) Restore(now time.Time, data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("pool: saved state cannot be read: %w", err)
	}
	if r.Version != pastVersion {
		return fmt.Errorf("pool: saved state is of version %d; this program reads version %d", r.Version, pastVersion)
	}
	p.planMu.Lock()
	defer p.planMu.Unlock()
	p.saved = past{subjects(r.Rests), subjects(r.Days), subjects(r.Limits)}
	for _, plan := range p.everyPlan() {
		p.recall(now, plan)
	}
	return nil
}

// entries are in the order of their subjects.
func entries[V any](m map[subject]V) []entry[V] {
	list := make([]entry[V], 0, len(m))
	for _, s := range slices.SortedFunc(maps.Keys(m), subject.compare) {
		list = append(list, entry[V]{s, m[s]})
	}
	return list
}

func subjects[V any](list []entry[V]) map[subject]V {
	m := make(map[subject]V, len(list))
	for _, e := range list {
		m[e.Subject] = e.Saved
	}
	return m
}

// recollect is all that is known now, with what was saved earlier and nobody has asked for since.
func (p *Pool) recollect(now time.Time) past {
	p.planMu.Lock()
	defer p.planMu.Unlock()
	at := p.instant(now)
	m := p.saved.unclaimed(now)
	for _, plan := range p.everyPlan() {
		for _, c := range plan.all {
			c.eachCooldown(func(s scope, k *key, cool *cooldown) {
				if rest, ok := cool.save(now, at); ok {
					m.rests[c.subject(s, k)] = rest
				}
			})
			if c.order != nil {
				continue
			}
			promised := c.subject(scopeProjectModel, nil)
			if day := c.shared.quota.Stat(now).Day; day.Used > 0 {
				m.days[promised] = savedDay{day.Used, day.Resets.UTC()}
			}
			if l := c.shared.saveLimits(now, at); l != (savedLimits{}) {
				m.limits[promised] = l
			}
		}
	}
	return m
}

// recall gives the candidates of a plan, which is new, what was saved of them. The caller holds p.planMu.
func (p *Pool) recall(now time.Time, plan *Plan) {
	if len(p.saved.rests)+len(p.saved.days)+len(p.saved.limits) == 0 {
		return
	}
	at := p.instant(now)
	for _, c := range plan.all {
		c.eachCooldown(func(s scope, k *key, cool *cooldown) {
			if rest, ok := claim(p.saved.rests, c.subject(s, k)); ok && rules[rest.Class].scope == s {
				cool.restore(now, at, p.seq.Load(), rest)
			}
		})
		if c.order != nil {
			continue
		}
		promised := c.subject(scopeProjectModel, nil)
		if day, ok := claim(p.saved.days, promised); ok {
			c.shared.quota.RestoreDay(now, day.Requests, day.Resets)
		}
		if l, ok := claim(p.saved.limits, promised); ok {
			c.shared.restoreLimits(now, at, l)
		}
	}
}

// claim takes what was saved of a subject, once.
func claim[V any](m map[subject]V, s subject) (V, bool) {
	v, ok := m[s]
	delete(m, s)
	return v, ok
}

// unclaimed is a copy of m without what is over.
func (m past) unclaimed(now time.Time) past {
	left := past{maps.Clone(m.rests), maps.Clone(m.days), maps.Clone(m.limits)}
	if left.rests == nil { // nothing was ever restored
		left = past{make(map[subject]savedRest), make(map[subject]savedDay), make(map[subject]savedLimits)}
	}
	maps.DeleteFunc(left.rests, func(_ subject, r savedRest) bool {
		return !r.Until.IsZero() && !r.Until.After(now) || now.Sub(r.Since) > unclaimedFor
	})
	maps.DeleteFunc(left.days, func(_ subject, d savedDay) bool { return !d.Resets.After(now) })
	maps.DeleteFunc(left.limits, func(_ subject, l savedLimits) bool {
		return now.Sub(l.RPM.Named) > unclaimedFor && now.Sub(l.TPM.Named) > unclaimedFor && now.Sub(l.RPD.Named) > unclaimedFor
	})
	return left
}

// subject names what a scope is for the candidate.
func (c *Candidate) subject(s scope, k *key) subject {
	name := subject{Scope: s.String(), Backend: c.project.Backend}
	if s == scopeBackend {
		return name
	}
	name.Project = c.project.Name
	switch s { //nolint:exhaustive // the others have no more to say
	case scopeKey:
		name.Key = k.secret.String()
	case scopeProjectModel:
		name.Model = c.plan.Model
		if c.order != nil {
			name.Location, name.Traffic = c.location, c.traffic
		}
	case scopePlace:
		name.Model, name.Location, name.Traffic = c.plan.Model, c.location, c.traffic
	case scopeOrder:
		name.Model, name.Location = c.order.Model, c.location
	}
	return name
}

// eachCooldown calls f with everything that can make the candidate rest.
func (c *Candidate) eachCooldown(f func(s scope, k *key, cool *cooldown)) {
	f(scopeBackend, nil, c.backend)
	f(scopeProject, nil, c.project.cool)
	f(scopeProjectModel, nil, &c.shared.cool)
	f(scopePlace, nil, c.place.cool)
	if c.order != nil {
		f(scopeOrder, nil, &c.order.cool)
	}
	for _, k := range c.project.keys {
		f(scopeKey, k, &k.cool)
	}
}
