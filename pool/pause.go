package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

const (
	// maxPauses bounds the things that are paused at once, and those that are remembered to have been.
	maxPauses = 1_000
	// maxWhy bounds an operator's reason, in bytes.
	maxWhy = 200
	// pauseKept is how long the store keeps a pause that has no end.
	pauseKept = 10 * 365 * 24 * time.Hour
)

// pause is one thing that an operator has taken out, or had.
type pause struct {
	subject Subject
	since   time.Time
	until   int64 // instant; Forever: until it is resumed
	why     string
	said    time.Time // when an operator said so; in a fleet the later word holds
}

// pauses are what operators have taken out of the pool. A pause is of a subject, whatever is known
// of it: of things that were never asked, and of all that belongs to them.
type pauses struct {
	pool *Pool
	held atomic.Pointer[paused] // in force; nil: nothing is, which costs a call nothing

	mu  sync.Mutex
	all map[Subject]pause // those that ended, too, for those who hear of them later
}

// Pause takes something out at once: no call is sent to it or by it, not even as a probe, and no
// success brings it back. d is for how long; zero means until [Pool.Resume]. why is the operator's
// reason for others to read, of at most 200 bytes; the rest is cut. Calls under way go on. A
// reload keeps the pause, as does [Pool.Save], and a store tells it to all replicas. The last
// endpoint may be paused as well: calls are refused then.
//
// subject is the text of a [Subject]. A project, a back end, a host or the servers of a model take
// out all that belongs to them, whatever the method. A model with its project is on demand alone, as
// everywhere; one without a project is all of it. The hash of a key may be cut to 8 digits. Pausing
// what is paused changes its end and reason. Errors say what to write instead.
func (p *Pool) Pause(now time.Time, subject string, d time.Duration, why string) error {
	defer p.outbox.deliver()
	s, err := p.setup.Load().find(p, subject)
	if err != nil {
		return err
	}
	if d < 0 {
		return fmt.Errorf("pool: a pause of %v is in the past; write a duration such as 10m, or 0 for until it is resumed", d)
	}
	x := pause{subject: s, since: now, until: cooldown.Forever, why: p.sent.reason(why), said: p.pauses.word(s, now)}
	if d > 0 {
		x.until = endOf(p.instant(now), d)
	}
	if err := p.pauses.put(now, x); err != nil {
		return err
	}
	p.fleet.paused(now, &x)
	p.queue.changed(now)
	return nil
}

// Resume ends the pause of a subject. It fails if that is not paused, and says what is.
func (p *Pool) Resume(now time.Time, subject string) error {
	defer p.outbox.deliver()
	s, err := p.pauses.find(p.setup.Load(), p.instant(now), subject)
	if err != nil {
		return err
	}
	x := pause{subject: s, until: p.instant(now), said: p.pauses.word(s, now)}
	if err := p.pauses.put(now, x); err != nil {
		return err
	}
	p.fleet.paused(now, &x)
	p.queue.changed(now)
	return nil
}

// endOf returns the instant at which a pause of that length ends. Centuries are no overflow, and not for ever.
func endOf(at int64, d time.Duration) int64 { return at + min(int64(d), cooldown.Forever-1-max(at, 0)) }

// word returns when an operator says something of a subject: now, or after what was said of it by a
// clock that was ahead, such as this machine's own before it was set back.
func (ps *pauses) word(s Subject, now time.Time) time.Time {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if said := ps.all[s].said; !said.Before(now) {
		return said.Add(1)
	}
	return now
}

// find returns the subject of the pause that an operator's text names. It may be of something that is
// not configured any more.
func (ps *pauses) find(s *setup, at int64, text string) (Subject, error) {
	if x, err := parseSubject(text); err == nil {
		if _, ok := ps.of(x, at); ok {
			return x, nil
		}
	}
	if x, err := s.find(ps.pool, text); err == nil {
		if _, ok := ps.of(x, at); ok {
			return x, nil
		}
	}
	list := ps.active(at)
	if len(list) == 0 {
		return Subject{}, errors.New("pool: nothing is paused")
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].subject.String()
	}
	return Subject{}, fmt.Errorf("pool: %s is not paused; %s", ps.pool.sent.shown(text), listed(text, "paused are ", texts))
}

// errManyPauses says that there is no room for another pause.
var errManyPauses = errors.New("pool: 1,000 things are paused, which is the most; resume some, or pause what they have in common")

// put puts a pause, or its end, in the place of what was known of its subject.
func (ps *pauses) put(now time.Time, x pause) error {
	at := ps.pool.instant(now)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	old := ps.all[x.subject]
	if x.said.Before(old.said) {
		return nil
	}
	if old.until <= at && x.until > at && ps.roomLocked(at) <= 0 {
		return errManyPauses
	}
	if ps.all == nil {
		ps.all = make(map[Subject]pause)
	}
	kind := CooldownStarted
	switch active := old.until > at; {
	case active && x.until > at:
		x.since, kind = old.since, CooldownExtended
	case active:
		x.since, x.why, kind = old.since, old.why, CooldownEnded
	case x.until <= at:
		kind = ""
	}
	ps.all[x.subject] = x
	ps.applyLocked(at)
	if kind != "" && (kind != CooldownExtended || x.until != old.until || x.why != old.why) {
		ps.pool.outbox.paused(now, kind, x.subject, x.info(ps.pool))
	}
	return nil
}

// roomLocked returns how many more things may be paused. It forgets pauses that ended long ago, and
// those that ended first while there are too many.
func (ps *pauses) roomLocked(at int64) int {
	var over []pause
	for s, x := range ps.all {
		switch {
		case x.until > at:
		case at-x.until > int64(factKept):
			delete(ps.all, s)
		default:
			over = append(over, x)
		}
	}
	room := maxPauses - (len(ps.all) - len(over))
	slices.SortFunc(over, func(a, b pause) int { return int(max(min(a.until-b.until, 1), -1)) })
	for _, x := range over[:max(len(over)-max(room-1, 0), 0)] {
		delete(ps.all, x.subject)
	}
	return room
}

// applyLocked puts in force what is known. What has just ended stays for as long as calls that
// waited for it go in slots.
func (ps *pauses) applyLocked(at int64) {
	h := &paused{}
	for _, x := range ps.all {
		if x.until > at-int64(drainFree) {
			h.list = append(h.list, x)
			h.keys = h.keys || x.subject.Kind == kindKey
		}
	}
	if len(h.list) == 0 {
		h = nil
	}
	ps.held.Store(h)
	ps.pool.models.wakeEarlier()
}

// active returns the pauses that have not ended, in the order of their subjects.
func (ps *pauses) active(at int64) []pause {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var list []pause
	for _, x := range ps.all {
		if x.until > at {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b pause) int { return strings.Compare(a.subject.String(), b.subject.String()) })
	return list
}

// of returns the pause of exactly that subject that has not ended.
func (ps *pauses) of(s Subject, at int64) (x pause, ok bool) {
	if ps.held.Load() == nil {
		return pause{}, false
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	x = ps.all[s]
	return x, x.until > at
}

// bar returns what keeps calls from an entry's subject: its cooldown or, if that is longer, the pause
// of the subject, or of one of those that it belongs to.
func (ps *pauses) bar(now time.Time, at int64, e *entry, wholes ...*entry) bar {
	longest, wake := e.bar(now, at), e.cool.Wake(at)
	for _, e := range append(wholes, e) {
		if x, ok := ps.of(e.subject, at); ok && x.until > wake {
			longest, wake = x.bar(ps.pool), x.until
		}
	}
	return longest
}

// bar describes a pause as what keeps calls from its subject.
func (x *pause) bar(p *Pool) bar { return bar{x.subject, x.info(p)} }

// info describes a pause as a cooldown.
func (x *pause) info(p *Pool) cooldown.Info {
	i := cooldown.Info{Class: string(ClassPaused), Since: x.since, Message: x.why}
	if x.until != cooldown.Forever {
		i.Until = p.timeOf(x.until)
	}
	return i
}
