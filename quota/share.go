package quota

import (
	"math"
	"time"
)

// Sharing says what a shared [Quota] admits while it cannot be told what the others use. The zero
// value means an eighth of each limit.
type Sharing struct {
	// Members is how many processes share the limits, Rank the place of this one among them, from 0. A
	// member admits 94 % of its part of what becomes free of the window that was last seen. What
	// is left by the division goes to the first in rank.
	Members, Rank int
	// Part is the part of each limit, and of what becomes free of it, if Members is zero; at least one.
	// Zero means an eighth.
	Part float64
}

const (
	alonePart = 0.125 // of a limit, of a process that has never heard of the others
	alonePct  = 94    // of its part that a member admits while it cannot hear of the others, in percent
)

// of returns this process's part of a limit.
func (s Sharing) of(limit int64) int64 {
	limit = min(max(limit, 0), largest)
	if s.Members > 0 {
		total := (limit*alonePct + 50) / 100
		part := total / int64(s.Members)
		if int64(s.Rank) < total%int64(s.Members) {
			part++
		}
		return part
	}
	part := s.Part
	if !(part > 0) {
		part = alonePart
	}
	if limit == 0 {
		return 0
	}
	return max(int64(part*float64(limit)), 1)
}

// Member is the part that one process has in the limits of a shared [Quota]. It is safe for
// concurrent use.
type Member struct {
	quota   *Quota // whose lock guards what follows
	law     Sharing
	lost    bool          // the others cannot be heard of
	ahead   time.Duration // of the common clock before this process's
	clocked bool          // it is known
	began   time.Time
	credits credits
	owed    changes
	loose   loose
	common  common
	demand  demand
}

// demandSpan is over how long the demand is averaged.
const demandSpan = 2 * time.Second

// demand is how much is asked for a second.
type demand struct {
	requests, tokens float64
	at               time.Time
	fresh            count // since then
}

// mean brings the means up to now.
func (d *demand) mean(now time.Time) {
	if gone := now.Sub(d.at); gone > 0 {
		f := math.Exp(-float64(gone) / float64(demandSpan))
		d.requests *= f
		d.tokens *= f
		d.at = now
	}
	d.requests += float64(d.fresh.requests) / demandSpan.Seconds()
	d.tokens += float64(d.fresh.tokens) / demandSpan.Seconds()
	d.fresh = count{}
}

// Share makes the quota one of several that keep to the same limits together, each in a process of
// its own. It admits a call by minute and day only with credit ([Member.Grant]), and concurrent
// calls only in the slots that it was told of ([Member.Tell]). Until [Member.Found] it keeps to law
// instead. What it used of the day so far is to be reported. It returns the same Member every time.
func (q *Quota) Share(now time.Time, law Sharing) *Member {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	if q.shared == nil {
		m := &Member{quota: q, law: law, lost: true, began: q.last, common: common{Common: Common{Kept: time.Minute}}}
		m.owed.add(m.aged(q.last), count{requests: q.day.alone})
		q.shared, q.day.alone = m, 0
	}
	return q.shared
}

// aged is a time of the common clock that has left the window but, save for the first minutes after
// midnight, not the day.
func (m *Member) aged(now time.Time) int64 { return now.Add(m.ahead - 2*time.Minute).UnixNano() }

// lock locks the quota and moves it to now.
func (m *Member) lock(now time.Time) (unlock func()) {
	m.quota.mu.Lock()
	m.quota.advanceLocked(now)
	return m.quota.mu.Unlock
}

// Clock tells by how much the common clock is ahead of this process's. What was admitted before is
// dated anew.
func (m *Member) Clock(now time.Time, ahead time.Duration) {
	defer m.lock(now)()
	if !m.clocked {
		m.clocked = true
		for i := range m.owed {
			m.owed[i].at += int64(ahead - m.ahead)
			m.owed[i].at -= m.owed[i].at % int64(slice)
		}
	}
	m.ahead = ahead
}

// starting is how long a process that has never heard of the others waits for credit rather than
// tell a call that there is no room.
const starting = 3 * time.Second

// Lost says that the others cannot be heard of: from now on law decides what goes beyond the credit
// in hand.
func (m *Member) Lost(now time.Time, law Sharing) {
	defer m.lock(now)()
	m.law = law
	if !m.lost {
		m.lost = true // what was admitted in an earlier loss still counts
		m.common.lose(m.quota.last, m.part(m.quota.minute.total.requests))
	}
}

// Found says that the others can be heard of again.
func (m *Member) Found(now time.Time) {
	defer m.lock(now)()
	m.lost = false
}

// Lower gives slots of concurrent calls back, down to a number, but none that is in use. It returns
// how many calls run.
func (m *Member) Lower(now time.Time, slots int64) (running int64) {
	defer m.lock(now)()
	m.common.Slots = min(m.common.Slots, max(slots, m.quota.inFlight))
	return m.quota.inFlight
}

// Grant adds credit.
func (m *Member) Grant(now time.Time, c Credit) {
	defer m.lock(now)()
	m.credits.end(m.quota.last, false, &m.owed)
	m.credits = append(m.credits, credit{c.Requests, c.Tokens, c.At.UnixNano(), c.Until})
}

// Tell tells what all use together.
func (m *Member) Tell(now time.Time, c Common) {
	defer m.lock(now)()
	next := common{Common: c}
	if c.Profile == nil {
		next.Profile, next.left = m.common.Profile, m.common.left
		for next.left < len(next.Profile) && !next.Profile[next.left].At.Add(c.Kept).After(m.quota.last) {
			next.left++
		}
	}
	m.common = next
}

// Report returns what has changed of what was granted, with unused credit that has ended, and what
// was admitted without credit. It is forgotten here: the caller has to report it. With all set,
// every credit ends.
func (m *Member) Report(now time.Time, all bool) []Change {
	defer m.lock(now)()
	m.credits.end(m.quota.last, all, &m.owed)
	return m.owed.take()
}

// Recount returns all that this process has used of the minute and the day, as changes to a common
// window that knows nothing of it. What was to be reported is in it.
func (m *Member) Recount(now time.Time) []Change {
	defer m.lock(now)()
	q := m.quota
	m.owed, m.credits = nil, nil
	today := q.day.requests
	if q.minute.ring != nil {
		for at := max(q.minute.current-slices+1, 0); at <= q.minute.current; at++ {
			c := *q.minute.slice(at)
			m.owed.add(q.start.Add(time.Duration(at)*slice+m.ahead).UnixNano(), c)
			today -= c.requests
		}
	}
	m.owed.add(m.aged(q.last), count{requests: max(today, 0)})
	return m.owed.take()
}

// Need is what a shared quota is asked for, and has.
type Need struct {
	Requests, Tokens float64 // asked for a second, in the mean
	Credit           Credit  // in hand; Until is zero
	Running, Slots   int64   // concurrent calls, and slots in hand
	Owing            bool    // there is something to report
}

// Need returns what the quota is asked for, and has.
func (m *Member) Need(now time.Time) Need {
	defer m.lock(now)()
	last := m.quota.last
	m.demand.mean(last)
	m.credits.end(last, false, &m.owed)
	n := Need{Requests: m.demand.requests, Tokens: m.demand.tokens, Running: m.quota.inFlight, Owing: len(m.owed) > 0}
	n.Credit.Requests, n.Credit.Tokens = m.credits.left(last)
	if last.Before(m.common.SlotsEnd) {
		n.Slots = m.common.Slots
	}
	return n
}

// outlook returns the part of what becomes free that this process may hope for, at most: twice what
// it had of the last minute, or twice an equal part if that is more.
func (m *Member) outlook(own int64) float64 {
	return min(2*m.part(own), 1)
}

// part returns the part that this process has of what all use, at least an equal part: all of it if
// nothing is known.
func (m *Member) part(own int64) float64 {
	part := 0.0
	if m.common.Members > 0 {
		part = 1 / float64(m.common.Members)
	}
	if m.common.Requests > 0 {
		part = max(part, float64(own)/float64(m.common.Requests))
	}
	if part == 0 {
		return 1
	}
	return min(part, 1)
}

// admit takes what a call needs: credit, and a slot. It returns the time of the common clock at
// which the call counts in the common window, or 0 if nothing is counted there.
func (m *Member) admit(now time.Time, tokens, running int64, l *Limits) (at int64, ok bool) {
	if l.Concurrency > 0 && running >= m.slots(now, l) {
		return 0, false
	}
	if l.RPM == 0 && l.TPM == 0 && l.RPD == 0 {
		return 0, true
	}
	if at, ok = m.credits.take(now, m.weight(tokens, l)); ok {
		return at, true
	}
	if m.lost && m.lawful(now, tokens, l) {
		return m.admitLoose(now, tokens), true
	}
	return 0, false
}

// weight is what a call takes of a credit's tokens.
func (m *Member) weight(tokens int64, l *Limits) int64 {
	if l.TPM == 0 {
		return 0
	}
	return tokens
}

// slots returns how many concurrent calls this process may have.
func (m *Member) slots(now time.Time, l *Limits) int64 {
	slots := int64(0)
	if now.Before(m.common.SlotsEnd) {
		slots = m.common.Slots
	}
	if m.lost {
		slots = max(slots, m.law.of(l.Concurrency))
	}
	return slots
}

// correct notes that a call used other than what it reserved.
func (m *Member) correct(now time.Time, r Reservation, change count) {
	if change.requests < 0 && m.credits.put(now, r.common, -change.tokens) {
		return
	}
	m.owed.add(r.common, change)
}

// waitSharedLocked is waitLocked for a shared quota. Where the limits have room, as far as is known,
// but there is no credit, it is [CreditWait] at least.
func (q *Quota) waitSharedLocked(now time.Time, tokens int64, l *Limits) time.Duration {
	at := now
	if l.Concurrency > 0 {
		at = q.slotAtLocked(now, l)
	}
	if l.RPM > 0 || l.TPM > 0 || l.RPD > 0 {
		at = later(at, q.creditAtLocked(now, tokens, l))
	}
	return at.Sub(now)
}

// slotAtLocked returns when one more concurrent call may begin.
func (q *Quota) slotAtLocked(now time.Time, l *Limits) time.Time {
	_, _, running := q.usedLocked()
	own := l == &q.limits
	switch {
	case own && q.inFlight < q.shared.slots(q.last, l):
		return now
	case running >= l.Concurrency:
		return now.Add(ConcurrencyWait)
	case own:
		return now.Add(CreditWait)
	default:
		return now
	}
}

// creditAtLocked returns when a call of so many tokens has credit, or the law admits it without.
func (q *Quota) creditAtLocked(now time.Time, tokens int64, l *Limits) time.Time {
	m, own := q.shared, l == &q.limits
	switch {
	case !own:
		return q.roomAtLocked(now, tokens, l)
	case m.credits.covers(q.last, m.weight(tokens, l)), m.lost && m.lawful(q.last, tokens, l):
		return now
	}
	var at time.Time
	if m.lost && (m.law.Members > 0 || q.last.Sub(m.began) > starting) {
		at = m.lawfulAt(q.last, tokens, l)
	} else if m.lost { // the store has hardly been asked
		return now.Add(CreditWait)
	} else if room := q.roomAtLocked(now, tokens, l); room.After(now) {
		at = room
	}
	if at.IsZero() {
		at = now.Add(CreditWait)
	}
	return at
}

// roomAtLocked returns when the limits have room for so many tokens, as far as is known of what all
// have used.
func (q *Quota) roomAtLocked(now time.Time, tokens int64, l *Limits) time.Time {
	s, at := q.shared, now
	used, today, _ := q.usedLocked()
	requests, left := int64(math.MaxInt64), int64(math.MaxInt64)
	if l.RPM > 0 {
		requests = l.RPM - 1
	}
	if l.TPM > 0 {
		left = max(l.TPM-tokens, 0)
	}
	if used.requests > requests || used.tokens > left {
		at = later(at, s.common.freeAt(requests, left))
		if next := s.common.Next; next.After(now) && next.Before(at) && tokens <= s.common.NextTokens {
			at = next
		}
		at = later(at, now.Add(1))
	}
	if l.RPD > 0 && today >= l.RPD {
		at = later(at, s.loose.today.resets)
		at = later(at, s.common.DayEnds)
	}
	return at
}
