package pool

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

const (
	// near is how many candidates an affinity looks at. In a tier of no more than that it knows all
	// of them.
	near = 16
	// A candidate of the greatest weight has between these many points on a ring.
	leastPoints = 8
	mostPoints  = 64
	ringPoints  = 1 << 16 // aimed at, in all
)

// ring is the order in which affinities meet the candidates of a large tier: a consistent hash
// ring. Each candidate has points by its weight, so one that comes or goes moves no calls but its
// own. It is made when the first affinity asks.
type ring struct {
	once   sync.Once
	made   atomic.Bool
	points []point
}

type point struct {
	hash  uint32
	index uint32 // of the candidate
}

func (r *ring) make(t *tier) {
	each := float64(min(max(ringPoints/len(t.candidates), leastPoints), mostPoints))
	for i, c := range t.candidates {
		for k := range max(int(each*c.Weight/t.heaviest+0.5), 1) {
			r.points = append(r.points, point{uint32(mix(c.hash^mix(uint64(k))) >> 32), uint32(i)})
		}
	}
	r.made.Store(true)
	slices.SortFunc(r.points, func(a, b point) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.index, b.index)) })
}

// walk appends the candidates that are ready, from the affinity's point on, until there are near of
// them or many were looked at.
func (r *ring) walk(t *tier, affinity uint64, ready func(*candidate) bool, list []preference) []preference {
	r.once.Do(func() { r.make(t) })
	var seen [4 * near]uint32
	looked := seen[:0]
	h := uint32(mix(affinity) >> 32)
	start := sort.Search(len(r.points), func(i int) bool { return r.points[i].hash >= h })
	for i := range r.points {
		index := r.points[(start+i)%len(r.points)].index
		if slices.Contains(looked, index) {
			continue
		}
		if looked = append(looked, index); len(looked) == cap(looked) {
			break
		}
		if c := t.candidates[index]; ready(c) {
			if list = append(list, prefer(c, affinity, -float64(i))); len(list) == near {
				break
			}
		}
	}
	return list
}

// mix makes all bits of x depend on all others (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps x to the open interval (0, 1).
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }

// score is how much an affinity prefers a candidate of a small tier: each has the highest score for
// its share, by weight, of all affinities. Source: C. Schindelhauer and G. Schomaker, "Weighted
// Distributed Hash Tables", SPAA 2005, the logarithmic method.
func score(c *candidate, affinity uint64) float64 {
	return c.Weight / -math.Log(unit(draw(c, affinity)))
}

func draw(c *candidate, affinity uint64) uint64 { return mix(affinity ^ c.hash) }
