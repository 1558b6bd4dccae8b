package quota

import (
	"math"
	"sort"
	"time"
)

// Outlook foresees how many requests several quotas admit together by and by, at most, if nothing
// else comes: by their requests a minute and, for today, a day. What tokens calls to come will
// really use is not known, so their limits do not count here. The zero value is of no quota, which
// never admits anything.
//
// It is a value for one moment, from which its times count, and not for concurrent use.
type Outlook struct {
	by      [slices]int64 // requests that are admitted until so many slices have left the window
	again   int64         // more of them with every window that passes
	today   int64         // the most of them that days allow
	endless bool          // from free on there is no bound
	free    time.Duration
}

// Open adds a supply without a bound that begins after so long.
func (o *Outlook) Open(from time.Duration) {
	if !o.endless || from < o.free {
		o.endless, o.free = true, max(from, 0)
	}
}

// Add adds a quota that admits nothing before from.
func (o *Outlook) Add(now time.Time, q *Quota, from time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.advanceLocked(now)
	used, usedToday, _ := q.usedLocked()
	today := largest
	if q.limits.RPD > 0 {
		today = min(max(q.limits.RPD-usedToday, 0), largest)
		o.Open(max(from, q.day.resets.Sub(now))) // how many there are tomorrow is another day's outlook
	}
	begins := int64(max(from, 0) / slice)
	if q.limits.RPM == 0 && q.limits.RPD == 0 || begins >= slices {
		o.Open(from)
		return
	}
	o.today += today
	if q.limits.RPM == 0 {
		for i := begins; i < slices; i++ {
			o.by[i] += today
		}
		o.again += today
		return
	}
	room, part := min(q.limits.RPM, largest)-used.requests, 1.0
	var leaving [slices]int64
	if q.shared != nil {
		leaving, part = q.shared.common.leaving(q.last), q.shared.outlook(q.minute.total.requests)
	} else {
		for i := max(slices-1-q.minute.current, 0); i < slices; i++ {
			leaving[i] = q.minute.slice(q.minute.current - slices + 1 + i).requests
		}
	}
	for i := range slices {
		if i >= begins {
			o.by[i] += min(ofPart(max(room, 0), part), today)
		}
		room += leaving[i]
	}
	o.again += min(ofPart(q.limits.RPM, part), today)
}

// ofPart returns a part of a number, rounded up.
func ofPart(n int64, part float64) int64 { return int64(math.Ceil(float64(n) * part)) }

// By returns the most requests that are admitted until so long from now.
func (o *Outlook) By(d time.Duration) int64 {
	if o.endless && d >= o.free {
		return math.MaxInt64
	}
	left := int64(max(d, 0)/slice) + 1 // the first one at any moment
	return min(left/slices*o.again+o.by[left%slices], o.today)
}

// When returns the least time until the n-th request is admitted, to the end of its quarter second;
// false if it never is.
func (o *Outlook) When(n int64) (time.Duration, bool) {
	windows, full := int64(0), o.by[slices-1]
	if n > full && o.again > 0 {
		windows = (n - full + o.again - 1) / o.again
	}
	rest := n - windows*o.again
	if rest > full || n > o.today {
		return o.free, o.endless
	}
	i := sort.Search(int(slices), func(i int) bool { return o.by[i] >= rest })
	d := time.Duration(windows*slices+int64(i)) * slice
	if o.endless {
		d = min(d, o.free)
	}
	return d, true
}
