package pool

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

const (
	// storeTimeout bounds every call to the store, unless the configuration says otherwise.
	storeTimeout = 50 * time.Millisecond
	// fleetTick is how often the syncer looks for what to report, to give back and to ask for.
	fleetTick = 250 * time.Millisecond
	// fleetBeat is how often a member says that it is alive.
	fleetBeat = time.Second
	// fleetRetry is how soon a store that failed is asked again. It doubles up to fleetBeat.
	fleetRetry = 200 * time.Millisecond
	// fleetWithheld is the part of its share that a member that lapsed is taken to use: see
	// quota.Sharing.
	fleetWithheld = 0.92
)

// fleet is the part that this pool has in a fleet of replicas: it carries between the pool's memory
// and a [store.Store]. One goroutine, the syncer, asks for credit before it is needed, or when calls
// wait for some, and reports what was used. Calls never ask the store themselves. While the store
// does not answer, each quota keeps to the law of [quota.Sharing].
//
// A nil fleet is that of a pool without a store.
type fleet struct {
	pool    *Pool
	store   store.Store
	name    string
	timeout time.Duration
	alone   quota.Sharing // before the fleet was ever heard of

	kicks  chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
	close  sync.Once

	deaf chan struct{} // closed when nothing is heard any more

	windows windows
	facts   facts
	claims  claims
	health  health
}

// health is what the syncer knows of the store and of the fleet. The syncer writes it.
type health struct {
	mu       sync.Mutex
	members  store.Fleet
	first    chan struct{} // closed when the fleet was heard of
	heard    bool          // the fleet was ever heard of
	law      quota.Sharing // of a quota, while the store is away
	answers  bool          // the store answers
	in       bool          // and knows what all have used: its credit counts
	told     bool          // StoreLost was the last event
	since    time.Time     // when answers changed
	failures int           // in a row
	lapsed   time.Time     // when more members had lapsed than before
	returned time.Time     // when the store answered again, after it did not for a while
	settled  time.Time     // when the fleet will have reported all that it used while the store was away
	ahead    time.Duration // of the store's clock before this process's
	rtt      time.Duration // of the call that ahead is from
	measured time.Time
	lag      time.Duration // of the last call
	lost     atomic.Bool   // not in
}

func newFleet(p *Pool, cfg *Config) *fleet {
	if cfg.Store == nil {
		return nil
	}
	var name [8]byte
	_, _ = rand.Read(name[:])
	ctx, cancel := context.WithCancel(context.Background())
	f := &fleet{
		pool: p, store: cfg.Store, name: hex.EncodeToString(name[:]), timeout: cfg.StoreTimeout, alone: quota.Sharing{Part: cfg.Share},
		kicks: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{}), deaf: make(chan struct{}),
	}
	if f.timeout == 0 {
		f.timeout = storeTimeout
	}
	f.health.since, f.health.first = time.Now(), make(chan struct{})
	f.health.lost.Store(true)
	f.windows.all = make(map[*limits]*window)
	go f.run(ctx)
	go f.listen(ctx)
	return f
}

// kick has the syncer look at once.
func (f *fleet) kick() {
	if f == nil {
		return
	}
	select {
	case f.kicks <- struct{}{}:
	default: // it will
	}
}

// leave reports what was used, gives everything back and ends the syncer. It takes a few calls to the
// store, each of which is bounded. Leases that still end are counted by this process alone.
func (f *fleet) leave() {
	if f == nil {
		return
	}
	f.close.Do(func() {
		f.cancel()
		<-f.ended
		<-f.deaf
	})
}

// run is the syncer.
func (f *fleet) run(ctx context.Context) {
	defer close(f.ended)
	var beat, retry time.Time
	tick := time.NewTicker(fleetTick)
	defer tick.Stop()
	for {
		now := time.Now()
		if !now.Before(retry) {
			ok := true
			if !now.Before(beat) || !f.health.answers {
				if ok = f.beat(ctx, false); ok {
					beat = now.Add(fleetBeat)
				}
			}
			if ok = ok && f.take(ctx) && f.claim(ctx) && f.publish(ctx); !ok {
				retry = time.Now().Add(f.health.pause())
			}
			f.pool.outbox.deliver()
		}
		select {
		case <-f.kicks:
		case <-tick.C:
		case <-ctx.Done():
			f.goodbye()
			return
		}
	}
}

// goodbye ends the member.
func (f *fleet) goodbye() {
	ctx := context.Background()
	if f.health.answers {
		f.windows.giveBack()
		f.claims.giveBack()
		if f.take(ctx) && f.claim(ctx) && f.publish(ctx) {
			f.beat(ctx, true)
		}
	}
	f.setIn(time.Now(), false)
}

// pause is how long to wait after a failure.
func (h *health) pause() time.Duration {
	return min(fleetRetry<<min(h.failures-1, 4), fleetBeat)
}

// call carries out one bounded call to the store, and notes how it ended. what returns the store's
// time, if it is told.
func (f *fleet) call(ctx context.Context, bound time.Duration, what func(ctx context.Context) (time.Time, error)) bool {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	sent := time.Now()
	theirs, err := what(ctx)
	now := time.Now()
	if err != nil {
		f.failed(now)
		return false
	}
	h := &f.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lag = now.Sub(sent)
	// A quick answer tells the store's clock best; an old one not at all, as clocks drift.
	if !theirs.IsZero() && (h.lag <= h.rtt || h.measured.IsZero() || now.Sub(h.measured) > 10*time.Second) {
		h.ahead, h.rtt, h.measured = theirs.Sub(sent.Add(h.lag/2)), h.lag, now
	}
	h.failures = 0
	if !h.answers {
		if now.Sub(h.since) > fleetBeat && h.heard {
			h.returned = now
		}
		h.answers, h.since = true, now
	}
	return true
}

// failed notes that a call to the store failed. Quotas keep to their law at once. Only a second
// failure is told.
func (f *fleet) failed(now time.Time) {
	h := &f.health
	h.mu.Lock()
	h.failures++
	if h.answers {
		h.answers, h.since = false, now
	}
	tell := h.failures > 1 && !h.told
	h.told = h.told || tell
	since := h.since
	h.mu.Unlock()
	f.setIn(now, false)
	if tell {
		f.pool.outbox.post(Event{At: now, Kind: StoreLost, Since: since})
	}
}

// beat says that the member is alive, or leaves, and hears of the fleet.
func (f *fleet) beat(ctx context.Context, leaves bool) bool {
	var members store.Fleet
	ok := f.call(ctx, f.timeout, func(ctx context.Context) (now time.Time, err error) {
		members, err = f.store.Beat(ctx, f.name, leaves)
		return members.Now, err
	})
	if !ok || leaves {
		return ok
	}
	h := &f.health
	h.mu.Lock()
	lost := h.heard && members.Epoch != h.members.Epoch
	if members.Lapsed > h.members.Lapsed {
		h.lapsed = time.Now().Add(-store.Lapse)
	}
	if !h.heard {
		close(h.first)
	}
	h.members, h.heard = members, true
	h.settled = later(members.Since.Add(-h.ahead), h.returned).Add(store.Settling)
	// Who is heard of again first finds few others.
	if n := max(members.Members+members.Lapsed, 1); n >= h.law.Members || h.in && time.Now().After(h.settled) {
		h.law = quota.Sharing{Members: n, Rank: members.Rank}
	}
	h.mu.Unlock()
	if lost { // the windows say which of them are lost, too
		f.windows.pollAll()
	}
	return true
}

// setIn notes whether the store's credit counts, and has every quota keep to its law if not.
func (f *fleet) setIn(now time.Time, in bool) {
	h := &f.health
	h.mu.Lock()
	changed := h.in != in
	h.in = in
	h.lost.Store(!in)
	back := in && h.told
	if back {
		h.told = false
	}
	since, law := h.since, f.lawLocked()
	h.mu.Unlock()
	if back {
		f.pool.outbox.post(Event{At: now, Kind: StoreBack, Since: since})
	}
	if !changed {
		return
	}
	for _, w := range f.windows.list() {
		w.keep(now, law, in)
	}
	f.pool.queue.changed(now)
}

// lawLocked is the law of a quota whose others cannot be heard of. The caller holds the health's
// lock.
func (f *fleet) lawLocked() quota.Sharing {
	if !f.health.heard {
		return f.alone
	}
	return f.health.law
}

// state returns the law in force, and whether credit counts.
func (f *fleet) state() (law quota.Sharing, in bool) {
	f.health.mu.Lock()
	defer f.health.mu.Unlock()
	return f.lawLocked(), f.health.in
}

// stat returns a snapshot; nil of a pool without a store.
func (f *fleet) stat() *store.Stat {
	if f == nil {
		return nil
	}
	h := &f.health
	h.mu.Lock()
	defer h.mu.Unlock()
	return &store.Stat{
		Member: f.name, Answers: h.answers, In: h.in, Since: h.since, Members: h.members.Members, Lapsed: h.members.Lapsed,
		Lag: h.lag, Ahead: h.ahead, Windows: f.windows.count(),
	}
}
