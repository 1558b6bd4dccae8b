package geminitest

import (
	"sort"
	"sync"
	"time"
)

// orders keeps all Provisioned Throughput orders. It is safe for concurrent use.
type orders struct {
	mu      sync.Mutex
	ledgers map[account]*ledger
}

// newOrders lays the orders of all projects down.
func newOrders(cfg Config) *orders {
	o := &orders{ledgers: map[account]*ledger{}}
	for _, p := range cfg.Projects {
		for _, order := range p.Orders {
			who := account{p.ID, order.Location, order.Model}
			o.ledgers[who] = newLedger(order, seeded(cfg.Seed, "window", who.project, who.location, who.model), cfg.Output)
		}
	}
	return o
}

// ledger is one order: throughput × window tokens in any span as long as the window.
type ledger struct {
	table    row
	quota    float64
	window   time.Duration
	meanOut  float64 // running mean of output tokens, for the estimate
	spent    []spending
	inWindow float64
	served   float64 // by completed calls
}

// spending is what was admitted within one millisecond, the grain of Google's clock.
type spending struct {
	at     int64 // ms
	tokens float64
}

// newLedger opens the order. The draw, in [0, 1), picks a window from the range that Google
// documents for so many GSUs: 40 to 120 s up to 3 GSUs, 5 to 30 s below 50, 1 to 5 s from 50 on
// ("automatic, subject to change").
func newLedger(o Order, draw float64, output int) *ledger {
	table, known := throughput[o.Model]
	if !known {
		table = row{rates: Burndown{1, 1, 1, 1, 1}}
	}
	table.rates = table.rates.with(o.Burndown)
	if table.long != (Burndown{}) {
		table.long = table.long.with(o.Burndown)
	}
	perSecond := o.TokensPerSecond
	if perSecond == 0 {
		perSecond = float64(o.GSUs) * table.perGSU
	}
	gsus := float64(o.GSUs)
	if gsus == 0 && table.perGSU > 0 {
		gsus = perSecond / table.perGSU
	}
	window := o.Window
	if window == 0 {
		low, high := 40*time.Second, 120*time.Second
		switch {
		case gsus >= 50:
			low, high = time.Second, 5*time.Second
		case gsus > 3:
			low, high = 5*time.Second, 30*time.Second
		}
		window = low + time.Duration(draw*float64(high-low)).Round(time.Second)
	}
	return &ledger{table: table, window: window, quota: perSecond * window.Seconds(), meanOut: float64(output)}
}

// with returns the rates with those of o that are not zero.
func (b Burndown) with(o Burndown) Burndown {
	for _, r := range []struct {
		rate *float64
		over float64
	}{
		{&b.Input, o.Input}, {&b.InputAudio, o.InputAudio}, {&b.Cached, o.Cached}, {&b.CachedAudio, o.CachedAudio}, {&b.Output, o.Output},
	} {
		if r.over != 0 {
			*r.rate = r.over
		}
	}
	return b
}

// burn is what a call costs.
func (l *ledger) burn(p prompt, output float64) float64 {
	rates := l.table.rates
	if p.tokens > longInput && l.table.long != (Burndown{}) {
		rates = l.table.long
	}
	fresh := share{tokens: p.tokens - p.cached.tokens, audio: p.audio - p.cached.audio}
	return float64(fresh.tokens-fresh.audio)*rates.Input + float64(fresh.audio)*rates.InputAudio +
		float64(p.cached.tokens-p.cached.audio)*rates.Cached + float64(p.cached.audio)*rates.CachedAudio + output*rates.Output
}

// advance forgets what lies a window back.
func (l *ledger) advance(now time.Time) {
	horizon := now.Add(-l.window).UnixMilli()
	n := 0
	for ; n < len(l.spent) && l.spent[n].at <= horizon; n++ {
		l.inWindow -= l.spent[n].tokens
	}
	if l.spent = l.spent[n:]; len(l.spent) == 0 {
		l.inWindow = 0 // no rounding error outlives the window
	}
}

// spend books tokens at a moment within the window.
func (l *ledger) spend(at int64, tokens float64) {
	i := sort.Search(len(l.spent), func(i int) bool { return l.spent[i].at >= at })
	if i == len(l.spent) || l.spent[i].at != at {
		l.spent = append(l.spent, spending{})
		copy(l.spent[i+1:], l.spent[i:])
		l.spent[i] = spending{at: at}
	}
	l.spent[i].tokens += tokens
	l.inWindow += tokens
}

// reservation is an admitted call of an order.
type reservation struct {
	orders   *orders
	ledger   *ledger
	prompt   prompt
	at       int64
	estimate float64
}

// reserve admits a call to an order if its estimate fits into what is left: all of it, or not at
// all. The estimate of the output is the mean of this order's recent answers, at most what the call
// allows; Google's own way is unpublished. It returns nil if the order is full or there is none.
func (o *orders) reserve(now time.Time, who account, p prompt) *reservation {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.ledgers[who]
	if l == nil {
		return nil
	}
	l.advance(now)
	output := l.meanOut
	switch {
	case len(p.inputs) > 0:
		output = 0 // embeddings
	case p.maxOutput > 0:
		output = min(output, float64(p.maxOutput))
	}
	estimate := l.burn(p, output*float64(p.candidates))
	if l.inWindow+estimate > l.quota {
		return nil
	}
	at := now.UnixMilli()
	l.spend(at, estimate)
	return &reservation{orders: o, ledger: l, prompt: p, at: at, estimate: estimate}
}

// settle replaces the estimate by what the call cost. A difference whose moment has left the window
// changes nothing any more.
func (r *reservation) settle(now time.Time, output int) {
	o, l := r.orders, r.ledger
	o.mu.Lock()
	defer o.mu.Unlock()
	l.advance(now)
	actual := l.burn(r.prompt, float64(output))
	if r.at > now.Add(-l.window).UnixMilli() {
		l.spend(r.at, actual-r.estimate)
	}
	l.meanOut += (float64(output)/float64(r.prompt.candidates) - l.meanOut) / 16
	l.served += actual
}

// OrderUsage returns how many tokens, burned down, an order has served so far; 0 if there is no
// such order.
func (e *Emulator) OrderUsage(project, location, model string) float64 {
	e.orders.mu.Lock()
	defer e.orders.mu.Unlock()
	if l := e.orders.ledgers[account{project, location, model}]; l != nil {
		return l.served
	}
	return 0
}

// OrderWindow returns the enforcement window of an order and the tokens that it takes in it, which
// Google does not tell; 0 if there is no such order.
func (e *Emulator) OrderWindow(project, location, model string) (window time.Duration, tokens float64) {
	e.orders.mu.Lock()
	defer e.orders.mu.Unlock()
	if l := e.orders.ledgers[account{project, location, model}]; l != nil {
		return l.window, l.quota
	}
	return 0, 0
}
