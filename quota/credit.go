package quota

import "time"

// CreditWait is the least that [Quota.Wait] answers where the limits have room, as far as is known,
// but the quota has no credit for a call: the credit may come at any moment.
const CreditWait = 50 * time.Millisecond

// Credit is what a shared [Quota] may admit of limits that it shares with other processes.
type Credit struct {
	Requests, Tokens int64
	// At is when the credit counts in the common window, by the common clock. Until is when it ends, by
	// the clock of this process.
	At, Until time.Time
}

// Change corrects what the common window has counted at a time of the common clock.
type Change struct {
	At               time.Time
	Requests, Tokens int64
}

// credit is a [Credit] that is not used up.
type credit struct {
	requests, tokens int64
	at               int64 // nanoseconds of the common clock
	until            time.Time
}

// credits are what a quota may admit, the earliest to end first.
type credits []credit

// take uses one request and so many tokens of the first credit that has them.
func (cs credits) take(now time.Time, tokens int64) (at int64, ok bool) {
	for i := range cs {
		c := &cs[i]
		if c.requests > 0 && c.tokens >= tokens && now.Before(c.until) {
			c.requests--
			c.tokens -= tokens
			return c.at, true
		}
	}
	return 0, false
}

// covers reports whether take would succeed.
func (cs credits) covers(now time.Time, tokens int64) bool {
	for i := range cs {
		if c := &cs[i]; c.requests > 0 && c.tokens >= tokens && now.Before(c.until) {
			return true
		}
	}
	return false
}

// put gives back what take took, if its credit has not ended.
func (cs credits) put(now time.Time, at, tokens int64) bool {
	for i := range cs {
		if c := &cs[i]; c.at == at && now.Before(c.until) {
			c.requests++
			c.tokens += tokens
			return true
		}
	}
	return false
}

// left returns what is in hand.
func (cs credits) left(now time.Time) (requests, tokens int64) {
	for i := range cs {
		if c := &cs[i]; now.Before(c.until) {
			requests += c.requests
			tokens += c.tokens
		}
	}
	return requests, tokens
}

// end takes out what has ended, or has tokens alone, and adds what is unused to owed. With all set
// it takes out everything.
func (cs *credits) end(now time.Time, all bool, owed *changes) {
	kept := (*cs)[:0]
	for _, c := range *cs {
		switch {
		case !all && c.requests > 0 && now.Before(c.until):
			kept = append(kept, c)
		case c.requests > 0 || c.tokens > 0:
			owed.add(c.at, count{-c.requests, -c.tokens})
		}
	}
	*cs = kept
}

// mostChanges bounds the changes that wait to be reported: as many as a minute has slices.
const mostChanges = int(slices)

// changes are what is to be reported, by slices of the common clock, the earliest first.
type changes []change

type change struct {
	at int64 // nanoseconds of the common clock: the start of a slice
	count
}

// add adds a change. If there are too many, the earliest two of one day become one: what is older
// than the window matters to the day alone.
func (cs *changes) add(at int64, n count) {
	if n == (count{}) {
		return
	}
	at -= at % int64(slice)
	list := *cs
	i := len(list)
	for i > 0 && list[i-1].at > at {
		i--
	}
	if i > 0 && list[i-1].at == at {
		list[i-1].requests += n.requests
		list[i-1].tokens += n.tokens
		return
	}
	list = append(list, change{})
	copy(list[i+1:], list[i:])
	list[i] = change{at, n}
	for k := 0; len(list) > mostChanges && k+1 < len(list); k++ {
		if NextMidnight(time.Unix(0, list[k].at)).Equal(NextMidnight(time.Unix(0, list[k+1].at))) {
			list[k+1].requests += list[k].requests
			list[k+1].tokens += list[k].tokens
			list[k+1].at = list[k].at // rather too early: it has left the window, as the first had
			list = append(list[:k], list[k+1:]...)
		}
	}
	*cs = list
}

// take returns the changes and forgets them.
func (cs *changes) take() []Change {
	if len(*cs) == 0 {
		return nil
	}
	list := make([]Change, 0, len(*cs))
	for _, c := range *cs {
		if c.count != (count{}) {
			list = append(list, Change{At: time.Unix(0, c.at), Requests: c.requests, Tokens: c.tokens})
		}
	}
	*cs = (*cs)[:0]
	return list
}
