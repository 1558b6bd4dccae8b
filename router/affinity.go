package router

import (
	"hash/fnv"
	"io"
	"math"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// Google bills less for what a prompt begins with as a recent one did, if that one was answered in the same project and location (implicit
// caching: https://ai.google.dev/gemini-api/docs/caching). So the calls of one conversation prefer one endpoint, which is found by weighted
// rendezvous hashing: every replica of a service finds the same, nothing is remembered of any user, and an endpoint that comes or goes
// moves no calls but its own.
//
// Load comes first: an endpoint that carries more than its share passes calls on to the next in their order. They are calls of the same
// conversations for as long as that lasts, for each has a bound of its own: one that went forth and back would find its prefix cold time
// and again.

const (
	// What an affinity may load an endpoint with is between these many fair shares, by weight, of what the ready endpoints carry. Each call
	// counts twice: while it is under way, and for half a minute from its beginning. The first alone shifts with chance from moment to
	// moment, the second does not see that an endpoint is slow.
	leastBound = 1.15
	mostBound  = 1.25
	// Fewer calls are no load that is worth moving one for.
	fewCalls  = 8  // under way
	fewRecent = 48 // begun within half a minute
	// fewTokens are too few to be cached, whatever the model (1,024 are the fewest: the source above); half of it, for they are estimated.
	fewTokens = 512
)

// affinity is what calls have in common that prefer the same endpoint; 0: nothing.
type affinity uint64

// findAffinity returns the affinity that the caller names, or the conversation's, once it has more than one turn. A call that names what
// lives in a project has its place already.
func (s *session) findAffinity() affinity {
	switch {
	case s.asked.Affinity != "":
		h := fnv.New64a()
		_, _ = io.WriteString(h, s.asked.Affinity)
		return affinity(max(h.Sum64(), 1))
	case s.belongs, s.wire.Turns < 2:
		return 0
	default:
		return affinity(s.wire.Prefix)
	}
}

// preference is a candidate as one affinity sees it.
type preference struct {
	candidate *pool.Candidate
	score     float64
	bound     float64 // how many fair shares it may carry
	weight    float64
	load      float64
	light     bool // it carries too little to be full
	full      bool
}

func (p *preference) before(q *preference) bool {
	if p.full != q.full {
		return q.full
	}
	return p.score > q.score
}

// leaseAffine leases the first candidate of a tier that is to be had, in the order in which the affinity prefers them; those that carry
// more than their share come last.
func (s *session) leaseAffine(t *pool.Tier) (pool.Lease, bool) {
	var room [16]preference // for a tier of the usual size
	list := room[:0]
	if len(t.Candidates) > len(room) {
		list = make([]preference, 0, len(t.Candidates))
	}
	for _, c := range t.Candidates {
		if s.ready(c) {
			list = append(list, s.affinity.prefer(c))
		}
	}
	if len(list) == 0 {
		return pool.Lease{}, false
	}
	best := s.choose(t, list)
	for {
		c := list[best].candidate
		l, ok := c.Lease(s.now, s.need)
		c.Expect(-1)
		if ok {
			return l, true
		}
		list[best] = list[len(list)-1]
		if list = list[:len(list)-1]; len(list) == 0 {
			return pool.Lease{}, false
		}
		best = foremost(list)
		list[best].candidate.Expect(1)
	}
}

// choose looks at what the candidates carry and returns the foremost, which from now on expects the call. Calls that come at once choose
// one after the other, or all would find room where there is room for one.
func (s *session) choose(t *pool.Tier, list []preference) int {
	t.Lock()
	defer t.Unlock()
	judgeLoad(list, s.now)
	best := foremost(list)
	list[best].candidate.Expect(1)
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

// prefer says how an affinity sees a candidate, whatever that carries.
func (a affinity) prefer(c *pool.Candidate) preference {
	return preference{candidate: c, score: a.score(c), bound: leastBound + (mostBound-leastBound)*unit(spread(a.draw(c)))}
}

// score is how much a candidate is preferred: each has the highest score for its share, by weight, of all affinities. Source: C.
// Schindelhauer and G. Schomaker, "Weighted Distributed Hash Tables", SPAA 2005, the logarithmic method.
func (a affinity) score(c *pool.Candidate) float64 { return c.Weight() / -math.Log(unit(a.draw(c))) }

func (a affinity) draw(c *pool.Candidate) uint64 { return spread(uint64(a) ^ c.Hash()) }

// pickHome picks the candidate that further turns of the call will prefer; nil if it has no affinity to be, or is too small to be cached.
func (s *session) pickHome(t *pool.Tier) *pool.Candidate {
	a := affinity(s.wire.Prefix)
	if a == 0 || s.need.Input < fewTokens {
		return nil
	}
	var home *pool.Candidate
	highest := 0.0
	for _, c := range t.Candidates {
		if !s.ready(c) {
			continue
		}
		if score := a.score(c); score > highest {
			home, highest = c, score
		}
	}
	return home
}

// judgeLoad finds those that would carry more than they may with one call more. An idle one may always: who makes one call after the other
// stays.
func judgeLoad(list []preference, now time.Time) {
	const call = 2 // it is under way, and recent
	sum, weights := float64(call), 0.0
	for i := range list {
		p := &list[i]
		calls, recent := p.candidate.Carries(now)
		p.light = calls == 0 || calls < fewCalls && recent < fewRecent
		p.load = float64(calls) + recent
		p.weight = p.candidate.WeightAt(now)
		sum += p.load
		weights += p.weight
	}
	for i := range list {
		p := &list[i]
		p.full = !p.light && p.load+call > p.bound*sum*p.weight/weights
	}
}

// spread makes all bits of x depend on all others (the finalizer of SplitMix64).
func spread(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is x as a number between 0 and 1, neither of which it is.
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
