// Package pool keeps projects, keys and endpoints, and knows which of them may serve a call now.
//
// A [Pool] is built from a [Config]. A caller describes its call in a [Request]. [Pool.Acquire]
// chooses an endpoint, or waits for one, and returns a [Lease]. The caller sends its request and
// ends the lease with an [Outcome], from which the pool concludes what goes on cooldown and until
// when. Quota belongs to projects: keys of one project are spares for each other and never count as
// more.
//
// Package router does all of this for HTTP requests; most programs use that, by way of package
// spillway. The pool does no I/O but for access tokens ([Lease.Authorize]) and by [Config].Discover.
// Everything is safe for concurrent use.
package pool

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/owner"
)

// ErrClosed is returned for requests that wait for an endpoint after [Pool.Close].
var ErrClosed = errors.New("pool: closed")

// Pool is the endpoints of a [Config] and their state. Make one with [New].
type Pool struct {
	clock  timeSource
	epoch  time.Time // instant 0
	setup  atomic.Pointer[setup]
	seq    atomic.Uint64 // number of the newest attempt
	owners *owner.Cache
	outbox outbox
	queue  *queue
	fleet  *fleet
	sent   *sent

	jobs jobs

	reload sync.Mutex
	memory entries // of what belongs to no model
	models models
	roster roster
	pauses pauses
}

// jobs are what a pool does in the background for the projects of its setup.
type jobs struct {
	discovery *discovery
	calendars calendars
}

// New checks cfg and makes a pool of it. Errors are those of [Config.Validate], or say which
// project's credentials cannot be found. observe hears every [Event]; it may be nil. It must return
// soon, and may call the pool. A panic of observe is logged to [slog.Default].
func New(cfg Config, observe func(Event)) (*Pool, error) {
	p := &Pool{owners: owner.New(ownerBytes(cfg.memory())), sent: newSent()}
	p.epoch = p.clock.begin(cfg.Clock)
	p.pauses.pool = p
	p.fleet = newFleet(p, &cfg)
	p.jobs.discovery = newDiscovery(p, cfg.Discover)
	s, err := newSetup(cfg, sync.OnceValues(credential.Default), p.fleet, p.jobs.discovery)
	if err != nil {
		return nil, err
	}
	p.outbox.observe, p.outbox.describe = observe, func(e *Event) { p.setup.Load().describe(e) }
	p.queue = newQueue(p)
	p.models.bound = modelBytesBound(cfg.memory())
	p.roster = roster{pool: p, known: make(map[string]*member), retired: make(map[identity]*member)}
	p.roster.update(0, s)
	s.connect(&p.memory, p.epoch)
	p.setup.Store(s)
	p.sent.configured(s.secrets)
	p.jobs.calendars.pool = p
	p.reload.Lock() // an order may begin before its timer is kept
	p.jobs.calendars.follow(p.epoch)
	p.reload.Unlock()
	p.fleet.start()
	p.jobs.discovery.follow(s)
	return p, nil
}

// Close fails the requests that wait, and those that would, with [ErrClosed]. Leases go on to their
// end. A request that finds an endpoint ready still gets it, so that calls under way can be
// retried.
func (p *Pool) Close() {
	p.queue.close()
	p.fleet.leave()
	p.jobs.discovery.close()
}

// instant is now as cooldowns count it.
func (p *Pool) instant(now time.Time) int64 { return int64(now.Sub(p.epoch)) }

// timeOf returns the time of an instant.
func (p *Pool) timeOf(at int64) time.Time { return p.epoch.Add(time.Duration(at)) }

// model returns what is known of a model and method; not ok if the memory has no room for a new one.
func (p *Pool) model(now time.Time, k modelKey) (m *model, ok bool) {
	at := p.instant(now)
	if m := p.models.find(k); m != nil && m.plan.Load() != nil {
		m.used.Store(at)
		return m, true
	}
	p.models.mu.Lock()
	defer p.models.mu.Unlock()
	m = p.models.find(k)
	if m == nil {
		if !p.models.roomLocked(p, at) {
			return nil, false
		}
		m = &model{modelKey: k}
	}
	m.used.Store(at)
	if m.plan.Load() == nil {
		before := p.memory.count()
		m.plan.Store(newPlan(p, m, p.setup.Load()))
		p.models.bytes += m.bytes() + entryBytes*(p.memory.count()-before) // of its account
		for _, c := range m.plan.Load().all {                              // what the first calls will add
			if c.own.entry.Load() == nil {
				p.models.bytes += 3*entryBytes + breakerBytes
			}
		}
	}
	p.models.byKey.Store(k, m)
	return m, true
}
