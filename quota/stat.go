package quota

import (
	"math"
	"time"
)

// Stat is a snapshot of a [Quota].
type Stat struct {
	Requests    Dimension // by the minute
	Tokens      Dimension // by the minute
	Day         Dimension // requests
	Concurrency Dimension // calls in flight
	// Shared says that other processes keep to the same limits: what is used is of all, as far as is
	// known. Credit is what this process may admit of it by minute and day without asking, Slots how
	// many concurrent calls.
	Shared bool   `json:",omitzero"`
	Credit Credit `json:",omitzero"`
	Slots  int64  `json:",omitzero"`
}

// Dimension is one limit and what is used of it.
type Dimension struct {
	Used   int64     // may be above Limit: in debt, or after the limit was lowered
	Limit  int64     // 0: not limited
	Resets time.Time // when all of Used will be free again; zero if nothing is used, or it cannot be known
}

// Stat returns what is used of each limit and when it comes back.
func (q *Quota) Stat(now time.Time) Stat {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	used, today, running := q.usedLocked()
	s := Stat{
		Requests:    Dimension{Used: used.requests, Limit: q.limits.RPM},
		Tokens:      Dimension{Used: used.tokens, Limit: q.limits.TPM},
		Day:         Dimension{Used: today, Limit: q.limits.RPD, Resets: q.day.resets},
		Concurrency: Dimension{Used: running, Limit: q.limits.Concurrency},
	}
	switch m := &q.minute; {
	case q.shared != nil:
		s.share(q.shared, q.last, &q.limits)
	case m.ring != nil:
		if s.Requests.Used > 0 {
			s.Requests.Resets = q.start.Add(m.freeAt(0, m.total.tokens))
		}
		if s.Tokens.Used > 0 {
			s.Tokens.Resets = q.start.Add(m.freeAt(m.total.requests, 0))
		}
	}
	return s
}

// share fills in what is known of the others.
func (s *Stat) share(with *Member, now time.Time, l *Limits) {
	s.Shared = true
	s.Credit.Requests, s.Credit.Tokens = with.credits.left(now)
	s.Slots = with.slots(now, l)
	if s.Requests.Used > 0 {
		s.Requests.Resets = with.common.freeAt(0, math.MaxInt64)
	}
	if s.Tokens.Used > 0 {
		s.Tokens.Resets = with.common.freeAt(math.MaxInt64, 0)
	}
}
