package pool

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
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
)

// fleet is the part that this pool has in a fleet of replicas: it carries between the pool's memory
// and a [store.Store]. One goroutine, the syncer, asks for credit before it is needed, or when calls
// wait for some, and reports what was used. Calls never ask the store themselves. While the store
// does not answer, each quota keeps to the law of [quota.Sharing].
//
// A nil fleet is that of a pool without a store: it does nothing.
type fleet struct {
	pool *Pool
	link *link

	kicks  chan struct{}
	cancel context.CancelFunc
	close  sync.Once
	ended  chan struct{} // closed when the syncer has ended,
	deaf   chan struct{} // and when nothing is heard any more

	windows windows
	facts   facts
	claims  claims
}

func newFleet(p *Pool, cfg *Config) *fleet {
	if cfg.Store == nil {
		return nil
	}
	var name [8]byte
	_, _ = rand.Read(name[:])
	ctx, cancel := context.WithCancel(context.Background())
	f := &fleet{
		pool: p, link: newLink(cfg.Store, hex.EncodeToString(name[:]), cfg.StoreTimeout, quota.Sharing{Part: cfg.Share}),
		kicks: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{}), deaf: make(chan struct{}),
	}
	f.windows = windows{fleet: f, all: make(map[*limits]*window)}
	f.facts = facts{fleet: f, waiting: make(map[store.Key]store.Fact)}
	f.claims = claims{fleet: f, bySubject: make(map[Subject]*claim)}
	go f.run(ctx)
	go f.facts.listen(ctx)
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
			if !now.Before(beat) || f.link.lost.Load() {
				if ok = f.beat(ctx, false); ok {
					beat = now.Add(fleetBeat)
				}
			}
			if ok = ok && f.sync(ctx); !ok {
				retry = time.Now().Add(f.link.pause())
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

// sync asks and tells the store what there is to ask and to tell. What calls wait for comes first.
func (f *fleet) sync(ctx context.Context) bool {
	return f.windows.take(ctx) && f.claims.ask(ctx) && f.facts.publish(ctx)
}

// goodbye ends the member.
func (f *fleet) goodbye() {
	ctx := context.Background()
	if s, _, _ := f.link.now(); s.answers {
		f.windows.giveBack()
		f.claims.giveBack()
		if f.sync(ctx) {
			f.beat(ctx, true)
		}
	}
	f.enter(time.Now(), false)
}

// call is [link.call]. If it fails quotas keep to their law at once.
func (f *fleet) call(ctx context.Context, bound time.Duration, what func(ctx context.Context) (time.Time, error)) bool {
	ok, tell := f.link.call(ctx, bound, what)
	if ok {
		return true
	}
	now := time.Now()
	f.enter(now, false)
	if tell {
		s, m, _ := f.link.now()
		f.pool.outbox.post(Event{At: now, Kind: StoreLost, Since: s.since, Share: part(m.law), Message: s.problem})
	}
	return false
}

// beat says that the member is alive, or leaves, and hears of the fleet.
func (f *fleet) beat(ctx context.Context, leaves bool) bool {
	var members store.Fleet
	ok := f.call(ctx, f.link.timeout, func(ctx context.Context) (now time.Time, err error) {
		members, err = f.link.store.Beat(ctx, f.link.member, leaves)
		return members.Now, err
	})
	if ok && !leaves && f.link.met(members) { // the windows say which of them are lost, too
		f.windows.pollAll()
	}
	return ok
}

// enter notes whether the store's credit counts, and has every quota keep to its law if not.
func (f *fleet) enter(now time.Time, in bool) {
	changed, back := f.link.enter(in)
	s, m, _ := f.link.now()
	if back {
		f.pool.outbox.post(Event{At: now, Kind: StoreBack, Since: s.since})
	}
	if !changed {
		return
	}
	for _, w := range f.windows.list() {
		w.keep(now, m.law, in)
	}
	f.pool.queue.changed(now)
}

// join makes limits common ones of the fleet.
func (f *fleet) join(l *limits, now time.Time) {
	if f != nil && !l.joined.Load() {
		f.windows.join(l, now)
	}
}

// stat returns a snapshot; nil of a pool without a store.
func (f *fleet) stat() *store.Stat {
	if f == nil {
		return nil
	}
	s, m, ahead := f.link.now()
	return &store.Stat{
		Member: f.link.member, Answers: s.answers, In: s.in, Since: s.since, Members: m.members.Members, Lapsed: m.members.Lapsed,
		Problem: s.problem, Lag: s.lag, Ahead: ahead, Windows: len(f.windows.list()),
	}
}
