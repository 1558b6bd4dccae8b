package pool

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// entry is what the pool remembers of one [Subject]: its cooldown, and the parts that its kind has.
// An entry is made when its subject is first used, and lives as long as there is something to
// remember.
type entry struct {
	// What every call looks at stands together.
	limits   *limits                         // of a project's model
	pacer    atomic.Pointer[pace]            // of a model at an endpoint whose capacity is hidden
	ramp     atomic.Pointer[quota.Ramp]      // of the same, if one is configured
	breaker  atomic.Pointer[breaker.Breaker] // of a model at an endpoint, or of the servers that endpoints share
	narrow   narrow                          // of the same thing for one version or tool
	versions versionProofs                   // of a model at an endpoint
	outage   *outage                         // of what endpoints share
	lot      *lot                            // of an order
	cool     cooldown.Cooldown
	proof    evidence
	load     load // of a model at an endpoint

	endedBy atomic.Int64 // instant at which the attempt began whose answer ended a cooldown last
	told    bool         // of the last cooldown that it started; guarded by telling

	telling sync.Mutex // held from a change to the post of its event: events of a subject are in order
	subject Subject
}

// start starts the entry's cooldown for what the attempt with number seq was told.
func (e *entry) start(p *Pool, now time.Time, at int64, seq uint64, why *cooldown.Refusal) {
	e.telling.Lock()
	if p.clock.virtual != nil && why.Rule != nil { // the same calls have the same fate
		rule := *why.Rule
		rule.Jitter, why.Rule = 0, &rule
	}
	info, change := e.cool.Start(now, at, seq, p.seq.Load(), why)
	p.cooldownStarted(now, e, info, change)
	e.telling.Unlock()
	if change != cooldown.Unchanged {
		p.fleet.cooled(now, at, e)
	}
	if change != cooldown.Unchanged && change != cooldown.Renewed {
		p.models.wakesEarlier(e)
	}
}

// succeed ends the entry's cooldown if the attempt with number seq, which began at an instant, began
// after it did.
func (e *entry) succeed(p *Pool, now time.Time, at, began int64, seq uint64) {
	e.telling.Lock()
	ended, active, ok := e.cool.Succeed(at, seq)
	if ok && p.tells(e) {
		p.outbox.ended(now, e, ended)
	}
	e.telling.Unlock()
	if active { // it would have gone on
		p.fleet.warmed(now, at, began, e)
		p.models.wakesEarlier(e)
		p.queue.changed(now)
	}
}

// learn takes over the limits that an answer stated.
func (e *entry) learn(p *Pool, now time.Time, at int64, stated quota.Limits) {
	if e.limits == nil || stated == (quota.Limits{}) {
		return
	}
	e.telling.Lock()
	defer e.telling.Unlock()
	e.limits.learn(at, stated)
	p.limitsLearned(now, at, e)
	p.fleet.learned(now, at, e)
}

// grow lets learned limits grow by time.
func (e *entry) grow(p *Pool, now time.Time, at int64) {
	e.telling.Lock()
	defer e.telling.Unlock()
	e.limits.grow(at)
	p.limitsLearned(now, at, e)
}

// narrow are entries of the parts of a thing.
type narrow struct {
	mu   sync.Mutex // held while list changes
	list atomic.Pointer[[]*entry]
}

// maxParts bounds the parts of one thing that are told apart.
const maxParts = 32

// narrowed returns the entry of a part of the entry's thing: of one version or one set of tools. It
// makes it if there is none, in place of parts that nothing is known of; nil if there is no room.
func (m *model) narrowed(at int64, e *entry, s Subject) *entry {
	e.narrow.mu.Lock()
	defer e.narrow.mu.Unlock()
	all := e.parts()
	for _, part := range all {
		if part.subject == s {
			return part
		}
	}
	if len(all) >= maxParts {
		kept := make([]*entry, 0, maxParts)
		for _, part := range all {
			if part.cool.Clean(at) || part.cool.Ended(at) > 0 {
				m.drop(func(x *entry) bool { return x == part })
				continue
			}
			kept = append(kept, part)
		}
		if all = kept; len(all) >= maxParts {
			return nil
		}
	}
	part := m.entry(s, none)
	all = append(slices.Clone(all), part)
	e.narrow.list.Store(&all)
	return part
}

// parts returns the entries of the parts of the entry's thing.
func (e *entry) parts() []*entry {
	if e == nil {
		return nil
	}
	if all := e.narrow.list.Load(); all != nil {
		return *all
	}
	return nil
}

// slot leads candidates to an entry that is made when it is first used.
type slot struct {
	entry   atomic.Pointer[entry]
	members []*candidate
}

// cooldown returns the cooldown behind the slot, or nil.
func (s *slot) cooldown() *cooldown.Cooldown {
	if e := s.entry.Load(); e != nil {
		return &e.cool
	}
	return nil
}

// What an entry takes of the memory's bound, in bytes: measured, and rounded up.
const (
	entryBytes     = 1_152
	breakerBytes   = 1_152
	windowBytes    = 4_608
	candidateBytes = 384
	modelBytes     = 1_536
)

// bytes estimates the memory that the entry takes.
func (e *entry) bytes() int {
	n := entryBytes + len(e.subject.Model) + e.cool.Bytes()
	if e.breaker.Load() != nil {
		n += breakerBytes
	}
	if e.limits != nil && e.limits.limited.Load() {
		n += windowBytes
	}
	if e.limits != nil && e.limits.portion.Load() != nil {
		n += windowBytes
	}
	return n
}

// clean reports whether the entry can go without loss. What is forgettable may go, too, if the
// memory is full: a cooldown for a model that is not there costs one request when it is forgotten.
func (e *entry) clean(p *Pool, at int64, full bool) bool {
	if e.load.underWay.Load() > 0 || e.load.coming.Load() > 0 {
		return false
	}
	if e.limits != nil && !e.limits.clean(p.timeOf(at), at) || !e.load.portion.idle(p.timeOf(at)) {
		return false
	}
	if pacer := e.pacer.Load(); pacer != nil && pacer.Limited() {
		return false
	}
	if ramp := e.ramp.Load(); ramp != nil && !ramp.Idle(p.timeOf(at)) {
		return false
	}
	if b := e.breaker.Load(); b != nil && !b.Ready(p.timeOf(at)) {
		return false
	}
	if e.cool.Clean(at) {
		return true
	}
	class := Class(e.cool.Class(at))
	return full && (class == "" || class.ofModel())
}
