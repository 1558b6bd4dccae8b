package cooldown

import (
	"math/rand/v2"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// longestDay is the longest day of the year: the one on which summer time ends.
const longestDay = 25 * time.Hour

// Ending is how a cooldown comes to its end.
type Ending uint8

const (
	// Never means that there is no cooldown.
	Never Ending = iota
	// Timed cooldowns end after a time: the server's hint, else Rule.Min doubling to Rule.Max.
	Timed
	// Midnight cooldowns end at midnight in Los Angeles, with a few probes before.
	Midnight
	// Probed cooldowns end when a probe succeeds.
	Probed
)

// Rule says how a cooldown ends and how it is probed. The zero Rule starts none.
type Rule struct {
	Ending Ending

	// Min and Max are, for Timed, the range of doubling without a hint. A hint is kept within a
	// second, or Min if that is less, and Max; one that repeats is at least twice that. Up to the
	// share Jitter is added. Flat keeps to Min without a hint.
	Min, Max time.Duration
	Jitter   float64
	Flat     bool

	// Probe is, for Midnight and Probed, the gap to the first probe if the answer hints at none.
	// Gaps double up to ProbeMax. Probes bounds their number in one cooldown; zero means no bound.
	Probe, ProbeMax time.Duration
	Probes          int

	// Remember keeps the answer, for callers who come while everything is on cooldown.
	Remember bool
}

// nextProbe returns the instant of the next probe after a gap, or Forever once all probes are used.
func (r *Rule) nextProbe(at, gap int64, used int) int64 {
	if r.Probes > 0 && used >= r.Probes {
		return Forever
	}
	return at + gap
}

// until returns the instant at which a cooldown that starts now ends.
func (r *Rule) until(now time.Time, at int64, strikes int, hint, least time.Duration) int64 {
	switch r.Ending {
	case Timed:
		d := max(r.timed(hint, strikes), min(least, r.Max))
		return at + int64(d) + int64(rand.Float64()*r.Jitter*float64(d))
	case Midnight:
		// A second of spread keeps replicas from starting on the stroke of midnight, when a skewed
		// clock is early. Round strips the monotonic reading: midnight is the wall clock's.
		return at + int64(quota.NextMidnight(now).Sub(now.Round(0))) + rand.Int64N(int64(time.Second))
	case Never, Probed:
	}
	return Forever
}

// timed returns how long a Timed cooldown lasts after that many strikes.
func (r *Rule) timed(hint time.Duration, strikes int) time.Duration {
	if hint > 0 {
		least := min(r.Min, time.Second)
		if strikes > 1 && !r.Flat { // the last hint was too short
			least *= 2
		}
		return min(max(hint, least), r.Max)
	}
	d := r.Min
	if !r.Flat {
		for range min(strikes-1, 30) {
			d = min(2*d, r.Max)
		}
	}
	return d
}

// nextGap returns the gap to the next probe: the server's hint or the rule's own for the first,
// then doubling. It is never less than the rule's own, because a hint of seconds on a day's quota
// would use all probes at once.
func (r *Rule) nextGap(gap time.Duration, strikes int, hint time.Duration) time.Duration {
	switch {
	case strikes > 1:
		return min(max(2*gap, r.Probe), r.ProbeMax)
	case hint > 0 && r.Ending == Midnight:
		return min(max(hint, time.Second), longestDay)
	default:
		return r.Probe
	}
}
