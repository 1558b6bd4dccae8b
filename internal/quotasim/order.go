package quotasim

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// The calls of the simulation, for gemini-2.5-flash: 2,690 tokens a second for each GSU, 9 for a
// token of output.
const (
	throughput   = 2_690.0
	outputRate   = 9.0
	promptMedian = 1_500.0
	promptSigma  = 1.0
	outputMedian = 400.0
	outputSigma  = 0.8
	refusalDelay = 0.1 // seconds until a refusal comes back
)

var (
	outputMean = outputMedian * math.Exp(outputSigma*outputSigma/2)
	costMean   = promptMedian*math.Exp(promptSigma*promptSigma/2) + outputRate*outputMean
)

// Order is one simulation of an order: its size, its window, and the calls that are offered to it.
type Order struct {
	GSUs   int
	Window string                  // its length, for the log
	Want   Figures                 // what the ledger has to reach
	window func(t float64) float64 // seconds
	length float64                 // seconds
	since  float64                 // seconds before which nothing is counted
	load   float64                 // offered, as a multiple of the throughput

	bias   float64 // of the server's estimate of the output
	noise  float64 // sigma by which that estimate differs from call to call
	recent float64 // how many answers that estimate is the mean of; 0: it is fixed
}

// Figures are bounds for the ledger, each beside asking the order first on every call. Zero is no
// bound.
type Figures struct {
	Use     float64 // least tokens served, as a share of what asking first serves
	Refused float64 // most calls refused, as a share of the calls
	Spilled float64 // most calls not sent although asking first serves them, as a share of the calls
}

// outcome is what became of the calls of one run.
type outcome struct {
	calls, spilled, refused int
	used                    float64 // tokens served by the order
	stat                    quota.LedgerStat
}

// always is a window of one length.
func always(seconds float64) func(float64) float64 {
	return func(float64) float64 { return seconds }
}

// turns is a window that changes at a time.
func turns(from, to, at float64) func(float64) float64 {
	return func(t float64) float64 {
		if t < at {
			return from
		}
		return to
	}
}

// steady are orders of three sizes, each with windows of three lengths.
func steady(length float64) []Order {
	var all []Order
	for _, size := range sizes {
		for _, w := range size.windows {
			all = append(all, Order{
				GSUs: size.gsus, Window: fmt.Sprintf("%gs", w), window: always(w), length: length * size.length, bias: 1,
			})
		}
	}
	return all
}

// changing are orders of three sizes, each with a window that changes in the middle.
func changing(length float64) []Order {
	var all []Order
	for _, size := range sizes {
		short, long := size.windows[0], size.windows[2]
		for _, w := range [][2]float64{{long, short}, {short, long}} {
			seconds := length * size.length
			all = append(all, Order{
				GSUs: size.gsus, Window: fmt.Sprintf("%gs→%gs", w[0], w[1]), window: turns(w[0], w[1], seconds/2), length: seconds, bias: 1,
			})
		}
	}
	return all
}

var sizes = []struct {
	gsus    int
	windows []float64
	length  float64
}{
	{1, []float64{40, 70, 120}, 7200},
	{10, []float64{5, 12, 30}, 3600},
	{100, []float64{1, 2.3, 5}, 600},
}

// Orders are orders under half, twice and five times their throughput. A length below 1 shortens
// them. Corners that fall short of the usual figures have figures of their own.
func Orders(length float64) []Order {
	var all []Order
	for _, o := range append(steady(length), changing(length)...) {
		want := Figures{Use: 0.97, Refused: 0.01}
		if o.GSUs == 1 && o.Window == "70s" || o.GSUs == 100 && slices.Contains([]string{"2.3s", "5s→1s"}, o.Window) {
			// Few calls fit a window: candidates next to it foresee nearly the same, and the guess
			// pays for the difference.
			want.Use = 0.96
		}
		o.load, o.Want = 0.5, want
		switch o.Window {
		case "5s", "30s→5s", "5s→30s":
			o.Want.Spilled = 0.005 // bursts come close to the edge at half load; asking first is refused as often
		case "40s→120s":
			o.Want.Spilled = 0.01 // few calls try at half load whether there is more room
		default:
			o.Want.Spilled = 0.001
		}
		all = append(all, o)
		for _, o.load = range []float64{2, 5} {
			o.Want = want
			all = append(all, o)
		}
	}
	return all
}

// OtherEstimates are orders whose server estimates the output unlike the caller: always less,
// always more, or each time differently. The ledger cannot learn the last, which costs what it
// costs.
func OtherEstimates(length float64) []Order {
	var all []Order
	for _, o := range append(steady(length), changing(length)...) {
		for _, other := range []struct{ bias, noise, use float64 }{{0.7, 0, 0.95}, {1.5, 0, 0.95}, {1, 0.2, 0.89}} {
			o.bias, o.noise, o.Want = other.bias, other.noise, Figures{Use: other.use, Refused: 0.013}
			for _, o.load = range []float64{2, 5} {
				all = append(all, o)
			}
		}
	}
	return all
}

// RecentAnswers are orders whose server estimates the output by its last answers, which are now
// shorter and now longer. The ledger can learn that.
func RecentAnswers(length float64) []Order {
	var all []Order
	for _, o := range steady(length) {
		o.Want = Figures{Use: 0.95, Refused: 0.01}
		if o.GSUs == 100 { // most of a window is open, and the mean changes within it
			o.Want = Figures{Use: 0.93, Refused: 0.015}
		}
		for _, o.recent = range []float64{12, 40, 150} {
			for _, o.load = range []float64{2, 5} {
				all = append(all, o)
			}
		}
	}
	return all
}

// ShrinkingWindows are orders whose window shrinks. They count from two windows after that.
func ShrinkingWindows() []Order {
	var all []Order
	for _, o := range []struct {
		gsus     int
		from, to float64
	}{{1, 120, 40}, {10, 30, 5}, {100, 5, 1}} {
		turn := 20 * o.from
		all = append(all, Order{
			GSUs: o.gsus, Window: fmt.Sprintf("%gs→%gs", o.from, o.to), Want: Figures{Use: 0.9, Refused: 0.015},
			window: turns(o.from, o.to, turn), length: turn + 10*o.from, since: turn + 2*o.from, load: 2, bias: 1,
		})
	}
	return all
}

// ending is a call under way; the heap holds them by the time at which they end.
type ending struct {
	at      float64
	cost    float64
	output  float64
	call    int
	hold    quota.Hold
	refused bool
}

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any) {
	call, _ := x.(ending)
	*e = append(*e, call)
}

func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// run offers calls to the order, the same ones for the same seed. It sends those for which the
// ledger finds room, and without a ledger all of them.
func (o Order) run(seed uint64, ledger *quota.Ledger) outcome {
	rate := throughput * float64(o.GSUs)
	calls := rand.New(rand.NewPCG(seed, 1))
	server := &server{rate: rate, window: o.window, output: outputRate * outputMean * o.bias, noise: o.noise, recent: o.recent,
		rng: rand.New(rand.NewPCG(seed, 2))}
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	at := func(t float64) time.Time { return start.Add(time.Duration(t * float64(time.Second))) }

	var out outcome
	var running endings
	mean, seen := 400.0, 0.0 // the caller's guess of the output
	end := func(e ending) {
		switch {
		case ledger == nil && !e.refused:
			server.done(e.call, e.cost, outputRate*e.output)
		case ledger == nil:
		case e.refused:
			ledger.Refuse(at(e.at), e.hold)
		default:
			server.done(e.call, e.cost, outputRate*e.output)
			seen++
			mean += max(1/seen, 1.0/200) * (e.output - mean)
			ledger.Settle(at(e.at), e.hold, quota.Cost{Input: e.cost - outputRate*e.output, Output: outputRate * e.output})
		}
	}
	for t := calls.ExpFloat64(); t < o.length; t += calls.ExpFloat64() * costMean / (o.load * rate) {
		prompt := math.Round(promptMedian * math.Exp(promptSigma*calls.NormFloat64()))
		output := math.Round(outputMedian * math.Exp(outputSigma*calls.NormFloat64()))
		duration := 1 + 19*calls.Float64()
		for len(running) > 0 && running[0].at <= t {
			e, _ := heap.Pop(&running).(ending)
			end(e)
		}
		counts := t >= o.since
		if counts {
			out.calls++
		}
		e := ending{at: t + duration, cost: prompt + outputRate*output, output: output}
		if ledger != nil {
			var ok bool
			if e.hold, ok = ledger.Reserve(at(t), quota.Cost{Input: prompt, Output: outputRate * mean, Usual: outputRate * mean}); !ok {
				if counts {
					out.spilled++
				}
				continue
			}
		}
		var ok bool
		if e.call, ok = server.ask(t, prompt); !ok {
			e.at, e.refused = t+refusalDelay, true
		}
		switch {
		case !counts:
		case ok:
			out.used += e.cost
		default:
			out.refused++
		}
		heap.Push(&running, e)
	}
	if ledger != nil {
		out.stat = ledger.Stat(at(o.length))
	}
	return out
}

// Check runs the order for each of the seeds, with the ledger and asking first, and fails the test
// if the median misses a figure. The slack lowers the use wanted, and raises the other bounds by a
// tenth of it: few seeds have no good median.
func (o Order) Check(t *testing.T, seeds uint64, slack float64) {
	t.Helper()
	var use, refused, spilled []float64
	var stat quota.LedgerStat
	for seed := uint64(1); seed <= seeds; seed++ {
		first, got := o.run(seed, nil), o.run(seed, o.ledger(t))
		use = append(use, got.used/first.used)
		refused = append(refused, float64(got.refused)/float64(got.calls))
		spilled = append(spilled, float64(got.spilled-first.refused)/float64(got.calls))
		stat = got.stat
	}
	for _, v := range [][]float64{use, refused, spilled} {
		slices.Sort(v)
	}
	last := len(use) - 1
	m := Figures{use[len(use)/2], refused[last/2], spilled[last/2]}
	t.Logf("%v  use %.3f (worst %.3f)  refused %.2f %% (%.2f %%)  spilled needlessly %+.2f %% (%+.2f %%)  at the end: window %v, guess %.2f",
		o, m.Use, use[0], 100*m.Refused, 100*refused[last], 100*m.Spilled, 100*spilled[last], stat.Window.Round(10*time.Millisecond), stat.Guess)
	o.compare(t, m, slack)
}

// CheckSum is Check for the sums over all seeds in place of the medians.
func (o Order) CheckSum(t *testing.T, seeds uint64, slack float64) {
	t.Helper()
	var refused, calls int
	var used, first float64
	for seed := range seeds {
		out := o.run(seed, o.ledger(t))
		refused, calls, used = refused+out.refused, calls+out.calls, used+out.used
		first += o.run(seed, nil).used
	}
	m := Figures{Use: used / first, Refused: float64(refused) / float64(calls)}
	t.Logf("%v  use %.3f, refused %.2f %%", o, m.Use, 100*m.Refused)
	o.compare(t, m, slack)
}

func (o Order) ledger(t *testing.T) *quota.Ledger {
	t.Helper()
	l, err := quota.NewLedger(quota.Order{Model: "gemini-2.5-flash", GSUs: o.GSUs})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (o Order) compare(t *testing.T, m Figures, slack float64) {
	t.Helper()
	if !(m.Use >= o.Want.Use-slack) || !(m.Refused <= o.Want.Refused+slack/10) {
		t.Errorf("%v: a use of %.3f and %.2f %% refused, want at least %.3f and at most %.2f %%",
			o, m.Use, 100*m.Refused, o.Want.Use-slack, 100*(o.Want.Refused+slack/10))
	}
	if o.Want.Spilled > 0 && m.Spilled > o.Want.Spilled+slack/10 {
		t.Errorf("%v: %.2f %% spilled needlessly, want at most %.2f %%", o, 100*m.Spilled, 100*(o.Want.Spilled+slack/10))
	}
}

func (o Order) String() string {
	return fmt.Sprintf("%3d GSUs  window %-9s  load %.1f  bias %.1f noise %.1f recent %3.0f", o.GSUs, o.Window, o.load, o.bias, o.noise, o.recent)
}
