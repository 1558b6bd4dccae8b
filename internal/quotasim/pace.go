package quotasim

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// hiddenLocation is on-demand capacity as nobody documents it: so many requests a second, another
// number every 20 to 60 seconds.
type hiddenLocation struct {
	rng      *rand.Rand
	capacity float64
	changes  float64
	tokens   float64
	last     float64
}

func (h *hiddenLocation) advance(t float64) {
	for h.last < t {
		if h.last >= h.changes {
			h.capacity = 4 * math.Pow(16, h.rng.Float64())
			h.changes = h.last + 20 + 40*h.rng.Float64()
		}
		to := min(t, h.changes)
		h.tokens = min(h.tokens+(to-h.last)*h.capacity, max(h.capacity, 1))
		h.last = to
	}
}

func (h *hiddenLocation) ask(t float64) bool {
	h.advance(t)
	if h.tokens < 1 {
		return false
	}
	h.tokens--
	return true
}

type paceAnswer struct {
	at, sent float64
	location int
	ok       bool
}

type paceAnswers []paceAnswer

func (a paceAnswers) Len() int           { return len(a) }
func (a paceAnswers) Less(i, j int) bool { return a[i].at < a[j].at }
func (a paceAnswers) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *paceAnswers) Push(x any) {
	answer, _ := x.(paceAnswer)
	*a = append(*a, answer)
}

func (a *paceAnswers) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// Pace is one simulation of a pacer before locations whose capacity is hidden and changes.
type Pace struct {
	Name     string
	pacing   quota.Pacing
	latency  func(*rand.Rand) float64 // seconds until a call is known to be accepted
	refusal  float64                  // seconds until a refusal comes back, in the mean
	goodput  float64                  // least calls served, as a share of an oracle's
	refusals float64                  // most refusals for each call served
}

// Paces are the pacings, each with what its pacer has to reach.
func Paces() []Pace {
	headers := func(r *rand.Rand) float64 { return 0.3 + 0.7*r.Float64() }
	whole := func(r *rand.Rand) float64 { return 1 + 19*r.Float64() }
	return []Pace{
		{"defaults, accepted when the headers come", quota.Pacing{}, headers, 0.1, 0.96, 0.11},
		{"defaults, accepted when the whole answer came", quota.Pacing{}, whole, 0.1, 0.96, 0.11},
		{"defaults, refusals that take their time", quota.Pacing{}, headers, 0.4, 0.9, 0.22},
		{"careful", quota.Careful(), headers, 0.1, 0.92, 0.06},
		{"eager", quota.Eager(), headers, 0.1, 0.97, 0.22},
	}
}

// run offers twice the capacity of three locations for 400 s. A location cools down for 400 to 500
// ms after its first contention. A call that meets contention goes on to the next location at once.
func (p Pace) run(seed uint64) (goodput, refusals float64) {
	const length, mean = 400.0, 60 / 2.772588722239781 // of a log-uniform capacity from 4 to 64
	rng := rand.New(rand.NewPCG(seed, 1))
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	at := func(t float64) time.Time { return start.Add(time.Duration(t * float64(time.Second))) }
	var locations [3]hiddenLocation
	var pacers [3]*quota.Pacer
	var rests [3]float64
	for i := range locations {
		locations[i].rng = rand.New(rand.NewPCG(seed, uint64(10+i)))
		pacers[i] = quota.NewPacer(p.pacing)
	}
	var served, refused, oracle, before float64
	var under paceAnswers
	for t := rng.ExpFloat64() / (6 * mean); t < length; t += rng.ExpFloat64() / (6 * mean) {
		for len(under) > 0 && under[0].at <= t {
			a, _ := heap.Pop(&under).(paceAnswer)
			if a.ok {
				pacers[a.location].Accepted(at(a.at))
			} else {
				pacer := pacers[a.location]
				pacer.Rejected(at(a.at), at(a.sent))
				if !pacer.Limited() && !pacer.Tolerates() { // the pool has a cooldown for contention until there is a pace
					rests[a.location] = a.at + 0.4 + 0.1*rng.Float64()
				}
			}
		}
		sum := 0.0
		for i := range locations {
			locations[i].advance(t)
			sum += locations[i].capacity
		}
		oracle += min(sum, 6*mean) * (t - before)
		before = t
		for _, i := range rng.Perm(3) {
			if t < rests[i] || !pacers[i].Allow(at(t)) {
				continue
			}
			if locations[i].ask(t) {
				served++
				heap.Push(&under, paceAnswer{t + p.latency(rng), t, i, true})
				break
			}
			refused++
			heap.Push(&under, paceAnswer{t + p.refusal*(0.5+rng.Float64()), t, i, false})
		}
	}
	return served / oracle, refused / served
}

// Check runs the simulation for each of the seeds, and fails the test if the median misses a
// figure.
func (p Pace) Check(t *testing.T, seeds uint64) {
	t.Helper()
	var goodput, refusals []float64
	for seed := uint64(1); seed <= seeds; seed++ {
		g, r := p.run(seed)
		goodput, refusals = append(goodput, g), append(refusals, r)
	}
	slices.Sort(goodput)
	slices.Sort(refusals)
	mid := (len(goodput) - 1) / 2
	t.Logf("goodput %.3f of an oracle (worst %.3f), %.3f refusals per success (worst %.3f)",
		goodput[mid], goodput[0], refusals[mid], refusals[len(refusals)-1])
	if !(goodput[mid] >= p.goodput) || !(refusals[mid] <= p.refusals) {
		t.Errorf("want goodput of at least %.2f and at most %.2f refusals per success", p.goodput, p.refusals)
	}
}
