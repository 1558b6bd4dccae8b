// Package cooldown is the state machine of things that are not asked for a while: when they may be
// asked again, and how they are probed before. Time is an argument.
package cooldown

import (
	"bytes"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Forever is later than every instant.
const Forever = math.MaxInt64

const (
	// probeLease bounds how long a probe keeps other calls from probing, however it ends.
	probeLease = 30 * time.Second
	// probeAgain is the pause after a probe that proved nothing: it was cancelled, or failed for
	// another reason.
	probeAgain = time.Second
)

// Cooldown is the time until which something is not asked, and how it is tried before that.
// Instants are nanoseconds since some epoch, on the monotonic clock: a step of the wall clock
// neither ends nor prolongs a cooldown.
//
// Attempts carry numbers in the order they begin. An error from an attempt that began before the
// present cooldown belongs to the same episode: it can lengthen the cooldown but does not double
// it. A success from such an attempt ends nothing.
//
// The zero value is no cooldown. A Cooldown is safe for concurrent use.
type Cooldown struct {
	end     atomic.Int64 // of the last cooldown; zero: there was none
	probeAt atomic.Int64 // from here on one probe may be leased; Forever while there is none to have
	dirty   atomic.Bool  // a success has something to clear

	mu      sync.Mutex
	info    Info
	rule    *Rule
	seq     uint64        // attempts up to this number began before the cooldown did
	last    int64         // instant at which seq was the newest attempt
	strikes int           // cooldowns in a row without a success between
	gap     time.Duration // to the next probe
	probes  int           // leased in this cooldown
	prober  uint64        // number of the attempt that is the probe; zero: none is out
}

// Info says why something is on cooldown. The zero value means that it is not.
type Info struct {
	// Class is the class of the answer that started it, Cause a finer word of the pool's.
	Class, Cause string
	// Since is its start, Until its end. The zero Until means that only a successful probe ends it.
	// Probe is when one call may be tried all the same; zero means not before Until.
	Since, Until, Probe time.Time
	// Quota and Message are what the server said. Status and Body are its whole answer, if it is
	// kept.
	Quota, Message string
	Status         int
	Body           []byte
}

// Refusal is an answer that starts a cooldown. Its fields are as in Info.
type Refusal struct {
	Class, Cause   string
	Rule           *Rule
	Hint           time.Duration // that the server gave; zero: none
	Least          time.Duration // a lower bound for a Timed cooldown
	Quota, Message string
	Status         int
	Body           []byte
}

// Change is what an answer did to a cooldown.
type Change uint8

const (
	// Unchanged means that the end is the same as before.
	Unchanged Change = iota
	// Started means that nothing was on cooldown before, or for another reason.
	Started
	// Extended means that the end has moved.
	Extended
	// Renewed means that the end is the same, and the next probe is later.
	Renewed
)

// Ready reports, without side effect, whether a call would be admitted.
func (c *Cooldown) Ready(at int64) bool {
	return c.end.Load() <= at || c.probeAt.Load() <= at
}

// Active reports whether the cooldown has not ended.
func (c *Cooldown) Active(at int64) bool { return c.end.Load() > at }

// Dirty reports whether a success has something to end.
func (c *Cooldown) Dirty() bool { return c.dirty.Load() }

// Clean reports whether there is nothing to remember: no cooldown, and no strikes of earlier ones.
func (c *Cooldown) Clean(at int64) bool { return !c.dirty.Load() && !c.Active(at) }

// Wake returns the first instant, from at on, at which a call would be admitted.
func (c *Cooldown) Wake(at int64) int64 {
	end := c.end.Load()
	if end <= at {
		return at
	}
	return min(end, max(c.probeAt.Load(), at))
}

// Ended returns when the last cooldown ended; zero if there was none, or it has not ended yet.
func (c *Cooldown) Ended(at int64) int64 {
	if end := c.end.Load(); end <= at {
		return end
	}
	return 0
}

// Admit lets the attempt with number seq pass if nothing is on cooldown, or as the one probe. A
// probe that is not heard of again is forgotten at the call's deadline, or after 30 s.
func (c *Cooldown) Admit(at, deadline int64, seq uint64) (probe, ok bool) {
	if c.end.Load() <= at {
		return false, true
	}
	if c.probeAt.Load() > at {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.Load() <= at {
		return false, true
	}
	if c.probeAt.Load() > at { // another call took it
		return false, false
	}
	c.probes++
	c.prober = seq
	c.probeAt.Store(c.rule.nextProbe(at, min(int64(probeLease), deadline-at), c.probes))
	return true, true
}

// ReturnProbe gives back the probe that attempt seq took, unless it is forgotten already. sent says
// whether it cost a request.
func (c *Cooldown) ReturnProbe(at int64, seq uint64, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prober != seq {
		return
	}
	c.prober = 0
	gap := int64(probeAgain)
	if !sent {
		c.probes--
		gap = 0
	}
	c.probeAt.Store(c.rule.nextProbe(at, gap, c.probes))
}

// Start starts or lengthens a cooldown for what the attempt with number seq was told at now, whose
// instant is at. last is the newest attempt's number.
func (c *Cooldown) Start(now time.Time, at int64, seq, last uint64, why *Refusal) (Info, Change) {
	c.mu.Lock()
	defer c.mu.Unlock()

	r := why.Rule
	before := c.end.Load()
	active, same := before > at, c.info.Class == why.Class
	late := seq <= c.seq // it began before the cooldown did: the same episode
	strikes, gap := c.fadedLocked(at), c.gap
	if !same || !active && r.Ending == Midnight { // of another kind, or another day
		strikes = 0
	}
	if strikes == 0 || !late {
		strikes++
		gap = r.nextGap(gap, strikes, why.Hint)
	}
	end := r.until(now, at, strikes, why.Hint, why.Least)
	if active && !same && end < before { // the longer cooldown wins
		if !late { // this was its probe, and refused, if for another reason
			c.episodeLocked(at, last, c.strikes+1, c.rule.nextGap(c.gap, c.strikes+1, 0))
		}
		return c.info, Unchanged
	}
	end = max(end, before)

	c.dirty.Store(true)
	change := Unchanged
	switch {
	case !active || !same:
		change = Started
		c.info = Info{Class: why.Class, Cause: why.Cause, Since: now, Quota: why.Quota, Message: why.Message}
		c.probes = 0
	case end != before:
		change = Extended
	}
	c.rule, c.info.Cause = r, why.Cause // the newest says most: an order may prove not to be there
	if r.Remember {
		c.info.Status, c.info.Body = why.Status, why.Body
	}
	c.info.Until = time.Time{}
	if end != Forever {
		c.info.Until = now.Add(time.Duration(end - at))
	}
	if change == Started || !late { // else a probe may be out, of which this attempt knows nothing
		c.episodeLocked(at, last, strikes, gap)
		if change == Unchanged {
			change = Renewed
		}
	}
	c.end.Store(end)
	return c.info, change
}

// fadePeriod is how long something has to be asked without a refusal for one strike to be forgotten.
const fadePeriod = int64(10 * time.Minute)

// fadedLocked returns how many strikes are left: each ten minutes since the end of the last
// cooldown, in which calls were free to be refused and were not, take one away. The caller holds
// c.mu.
func (c *Cooldown) fadedLocked(at int64) int {
	free := max(at-c.end.Load(), 0)
	return max(c.strikes-int(free/fadePeriod), 0)
}

// Hasten makes the next probe of a cooldown due at once: what kept it may have been mended.
func (c *Cooldown) Hasten(at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.Load() > at && c.rule.Ending != Timed && c.prober == 0 {
		c.probeAt.Store(min(c.probeAt.Load(), at))
	}
}

// episodeLocked notes that the cooldown is one of so many strikes for every attempt up to the
// number last, and when it is probed. The caller holds c.mu.
func (c *Cooldown) episodeLocked(at int64, last uint64, strikes int, gap time.Duration) {
	c.seq, c.last, c.strikes, c.gap, c.prober = last, at, strikes, gap, 0
	probe := int64(Forever)
	if c.rule.Ending != Timed {
		probe = c.rule.nextProbe(at, int64(gap), c.probes)
	}
	c.probeAt.Store(probe)
}

// Succeed ends the cooldown if the attempt with number seq began after it did. It returns what
// ended and whether anything did; active says that it would have gone on.
func (c *Cooldown) Succeed(at int64, seq uint64) (ended Info, active, ok bool) {
	if !c.dirty.Load() {
		return Info{}, false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq <= c.seq || !c.dirty.Load() {
		return Info{}, false, false
	}
	ended, active = c.info, c.end.Load() > at
	c.clearLocked(at)
	return ended, active, true
}

// Clear ends the cooldown and forgets its strikes.
func (c *Cooldown) Clear(at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearLocked(at)
}

func (c *Cooldown) clearLocked(at int64) {
	c.info, c.strikes, c.gap, c.probes, c.prober = Info{}, 0, 0, 0, 0
	c.end.Store(min(c.end.Load(), at))
	c.probeAt.Store(Forever)
	c.dirty.Store(false)
}

// Class returns the class of the cooldown that has not ended, or "".
func (c *Cooldown) Class(at int64) string {
	if !c.Active(at) {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.Class
}

// Bytes returns how much of a kept answer the cooldown holds.
func (c *Cooldown) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.info.Body) + len(c.info.Message) + len(c.info.Quota)
}

// Info returns why there is a cooldown; the zero Info if there is none. now is the time of at.
func (c *Cooldown) Info(now time.Time, at int64) Info {
	if !c.Active(at) {
		return Info{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.info
	i.Body = bytes.Clone(i.Body)
	if p := c.probeAt.Load(); p != Forever && p < c.end.Load() {
		i.Probe = now.Add(time.Duration(p - at))
	}
	return i
}
