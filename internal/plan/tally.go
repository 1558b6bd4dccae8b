package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spillway-go/spillway/internal/demand"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// Buy is what an order may be of.
type Buy struct {
	Model, Location string
	// TokensPerSecond is the throughput of one GSU, and Burndown what tokens cost. Zero and nil are
	// those of the built-in table.
	TokensPerSecond float64
	Burndown        *quota.Burndown
}

// ErrNoFigures says that the built-in table does not have a model, and nobody stated the figures.
var ErrNoFigures = errors.New("there are no figures of what a GSU serves")

// order returns an order of so many GSUs.
func (b *Buy) order(gsus int) pool.Order {
	return pool.Order{
		Model: b.Model, Location: b.Location, GSUs: gsus, TokensPerSecond: b.TokensPerSecond * float64(gsus), Burndown: b.Burndown,
	}
}

// rates returns the throughput of one GSU, and what calls cost. It fails if they are not known.
func (b *Buy) rates() (perGSU float64, cost func(quota.Usage) float64, err error) {
	o := b.order(1)
	l, err := quota.NewLedger(quota.Order{Model: o.Model, GSUs: 1, TokensPerSecond: o.TokensPerSecond, Burndown: o.Burndown})
	_, known := quota.RowOf(b.Model)
	if err != nil || !known && b.Burndown == nil { // an answer may cost many times its tokens
		return 0, nil, fmt.Errorf("%w of %s: state --tokens-per-second and --burndown", ErrNoFigures, b.Model)
	}
	return l.Stat(time.Time{}).TokensPerSecond, func(u quota.Usage) float64 {
		c := l.Cost(u)
		return c.Input + c.Output
	}, nil
}

// Tally is what became of calls with one order, as far as one length of Google's window goes.
type Tally struct {
	Window time.Duration
	// Calls are all, Served those that the order served. Asked is how often the order, being full, was
	// asked in vain.
	Calls, Served, Asked int
	// Tokens are burned down: of all calls, of those that the order served, and of those that spilled.
	Tokens, ServedTokens, SpilledTokens float64
	// TooLarge, Sustained and Burst are why tokens spilled: the call alone is larger than the window;
	// the calls of the last minute are more than was bought for it; or only those of some seconds.
	TooLarge, Sustained, Burst float64
	// Idle is the part of what was bought that served nothing.
	Idle float64

	spilled []int32 // which calls
}

// Spill is the part of the tokens that the order did not serve.
func (t *Tally) Spill() float64 {
	if t.Tokens == 0 {
		return 0
	}
	return t.SpilledTokens / t.Tokens
}

// minute is the time over which load counts as sustained.
const minute = time.Minute

// tally runs the calls against an order of so many GSUs and a window of that length.
func (b *Buy) tally(ctx context.Context, calls []demand.Call, gsus int, window, wait time.Duration, progress func()) (*Tally, error) {
	perGSU, cost, err := b.rates()
	if err != nil {
		return nil, err
	}
	rate := perGSU * float64(gsus)
	t := &Tally{Window: window, Calls: len(calls)}
	ordered := make([]bool, len(calls))
	w := World{
		Pool: pool.Config{Projects: []pool.Project{{
			Name: "plan", Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: []string{b.Location},
			Provisioned: []pool.Order{b.order(gsus)},
		}}},
		MaxWait: wait,
		Window:  func(*pool.Order) time.Duration { return window },
	}
	if wait > 0 { // then they go on demand
		w.Traffic = pool.TrafficProvisioned
	}
	told := 0
	err = w.Run(ctx, calls, func(i int, f Fate) {
		t.Asked += f.Refusals
		ordered[i] = f.Ordered
		if told++; told%progressEvery == 0 {
			progress()
		}
	})
	if err != nil {
		return nil, err
	}
	t.sum(calls, ordered, cost, rate)
	return t, nil
}

// progressEvery is after how many calls progress is told.
const progressEvery = 1000

// sum adds up what became of the calls.
func (t *Tally) sum(calls []demand.Call, ordered []bool, cost func(quota.Usage) float64, rate float64) {
	last := 0 // the first call of the past minute
	recent := 0.0
	for i := range calls {
		tokens := cost(calls[i].Usage)
		t.Tokens += tokens
		recent += tokens
		for calls[i].At.Sub(calls[last].At) > minute {
			recent -= cost(calls[last].Usage)
			last++
		}
		if ordered[i] {
			t.Served++
			t.ServedTokens += tokens
			continue
		}
		t.SpilledTokens += tokens
		t.spilled = append(t.spilled, int32(i))
		switch {
		case tokens > rate*t.Window.Seconds():
			t.TooLarge += tokens
		case recent > rate*minute.Seconds():
			t.Sustained += tokens
		default:
			t.Burst += tokens
		}
	}
	if n := len(calls); n > 1 {
		if bought := rate * calls[n-1].At.Sub(calls[0].At).Seconds(); bought > 0 {
			t.Idle = max(1-t.ServedTokens/bought, 0)
		}
	}
}
