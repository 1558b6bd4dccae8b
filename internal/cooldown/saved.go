package cooldown

import (
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Saved is a cooldown as it is kept over a restart: with what its doubling needs.
type Saved struct {
	Class   string    `json:"class"`
	Cause   string    `json:"cause,omitempty"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"`
	Probe   time.Time `json:"probe,omitzero"`
	Strikes int       `json:"strikes"`
	Gap     float64   `json:"gap_seconds,omitempty"`
	Probes  int       `json:"probes,omitempty"`
	Quota   string    `json:"quota,omitempty"`
	Message string    `json:"message,omitempty"`
	Status  int       `json:"status,omitempty"` // Status and Body are the answer that is kept.
	Body    string    `json:"body,omitempty"`
}

// Save returns what is to be kept of a cooldown; not ok if there is none. at is the instant of now.
func (c *Cooldown) Save(now time.Time, at int64) (s Saved, ok bool) {
	if !c.Active(at) {
		return Saved{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.Active(at) { // a success ended it before the lock was taken
		return Saved{}, false
	}
	i := c.info
	s = Saved{
		Class: i.Class, Cause: i.Cause, Since: i.Since.UTC(), Until: i.Until.UTC(),
		Strikes: c.strikes, Gap: c.gap.Seconds(), Probes: c.probes,
		Quota: i.Quota, Message: i.Message, Status: i.Status, Body: string(i.Body),
	}
	if probe := c.probeAt.Load(); probe != Forever {
		s.Probe = now.Add(time.Duration(probe - at)).UTC()
	}
	return s, true
}

// Restore starts a cooldown where an earlier process left it, no longer than its rule allows. seq
// is the newest attempt's number.
func (c *Cooldown) Restore(now time.Time, at int64, seq uint64, s Saved, r *Rule) {
	end, probe := s.ends(now, at, r)
	if end <= at {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restoreLocked(now, at, end, probe, seq, &s, r)
}

// sameEnd is how far apart two ends may be that are the same: of two clocks, and the jitter of the
// network.
const sameEnd = int64(100 * time.Millisecond)

// Adopt takes over a cooldown that another process has started, if it is longer than the one there
// is. A shorter one changes nothing, whatever its class. seq is the newest attempt's number: what
// began before belongs to the same episode.
func (c *Cooldown) Adopt(now time.Time, at int64, seq uint64, s Saved, r *Rule) (Info, Change) {
	end, probe := s.ends(now, at, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.end.Load()
	active := before > at
	switch {
	case end <= at, active && c.info.Class != s.Class && before > end-sameEnd:
		return c.info, Unchanged
	case active && before > end-sameEnd:
		return c.info, c.adoptProbeLocked(at, seq, probe, &s)
	}
	change := Started
	if active && c.info.Class == s.Class {
		change = Extended
		s.Since = c.info.Since
		s.Status, s.Body, s.Message = c.info.Status, string(c.info.Body), c.info.Message
	}
	c.restoreLocked(now, at, end, probe, seq, &s, r)
	return c.info, change
}

// adoptProbeLocked takes over when the cooldown is probed next, if that is later. The caller holds
// c.mu.
func (c *Cooldown) adoptProbeLocked(at int64, seq uint64, probe int64, s *Saved) Change {
	if c.prober != 0 || probe <= c.probeAt.Load() || s.Strikes < c.strikes {
		return Unchanged
	}
	c.seq, c.last, c.strikes, c.probes = seq, at, s.Strikes, max(c.probes, s.Probes)
	c.gap = max(c.gap, min(time.Duration(s.Gap*float64(time.Second)), c.rule.ProbeMax))
	c.probeAt.Store(probe)
	return Renewed
}

// EndBefore ends the cooldown for an answer that another process had to an attempt that began at an
// instant, as [Cooldown.Succeed] does.
func (c *Cooldown) EndBefore(at, began int64) (ended Info, active, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty.Load() || began <= c.last {
		return Info{}, false, false
	}
	ended, active = c.info, c.end.Load() > at
	c.clearLocked(at)
	return ended, active, true
}

// Defer puts the next probe off until an instant: another process makes it.
func (c *Cooldown) Defer(at, until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.Load() > at && c.prober == 0 && c.probeAt.Load() < until {
		c.probeAt.Store(until)
	}
}

// ends returns the instants of the end and of the next probe of a saved cooldown, no later than its
// rule allows. It has no end after at if it is over.
func (s *Saved) ends(now time.Time, at int64, r *Rule) (end, probe int64) {
	end, probe = Forever, Forever
	if !s.Until.IsZero() {
		end = at + int64(s.Until.Sub(now))
	}
	switch r.Ending {
	case Timed:
		end = min(end, at+int64((1+r.Jitter)*float64(r.Max)))
	case Midnight:
		end = min(end, at+int64(quota.NextMidnight(now).Add(time.Second).Sub(now.Round(0))))
	case Probed:
		end = Forever
	case Never:
		return at, probe
	}
	switch {
	case !s.Probe.IsZero():
		probe = at + min(max(int64(s.Probe.Sub(now)), 0), int64(longestDay))
	case r.Ending == Probed:
		probe = at + int64(r.Probe)
	}
	return end, probe
}

// restoreLocked takes over a saved cooldown. The caller holds c.mu.
func (c *Cooldown) restoreLocked(now time.Time, at, end, probe int64, seq uint64, s *Saved, r *Rule) {
	c.dirty.Store(true)
	c.rule = r
	c.info = Info{Class: s.Class, Cause: s.Cause, Since: s.Since, Quota: s.Quota, Message: s.Message}
	if s.Status > 0 {
		c.info.Status, c.info.Body = s.Status, []byte(s.Body)
	}
	if end != Forever {
		c.info.Until = now.Add(time.Duration(end - at))
	}
	c.seq, c.last, c.prober = seq, at, 0
	c.strikes, c.probes = max(s.Strikes, 1), max(s.Probes, 0)
	c.gap = min(max(time.Duration(s.Gap*float64(time.Second)), 0), r.ProbeMax)
	c.probeAt.Store(probe)
	c.end.Store(end)
}
