package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// link is a member's way to the store. Every call is bounded. After one that fails there are no more
// for a while, so a store that is away or slow costs little. The syncer makes the calls.
type link struct {
	store   store.Store
	member  string
	timeout time.Duration
	lost    atomic.Bool   // the store's credit does not count
	first   chan struct{} // closed when the fleet was heard of

	mu    sync.Mutex
	clock clock
	fleet membership
	state linkState
}

// clock is what is known of the store's clock.
type clock struct {
	ahead    time.Duration // of this process's
	rtt      time.Duration // of the call that ahead is from
	measured time.Time
}

// gathering is how long after the fleet was without its store those that were there before, and are
// not back, are taken to be at work. It takes them seconds to connect again.
const gathering = 10 * time.Second

// membership is what is known of the fleet.
type membership struct {
	heard   bool // of it at all
	members store.Fleet
	missing int           // members whose use the store may not know of, though they may be at work
	present int           // the others
	gone    time.Time     // when the store last heard of the first that is missing; zero: long ago
	seen    int           // missing, without those who are just back
	back    time.Time     // when those will have reported what they used
	law     quota.Sharing // of quotas, while the store is away
	settled time.Time     // when all will have reported what they used while the store was away
}

// linkState is how the store answers.
type linkState struct {
	answers  bool         // the last call
	in       bool         // it knows what all have used: its credit counts
	told     bool         // StoreLost was the last event
	since    time.Time    // when answers changed
	returned time.Time    // when it answered again, after it did not for a while
	failures [errands]int // in a row
	problem  string       // why the last call failed; empty if it did not
	lag      time.Duration
}

// newLink returns a member's way to a store that it has not asked yet. Until it has heard of the
// others, quotas keep to alone.
func newLink(s store.Store, member string, timeout time.Duration, alone quota.Sharing) *link {
	k := &link{store: s, member: member, timeout: timeout, first: make(chan struct{})}
	if timeout == 0 {
		k.timeout = storeTimeout
	}
	k.lost.Store(true)
	k.fleet.law, k.state.since = alone, time.Now()
	return k
}

// errand is what a call to the store is for.
type errand uint8

const (
	errandBeat errand = iota
	errandTake
	errandOther // what limits do without
	errands
)

// call carries out one call within bound, and notes how it ended. what returns the store's time, if
// it is told. tell says that the failure is one to tell of.
func (k *link) call(
	ctx context.Context, e errand, bound time.Duration, what func(ctx context.Context) (time.Time, error),
) (ok, tell bool) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	sent := time.Now()
	theirs, err := what(ctx)
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		return false, k.failedLocked(now, e, err)
	}
	lag := now.Sub(sent)
	k.clock.set(theirs, sent, lag)
	s := &k.state
	s.lag, s.failures[e] = lag, 0
	if s.failures == [errands]int{} {
		s.problem = ""
	}
	if !s.answers && s.failures[errandBeat]+s.failures[errandTake] == 0 {
		if now.Sub(s.since) > fleetBeat && k.fleet.heard {
			s.returned = now
		}
		s.answers, s.since = true, now
	}
	return true, false
}

// set takes over the store's time. A quick answer tells it best; an old one not at all, as clocks
// drift.
func (c *clock) set(theirs, sent time.Time, lag time.Duration) {
	if theirs.IsZero() || lag > c.rtt && !c.measured.IsZero() && sent.Sub(c.measured) < 10*time.Second {
		return
	}
	c.ahead, c.rtt, c.measured = theirs.Sub(sent.Add(lag/2)), lag, sent
}

// failedLocked notes a call that failed. Only a second one in a row is told. The caller holds the
// lock.
func (k *link) failedLocked(now time.Time, e errand, err error) (tell bool) {
	s := &k.state
	s.failures[e]++
	s.problem = err.Error()
	if e == errandOther {
		return false
	}
	if s.answers {
		s.answers, s.since = false, now
	}
	tell = s.failures[e] > 1 && !s.told
	s.told = s.told || tell
	return tell
}

// idle notes that there was nothing to take.
func (k *link) idle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.failures[errandTake] = 0
}

// bound is the bound of a call to the store that a request waits for: it goes on without within the
// timeout.
func (k *link) bound() time.Duration { return k.timeout / 5 * 4 }

// pause is how long to wait after a failure.
func (k *link) pause() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	failures := max(k.state.failures[errandBeat], k.state.failures[errandTake], 1)
	return min(fleetRetry<<min(failures-1, 4), fleetBeat)
}

// met takes over what a beat said. It reports whether the store has lost its content.
func (k *link) met(f store.Fleet) (lost bool) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	m := &k.fleet
	lost = m.heard && f.Epoch != m.members.Epoch
	if !m.heard {
		close(k.first)
	}
	m.members, m.heard = f, true
	m.settled = later(f.Since.Add(-k.clock.ahead), k.state.returned).Add(store.Settling)
	n := max(f.Members+f.Lapsed, 1)
	missing, gone := f.Lapsed, shifted(f.LapsedSince, -k.clock.ahead)
	// Who is back first after the fleet was without its store finds few others. They are at work.
	if away := m.law.Members - n; away > 0 && now.Before(f.Since.Add(gathering-k.clock.ahead)) {
		n, missing, gone = n+away, missing+away, time.Time{}
	} else {
		m.law = quota.Sharing{Members: n, Rank: f.Rank}
	}
	// Members are heard of before they have reported what they used.
	if missing < m.seen {
		m.back = now.Add(store.Settling)
	}
	if m.seen = missing; missing >= m.missing || !now.Before(m.back) {
		m.missing, m.gone = missing, gone
	}
	m.present = max(n-m.missing, 1)
	return lost
}

// enter notes whether the store's credit counts. It reports whether that has changed, and whether
// StoreBack is to be told.
func (k *link) enter(in bool) (changed, back bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &k.state
	changed, back = s.in != in, in && s.told
	s.in, s.told = in, s.told && !in
	k.lost.Store(!in)
	return changed, back
}

// settled reports whether the store answers and has heard from all what they used.
func (k *link) settled(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	from := later(k.fleet.settled, k.state.returned.Add(store.Settling)) // a beat may have come before
	return k.state.answers && k.fleet.heard && !now.Before(from)
}

// now returns a copy of what is known.
func (k *link) now() (linkState, membership, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, k.fleet, k.clock.ahead
}

// part returns the part of each limit that a law leaves one member.
func part(law quota.Sharing) float64 {
	switch {
	case law.Members > 0:
		return windowWithheld / float64(law.Members)
	case law.Part > 0:
		return law.Part
	}
	return 0.125 // see [quota.Sharing]
}

// theirs is a time of this process's clock by the store's, ours the reverse. Zero stays zero.
func (k *link) theirs(t time.Time) time.Time {
	_, _, ahead := k.now()
	return shifted(t, ahead)
}

func (k *link) ours(t time.Time) time.Time {
	_, _, ahead := k.now()
	return shifted(t, -ahead)
}

func shifted(t time.Time, by time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(by)
}
