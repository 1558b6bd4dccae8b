package pool

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spillway-go/spillway/internal/tokens"
)

// entries are what the pool remembers, by [Subject]. The zero value remembers nothing.
type entries struct {
	mu        sync.Mutex
	bySubject map[Subject]*entry
}

// entry returns the entry of a subject. fill makes the parts of one that is new.
func (es *entries) entry(s Subject, fill func(*entry)) *entry {
	es.mu.Lock()
	defer es.mu.Unlock()
	e := es.bySubject[s]
	if e == nil {
		e = &entry{subject: s}
		fill(e)
		es.putLocked(e)
	}
	return e
}

// put puts an entry into the memory.
func (es *entries) put(e *entry) {
	es.mu.Lock()
	defer es.mu.Unlock()
	es.putLocked(e)
}

func (es *entries) putLocked(e *entry) {
	if es.bySubject == nil {
		es.bySubject = make(map[Subject]*entry)
	}
	es.bySubject[e.subject] = e
}

// count returns how many entries there are.
func (es *entries) count() int {
	es.mu.Lock()
	defer es.mu.Unlock()
	return len(es.bySubject)
}

// find returns the entry of a subject, or nil.
func (es *entries) find(s Subject) *entry {
	es.mu.Lock()
	defer es.mu.Unlock()
	return es.bySubject[s]
}

// all returns every entry.
func (es *entries) all() []*entry {
	es.mu.Lock()
	defer es.mu.Unlock()
	all := make([]*entry, 0, len(es.bySubject))
	for _, e := range es.bySubject {
		all = append(all, e)
	}
	return all
}

// drop forgets the entries that which chooses, and returns them.
func (es *entries) drop(which func(*entry) bool) []*entry {
	var dropped []*entry
	es.mu.Lock()
	defer es.mu.Unlock()
	for s, e := range es.bySubject {
		if which(e) {
			dropped = append(dropped, e)
			delete(es.bySubject, s)
		}
	}
	return dropped
}

// modelKey is a model and one account of its methods, see [Asked].
type modelKey struct{ name, method string }

// subject returns the subject of the model in all projects.
func (k modelKey) subject() Subject { return Subject{Kind: kindModel, Model: k.name, Method: k.method} }

// modelKey returns what the subject is remembered under; zero for one that belongs to no model.
func (s *Subject) modelKey() modelKey { return modelKey{s.Model, s.Method} }

// model is what the pool knows of one model and method: the entries of its subjects, which stay,
// and the plan, a view of them that a reload replaces.
type model struct {
	entries
	modelKey

	tokens tokens.Estimator
	counts modelCounts
	plan   atomic.Pointer[plan]
	used   atomic.Int64 // instant of the last use
	queued atomic.Int64 // calls that wait

	refusals    refusals
	reroute     atomic.Pointer[reroute] // of the last modelVersion that is not the model's name
	rerouteTold atomic.Int64            // instant of the last event about it, plus one
}

// bytes estimates the memory that the model takes.
func (m *model) bytes() int {
	n := modelBytes + 2*len(m.name)
	if plan := m.plan.Load(); plan != nil {
		n += candidateBytes * len(plan.all)
	}
	for _, e := range m.all() {
		n += e.bytes()
	}
	return n
}

// clean reports whether the model can be forgotten without loss, or if full with little.
func (m *model) clean(p *Pool, at int64, full bool) bool {
	if m.queued.Load() > 0 {
		return false
	}
	return !slices.ContainsFunc(m.all(), func(e *entry) bool { return !e.clean(p, at, full) })
}

// models are the models that the pool remembers, bounded by the bytes that they take.
type models struct {
	byKey sync.Map // modelKey -> *model

	mu    sync.Mutex
	bound int
	bytes int // an estimate, right after each sweep
	swept int64
	told  bool // that the memory is full
}

// find returns the model of that key, or nil.
func (ms *models) find(k modelKey) *model {
	v, _ := ms.byKey.Load(k)
	m, _ := v.(*model)
	return m
}

// all returns the models.
func (ms *models) all() []*model {
	var all []*model
	ms.byKey.Range(func(_, v any) bool {
		m, _ := v.(*model)
		all = append(all, m)
		return true
	})
	return all
}

// sorted returns the models by name, then by method.
func (ms *models) sorted() []*model {
	all := ms.all()
	slices.SortFunc(all, func(a, b *model) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.method, b.method)) })
	return all
}

// wakesEarlier tells the plans that an entry's cooldown is not what it was.
func (ms *models) wakesEarlier(e *entry) {
	if e.subject.Model != "" && e.subject.Kind != kindOrder {
		if m := ms.find(e.subject.modelKey()); m != nil {
			m.wakesEarlier()
		}
		return
	}
	ms.wakeEarlier()
}

// wakeEarlier tells all plans that what keeps their endpoints is not what it was.
func (ms *models) wakeEarlier() {
	for _, m := range ms.all() {
		m.wakesEarlier()
	}
}

// wakesEarlier tells the model's plan that what keeps its endpoints is not what it was.
func (m *model) wakesEarlier() {
	if plan := m.plan.Load(); plan != nil {
		plan.changes.Add(1)
	}
}

// sweepAgain is the least time between two sweeps that found no room, in nanoseconds.
const sweepAgain = int64(1e9)

// roomLocked reports whether the memory has room for one more model. Over the bound it forgets
// those that it can, the least recently used first. The caller holds ms.mu.
func (ms *models) roomLocked(p *Pool, at int64) bool {
	if ms.bytes < ms.bound {
		return true
	}
	if ms.swept > 0 && at-ms.swept < sweepAgain && ms.told {
		return false
	}
	ms.swept = at
	all := ms.all()
	slices.SortFunc(all, func(a, b *model) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	sizes := make([]int, len(all))
	accounts := accountsOf(&p.memory)
	ms.bytes = accounts.bytes
	for i, m := range all {
		sizes[i] = m.bytes()
		ms.bytes += sizes[i]
		accounts.models[m.method]++
	}
	// A quarter at once, or every new model would look through all.
	for i, m := range all {
		if ms.bytes < ms.bound/4*3 {
			break
		}
		if m.clean(p, at, true) {
			ms.byKey.Delete(m.modelKey)
			for _, e := range m.all() {
				e.forgotten(p, p.timeOf(at), at)
			}
			ms.bytes -= sizes[i] + accounts.leave(m.method)
		}
	}
	ms.bytes += accounts.drop(p, at)
	full := ms.bytes >= ms.bound
	if full && !ms.told {
		p.outbox.memoryFull(p.timeOf(at))
	}
	ms.told = full
	return !full
}

// accounts are what the pool remembers of projects, keys and hosts for accounts of methods. It goes
// with the last model of the account.
type accounts struct {
	memory *entries
	bytes  int
	sizes  map[string]int // by method
	models map[string]int // how many there are
	left   map[string]bool
}

func accountsOf(memory *entries) *accounts {
	a := &accounts{memory: memory, sizes: make(map[string]int), models: make(map[string]int), left: make(map[string]bool)}
	for _, e := range memory.all() {
		if method := e.subject.Method; method != "" {
			a.sizes[method] += e.bytes()
			a.bytes += e.bytes()
		}
	}
	return a
}

// leave notes that a model of an account is forgotten, and returns the bytes that go with it.
func (a *accounts) leave(method string) int {
	if a.models[method]--; a.models[method] > 0 || method == "" {
		return 0
	}
	a.left[method] = true
	return a.sizes[method]
}

// drop forgets the accounts that have no model any more, and returns the bytes of what has to stay.
func (a *accounts) drop(p *Pool, at int64) (stay int) {
	if len(a.left) == 0 {
		return 0
	}
	a.memory.drop(func(e *entry) bool {
		switch {
		case !a.left[e.subject.Method]:
			return false
		case e.clean(p, at, true):
			return true
		default:
			stay += e.bytes()
			return false
		}
	})
	return stay
}
