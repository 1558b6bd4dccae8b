package quota

import "time"

// Stat is a snapshot of a [Quota].
type Stat struct {
	Requests    Dimension // by the minute
	Tokens      Dimension // by the minute
	Day         Dimension // requests
	Concurrency Dimension // calls in flight
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
	s := Stat{
		Requests:    Dimension{Limit: q.limits.RPM},
		Tokens:      Dimension{Limit: q.limits.TPM},
		Day:         Dimension{Used: q.day.requests, Limit: q.limits.RPD, Resets: q.day.resets},
		Concurrency: Dimension{Used: q.inFlight, Limit: q.limits.Concurrency},
	}
	if m := &q.minute; m.ring != nil {
		s.Requests.Used, s.Tokens.Used = m.total.requests, m.total.tokens
		if s.Requests.Used > 0 {
			s.Requests.Resets = q.start.Add(m.freeAt(0, m.total.tokens))
		}
		if s.Tokens.Used > 0 {
			s.Tokens.Resets = q.start.Add(m.freeAt(m.total.requests, 0))
		}
	}
	return s
}
