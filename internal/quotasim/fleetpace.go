package quotasim

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// FleetPace is one simulation of replicas that pace themselves together before locations whose
// capacity is hidden and changes.
type FleetPace struct {
	Replicas int
	Latency  float64 // seconds that the store takes to answer
	Gone     [2]float64
	refusal  float64 // seconds until a refusal comes back, in the mean
	goodput  float64 // least calls served, as a share of an oracle's
	refusals float64 // most refusals for each call served
}

// FleetPaces are fleets of four sizes, with refusals that come back soon or late.
func FleetPaces() []FleetPace {
	var all []FleetPace
	for _, o := range []FleetPace{
		{Latency: 0.001, refusal: 0.03, goodput: 0.975, refusals: 0.1},
		{Latency: 0.001, refusal: 0.2, goodput: 0.96, refusals: 0.155},
	} {
		for _, o.Replicas = range []int{1, 4, 16, 64} {
			all = append(all, o)
		}
	}
	return all
}

// WithoutStore returns the simulation with a store that is gone for a minute.
func (o FleetPace) WithoutStore() FleetPace {
	o.Gone = [2]float64{200, 260}
	o.goodput -= 0.03
	o.refusals += 0.06 // replicas that see little are refused more
	return o
}

// fleetPace is a run of a FleetPace.
type fleetPace struct {
	FleetPace
	t               float64
	rng             *rand.Rand
	planned         int
	events          events
	locations       [3]hiddenLocation
	store           store.PacerSet
	replicas        [][3]*quota.SharedPacer
	served, refused float64
	operations      int
}

func (f *fleetPace) after(seconds float64, do func()) {
	f.planned++
	heap.Push(&f.events, event{f.t + seconds, f.planned, do})
}

// ask asks the store, or calls failed.
func (f *fleetPace) ask(do, done, failed func()) {
	f.operations++
	if f.t >= f.Gone[0] && f.t < f.Gone[1] {
		f.after(askTimeout, failed)
		return
	}
	f.after(f.Latency/2, do)
	f.after(f.Latency, done)
}

// try offers a call of a replica to the locations left, the preferred one first.
func (f *fleetPace) try(pacers *[3]*quota.SharedPacer, left []int) {
	for len(left) > 0 {
		i := left[0]
		allowed, ask := pacers[i].Allow(moment(f.t))
		if ask {
			f.tryShared(pacers, left)
			return
		}
		left = left[1:]
		if allowed && f.send(pacers[i], i) {
			return
		}
	}
}

// tryShared asks the store for the first locations left that are paced together.
func (f *fleetPace) tryShared(pacers *[3]*quota.SharedPacer, left []int) {
	ask := store.PaceAsk{Pacing: pacers[0].Pacing()}
	for _, i := range left {
		if !pacers[i].Shared(moment(f.t)) {
			break
		}
		ask.Locations = append(ask.Locations, pacers[i].Location(strconv.Itoa(i)))
	}
	asked, rest := left[:len(ask.Locations)], left[len(ask.Locations):]
	var grant store.PaceGrant
	f.ask(func() { grant = f.store.Allow(moment(f.t), &ask) }, func() {
		for n, i := range asked {
			pacers[i].Heard(moment(f.t), grant.Rates[n])
		}
		if grant.Index >= 0 {
			if f.send(pacers[asked[grant.Index]], asked[grant.Index]) {
				return
			}
			rest = left[grant.Index+1:]
		}
		f.try(pacers, rest)
	}, func() {
		for _, i := range asked {
			if pacers[i].Alone(moment(f.t)) && f.send(pacers[i], i) {
				return
			}
		}
		f.try(pacers, rest)
	})
}

// send sends a call to a location, and reports whether it takes it.
func (f *fleetPace) send(p *quota.SharedPacer, i int) bool {
	sent := f.t
	if f.locations[i].ask(f.t) {
		f.served++
		f.after(0.3+0.7*f.rng.Float64(), func() { p.Accepted(moment(f.t)) })
		return true
	}
	f.refused++
	f.after(f.refusal*(0.5+f.rng.Float64()), func() {
		if !p.Rejected(moment(f.t), moment(sent)) {
			return
		}
		rejection := store.PaceRejection{
			Pacing: p.Pacing(), Location: p.Location(strconv.Itoa(i)), After: moment(f.t).Sub(moment(sent)),
		}
		var answer store.PaceRejected
		f.ask(func() { answer = f.store.Reject(moment(f.t), &rejection) },
			func() { p.Heard(moment(f.t), answer.Rate) }, func() {})
	})
	return false
}

// run offers twice the capacity of three locations for 400 s.
func (o FleetPace) run(seed uint64) (goodput, refusals, operations float64) {
	const length, mean = 400.0, 60 / 2.772588722239781 // of a log-uniform capacity from 4 to 64
	f := &fleetPace{FleetPace: o, rng: rand.New(rand.NewPCG(seed, 1)), replicas: make([][3]*quota.SharedPacer, o.Replicas)}
	for i := range f.locations {
		f.locations[i].rng = rand.New(rand.NewPCG(seed, uint64(10+i)))
		for r := range f.replicas {
			f.replicas[r][i] = quota.NewSharedPacer(quota.Pacing{})
			f.replicas[r][i].SetMembers(o.Replicas)
		}
	}
	oracle := 0.0
	var arrive func()
	arrive = func() {
		pause := f.rng.ExpFloat64() / (6 * mean)
		sum := 0.0
		for i := range f.locations {
			f.locations[i].advance(f.t)
			sum += f.locations[i].capacity
		}
		oracle += min(sum, 6*mean) * pause
		f.try(&f.replicas[f.rng.IntN(o.Replicas)], f.rng.Perm(3))
		f.after(pause, arrive)
	}
	f.after(0, arrive)
	for f.events[0].at < length {
		next, _ := heap.Pop(&f.events).(event)
		f.t = next.at
		next.do()
	}
	return f.served / oracle, f.refused / f.served, float64(f.operations) / length
}

// Check runs the simulation for each of the seeds, and fails the test if the median misses a
// figure.
func (o FleetPace) Check(t *testing.T, seeds uint64) {
	t.Helper()
	var goodput, refusals []float64
	operations := 0.0
	for seed := uint64(1); seed <= seeds; seed++ {
		g, r, n := o.run(seed)
		goodput, refusals, operations = append(goodput, g), append(refusals, r), n
	}
	slices.Sort(goodput)
	slices.Sort(refusals)
	mid := (len(goodput) - 1) / 2
	t.Logf("%2d replicas, refusals after %v: goodput %.3f of an oracle (worst %.3f), %.3f refusals per success (worst %.3f), %.0f operations a second",
		o.Replicas, time.Duration(o.refusal*float64(time.Second)), goodput[mid], goodput[0], refusals[mid], refusals[len(refusals)-1], operations)
	if !(goodput[mid] >= o.goodput) || !(refusals[mid] <= o.refusals) {
		t.Errorf("want goodput of at least %.3f and at most %.2f refusals per success", o.goodput, o.refusals)
	}
}
