package pool

import (
	"math"
	"sync"
	"time"
)

// Calls that waited together become free to go together: when a burst leaves the window of a minute, or a rest ends. Sent at once they
// would be a burst again, a minute later once more, and so on; and Google asks for traffic that is smooth over the minute: it names spikes
// of seconds and sharp increases as reasons for refusals (https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429, read on
// 2026-11-22). So they take turns.
const (
	// turnRate is how fast, as a multiple of what the limits allow in the mean: what a whole minute allows is spread over 30 s, and a
	// line still becomes shorter while calls keep coming as fast as the limits allow.
	turnRate = 2
	// turnBurst calls go at once: who has few of them waiting shall not notice.
	turnBurst = 10
	// turnStart is how many calls a second begin where a rest has ended and no limit is known. It doubles every second: what still refuses
	// has refused few, and what takes everything gets it soon.
	turnStart = 20
	// turnFree is how long that takes: at 20,000 a second nobody needs to wait for a turn.
	turnFree = 10 * time.Second
)

// turns are the moments at which calls that waited may go to one project for one model. In the zero value all may go.
type turns struct {
	mu    sync.Mutex
	next  [2]time.Time // what the turns of calls that went add up to; [0]: of all, [1]: of those that are not batch
	rests time.Time    // the end of the last rest that calls waited for
}

// Turn returns the moment, from now on, at which a call that waited should be sent to the endpoint, see [Candidate.TakeTurn]. It is advice:
// [Candidate.Lease] does not heed it, and calls that do not wait need not. Turns that batch calls took make only batch calls wait. Orders,
// and capacity that is paced, see to it themselves.
func (c *Candidate) Turn(now time.Time, n Need, batch bool) time.Time {
	if n.Free || c.order != nil || c.place.pacer.Limited() {
		return now
	}
	t := &c.shared.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	c.noteRestLocked(now, t)
	next := t.next[1]
	if batch {
		next = t.next[0]
	}
	turn := next.Add(-(turnBurst - 1) * c.gapLocked(now, t, n))
	if turn.Before(now) {
		return now
	}
	return turn
}

// TakeTurn notes that a call that waited goes to the endpoint now: the next one's turn comes so much later.
func (c *Candidate) TakeTurn(now time.Time, n Need, batch bool) {
	if n.Free || c.order != nil {
		return
	}
	t := &c.shared.turns
	t.mu.Lock()
	defer t.mu.Unlock()
	gap := c.gapLocked(now, t, n)
	for i := range t.next {
		if batch && i == 1 {
			break
		}
		if t.next[i].Before(now) {
			t.next[i] = now
		}
		t.next[i] = t.next[i].Add(gap)
	}
}

// noteRestLocked keeps in mind when what rests will rest no longer. The caller holds t.mu.
func (c *Candidate) noteRestLocked(now time.Time, t *turns) {
	at := c.pool.instant(now)
	switch wake := max(c.backend.wake(at), c.project.cool.wake(at), c.shared.cool.wake(at), c.project.keyWake(at)); {
	case wake == never, wake == at && t.rests.After(now): // nobody knew when, or it ended early
		t.rests = now
	case wake > at:
		t.rests = now.Add(time.Duration(wake - at))
	}
}

// gapLocked is how far apart turns of such calls are. The caller holds t.mu.
func (c *Candidate) gapLocked(now time.Time, t *turns, n Need) time.Duration {
	l := c.Limits()
	if l.RPM == 0 && l.TPM == 0 {
		late := now.Sub(t.rests)
		if t.rests.IsZero() || late >= turnFree {
			return 0
		}
		return time.Duration(float64(time.Second) / turnStart * math.Exp2(-max(late, 0).Seconds()))
	}
	share := 0.0 // of what a minute allows
	if l.RPM > 0 {
		share = 1 / float64(l.RPM)
	}
	if l.TPM > 0 {
		share = max(share, min(float64(n.Input)/float64(l.TPM), 1))
	}
	return time.Duration(float64(time.Minute) / turnRate * share)
}
