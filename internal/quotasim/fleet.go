package quotasim

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// pullTimeout is how long a replica waits for the answer to a pull or a change, in seconds.
const (
	pullTimeout = 0.05
	askTimeout  = 0.02 // after which a replica decides alone
)

// Fleet is one simulation of an order that replicas share, each with its own clock.
type Fleet struct {
	Order
	Replicas int
	Latency  float64    // seconds that the store takes to answer, half of them until it acts
	Gone     [2]float64 // from when to when the store does not answer
	Lost     float64    // when the store loses its content; 0: never
}

// Fleets are orders of three sizes that replicas share. They have to use them nearly as well as one
// process does. A length below 1 shortens them.
func Fleets(length float64) []Fleet {
	var all []Fleet
	for _, o := range []struct {
		gsus    int
		window  float64
		load    float64
		seconds float64
		want    Figures
	}{
		{1, 70, 2, 7200, Figures{Use: 0.97, Refused: 0.012}}, // one process uses as little of it, see Orders
		{1, 70, 5, 7200, Figures{Use: 0.95, Refused: 0.013}},
		{10, 12, 2, 1800, Figures{Use: 0.98, Refused: 0.01}},
		{10, 12, 5, 1800, Figures{Use: 0.98, Refused: 0.013}},
		{100, 1, 2, 600, Figures{Use: 0.96, Refused: 0.011}},
		{100, 2.3, 5, 600, Figures{Use: 0.96, Refused: 0.013}},
	} {
		order := Order{
			GSUs: o.gsus, Window: fmt.Sprintf("%gs", o.window), Want: o.want,
			window: always(o.window), length: length * o.seconds, load: o.load, bias: 1,
		}
		for _, n := range []int{1, 4, 16, 64} {
			all = append(all, Fleet{Order: order, Replicas: n, Latency: 0.001})
		}
	}
	return all
}

// Troubled are fleets whose store is far away, is gone for a minute, loses its content, or answers
// too late. They have to use most of the order in spite of it.
func Troubled(length float64) []Fleet {
	var all []Fleet
	for _, f := range Fleets(length) {
		if f.load != 2 || f.Replicas == 1 {
			continue
		}
		middle := f.length / 2
		far, gone, lost := f, f, f
		far.Latency = 0.02
		gone.Gone = [2]float64{middle, middle + 60}
		gone.Want = Figures{Use: f.Want.Use - 0.1*min(1, 200/f.length), Refused: 0.015}
		lost.Lost = middle
		lost.Want = Figures{Use: f.Want.Use - 0.01, Refused: 0.013}
		all = append(all, far, gone, lost)
	}
	return all
}

// Check runs the fleet for each of the seeds, and fails the test if the median misses a figure.
func (o Fleet) Check(t *testing.T, seeds uint64, slack float64) {
	t.Helper()
	var use, refused []float64
	var last fleetOutcome
	for seed := uint64(1); seed <= seeds; seed++ {
		first := o.Order.run(seed, nil)
		last = o.run(t, seed)
		use = append(use, last.used/first.used)
		refused = append(refused, float64(last.refused)/float64(last.calls))
	}
	slices.Sort(use)
	slices.Sort(refused)
	m := Figures{Use: use[len(use)/2], Refused: refused[(len(refused)-1)/2]}
	t.Logf("%v  use %.3f (worst %.3f)  refused %.2f %%  %.0f operations and %.0f kB a second",
		o, m.Use, use[0], 100*m.Refused, float64(last.operations)/o.length, float64(40*last.buckets+8*last.numbers)/1000/o.length)
	o.compare(t, m, slack)
}

func (o Fleet) String() string {
	return fmt.Sprintf("%v  %2d replicas  store %gs away, gone %v, lost %v", o.Order, o.Replicas, o.Latency, o.Gone, o.Lost)
}

// event is something that happens at a time. Of two at one time the first that was planned comes
// first.
type event struct {
	at    float64
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any) {
	next, _ := x.(event)
	*e = append(*e, next)
}

func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// fleet is a run of a Fleet.
type fleet struct {
	Fleet
	t        float64
	planned  int
	events   events
	server   *server
	state    *store.OrderState
	key      store.OrderKey
	replicas []*replica
	out      fleetOutcome
}

// fleetOutcome is what became of the calls of one run.
type fleetOutcome struct {
	outcome
	open             int // calls that were sent without asking for the order
	operations       int
	buckets, numbers int // that pulls carried
}

// replica is one process.
type replica struct {
	*fleet
	ledger     *quota.SharedLedger
	clock      float64 // seconds that it is ahead
	mean, seen float64 // of the answers
}

func (f *fleet) after(seconds float64, do func()) {
	f.planned++
	heap.Push(&f.events, event{f.t + seconds, f.planned, do})
}

func moment(t float64) time.Time {
	return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).Add(time.Duration(t * float64(time.Second)))
}

func (r *replica) now() time.Time { return moment(r.t + r.clock) }

// gone reports whether the store does not answer.
func (f *fleet) gone() bool { return f.t >= f.Gone[0] && f.t < f.Gone[1] }

// ask asks the store. Failed is called instead of done if it does not answer in time.
func (f *fleet) ask(timeout float64, do, done, failed func()) {
	f.out.operations++
	if f.gone() {
		f.after(timeout, failed)
		return
	}
	f.after(f.Latency/2, do)
	if f.Latency > timeout+1e-9 {
		f.after(timeout, failed)
		return
	}
	f.after(f.Latency, done)
}

// call is one call of a replica.
type call struct {
	*replica
	prompt, output, duration float64
	hold                     quota.Hold
}

func (c *call) begin() {
	var room quota.Room
	c.hold, room = c.ledger.Reserve(c.now(), quota.Cost{
		Input: c.prompt, Output: outputRate * c.mean, Usual: outputRate * c.mean,
	})
	if room != quota.RoomUnknown {
		c.send(room)
		return
	}
	ask := c.ledger.Ask(c.hold)
	var grant store.OrderGrant
	c.ask(askTimeout, func() { grant = c.state.Reserve(moment(c.t), &ask) }, func() {
		c.hold, room = c.ledger.Granted(c.now(), c.hold, grant)
		c.send(room)
	}, func() {
		c.hold, room = c.ledger.Alone(c.now(), c.hold)
		c.send(room)
	})
}

func (c *call) send(room quota.Room) {
	if room == quota.RoomNone {
		return
	}
	if room == quota.RoomHeld {
		c.tell(c.ledger.Held(c.hold))
	}
	cost := c.prompt + outputRate*c.output
	number, ok := c.server.ask(c.t, c.prompt)
	switch {
	case room == quota.RoomOpen:
		c.out.open++
		if ok {
			c.out.used += cost
			c.after(c.duration, func() { c.served(number, cost) })
		} else {
			c.after(c.duration, func() { c.tell(c.ledger.Release(c.now(), c.hold)) })
		}
	case ok:
		c.out.used += cost
		c.after(c.duration, func() { c.served(number, cost) })
	default:
		c.out.refused++
		c.after(refusalDelay, func() { c.tell(c.ledger.Refuse(c.now(), c.hold)) })
	}
}

// served ends a call that the order has served.
func (c *call) served(number int, cost float64) {
	c.server.done(number, cost, outputRate*c.output)
	c.seen++
	c.mean += max(1/c.seen, 1.0/200) * (c.output - c.mean)
	c.tell(c.ledger.Settle(c.now(), c.hold, quota.Cost{Input: c.prompt, Output: outputRate * c.output}))
}

// tell brings a change to the store.
func (c *call) tell(change store.OrderChange) {
	if change == (store.OrderChange{}) {
		return
	}
	var answer store.OrderChanged
	hold := c.hold
	c.ask(pullTimeout, func() { answer = c.state.Settle(moment(c.t), &change) },
		func() { c.ledger.Told(c.now(), hold, change, answer) },
		func() { c.ledger.Untold(c.now(), hold, change) })
}

// pull pulls whenever it is time.
func (r *replica) pull() {
	if wait := r.ledger.PullAt().Sub(r.now()); wait > 0 && r.seen >= 0 {
		r.after(math.Min(wait.Seconds(), 0.01), r.pull)
		return
	}
	pull := r.ledger.Pull(r.now())
	var news store.OrderNews
	r.ask(pullTimeout, func() { news = r.state.Pull(moment(r.t), &pull) }, func() {
		r.out.buckets += len(news.Buckets)
		r.out.numbers += len(news.Evidence)
		for _, part := range pull.Evidence {
			r.out.numbers += len(part.Add)
		}
		r.ledger.Pulled(r.now(), news)
		r.after(0, r.pull)
	}, func() {
		r.ledger.PullFailed(r.now())
		r.after(0.1, r.pull)
	})
}

// run offers calls to the fleet, the same ones for the same seed as to a single ledger.
func (o Fleet) run(t *testing.T, seed uint64) fleetOutcome {
	t.Helper()
	rate := throughput * float64(o.GSUs)
	f := &fleet{Fleet: o, server: &server{rate: rate, window: o.window, output: outputRate * outputMean * o.bias, noise: o.noise, recent: o.recent,
		rng: rand.New(rand.NewPCG(seed, 2))}}
	rng := rand.New(rand.NewPCG(seed, 3))
	for i := range o.Replicas {
		l, err := quota.NewSharedLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: o.GSUs}, strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		l.SetMembers(o.Replicas)
		r := &replica{fleet: f, ledger: l, clock: 60*rng.Float64() - 30, mean: 400}
		f.replicas = append(f.replicas, r)
		f.after(0.2*rng.Float64(), r.pull)
	}
	f.key = f.replicas[0].ledger.Key("order")
	f.state = store.NewOrderState(f.key, "first")
	if o.Lost > 0 {
		f.after(o.Lost, func() { f.state = store.NewOrderState(f.key, "second") })
	}
	calls := rand.New(rand.NewPCG(seed, 1))
	var arrive func()
	arrive = func() {
		if f.t >= o.length {
			return
		}
		prompt := math.Round(promptMedian * math.Exp(promptSigma*calls.NormFloat64()))
		output := math.Round(outputMedian * math.Exp(outputSigma*calls.NormFloat64()))
		c := &call{replica: f.replicas[rng.IntN(o.Replicas)], prompt: prompt, output: output, duration: 1 + 19*calls.Float64()}
		f.out.calls++
		c.begin()
		f.after(calls.ExpFloat64()*costMean/(o.load*rate), arrive)
	}
	f.after(calls.ExpFloat64(), arrive)
	for len(f.events) > 0 {
		next, _ := heap.Pop(&f.events).(event)
		if next.at >= o.length {
			break
		}
		f.t = next.at
		next.do()
	}
	f.out.stat = f.replicas[0].ledger.Stat(f.replicas[0].now())
	return f.out
}
