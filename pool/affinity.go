package pool

import (
	"sync"
	"time"
)

// Google bills less for what a prompt begins with as a recent one did, if that one was answered in
// the same project and location (implicit caching: https://ai.google.dev/gemini-api/docs/caching).
// So the calls of one conversation prefer one endpoint, which is found by hashing: every replica of
// a service finds the same, and nothing is remembered of any user.
//
// Load comes first: an endpoint that carries more than its share passes calls on to the next in
// their order. For as long as that lasts they are calls of the same conversations, because each has
// a bound of its own: a conversation that went back and forth would find its prefix cold time and
// again.

const (
	// What an affinity may load an endpoint with is between these many fair shares, by weight, of
	// what the ready endpoints carry. Each call counts twice: while it is under way, and for half a
	// minute from its beginning. The first alone shifts with chance from moment to moment; the
	// second does not see that an endpoint is slow.
	leastBound = 1.15
	mostBound  = 1.25
	// A load of fewer calls is not worth moving one for.
	fewCalls  = 8  // under way
	fewRecent = 48 // begun within half a minute
	// fewTokens are too few to be cached, whatever the model: half of 1,024, the fewest by the
	// source above, because they are estimated.
	fewTokens = 512
	// aCall is what one more call adds to a load: it is under way, and recent.
	aCall = 2
)

// preference is a candidate as one affinity sees it.
type preference struct {
	candidate *candidate
	score     float64
	bound     float64 // how many fair shares it may carry
	weight    float64
	load      float64
	light     bool // it carries too little to be full
	full      bool
}

func prefer(c *candidate, affinity uint64, score float64) preference {
	bound := leastBound + (mostBound-leastBound)*unit(mix(draw(c, affinity)))
	return preference{candidate: c, score: score, bound: bound}
}

func (p *preference) before(q *preference) bool {
	if p.full != q.full {
		return q.full
	}
	return p.score > q.score
}

// choosing makes the calls that choose by load do so one after the other, and keeps the weight of a
// large tier for a while.
type choosing struct {
	sync.Mutex

	weight  float64 // of the ready candidates
	changes uint64
	until   int64
}

// surveyEach is how long, for each candidate, the weight of a large tier is believed: it keeps the
// survey under a thousandth of a processor.
const surveyEach = 100 * time.Microsecond

// leaseAffine leases the first candidate of a tier that there is, in the order in which the
// request's affinity prefers them. Those that carry more than their share come last.
func (t *trial) leaseAffine(tier *tier) (Lease, bool) {
	var room [near]preference
	list := t.nearest(tier, t.r.Affinity, room[:0])
	tried := list
	if len(list) > 0 {
		for best := t.choose(tier, list); ; {
			c := list[best].candidate
			l, ok := c.lease(t.now, &t.r.state.need)
			c.expect(-1)
			if ok {
				return l, true
			}
			last := len(list) - 1
			list[best], list[last] = list[last], list[best]
			if list = list[:last]; last == 0 {
				break
			}
			best = foremost(list)
			list[best].candidate.expect(1)
		}
	}
	if len(tier.candidates) <= near {
		return Lease{}, false
	}
	return t.leaseAny(tier, func(c *candidate) bool {
		for i := range tried {
			if tried[i].candidate == c {
				return true
			}
		}
		return false
	})
}

// nearest appends the ready candidates that an affinity prefers: all of a small tier, near of a
// large one.
func (t *trial) nearest(tier *tier, affinity uint64, list []preference) []preference {
	if len(tier.candidates) > near {
		return tier.ring.walk(tier, affinity, t.ready, list)
	}
	for _, c := range tier.candidates {
		if t.ready(c) {
			list = append(list, prefer(c, affinity, score(c, affinity)))
		}
	}
	return list
}

// choose looks at what the candidates carry and returns the foremost, which from now on expects the
// call. Calls that come at once choose one after the other, or all would find room where there is
// room for one.
func (t *trial) choose(tier *tier, list []preference) int {
	tier.choosing.Lock()
	defer tier.choosing.Unlock()
	t.judgeLoad(tier, list)
	best := foremost(list)
	list[best].candidate.expect(1)
	return best
}

func foremost(list []preference) int {
	best := 0
	for i := range list {
		if list[i].before(&list[best]) {
			best = i
		}
	}
	return best
}

// judgeLoad finds the candidates that would carry more than they may with one call more. An idle
// one may always: a caller who makes one call after the other stays.
func (t *trial) judgeLoad(tier *tier, list []preference) {
	sum, weights := 0.0, 0.0
	for i := range list {
		p := &list[i]
		calls, recent := p.candidate.carries(t.at)
		p.light = calls == 0 || calls < fewCalls && recent < fewRecent
		p.load = float64(calls) + recent
		p.weight = p.candidate.weightAt(t.now)
		sum += p.load
		weights += p.weight
	}
	if len(tier.candidates) > near {
		underWay, recent := tier.tally.recent(t.at)
		sum, weights = max(float64(underWay)+recent, sum), max(t.readyWeight(tier), weights)
	}
	for i := range list {
		p := &list[i]
		p.full = !p.light && p.load+aCall > p.bound*(sum+aCall)*p.weight/weights
	}
}

// readyWeight returns the weight of a large tier's ready candidates, as of a moment ago. The caller
// holds the lock of tier.choosing.
func (t *trial) readyWeight(tier *tier) float64 {
	k := &tier.choosing
	changes := t.r.state.plan.changes.Load()
	if k.weight > 0 && t.at < k.until && k.changes == changes {
		return k.weight
	}
	k.weight, k.changes = 0, changes
	k.until = t.at + int64(len(tier.candidates))*int64(surveyEach)
	for _, c := range tier.candidates {
		if c.ready(t.now, t.at, &t.r.state.need) {
			k.weight += c.weightAt(t.now)
		}
	}
	return k.weight
}

// home returns the candidate that further turns of the call will prefer; nil if there will be none,
// or the call is too small to be cached.
func (t *trial) home(tier *tier) *candidate {
	if t.r.Prefix == 0 || t.r.state.need.Input < fewTokens {
		return nil
	}
	var room [near]preference
	list := t.nearest(tier, t.r.Prefix, room[:0])
	if len(list) == 0 {
		return nil
	}
	return list[foremost(list)].candidate
}
