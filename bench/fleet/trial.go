package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// patience bounds what has to happen before a row begins, and after its fault.
const patience = time.Minute

// trial is one row's fleet.
type trial struct {
	row            *row
	replicas       int
	length         time.Duration
	timeout        time.Duration // of a call to the store
	redis, sidecar string        // programs
	dir            string

	server *server
	google *google
	proxy  proxy
	load   *load
	begun  time.Time
	healed time.Time // when the fault had ended and all replicas were back
	result result

	mu      sync.Mutex
	fleet   []*replica
	former  []*replica // that ended
	started int
}

// run carries out the trial.
func (t *trial) run(ctx context.Context) result {
	if err := t.measure(ctx); err != nil {
		t.result.err = err
	}
	return t.result
}

func (t *trial) measure(ctx context.Context) (err error) {
	defer t.end()
	if err := t.setUp(ctx); err != nil {
		return err
	}
	ending, stop := context.WithTimeout(ctx, t.length)
	defer stop()
	loaded, leave := context.WithCancel(ctx)
	context.AfterFunc(ending, func() { t.google.ended(); leave() })
	t.begun = time.Now()
	var all sync.WaitGroup
	all.Go(func() { t.server.count(loaded) })
	all.Go(func() { t.load.run(loaded, overload*limit*projects/60) })
	if t.row.slots {
		all.Go(func() { t.load.runSlow(loaded) })
	}
	err = t.happen(loaded)
	if err != nil {
		stop()
	}
	all.Wait()
	if err != nil {
		return err
	}
	return t.sum(ctx)
}

// setUp starts everything and waits until the replicas share.
func (t *trial) setUp(ctx context.Context) (err error) {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	if t.server, err = startServer(ctx, t.redis, t.dir); err != nil {
		return err
	}
	if t.google, err = startGoogle(ctx); err != nil {
		return err
	}
	if t.row.proxied > 0 {
		if t.proxy, err = startProxy(t.server.address); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(t.dir, "spillway.toml"), []byte(t.google.file(t.timeout)), 0o600); err != nil {
		return err
	}
	t.load = newLoad(t.list)
	for i := range t.replicas {
		r, err := t.start(i)
		if err != nil {
			return err
		}
		t.fleet = append(t.fleet, r)
	}
	for _, r := range t.fleet {
		if !t.wait(ctx, r, t.replicas) {
			return errors.New("the replicas do not share")
		}
	}
	return nil
}

// start starts the replica with a number.
func (t *trial) start(i int) (*replica, error) {
	address := t.server.address
	if i < t.row.proxied {
		address = t.proxy.Listen
	}
	t.started++
	return startReplica(t.sidecar, filepath.Join(t.dir, "spillway.toml"), t.server.url(address),
		filepath.Join(t.dir, fmt.Sprintf("log-%d", t.started)))
}

// list returns the replicas.
func (t *trial) list() []*replica {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.fleet)
}

// replace puts a replica in the place of one that has ended.
func (t *trial) replace(i int, r *replica) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.former = append(t.former, t.fleet[i])
	t.fleet[i] = r
}

// wait waits until a replica shares with so many.
func (t *trial) wait(ctx context.Context, r *replica, members int) bool {
	for begin := time.Now(); time.Since(begin) < patience && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if r.shares(ctx, members) {
			return true
		}
	}
	return false
}

// happen has happen what is to, and waits until the fleet is right again.
func (t *trial) happen(ctx context.Context) error {
	sleep(ctx, t.row.at)
	t.healed = t.begun
	if t.row.begin == nil {
		return nil
	}
	if err := t.row.begin(ctx, t); err != nil {
		return err
	}
	sleep(ctx, t.row.lasts)
	if t.row.end != nil {
		if err := t.row.end(ctx, t); err != nil {
			return err
		}
	}
	ended := time.Now()
	for _, r := range t.list() {
		if !r.killed.Load() && !t.wait(ctx, r, 1) {
			t.result.right = patience
			return nil
		}
	}
	t.healed = time.Now()
	t.result.right = t.healed.Sub(ended)
	return nil
}

// sum adds up what has happened.
func (t *trial) sum(ctx context.Context) error {
	r, l := &t.result, t.load
	r.served, r.exhausted, r.cut, r.failed = l.served, l.refused, l.cut, l.failed
	r.allowed = projects * allowed(limit, overload, t.length)
	r.p50, r.p99 = quantile(l.waits, 0.5), quantile(l.waits, 0.99)
	r.refused = t.google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests)
	r.dead = t.google.CountStatus(geminitest.Match{}, http.StatusForbidden)
	r.most = float64(t.google.most(time.Time{})) / limit
	r.after = float64(t.google.most(t.healed)) / limit
	_, peak := t.google.slow()
	if r.peak = peak; peak > slots {
		r.also = append(r.also, fmt.Sprintf("%d slow calls at once, %d allowed", peak, slots))
	}
	r.ops = float64(t.server.ops.Load()) / t.length.Seconds()
	for _, p := range append(t.list(), t.former...) {
		r.lost = append(r.lost, p.says("the store that replicas share does not answer"))
		r.back = append(r.back, p.says("the store that replicas share answers again"))
	}
	return t.search(ctx)
}

// end ends all processes.
func (t *trial) end() {
	for _, r := range t.list() {
		r.stop(syscall.SIGKILL)
	}
	if t.proxy.Proxy != nil {
		t.proxy.Stop()
	}
	if t.google != nil {
		_ = t.google.server.Close()
	}
	if t.server != nil {
		t.server.stop()
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
