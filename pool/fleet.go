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
	fleetTick = 200 * time.Millisecond
	// fleetBeat is how often a member says that it is alive.
	fleetBeat = time.Second
	// fleetRetry is how soon a store that failed is asked again. It doubles up to fleetBeat.
	fleetRetry = 200 * time.Millisecond
)

// fleet is the part that this pool has in a fleet of replicas: it carries between the pool's memory
// and a [store.Store]. One goroutine, the syncer, asks for credit before it is needed, or when calls
// wait for some, and reports what was used. Only for orders and small paces a call asks the store by
// itself, for one round trip at most. While the store does not answer, each quota keeps to the law
// of [quota.Sharing], and orders and paces to an equal part.
//
// A nil fleet is that of a pool without a store: it does nothing.
type fleet struct {
	pool *Pool
	link *link

	kicks   chan struct{}
	sending chan struct{} // holds a value for each message under way
	cancel  context.CancelFunc
	close   sync.Once
	ended   chan struct{} // closed when the syncer has ended,
	deaf    chan struct{} // and when nothing is heard any more

	rest time.Time // when the rest is tried again; the syncer's

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
	f := &fleet{
		pool: p, link: newLink(cfg.Store, hex.EncodeToString(name[:]), cfg.StoreTimeout, quota.Sharing{Part: cfg.Share}),
		kicks: make(chan struct{}, 1), ended: make(chan struct{}), deaf: make(chan struct{}), sending: make(chan struct{}, mostSending),
	}
	f.windows = windows{fleet: f, all: make(map[*limits]*window)}
	f.facts = facts{fleet: f, waiting: make(map[store.Key]store.Fact)}
	f.claims = claims{fleet: f, bySubject: make(map[Subject]*claim)}
	return f
}

// start starts the syncer.
func (f *fleet) start() {
	if f == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go f.run(ctx)
	go f.facts.listen(ctx)
}

// mostSending bounds the messages to the store that are under way at the same time.
const mostSending = 64

// send carries out what nobody waits for, within the bound of a call, and reports false if too much
// is under way.
func (f *fleet) send(what func(ctx context.Context)) bool {
	select {
	case f.sending <- struct{}{}:
	default:
		return false
	}
	go func() {
		defer func() { <-f.sending }()
		ctx, cancel := context.WithTimeout(context.Background(), f.link.timeout)
		defer cancel()
		what(ctx)
	}()
	return true
}

// shareOrders makes a project's orders common ones, if the store can hold them.
func (f *fleet) shareOrders(p *project) error {
	if f == nil {
		return nil
	}
	orders, ok := f.link.store.(store.Orders)
	if !ok {
		return nil
	}
	for _, o := range p.orders {
		ledger, err := quota.NewSharedLedger(o.quota(), f.link.member)
		if err != nil {
			return err
		}
		o.ledger = ledger
		o.common = &commonOrder{fleet: f, orders: orders, ledger: ledger, key: ledger.Key(p.lotSubject(o).String())}
	}
	return nil
}

// pullsFail tells orders that the store does not answer: they keep to their share.
func (f *fleet) pullsFail(now time.Time) {
	s := f.pool.setup.Load()
	if s == nil {
		return
	}
	for _, p := range s.projects {
		for _, o := range p.orders {
			if o.common != nil {
				o.common.ledger.PullFailed(now)
			}
		}
	}
}

// pull exchanges what was learned of orders with the store.
func (f *fleet) pull(ctx context.Context) bool {
	_, m, _ := f.link.now()
	for _, p := range f.pool.setup.Load().projects {
		for _, o := range p.orders {
			if o.common != nil && o.current.Load() == o && !o.common.pull(ctx, m.members.Members) {
				return false
			}
		}
	}
	return true
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
// Limits do without the rest: if that fails it is left for a while.
func (f *fleet) sync(ctx context.Context) bool {
	if !f.windows.take(ctx) {
		return false
	}
	now := time.Now()
	if now.Before(f.rest) {
		return true
	}
	if done := f.pull(ctx) && f.claims.ask(ctx) && f.facts.publish(ctx); !done {
		f.rest = now.Add(fleetBeat)
	}
	return true
}

// goodbye ends the member.
func (f *fleet) goodbye() {
	ctx := context.Background()
	if s, _, _ := f.link.now(); s.answers {
		f.rest = time.Time{}
		f.claims.giveBack()
		if f.sync(ctx) {
			f.windows.giveBack()
		}
		if f.sync(ctx) {
			f.beat(ctx, true)
		}
	}
	f.enter(time.Now(), false)
}

// call is [link.call]. If a beat or a take fails quotas keep to their law at once.
func (f *fleet) call(ctx context.Context, e errand, what func(ctx context.Context) (time.Time, error)) bool {
	bound := f.link.bound() // requests wait for what comes of it
	if e == errandOther {
		bound = f.link.timeout
	}
	ok, tell := f.link.call(ctx, e, bound, what)
	if ok || e == errandOther {
		return ok
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
	ok := f.call(ctx, errandBeat, func(ctx context.Context) (now time.Time, err error) {
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
	if !in {
		f.pullsFail(now)
	}
	f.pool.queue.changed(now)
}

// join makes limits common ones of the fleet.
func (f *fleet) join(l *limits, now time.Time) {
	if f != nil && !l.fleet.joined.Load() {
		f.windows.join(l, now)
	}
}

// away reports whether there is a store, and it does not answer.
func (f *fleet) away() bool { return f != nil && f.link.lost.Load() }

// limitReached says in a few words that limits have no room.
func (f *fleet) limitReached() string {
	if f.away() {
		return "this replica's part of the limit is used, the store is away,"
	}
	return "limit reached"
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
