package pool

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spillway-go/spillway/store"
)

// A cooldown has one probe at a time in the whole fleet, and so has a learned limit. Whoever has a call for it claims the right
// to make it, in the background; the call goes elsewhere or waits for a moment.
const (
	// claimSoon is how long a claim holds until its probe has begun.
	claimSoon = 2 * time.Second
	// claimKept is how long it holds while the probe is under way, as far as is known: as long as a
	// probe keeps others from probing in one process.
	claimKept = 30 * time.Second
	// claimAgain is how long a probe is left to another member that has claimed it, and up to twice
	// that.
	claimAgain = time.Second
)

// claims are the probes that this member wants to make, or makes.
type claims struct {
	fleet *fleet

	mu        sync.Mutex
	bySubject map[Subject]*claim
}

// claim is one of them.
type claim struct {
	entry *entry
	step  claimStep // what to ask the store for next
	until time.Time // when the claim ends that it gave
	probe bool      // it is used
}

type claimStep uint8

const (
	claimNothing claimStep = iota
	claimWanted            // a call is there for the probe
	claimBegun             // it is made
	claimOver              // it has ended, or is not wanted
)

// mayProbe reports whether a call may be the probe of an entry's cooldown. If not, the right to it is
// claimed.
func (f *fleet) mayProbe(now time.Time, e *entry) bool {
	if f == nil || !e.subject.shares() {
		return true
	}
	if f.link.lost.Load() {
		_, m, _ := f.link.now()
		return m.law.Members < 2 || rand.IntN(m.law.Members) == 0
	}
	f.claims.mu.Lock()
	defer f.claims.mu.Unlock()
	c := f.claims.bySubject[e.subject]
	if c == nil {
		c = &claim{entry: e}
		f.claims.bySubject[e.subject] = c
	}
	if c.probe { // it is under way
		return false
	}
	if now.Before(c.until) {
		c.probe, c.step = true, claimBegun
		f.kick()
		return true
	}
	if c.step == claimNothing || c.step == claimOver {
		c.step = claimWanted
		f.kick()
	}
	return false
}

// probed notes that the probe of an entry's cooldown has ended.
func (f *fleet) probed(e *entry) {
	if f == nil {
		return
	}
	f.claims.mu.Lock()
	defer f.claims.mu.Unlock()
	if c := f.claims.bySubject[e.subject]; c != nil && c.probe {
		c.probe, c.step = false, claimOver
		f.kick()
	}
}

// giveBack ends all claims.
func (cs *claims) giveBack() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.bySubject {
		c.step = claimOver
	}
}

// steps returns what there is to ask the store for, and forgets claims that are over.
func (cs *claims) steps(now time.Time) (list []*claim, asks []claimStep) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for s, c := range cs.bySubject {
		switch {
		case c.step != claimNothing:
			list, asks = append(list, c), append(asks, c.step)
			c.step = claimNothing
		case !now.Before(c.until):
			delete(cs.bySubject, s)
		}
	}
	return list, asks
}

// ask asks the store for what claims want next.
func (cs *claims) ask(ctx context.Context) bool {
	link := cs.fleet.link
	list, asks := cs.steps(time.Now())
	for i, c := range list {
		ttl := [...]time.Duration{claimWanted: claimSoon, claimBegun: claimKept, claimOver: 0}[asks[i]]
		sent, mine := time.Now(), false
		key := store.Key{Kind: store.KindProbe, Name: c.entry.subject.String()}
		ok := cs.fleet.call(ctx, errandOther, func(ctx context.Context) (now time.Time, err error) {
			mine, err = link.store.Claim(ctx, link.member, key, ttl)
			return now, err
		})
		if !ok {
			return false
		}
		cs.answered(c, asks[i], sent.Add(ttl), mine)
	}
	return true
}

// answered notes how the store answered.
func (cs *claims) answered(c *claim, step claimStep, until time.Time, mine bool) {
	now, p := time.Now(), cs.fleet.pool
	cs.mu.Lock()
	switch {
	case step == claimOver:
		c.until = time.Time{}
	case mine:
		c.until = until
	}
	cs.mu.Unlock()
	switch {
	case step != claimWanted:
	case mine:
		p.queue.changed(now)
	default:
		at := p.instant(now)
		later := at + int64(spread(claimAgain))
		c.entry.cool.Defer(at, later)
		if c.entry.limits != nil {
			c.entry.limits.leaveTests(at, later)
		}
		p.models.wakesEarlier(c.entry)
	}
}
