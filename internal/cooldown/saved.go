package cooldown

import (
	"time"

	"github.com/spillway-go/spillway/quota"
)

// Saved is a cooldown as it is kept over a restart: with what its doubling needs.
type Saved struct {
	Class   string    `json:"class"`
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
	i := c.info
	s = Saved{
		Class: i.Class, Since: i.Since.UTC(), Until: i.Until.UTC(),
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
	end, probe := int64(Forever), int64(Forever)
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
		return
	}
	if end <= at {
		return
	}
	switch {
	case !s.Probe.IsZero():
		probe = at + min(max(int64(s.Probe.Sub(now)), 0), int64(longestDay))
	case r.Ending == Probed:
		probe = at + int64(r.Probe)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty.Store(true)
	c.rule = r
	c.info = Info{Class: s.Class, Since: s.Since, Quota: s.Quota, Message: s.Message}
	if s.Status > 0 {
		c.info.Status, c.info.Body = s.Status, []byte(s.Body)
	}
	if end != Forever {
		c.info.Until = now.Add(time.Duration(end - at))
	}
	c.seq, c.prober = seq, 0
	c.strikes, c.probes = max(s.Strikes, 1), max(s.Probes, 0)
	c.gap = min(max(time.Duration(s.Gap*float64(time.Second)), 0), r.ProbeMax)
	c.probeAt.Store(probe)
	c.end.Store(end)
}
