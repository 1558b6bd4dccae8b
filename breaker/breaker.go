// Package breaker stops calls to a back end that is failing, and lets them return with care. It is
// sony/gobreaker made safe for calls that last minutes.
//
// gobreaker is the state machine: closed, open, half open. What it leaves open is closed around it.
// It hears of a call only when the call has ended, and then in one step, so that a call which never
// ends can hold nothing and a call that outlasts the window still counts. Results come from a
// [Permit] that ends once. The open period is ours: it doubles and is jittered. Callbacks run after
// every lock is released.
//
// Times are arguments. They should come from [time.Now], since gobreaker reads that clock too, if
// only to see that it moved on since the breaker opened.
package breaker

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// instant is a time in nanoseconds since a breaker was made.
type instant int64

const (
	// always is before every instant: the breaker is closed, or was never slowed.
	always = instant(math.MinInt64)
	// horizon keeps instants so far from the ends of int64 that adding any configured duration
	// stays in range.
	horizon = time.Duration(1) << 61
)

// Breaker opens when calls fail: [Config].Failures of them in a row, or [Config].Ratio of the
// recent ones. Make one with [New]. All methods may be used by many goroutines at once.
type Breaker struct {
	cfg      Config
	onChange func(Change)
	epoch    time.Time // only for differences; keeps the monotonic clock

	// The fields below are written under mu (ring: successes are not) and read without it. A writer
	// that leaves the closed state writes ready before generation, and a reader reads generation
	// before ready. No permit of the closed state therefore carries the generation of an open one.
	ready      instantValue // when a call would be let through; always: closed
	generation atomic.Uint64
	failing    atomic.Bool  // calls failed lately: the next success must reach gobreaker
	slow       instantValue // when the slow start is over
	ring       ring

	mu      sync.Mutex
	machine *gobreaker.CircuitBreaker[struct{}]
	state   State
	now     time.Time // what the call under way gave; gobreaker's callbacks have no argument for it
	probe   uint64    // number of the latest probe
	opens   int       // open periods since the breaker was last well, which decide the length of the next
	opened  int64     // open periods ever
	changes []Change
}

// New returns a closed breaker. Fields of cfg that [Config.Validate] refuses get their defaults.
// onChange may be nil; it is called for each change by the goroutine whose call caused it, after
// all locks are released, so it may use the breaker. Changes that two goroutines cause at nearly
// the same time may arrive in either order.
func New(cfg Config, onChange func(Change)) *Breaker {
	b := &Breaker{cfg: cfg.effective(), onChange: onChange, epoch: time.Now()}
	b.ring.width = max(b.cfg.Window/slots, 1)
	b.ready.Store(always)
	b.slow.Store(always)
	b.machine = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   1,
		Timeout:       1, // the least it takes: ours, in ready, is in front of it
		ReadyToTrip:   b.readyToTrip,
		OnStateChange: b.enter,
	})
	return b
}

// Ready reports whether a call at now would be let through: the breaker is closed, or its open
// period is over and no probe is out. It changes nothing and is a single atomic load while the
// breaker is closed.
func (b *Breaker) Ready(now time.Time) bool {
	ready := b.ready.Load()
	return ready == always || ready <= b.instant(now)
}

// Closed reports whether the breaker lets every call through.
func (b *Breaker) Closed() bool { return b.ready.Load() == always }

// Until returns when a call would be let through if nothing else happens: the end of the open
// period, or that of the lease of the probe that is out. The zero time means now. Of several
// breakers that are all open, the one with the earliest Until is the least bad.
func (b *Breaker) Until(now time.Time) time.Time {
	return b.timeOf(b.ready.Load(), now)
}

// Allow asks for leave to make a call that ends by deadline (zero: none), and reports whether it
// was given. Without leave the permit is the zero Permit. Asking a closed breaker takes no lock and
// allocates nothing.
//
// After an open period the first call is the probe, and others are refused until it ends or its
// lease does: after [Config].Probe or at deadline, whichever is first. A probe that outlives its
// lease still counts when it ends, unless the breaker has closed or opened meanwhile.
func (b *Breaker) Allow(now, deadline time.Time) (Permit, bool) {
	generation := b.generation.Load()
	ready := b.ready.Load()
	if ready == always {
		return Permit{b: b, generation: generation}, true
	}
	if ready > b.instant(now) {
		return Permit{}, false
	}
	return b.allowSlow(now, deadline)
}

// Force asks like [Breaker.Allow], and permits the call even if Allow does not. It is for callers
// without another back end. The result counts: a success closes the breaker. A failure in an open
// period restarts the period without doubling it, so that of several open breakers each gets its
// turn.
func (b *Breaker) Force(now, deadline time.Time) Permit {
	if p, ok := b.Allow(now, deadline); ok {
		return p
	}
	return Permit{b: b, generation: b.generation.Load()}
}

// Weight returns the share of its usual traffic that the back end should get at now: from 0.1
// rising to 1 over [Config].SlowStart once the breaker has closed again, otherwise 1.
func (b *Breaker) Weight(now time.Time) float64 {
	slow := b.slow.Load()
	if slow == always {
		return 1
	}
	since := instant(b.cfg.SlowStart) - (slow - b.instant(now))
	return min(max(float64(since)/float64(b.cfg.SlowStart), 0.1), 1)
}

// Stat returns a snapshot at now.
func (b *Breaker) Stat(now time.Time) Stat {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls, failures := b.ring.sum(b.instant(now))
	stat := Stat{
		State:     b.state,
		Until:     b.Until(now),
		Weight:    b.Weight(now),
		Calls:     calls,
		Failures:  failures,
		OpenCount: b.opened,
	}
	if b.state == StateClosed {
		stat.Run = int(b.machine.Counts().ConsecutiveFailures)
	}
	return stat
}

// allowSlow gives leave to the probe, or to a call that finds the breaker closed by now.
func (b *Breaker) allowSlow(now, deadline time.Time) (Permit, bool) {
	b.mu.Lock()
	defer b.unlock()
	b.now = now
	at := b.instant(now)
	ready := b.ready.Load()
	if ready == always {
		return Permit{b: b, generation: b.generation.Load()}, true
	}
	// State moves gobreaker from open to half open; it stays open if its clock stood still since it
	// opened.
	if ready > at || b.machine.State() == gobreaker.StateOpen {
		return Permit{}, false
	}
	lease := at + instant(b.cfg.Probe)
	if !deadline.IsZero() {
		lease = min(lease, b.instant(deadline))
	}
	b.ready.Store(lease)
	b.probe++
	return Permit{b: b, generation: b.generation.Load(), probe: b.probe}, true
}

// release lets another call probe, if the probe of that number is the one that is out.
func (b *Breaker) release(generation, probe uint64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.generation.Load() == generation && b.probe == probe {
		b.ready.Store(min(b.ready.Load(), b.instant(now)))
	}
}

var errFailed = errors.New("breaker: the call failed")

// record counts a result, unless the state changed since the call began. err is nil or errFailed.
func (b *Breaker) record(generation uint64, now time.Time, err error) {
	b.mu.Lock()
	defer b.unlock()
	if b.generation.Load() != generation {
		return
	}
	b.now = now
	at := b.instant(now)
	if b.state == StateOpen && err != nil {
		// Only a forced call has a result in the open state.
		b.ready.Store(max(b.ready.Load(), at+instant(b.period())))
		return
	}
	if b.state == StateClosed {
		b.ring.add(at, err != nil)
		b.failing.Store(err != nil)
	}
	// Execute returns err; or that gobreaker is open still because its clock stood still since it
	// opened, and then a forced success does not close it.
	_, _ = b.machine.Execute(func() (struct{}, error) { return struct{}{}, err })
}

// readyToTrip decides whether a failure opens the closed breaker. gobreaker calls it while mu is
// held.
func (b *Breaker) readyToTrip(counts gobreaker.Counts) bool {
	if int64(counts.ConsecutiveFailures) >= int64(b.cfg.Failures) {
		return true
	}
	calls, failures := b.ring.sum(b.instant(b.now))
	return calls >= b.cfg.MinCalls && float64(failures) >= b.cfg.Ratio*float64(calls)
}

// enter follows gobreaker into a state. gobreaker calls it while mu is held.
func (b *Breaker) enter(_ string, _, to gobreaker.State) {
	at := b.instant(b.now)
	change := Change{From: b.state, At: b.now}
	switch to {
	case gobreaker.StateClosed:
		b.state = StateClosed
		b.slow.Store(at + instant(b.cfg.SlowStart))
		b.ring.clear()
		b.ready.Store(always)
	case gobreaker.StateHalfOpen:
		b.state = StateHalfOpen
	case gobreaker.StateOpen:
		if b.state == StateClosed && at >= b.slow.Load() {
			b.opens = 0
		}
		b.state = StateOpen
		b.opens++
		b.opened++
		b.ready.Store(at + instant(b.period()))
		change.Until = b.Until(b.now)
	}
	b.generation.Add(1)
	change.To = b.state
	b.changes = append(b.changes, change)
}

// period draws the length of the open period: doubled for each one before it, then between half of
// that and all.
func (b *Breaker) period() time.Duration {
	d := b.cfg.Open
	for range b.opens - 1 {
		if d >= b.cfg.MaxOpen/2 {
			d = b.cfg.MaxOpen
			break
		}
		d *= 2
	}
	return d - rand.N(d/2+1)
}

// unlock releases mu and then reports what changed under it.
func (b *Breaker) unlock() {
	changes := b.changes
	b.changes = nil
	b.mu.Unlock()
	if b.onChange == nil {
		return
	}
	for _, c := range changes {
		b.onChange(c)
	}
}

func (b *Breaker) instant(t time.Time) instant {
	return instant(min(max(t.Sub(b.epoch), -horizon), horizon))
}

// timeOf returns the time of i on the clock of now; zero if it has come.
func (b *Breaker) timeOf(i instant, now time.Time) time.Time {
	at := b.instant(now)
	if i <= at {
		return time.Time{}
	}
	return now.Add(time.Duration(i - at))
}

// instantValue is an instant to read and write atomically.
type instantValue struct{ v atomic.Int64 }

func (i *instantValue) Load() instant   { return instant(i.v.Load()) }
func (i *instantValue) Store(t instant) { i.v.Store(int64(t)) }
