package quota

import (
	"time"

	"github.com/spillway-go/spillway/store"
)

// pulling is how far a [SharedLedger] is with the store.
type pulling struct {
	away   bool      // the store does not answer, or has not yet
	at     time.Time // of the last news
	tried  time.Time // of the last pull
	hurry  bool      // there is something to tell, or to hear, that cannot wait
	number int64
	under  store.OrderPull // the pull that was not answered yet, of number; empty if there is none

	epoch    string
	version  int64
	count    int64
	told     []float64 // evidence as it was when it was last told, or heard
	evidence []float64 // for use again
}

// PullAt returns when to pull next.
func (l *SharedLedger) PullAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause := store.OrderPause
	if l.pulls.hurry {
		return l.pulls.tried
	}
	if !l.pulls.away && l.lately == never { // nothing to tell, and less and less to ask
		pause = min(max(pause, l.pulls.tried.Sub(l.asked)/4), sharedIdle)
	}
	return l.pulls.tried.Add(pause)
}

// Pull returns what to give to the store, and to ask it for. Pulled or PullFailed must follow.
func (l *SharedLedger) Pull(now time.Time) store.OrderPull {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	s := &l.pulls
	s.tried, s.hurry = l.last, false
	p := &s.under
	if p.Number == 0 {
		s.number++
		*p = store.OrderPull{Member: l.member, Number: s.number, Count: s.count, Evidence: l.tellEvidenceLocked(), Lesson: l.lesson}
		if s.epoch != "" { // else the store's time is not known
			p.Changes = l.untold.changes()
		}
	}
	p.Epoch, p.Version = s.epoch, s.version
	return *p
}

// tellEvidenceLocked returns what was learned since evidence was last told.
func (l *SharedLedger) tellEvidenceLocked() []store.Shift {
	s := &l.pulls
	if s.count > 0 && l.lately == never {
		return nil
	}
	now := l.evidence(nil)
	added := append([]float64(nil), now...)
	parts := seeds(added)
	if s.count > 0 {
		parts = l.lately.shifts(s.told, added)
	}
	s.told, l.lately = now, never
	return parts
}

// Pulled brings the news that a pull was answered with.
func (l *SharedLedger) Pulled(now time.Time, n store.OrderNews) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.pulls
	if n.Whole {
		l.adoptLocked(now, &n)
	}
	l.heardLocked(now, n.Now)
	l.mirrorLocked(&n)
	if len(n.Evidence) == l.numbers() {
		l.hearEvidenceLocked(n.Evidence)
	}
	if s.epoch == "" && l.untold.sum(int64(len(l.untold.charges))-1) != (charge{}) {
		s.hurry = true // its time was not known before
	}
	s.under = store.OrderPull{}
	s.at, s.away, l.lesson = l.last, false, max(l.lesson, n.Lesson)
	s.epoch, s.version, s.count = n.Epoch, n.Version, n.Count
}

// PullFailed says that a pull may not have reached the store. It will be repeated.
func (l *SharedLedger) PullFailed(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceLocked(now)
	l.pulls.away = true
}

// adoptLocked takes over the time of a store that this replica does not know, or that has lost what
// it knew. What this replica was charged in another epoch, the store has to be told again.
func (l *SharedLedger) adoptLocked(now time.Time, n *store.OrderNews) {
	l.clock, l.lesson = storeTime{}, n.Lesson
	l.clock.learn(n.Now, now)
	to := n.Now.UnixNano() / int64(l.bucket)
	if again := l.pulls.epoch != ""; again || l.own.current != to {
		l.own.turn(to)
		l.untold.turn(to)
		if again {
			copy(l.untold.charges, l.own.charges)
			for _, told := range l.pulls.under.Changes {
				var less charge
				less.sub(unshared(told.Charge))
				l.untold.put(told.Bucket, less)
			}
		}
	}
	clear(l.charges)
	for k := range l.beliefs {
		l.beliefs[k].charge = charge{}
	}
	l.current = to
	for b := to - int64(len(l.charges)) + 1; b <= to; b++ {
		if c := l.untold.at(b); c != nil {
			l.add(b, *c)
		}
	}
}

// mirrorLocked puts what the store says in the place of what this replica knew.
func (l *SharedLedger) mirrorLocked(n *store.OrderNews) {
	for i := range n.Buckets {
		bucket := n.Buckets[i].Bucket
		known, untold := l.at(bucket), l.untold.at(bucket)
		if known == nil || untold == nil {
			continue
		}
		change := unshared(n.Buckets[i].Charge)
		change.add(*untold)
		change.sub(*known)
		l.add(bucket, change)
	}
}

// hearEvidenceLocked believes what the store knows, and what was learned here since the last pull
// left.
func (l *SharedLedger) hearEvidenceLocked(heard []float64) {
	s := &l.pulls
	heard = append([]float64(nil), heard...)
	l.bound(heard)
	if l.lately == never {
		l.believe(heard)
		s.told = heard
		return
	}
	s.evidence = l.evidence(s.evidence[:0])
	parts := l.lately.shifts(s.told, s.evidence)
	s.told = heard
	mine := append([]float64(nil), heard...)
	shift(mine, parts)
	l.bound(mine)
	l.believe(mine)
}
