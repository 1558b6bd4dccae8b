package plan

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/internal/price"
	"github.com/spillway-go/spillway/quota"
)

// Question is what someone wants to know of an order.
type Question struct {
	Buy

	Calls []demand.Call // for the model, in the order of time
	// Spill is the part of the tokens that may spill with the recommended order.
	Spill float64
	// From and To are the numbers of GSUs to look at. Zero is eight around what is recommended.
	From, To int
	// Changes says to look at what would change the answer.
	Changes bool
	Prices  *price.Table
	Term    price.Term
	// Progress hears of the calls that were made, of all that will be. It may be called by several
	// goroutines.
	Progress func(done, of int64)
}

// Answer is what an order would do for calls.
type Answer struct {
	Question

	Span   time.Duration // of the calls
	PerGSU float64       // tokens a second
	Second Load
	Minute Load
	// Windows are loads over the shortest and the longest window of the recommended order.
	Windows []Load
	Sizes   []Size
	// Recommended is the fewest GSUs that spill no more than asked, whatever the window; zero if none
	// of those looked at does.
	Recommended int
	// Once is what all calls cost by the token, and OnDemand what 30 days of such calls do. Neither is
	// known if a price is missing, nor OnDemand if the calls are of less than a minute.
	Once, OnDemand Money
	// PerToken is what a burned-down token costs on demand; BreakEven the part of a GSU that has to be
	// used for it to cost no more than that.
	BreakEven float64
	Cheapest  int // the number of GSUs that costs least, with what spills; zero: none, by the token
	// Steps are the service tiers of pay-as-you-go, from the cheapest to the dearest.
	Steps   []Step
	Changed []Change

	cost func(quota.Usage) float64 // what a call burns down
}

// Size is an order of so many GSUs.
type Size struct {
	GSUs int
	// Short and Long are what becomes of the calls if Google's window is the shortest, or the longest,
	// that it documents.
	Short, Long *Tally
	// Order, Spilled and Total cost what they do in 30 days of such calls: the order, what spills by
	// the token if the window is the worse one, and both.
	Order, Spilled, Total Money
}

// Spill is the part of the tokens that spill with the worse window.
func (s *Size) Spill() float64 { return max(s.Short.Spill(), s.Long.Spill()) }

// worse is the tally of the window with which more spills.
func (s *Size) worse() *Tally {
	if s.Long.Spill() > s.Short.Spill() {
		return s.Long
	}
	return s.Short
}

// Money is dollars, if they are known.
type Money struct {
	USD   float64
	Known bool
}

// plus adds what is known.
func (m Money) plus(n Money) Money { return Money{m.USD + n.USD, m.Known && n.Known} }

// ErrNoCalls says that there is nothing to plan for.
var ErrNoCalls = errors.New("there are no calls")

// mostCalls bounds the calls with which the fewest GSUs are looked for, and changes are looked at: the
// busiest ones.
const mostCalls = 200_000

// Ask answers a question.
func Ask(ctx context.Context, q Question) (*Answer, error) {
	if len(q.Calls) == 0 {
		return nil, ErrNoCalls
	}
	if err := q.Check(); err != nil {
		return nil, err
	}
	s, err := newSieve(&q.Buy, q.Calls)
	if err != nil {
		return nil, err
	}
	a := &Answer{Question: q, PerGSU: s.perGSU, cost: s.cost, Span: q.Calls[len(q.Calls)-1].At.Sub(q.Calls[0].At)}
	a.Second, a.Minute = loadOver(q.Calls, s.cost, time.Second), loadOver(q.Calls, s.cost, minute)
	m := &maker{q: &a.Question}
	m.tally = func(calls []demand.Call, gsus int, window, wait time.Duration) (*Tally, error) {
		return q.tally(ctx, calls, gsus, window, wait, m.progress)
	}
	if err := a.sizes(m, s); err != nil {
		return nil, err
	}
	at := cmp.Or(a.Recommended, a.Sizes[len(a.Sizes)-1].GSUs)
	for _, w := range windows(q.Model, at) {
		a.Windows = append(a.Windows, loadOver(q.Calls, s.cost, w))
	}
	a.prices(s.total)
	if err := a.climb(); err != nil {
		return nil, err
	}
	if q.Changes {
		if a.Changed, err = a.changes(m, s, at); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// enough reports whether an order spills so much less than asked that it may be recommended. Google may
// foresee outputs otherwise than the window here does. An order of one GSU more than 3 or 49 has a
// shorter window, and may take many more to do what those do: these need less to spare.
func enough(gsus int, spill, asked float64) bool {
	part := 0.4
	if slices.Contains(longest, gsus) {
		part = 0.9
	}
	return spill <= part*asked
}

// longest are the largest orders whose windows are still longer than those of all larger ones.
var longest = []int{49, 3}

// shown is how many sizes an answer has, if nobody asks for a range.
const shown = 8

// sizes makes the calls with orders of several sizes, and finds which to recommend.
func (a *Answer) sizes(m *maker, s *sieve) error {
	numbers := between(a.From, a.To, a.To-a.From+1)
	if a.From == 0 {
		search := search{m: m, calls: s.busiest(mostCalls), most: a.Spill, known: make(map[int]*Size)}
		mean := int(min(max(a.Minute.Mean/a.PerGSU, 1), mostGSUs))
		least, err := search.least(mean, max(s.least(a.Spill), mean))
		if err != nil {
			return err
		}
		numbers = between(min(mean, least), least, shown)
		if len(search.calls) == len(a.Calls) {
			m.known = search.known
		}
	}
	var err error
	if a.Sizes, err = m.make(a.Calls, numbers); err != nil {
		return err
	}
	for i := range a.Sizes {
		if a.Recommended == 0 && enough(a.Sizes[i].GSUs, a.Sizes[i].Spill(), a.Spill) {
			a.Recommended = a.Sizes[i].GSUs
		}
	}
	return nil
}

// between returns at most so many numbers, evenly between two of them, both included.
func between(from, to, most int) (all []int) {
	n := min(most, to-from+1)
	for i := range n {
		number := to
		if n > 1 {
			number = from + (to-from)*i/(n-1)
		}
		all = append(all, number)
	}
	return all
}

// maker makes calls with several orders at once: as many as there are processors.
type maker struct {
	q        *Question
	tally    func(calls []demand.Call, gsus int, window, wait time.Duration) (*Tally, error)
	known    map[int]*Size // that were made for all calls
	done, of atomic.Int64
}

// make makes the calls with orders of several numbers of GSUs.
func (m *maker) make(calls []demand.Call, numbers []int) ([]Size, error) {
	sizes := make([]Size, len(numbers))
	var jobs []func() error
	for i, gsus := range numbers {
		size := &sizes[i]
		if known := m.known[gsus]; known != nil {
			*size = *known
			continue
		}
		size.GSUs = gsus
		for j, w := range windows(m.q.Model, gsus) {
			jobs = append(jobs, m.job(calls, gsus, w, [...]**Tally{&size.Short, &size.Long}[j]))
		}
	}
	if err := m.all(jobs); err != nil {
		return nil, err
	}
	for i := range sizes {
		sizes[i].Long = cmp.Or(sizes[i].Long, sizes[i].Short)
	}
	return sizes, nil
}

// windows returns the shortest and the longest window that Google documents for an order; one, if that
// is all it says.
func windows(model string, gsus int) []time.Duration {
	shortest, longest := quota.WindowRange(model, gsus)
	return slices.Compact([]time.Duration{shortest, longest})
}

// job is one tally to be made.
func (m *maker) job(calls []demand.Call, gsus int, window time.Duration, to **Tally) func() error {
	m.of.Add(int64(len(calls)))
	return func() (err error) {
		*to, err = m.tally(calls, gsus, window, 0)
		return err
	}
}

func (m *maker) progress() {
	done := m.done.Add(progressEvery)
	if m.q.Progress != nil {
		m.q.Progress(done, m.of.Load())
	}
}

// all does jobs, as many at once as there are processors. It fails as the first of them that fails:
// what ends one, ends all.
func (m *maker) all(jobs []func() error) error {
	var wait sync.WaitGroup
	errs := make([]error, len(jobs))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, job := range jobs {
		turns <- struct{}{}
		wait.Go(func() {
			errs[i] = job()
			<-turns
		})
	}
	wait.Wait()
	return cmp.Or(errs...)
}
