package quota

import (
	"math"
	"time"
)

// loose is what was admitted without credit since the others were lost. It is counted apart from
// what was known of all then: that leaves the window, and each process takes its part of what
// becomes free.
type loose struct {
	minute
	start time.Time // what the window's offsets count from
	today day
}

// ready moves to now.
func (l *loose) ready(now time.Time) {
	if l.ring == nil {
		l.ring, l.start = &[slices]count{}, now
	}
	l.advance(now.Sub(l.start))
	l.today.advance(now)
}

// admitLoose counts a call that has no credit, and returns when it counts by the common clock.
func (m *Member) admitLoose(now time.Time, tokens int64) int64 {
	n := count{1, tokens}
	m.loose.ready(now)
	m.loose.add(m.loose.current, n)
	m.loose.today.requests++
	at := now.Add(m.ahead).UnixNano()
	m.owed.add(at, n)
	return at
}

// spend counts what a running call has used beside its credit.
func (m *Member) spend(now time.Time, n count) {
	m.loose.ready(now)
	m.loose.add(m.loose.current, n)
	m.owed.add(now.Add(m.ahead).UnixNano(), n)
}

// lawful reports whether the law of a process that cannot hear of the others admits a call.
func (m *Member) lawful(now time.Time, tokens int64, l *Limits) bool {
	m.common.forget(now)
	m.loose.ready(now)
	if l.RPD > 0 && m.loose.today.requests >= m.law.of(l.RPD-m.common.today(now)) {
		return false
	}
	known := count{m.common.Requests, m.common.Tokens}
	return m.lawfulWith(known, m.loose.total, tokens, l)
}

// lawfulWith is lawful for so much that all are known to have used, and so much that was admitted
// since, in one minute. A call that is larger than the part of this process goes alone.
func (m *Member) lawfulWith(known, since count, tokens int64, l *Limits) bool {
	if l.RPM > 0 && since.requests >= m.law.of(l.RPM-known.requests) {
		return false
	}
	return l.TPM == 0 || since.tokens+tokens <= m.law.of(l.TPM-known.tokens) ||
		since.tokens == 0 && known.tokens == 0 && tokens > m.law.of(l.TPM)
}

// lawfulAt returns when the law admits a call if nothing else comes; the zero time if nothing that
// is known changes that.
func (m *Member) lawfulAt(now time.Time, tokens int64, l *Limits) time.Time {
	known, since := count{m.common.Requests, m.common.Tokens}, m.loose.total
	if l.RPD > 0 && m.loose.today.requests >= m.law.of(l.RPD-m.common.today(now)) {
		return m.loose.today.resets
	}
	at, step, from := now, m.common.left, max(m.loose.current-slices+1, 0)
	for !m.lawfulWith(known, since, tokens, l) {
		theirs, ours := farAway, farAway
		if step < len(m.common.Profile) {
			theirs = m.common.Profile[step].At.Add(m.common.Kept)
		}
		if from <= m.loose.current {
			ours = m.loose.start.Add(time.Duration(from+slices) * slice)
		}
		switch {
		case step >= len(m.common.Profile) && from > m.loose.current:
			return time.Time{}
		case theirs.Before(ours):
			known.requests -= m.common.Profile[step].Requests
			known.tokens -= m.common.Profile[step].Tokens
			at, step = theirs, step+1
		default:
			gone := m.loose.slice(from)
			since.requests -= gone.requests
			since.tokens -= gone.tokens
			at, from = ours, from+1
		}
	}
	return at
}

// farAway is later than everything that a window holds.
var farAway = time.Unix(math.MaxInt32, 0)
