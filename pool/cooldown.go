package pool

import (
	"bytes"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// never is later than every instant.
const never = math.MaxInt64

// probeLease bounds how long a probe may keep others from probing, however it ends.
const probeLease = 30 * time.Second

// probeAgain is how long a probe that came to nothing (cancelled, or failed for another reason) waits before the next.
const probeAgain = time.Second

// longestDay is that on which summer time ends; no hint about a day's quota means more.
const longestDay = 25 * time.Hour

// cooldown is the time until which something is not asked, and how it is tried before that. Instants are nanoseconds since the pool
// was made, on the monotonic clock, so that a step of the wall clock neither ends nor prolongs a rest.
//
// Attempts carry numbers in the order they began. An error from an attempt that began before the present rest belongs to the same
// episode: it can lengthen the rest but does not double it. A success from such an attempt ends nothing.
type cooldown struct {
	until   atomic.Int64 // the rest ends here; 0: there is none
	probeAt atomic.Int64 // from here on one probe may be leased; never while there is none to have
	dirty   atomic.Bool  // a success has something to clear

	mu      sync.Mutex
	rest    Rest
	seq     uint64        // attempts up to this number began before the rest did
	strikes int           // rests in a row that no success came between
	gap     time.Duration // to the next probe
	probes  int           // leased in this rest
	prober  uint64        // number of the attempt that is the probe; 0: none is out
}

// Rest says why something is not asked, and until when. The zero value means that it is ready.
type Rest struct {
	// Class is the class of the answer that began it.
	Class Class
	// Since is when it began.
	Since time.Time
	// Until is when it ends. Zero means that only a successful probe ends it.
	Until time.Time
	// Probe is when a caller's call may be tried all the same. Zero means not before Until.
	Probe time.Time
	// Quota is Google's name of the quota that is used up, if the answer gave one.
	Quota string
	// Message is the first line of what Google said, without any key.
	Message string
	// Answer is Google's whole answer, for classes that callers get to see again while everything rests; else nil.
	Answer *Answer
}

// Answer is an answer of Google's, kept.
type Answer struct {
	Status int
	// Body is Google's error body, without any key.
	Body []byte
}

// ready reports, without side effect, whether a call would be admitted at at.
func (c *cooldown) ready(at int64) bool {
	return c.until.Load() <= at || c.probeAt.Load() <= at
}

// wake returns the first instant, from at on, at which a call would be admitted.
func (c *cooldown) wake(at int64) int64 {
	until := c.until.Load()
	if until <= at {
		return at
	}
	return min(until, max(c.probeAt.Load(), at))
}

// admit lets the attempt with number seq through if nothing rests, or as the one probe. A probe that is not heard of again is forgotten
// at the call's deadline, or after 30 s.
func (c *cooldown) admit(at, deadline int64, seq uint64) (probe, ok bool) {
	if c.until.Load() <= at {
		return false, true
	}
	if c.probeAt.Load() > at {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.Load() <= at {
		return false, true
	}
	if c.probeAt.Load() > at { // another call took it
		return false, false
	}
	c.probes++
	c.prober = seq
	c.probeAt.Store(c.nextProbe(at, min(int64(probeLease), deadline-at)))
	return true, true
}

// nextProbe is the instant of the next probe after a gap, or never when the rest has had all of its probes.
// The caller holds c.mu.
func (c *cooldown) nextProbe(at, gap int64) int64 {
	if most := rules[c.rest.Class].probes; most > 0 && c.probes >= most {
		return never
	}
	return at + gap
}

// unprobe takes the probe back that attempt seq was, unless it is forgotten already. sent says whether it cost a request.
func (c *cooldown) unprobe(at int64, seq uint64, sent bool) {
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
	c.probeAt.Store(c.nextProbe(at, gap))
}

// start begins or lengthens a rest for what an attempt with number seq was told. now is the moment, at its instant; last is the
// newest attempt's number, r the rule of the class. least is a lower bound for a timed rest. It reports whether this is news: nothing rested here before.
func (c *cooldown) start(now time.Time, at int64, seq, last uint64, o *Outcome, r rule, least time.Duration) (Rest, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	resting, same := c.until.Load() > at, c.rest.Class == o.Class
	late := seq <= c.seq // it began before the rest did: the same episode
	strikes, gap := c.strikes, c.gap
	if !same || !resting && r.ending == endsMidnight { // of another kind, or another day
		strikes = 0
	}
	if strikes == 0 || !late {
		strikes++
		gap = r.nextGap(gap, strikes, o.Hint)
	}
	until := r.until(now, at, strikes, o.Hint, least)
	if resting && !same && until < c.until.Load() { // a longer rest wins
		if !late { // this was its probe, and refused, if for another reason
			gap = rules[c.rest.Class].nextGap(c.gap, c.strikes+1, 0)
			c.episodeLocked(at, last, c.strikes+1, gap)
		}
		return c.rest, false
	}
	until = max(until, c.until.Load())

	c.dirty.Store(true)
	news := !resting || !same
	if news {
		c.rest = Rest{Class: o.Class, Since: now, Quota: o.Quota, Message: o.Message}
		c.probes = 0
	}
	if r.remember {
		c.rest.Answer = o.Answer
	}
	c.rest.Until = time.Time{}
	if until != never {
		c.rest.Until = now.Add(time.Duration(until - at))
	}
	if news || !late { // else a probe may be out, of which this attempt knows nothing
		c.episodeLocked(at, last, strikes, gap)
	}
	c.until.Store(until)
	return c.rest, news
}

// episodeLocked notes that the rest is one of so many strikes for every attempt up to the number last, and when it is probed. The caller
// holds c.mu.
func (c *cooldown) episodeLocked(at int64, last uint64, strikes int, gap time.Duration) {
	c.seq, c.strikes, c.gap, c.prober = last, strikes, gap, 0
	probe := int64(never)
	if rules[c.rest.Class].ending != endsTimed {
		probe = c.nextProbe(at, int64(gap))
	}
	c.probeAt.Store(probe)
}

// until is the instant at which a rest that is told of now comes to its end.
func (r rule) until(now time.Time, at int64, strikes int, hint, least time.Duration) int64 {
	switch r.ending {
	case endsTimed:
		d := max(r.timed(hint, strikes), min(least, r.max))
		return at + int64(d) + int64(rand.Float64()*r.jitter*float64(d))
	case endsMidnight:
		// A second of spread, so that replicas do not all start on the stroke of midnight, when a skewed clock is early.
		// Round strips the monotonic reading: midnight is the wall clock's.
		return at + int64(quota.NextMidnight(now).Sub(now.Round(0))) + rand.Int64N(int64(time.Second))
	default:
		return never
	}
}

// timed is how long a rest of this rule lasts after that many strikes.
func (r rule) timed(hint time.Duration, strikes int) time.Duration {
	if hint > 0 {
		return min(max(hint, r.min), r.max)
	}
	d := r.min
	if !r.flat {
		for range min(strikes-1, 30) {
			d = min(2*d, r.max)
		}
	}
	return d
}

// nextGap is the gap to the next probe: the server's hint or the rule's own for the first, then doubling, though never less than the
// rule's own, because a hint of seconds on a day's quota would spend all of its probes at once.
func (r rule) nextGap(gap time.Duration, strikes int, hint time.Duration) time.Duration {
	switch {
	case strikes > 1:
		return min(max(2*gap, r.probe), r.probeMax)
	case hint > 0 && r.ending == endsMidnight:
		return min(max(hint, time.Second), longestDay)
	default:
		return r.probe
	}
}

// succeed ends the rest if the attempt began after it did. It returns what ended, if anything did.
func (c *cooldown) succeed(seq uint64) (Rest, bool) {
	if !c.dirty.Load() {
		return Rest{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq <= c.seq || !c.dirty.Load() {
		return Rest{}, false
	}
	ended := c.rest
	c.rest, c.strikes, c.gap, c.probes, c.prober = Rest{}, 0, 0, 0, 0
	c.until.Store(0)
	c.probeAt.Store(never)
	c.dirty.Store(false)
	return ended, true
}

// stat returns what rests at at; the zero Rest if nothing does. epoch is the pool's instant 0.
func (c *cooldown) stat(at int64, epoch time.Time) Rest {
	if c.until.Load() <= at {
		return Rest{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rest
	if r.Answer != nil {
		r.Answer = &Answer{Status: r.Answer.Status, Body: bytes.Clone(r.Answer.Body)}
	}
	if p := c.probeAt.Load(); p != never && p < c.until.Load() {
		r.Probe = epoch.Add(time.Duration(p))
	}
	return r
}

// save returns what rests at now, as it is kept over a restart; not ok if nothing does. at is the instant of now.
func (c *cooldown) save(now time.Time, at int64) (saved savedRest, ok bool) {
	if c.until.Load() <= at {
		return savedRest{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rest
	saved = savedRest{
		Class: r.Class, Since: r.Since.UTC(), Until: r.Until.UTC(), Strikes: c.strikes, Gap: c.gap.Seconds(), Probes: c.probes,
		Quota: r.Quota, Message: r.Message,
	}
	if r.Answer != nil {
		saved.Status, saved.Body = r.Answer.Status, string(r.Answer.Body)
	}
	if probe := c.probeAt.Load(); probe != never {
		saved.Probe = now.Add(time.Duration(probe - at)).UTC()
	}
	return saved, true
}

// restore begins a rest where an earlier program left it, no longer than its class allows. seq is the newest attempt's number.
func (c *cooldown) restore(now time.Time, at int64, seq uint64, saved savedRest) {
	r := rules[saved.Class]
	until, probe := int64(never), int64(never)
	if !saved.Until.IsZero() {
		until = at + int64(saved.Until.Sub(now))
	}
	switch r.ending {
	case endsTimed:
		until = min(until, at+int64((1+r.jitter)*float64(r.max)))
	case endsMidnight:
		until = min(until, at+int64(quota.NextMidnight(now).Add(time.Second).Sub(now.Round(0))))
	case endsProbed:
		until = never
	case endsNever:
		return
	}
	if until <= at {
		return
	}
	switch {
	case !saved.Probe.IsZero():
		probe = at + min(max(int64(saved.Probe.Sub(now)), 0), int64(longestDay))
	case r.ending == endsProbed:
		probe = at + int64(r.probe)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty.Store(true)
	c.rest = Rest{Class: saved.Class, Since: saved.Since, Quota: saved.Quota, Message: saved.Message}
	if saved.Status > 0 {
		c.rest.Answer = &Answer{Status: saved.Status, Body: []byte(saved.Body)}
	}
	if until != never {
		c.rest.Until = now.Add(time.Duration(until - at))
	}
	c.seq, c.prober = seq, 0
	c.strikes, c.probes = max(saved.Strikes, 1), max(saved.Probes, 0)
	c.gap = min(max(time.Duration(saved.Gap*float64(time.Second)), r.probe), r.probeMax)
	c.probeAt.Store(probe)
	c.until.Store(until)
}
