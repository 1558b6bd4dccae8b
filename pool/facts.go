package pool

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/owner"
	"github.com/spillway-go/spillway/store"
)

const (
	// A fact without an end of its own is kept so long.
	factKept = 7 * 24 * time.Hour
	// endKept is how long it is known that a cooldown has ended: until no one can publish any more
	// that it goes on.
	endKept = 5 * time.Minute
	// Google keeps a file for 48 hours (https://ai.google.dev/gemini-api/docs/files, read on
	// 2026-11-22). Other resources live until they are deleted; their owner is looked for again after a
	// month.
	fileKept  = 48 * time.Hour
	ownerKept = 30 * 24 * time.Hour
	// shortest is the shortest cooldown that is told to others: it would be over when they hear of it.
	shortest = time.Second
	// mostFacts bounds the facts that wait for a store that is away. The store is told less then.
	mostFacts = 10_000
	// longestName is the longest subject that is told to others, in bytes.
	longestName = 512
)

// facts are what the pool has to tell the fleet.
type facts struct {
	fleet *fleet

	mu      sync.Mutex
	waiting map[store.Key]store.Fact
}

// tell has the syncer publish a fact. Of two about one thing the newer is told.
func (fs *facts) tell(fact store.Fact) {
	fs.mu.Lock()
	if _, known := fs.waiting[fact.Key]; known || len(fs.waiting) < mostFacts {
		fs.waiting[fact.Key] = fact
	}
	fs.mu.Unlock()
	fs.fleet.kick()
}

// take returns what waits, which waits no more.
func (fs *facts) take() []store.Fact {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := make([]store.Fact, 0, len(fs.waiting))
	for _, fact := range fs.waiting {
		list = append(list, fact)
	}
	clear(fs.waiting)
	return list
}

// putBack has what could not be told wait again, but for what is newer by now.
func (fs *facts) putBack(list []store.Fact) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, fact := range list {
		if _, newer := fs.waiting[fact.Key]; !newer {
			fs.waiting[fact.Key] = fact
		}
	}
}

// publish tells the store what waits.
func (fs *facts) publish(ctx context.Context) bool {
	list := fs.take()
	if len(list) == 0 {
		return true
	}
	link := fs.fleet.link
	ok := fs.fleet.call(ctx, errandOther, func(ctx context.Context) (time.Time, error) { return link.store.Publish(ctx, list) })
	if !ok {
		fs.putBack(list)
	}
	return ok
}

// sharedCooldown is what is told of a cooldown: no answer of Google's. By is the member that tells.
type sharedCooldown struct {
	By string `json:"by"`
	cooldown.Saved
}

// sharedLimits is what is told of the limits that Google named.
type sharedLimits struct {
	By string `json:"by"`
	savedLimits
}

// shift puts the times of limits into those of another clock.
func (l *savedLimits) shift(to func(time.Time) time.Time) {
	for _, s := range [...]*savedLimit{&l.RPM, &l.TPM, &l.RPD} {
		s.Named, s.Test, s.Day = to(s.Named), to(s.Test), to(s.Day)
	}
}

// shares reports whether others are told of an entry's cooldowns. What one process finds of its own
// network is not: hosts, servers. A subject that is made of what a caller wrote may be anything.
func (s *Subject) shares() bool {
	switch s.Kind {
	case kindKey, kindProject, kindModel, kindOrder:
		return len(s.Model)+len(s.Tool)+len(s.Version) <= longestName && !credential.Looks(s.Model)
	default:
		return false
	}
}

// cooled tells the fleet of a cooldown that started or was extended.
func (f *fleet) cooled(now time.Time, at int64, e *entry) {
	if f == nil || !e.subject.shares() {
		return
	}
	c, ok := e.cool.Save(now, at)
	// A full order is told of by what is known of the order itself.
	if !ok || Class(c.Class) == ClassProvisionedFull || !c.Until.IsZero() && c.Until.Sub(now) < shortest {
		return
	}
	c.Message, c.Status, c.Body = "", 0, ""
	c.Since, c.Until, c.Probe = f.link.theirs(c.Since), f.link.theirs(c.Until), f.link.theirs(c.Probe)
	until := c.Until
	if until.IsZero() {
		until = f.link.theirs(now).Add(factKept)
	}
	until = until.Add(now.Sub(e.cool.Info(now, at).Since) / 1000) // of two with one end the later is the longer
	f.facts.say(store.KindCooldown, e, sharedCooldown{f.link.member, c}, f.link.theirs(now), until, true)
}

// warmed tells the fleet that an answer to an attempt that began at an instant has ended a cooldown.
func (f *fleet) warmed(now time.Time, at, began int64, e *entry) {
	if f == nil || !e.subject.shares() {
		return
	}
	e.endedBy.Store(began)
	then := f.link.theirs(now.Add(time.Duration(began - at)))
	f.facts.tell(store.Fact{Key: store.Key{Kind: store.KindCooldown, Name: e.subject.String()}, At: then, Until: f.link.theirs(now).Add(endKept)})
}

// learned tells the fleet of the limits that Google named.
func (f *fleet) learned(now time.Time, at int64, e *entry) {
	if f == nil || !e.subject.shares() {
		return
	}
	l := sharedLimits{f.link.member, e.limits.save(now, at)}
	l.shift(f.link.theirs)
	f.facts.say(store.KindLimits, e, l, f.link.theirs(now), f.link.theirs(now).Add(factKept), false)
}

// say tells the fleet something of an entry.
func (fs *facts) say(kind store.Kind, e *entry, value any, at, until time.Time, extends bool) {
	data, err := json.Marshal(value)
	if err != nil || len(data) > store.MaxValue {
		return // it stays local
	}
	fs.tell(store.Fact{Key: store.Key{Kind: kind, Name: e.subject.String()}, Value: data, At: at, Until: until, Extends: extends})
}

// listen hears what others tell until ctx ends.
func (fs *facts) listen(ctx context.Context) {
	defer close(fs.fleet.deaf)
	link := fs.fleet.link
	select {
	case <-link.first: // before, the store's clock is not known
	case <-ctx.Done():
	}
	for ctx.Err() == nil {
		_ = link.store.Subscribe(ctx, fs.hear) // that it fails is noticed by the syncer
		select {
		case <-ctx.Done():
		case <-time.After(spread(fleetBeat)):
		}
	}
}

// hear takes over what others tell.
func (fs *facts) hear(list []store.Fact) {
	p := fs.fleet.pool
	now := time.Now()
	defer p.outbox.deliver()
	p.reload.Lock()
	p.models.mu.Lock()
	r := restorer{p, p.setup.Load(), now, p.instant(now)}
	made := make(map[*model]bool)
	for i := range list {
		fact := &list[i]
		s, err := parseSubject(fact.Key.Name)
		if err == nil && fact.Key.Kind == store.KindPause {
			fs.heedPause(now, s, fact)
			continue
		}
		if err != nil || !s.shares() || fact.Key.Kind != store.KindCooldown && fact.Key.Kind != store.KindLimits {
			continue
		}
		e, fresh := r.heard(s, len(fact.Value) > 0)
		if e == nil {
			continue
		}
		if m := p.models.find(s.modelKey()); fresh && m != nil {
			made[m] = true
		}
		fs.heed(now, r.at, e, fact)
	}
	for m := range made { // plans look up what is there now, and show it in Stat
		before := m.plan.Load()
		m.plan.Store(newPlan(p, m, r.setup))
		if before == nil {
			p.models.bytes += m.bytes() - modelBytes // which entry counted
		}
	}
	p.models.mu.Unlock()
	p.reload.Unlock()
	p.queue.changed(now)
}

// heard returns the entry of a subject that others tell of. It makes one only where there is
// something to remember; fresh says that it did.
func (r *restorer) heard(s Subject, remember bool) (e *entry, fresh bool) {
	project := r.setup.project(s.Project)
	full := r.p.models.bytes >= r.p.models.bound
	if s.Kind != kindModel {
		e = r.p.memory.find(s)
		whole := s
		whole.Method = ""
		if e == nil && remember && !full && project != nil && r.p.memory.find(whole) != nil { // of another account
			e = r.entry(s)
		}
		return e, false
	}
	if m := r.p.models.find(s.modelKey()); m != nil {
		if e = m.find(s); e != nil {
			return e, false
		}
	}
	if !remember || full || project == nil || s.Location != "" && !project.in(s.Location) {
		return nil, false
	}
	e = r.entry(s)
	return e, e != nil
}

// heed takes over a fact about an entry.
func (fs *facts) heed(now time.Time, at int64, e *entry, fact *store.Fact) {
	link, p := fs.fleet.link, fs.fleet.pool
	when := at + int64(link.ours(fact.At).Sub(now.Round(0)))
	e.telling.Lock()
	defer e.telling.Unlock()
	switch {
	case fact.Key.Kind == store.KindLimits:
		var l sharedLimits
		if e.limits == nil || json.Unmarshal(fact.Value, &l) != nil || l.By == link.member {
			return
		}
		l.shift(link.ours)
		e.limits.restore(now.Round(0), at, l.savedLimits)
		p.limitsLearned(now, at, e)
	case len(fact.Value) == 0:
		if !e.endedAfter(when) {
			e.endedBy.Store(when)
		}
		ended, active, ok := e.cool.EndBefore(at, when)
		if ok && p.tells(e) {
			p.outbox.ended(now, e, ended)
		}
		if active {
			p.models.wakesEarlier(e)
		}
	default:
		var c sharedCooldown
		if json.Unmarshal(fact.Value, &c) != nil || c.By == link.member || e.endedAfter(when) || !e.subject.keeps(Class(c.Class)) {
			return
		}
		c.Since, c.Until, c.Probe = link.ours(c.Since), link.ours(c.Until), link.ours(c.Probe)
		info, change := e.cool.Adopt(now.Round(0), at, p.seq.Load(), c.Saved, &Class(c.Class).rule().Rule)
		p.cooldownStarted(now, e, info, change)
		if change != cooldown.Unchanged {
			p.models.wakesEarlier(e)
		}
	}
}

// endedAfter reports whether an answer to an attempt that began at an instant, or later, has ended a
// cooldown of the entry.
func (e *entry) endedAfter(at int64) bool {
	by := e.endedBy.Load()
	return by != 0 && by >= at
}

// ownerKey names a resource to the store: by a hash, because its name may be all that protects it.
func ownerKey(name string) store.Key {
	sum := sha256.Sum256([]byte(name))
	return store.Key{Kind: store.KindOwner, Name: hex.EncodeToString(sum[:8])}
}

// owns tells the fleet where a resource lives; the zero Home says that it is gone.
func (f *fleet) owns(name string, h Home) {
	if f == nil {
		return
	}
	kept := ownerKept
	if strings.HasPrefix(name, "files/") {
		kept = fileKept
	}
	fact := store.Fact{Key: ownerKey(name), At: f.link.theirs(time.Now())}
	if h != (Home{}) {
		fact.Value = []byte(h.Project + "\n" + h.Location)
	}
	fact.Until = fact.At.Add(kept)
	f.facts.tell(fact)
}

// FindOwner asks the store, if there is one, for the home of a resource that the pool does not know.
// It takes no longer than a call to the store may.
func (p *Pool) FindOwner(ctx context.Context, name string) (h Home, ok bool) {
	if p.fleet == nil || p.fleet.link.lost.Load() {
		return Home{}, false
	}
	link := p.fleet.link
	ctx, cancel := context.WithTimeout(ctx, link.timeout)
	defer cancel()
	found, err := link.store.Lookup(ctx, []store.Key{ownerKey(name)})
	if err != nil || len(found) == 0 {
		return Home{}, false
	}
	project, location, ok := strings.Cut(string(found[0].Value), "\n")
	if !ok || p.setup.Load().project(project) == nil {
		return Home{}, false
	}
	h = Home{project, location}
	p.owners.Put(name, owner.Home(h))
	return h, true
}
