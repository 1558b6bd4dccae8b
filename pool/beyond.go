package pool

import (
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
	"github.com/spillway-go/spillway/quota"
)

// A limit that Google named may have been raised since. A learned limit that is all that keeps a
// call out is tested by one call at a time, which goes beyond it: see [learnedLimit].

// only returns the i-th of the learned limits alone.
func only(i int, limit int64) (l quota.Limits) {
	*[...]*int64{&l.RPM, &l.TPM, &l.RPD}[i] = limit
	return l
}

// reserveTest reserves room for a call beyond the learned limits that keep it out, if each of them
// may be tested now. The call that probes the cooldown of a day's quota is a test of the day's
// limit as well.
func (l *limits) reserveTest(r *lease, now time.Time, deadline int64) (quota.Reservation, bool) {
	if !l.anyLearned() {
		return quota.Reservation{}, false
	}
	probing := r.shared.dayClosed(r.at)
	l.mu.Lock()
	defer l.mu.Unlock()
	var tested [3]*learnedLimit
	due := true
	for i, d := range l.learnedLocked() {
		if l.excessLocked(now, r.at, i, d, r.need.Input) <= 0 {
			continue
		}
		d.keptOut(now, r.at)
		tested[i] = d
		due = due && (d.due <= r.at || d.daily && probing)
	}
	if !due || tested == [3]*learnedLimit{} {
		return quota.Reservation{}, false
	}
	if !r.candidate.plan.pool.fleet.mayProbe(now, r.shared) {
		for _, d := range tested {
			if d != nil { // a claim takes a moment
				d.due = r.at + int64(quota.CreditWait)
			}
		}
		return quota.Reservation{}, false
	}
	reservation, ok := l.quota.ReserveWithin(now, r.need.Input, l.promised.bounds(r.at, l.learnedLocked(), l.share))
	if !ok {
		return quota.Reservation{}, false
	}
	for _, d := range tested {
		if d != nil {
			d.take(r.at, deadline, r.seq)
		}
	}
	return reservation, true
}

// anyLearned reports whether a limit is learned and not forgotten.
func (l *limits) anyLearned() bool { return l.review.Load() != cooldown.Forever }

// excessLocked returns how long the i-th learned limit alone keeps a call of so many tokens out.
// The caller holds l.mu.
func (l *limits) excessLocked(now time.Time, at int64, i int, d *learnedLimit, tokens int64) time.Duration {
	limit := d.now(at)
	if limit == 0 {
		return 0
	}
	return l.quota.WaitWithin(now, tokens, only(i, limit))
}

// wait returns how long the limits keep a call of so many tokens out: until there is room or, where
// only learned limits keep it out, until it may test them. e is the entry that has the limits.
func (l *limits) wait(now time.Time, at, tokens int64, e *entry) time.Duration {
	if !l.limited.Load() {
		return 0
	}
	wait := l.quota.Wait(now, tokens)
	if wait == 0 || !l.anyLearned() || wait == quota.CreditWait && l.fleet.joined.Load() {
		return wait
	}
	probing := e.dayClosed(at)
	l.mu.Lock()
	defer l.mu.Unlock()
	wait = l.quota.WaitWithin(now, tokens, l.promised.bounds(at, l.learnedLocked(), l.share))
	for i, d := range l.learnedLocked() {
		if excess := l.excessLocked(now, at, i, d, tokens); excess > 0 && (!d.daily || !probing) {
			wait = max(wait, min(excess, max(time.Duration(d.testDue(at)-at), 0)))
		}
	}
	return wait
}

// leaveTests puts off the tests that are due until an instant: another process makes one.
func (l *limits) leaveTests(at, until int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.learnedLocked() {
		if d.limit > 0 && d.tester == 0 && d.due <= at {
			d.due = until
		}
	}
}

// passTest forgets the limits that the attempt with number seq tested, and reports whether there
// were any.
func (l *limits) passTest(at int64, seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	passed := false
	for _, d := range l.learnedLocked() {
		if d.tester == seq {
			d.limit, d.tester = 0, 0
			passed = true
		}
	}
	if passed {
		l.applyLocked(at)
	}
	return passed
}

// endTest ends the test of the attempt with number seq.
func (l *limits) endTest(seq uint64, end func(*learnedLimit)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.learnedLocked() {
		if d.tester == seq {
			end(d)
		}
	}
}

// reserveQuota reserves what the limits of the project's model allow, or beyond them as a test.
func (r *lease) reserveQuota(q *quota.Quota, now time.Time, deadline int64) bool {
	r.candidate.plan.pool.fleet.join(r.shared.limits, now)
	var ok bool
	if r.charges.reservation, ok = q.Reserve(now, r.need.Input); !ok {
		r.charges.reservation, ok = r.shared.limits.reserveTest(r, now, deadline)
		if !ok {
			return false
		}
		r.held |= heldTest
	}
	r.held |= heldQuota
	return true
}

// failTest ends the test that the call was, if it was one and was not answered well. A refusal for
// whatever quota confirms the limit: it is not tested for a while. Anything else proves nothing.
func (r *lease) failTest(at int64, class Class) {
	if r.held&heldTest == 0 {
		return
	}
	end := func(d *learnedLimit) { d.giveBack(at, true) }
	switch class {
	case ClassMinuteQuota, ClassDayQuota, ClassNoQuota, ClassQuotaUnknown, ClassContention:
		end = func(d *learnedLimit) { d.confirm(at) }
	default:
	}
	r.shared.limits.endTest(r.seq, end)
}

// returnTest gives back the test that the call was, if it was one: it is not sent.
func (r *lease) returnTest(at int64) {
	if r.held&heldTest != 0 {
		r.shared.limits.endTest(r.seq, func(d *learnedLimit) { d.giveBack(at, false) })
	}
}

// dayClosed reports whether the entry is on cooldown for a day's quota.
func (e *entry) dayClosed(at int64) bool { return Class(e.cool.Class(at)) == ClassDayQuota }

// limitWait returns how long the entry's limits keep a call of so many tokens out. A nil entry has
// none.
func (e *entry) limitWait(now time.Time, at, tokens int64) time.Duration {
	if e == nil || e.limits == nil {
		return 0
	}
	return e.limits.wait(now, at, tokens, e)
}

// passTest forgets the learned limits that the attempt with number seq tested.
func (e *entry) passTest(p *Pool, now time.Time, at int64, seq uint64) {
	e.telling.Lock()
	passed := e.limits.passTest(at, seq)
	if passed {
		p.limitsLearned(now, at, e)
		p.fleet.learned(now, at, e)
	}
	e.telling.Unlock()
	if passed { // there is room for others
		p.queue.changed(now)
	}
}

// unlearn forgets the limits that Google named.
func (e *entry) unlearn(p *Pool, now time.Time, at int64) {
	e.telling.Lock()
	defer e.telling.Unlock()
	had := e.limits.known(at) != (quota.Limits{})
	e.limits.unlearn(at)
	p.limitsLearned(now, at, e)
	if had {
		p.fleet.learned(now, at, e)
	}
}
