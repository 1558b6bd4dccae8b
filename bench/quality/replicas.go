package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/spillway-go/spillway/router"
	"github.com/spillway-go/spillway/store"
)

// replicas are the routers of one service. As a transport they are its load balancer: each call goes
// to one of them.
type replicas struct {
	t      *testing.T
	tr     *trial
	google http.RoundTripper
	memory *store.Memory // what they share; nil: nothing
	share  float64       // of every limit that each may use; zero: all of it

	mu   sync.Mutex
	live []*replica
	made int
}

// replica is one of them, with its own way to the store.
type replica struct {
	router *router.Router
	way    *store.Replica
	calls  sync.WaitGroup
}

// sharing is a fleet that shares a store, alone one that shares nothing, and divided one in which
// each replica has its part of every limit.
func sharing(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	t.Helper()
	return newReplicas(t, tr, google, store.NewMemory(tr.fleet.latency), 0)
}

func alone(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	t.Helper()
	return newReplicas(t, tr, google, nil, 0)
}

func divided(t *testing.T, tr *trial, google http.RoundTripper) http.RoundTripper {
	t.Helper()
	return newReplicas(t, tr, google, nil, 1/float64(tr.fleet.replicas))
}

// fleetBaselines are what a fleet that shares a store is compared with.
var fleetBaselines = []baseline{{"no store", alone}, {"limit divided by N", divided}}

func newReplicas(t *testing.T, tr *trial, google http.RoundTripper, memory *store.Memory, share float64) *replicas {
	t.Helper()
	rs := &replicas{t: t, tr: tr, google: google, memory: memory, share: share}
	for range tr.fleet.replicas {
		rs.live = append(rs.live, rs.start())
	}
	return rs
}

// start makes one more replica, which gets no calls yet.
func (rs *replicas) start() *replica {
	cfg, r := rs.tr.pool, &replica{}
	cfg.Share = rs.share
	options := []router.Option{router.WithTransport(rs.google)}
	if rs.memory != nil {
		r.way = rs.memory.Replica()
		options = append(options, router.WithStore(clocked(r.way, rs.tr.fleet.wrong(rs.made))))
	}
	rs.made++
	var err error
	if r.router, err = router.New(cfg, rs.tr.router, options...); err != nil {
		panic(err) // the configuration is ours
	}
	rs.t.Cleanup(func() { _ = r.router.Close() })
	return r
}

// join puts one more replica before the others, and leave takes the last one away: it ends its calls
// first.
func (rs *replicas) join() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.live = append([]*replica{rs.start()}, rs.live...)
}

func (rs *replicas) leave() {
	rs.remove().end()
}

// kill takes the last replica away as kill -9 does: what it knows and holds is lost.
func (rs *replicas) kill() {
	r := rs.remove()
	if r.way != nil {
		r.way.SetFault(store.Fault{Err: errors.New("killed")})
	}
	_ = r.router.Close()
}

func (rs *replicas) remove() *replica {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	last := len(rs.live) - 1
	r := rs.live[last]
	rs.live = rs.live[:last]
	return r
}

func (r *replica) end() {
	r.calls.Wait()
	_ = r.router.Close()
}

// cut puts a fault on the ways of every second replica.
func (rs *replicas) cut(f store.Fault) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for i := 0; i < len(rs.live); i += 2 {
		rs.live[i].way.SetFault(f)
	}
}

// pick chooses the replica of a call: the same one every time that the trial is played.
func (rs *replicas) pick(c *call) *replica {
	rng := rand.New(rand.NewPCG(rs.tr.google.Seed, uint64(c.at)))
	rs.mu.Lock()
	defer rs.mu.Unlock()
	n := len(rs.live)
	if fifth := max(n/5, 1); rs.tr.fleet.skewed && rng.Float64() < 0.8 {
		n = fifth
	}
	r := rs.live[rng.IntN(n)]
	r.calls.Add(1)
	return r
}

// RoundTrip sends a call to one of the replicas.
func (rs *replicas) RoundTrip(req *http.Request) (*http.Response, error) {
	t, _ := req.Context().Value(taskKey{}).(task)
	r := rs.pick(t.call)
	defer r.calls.Done()
	return r.router.RoundTrip(req)
}

// each does something to the fleet as many times within a time, from a moment on.
func each(count int, from, within time.Duration, do func(rs *replicas)) (events []event) {
	for i := range count {
		at := from + within*time.Duration(i)/time.Duration(count)
		events = append(events, event{at, func(w world) { do(w.replicas) }})
	}
	return events
}
