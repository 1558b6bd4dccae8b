package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// row is one thing that may happen to a fleet, and the figures to hold.
type row struct {
	name  string
	quick bool // also with -quick
	slots bool // slow calls are under way, too

	at    time.Duration // when it happens
	lasts time.Duration
	begin func(ctx context.Context, t *trial) error // nil: nothing happens
	end   func(ctx context.Context, t *trial) error // nil: it ends by itself

	proxied int     // replicas that reach the server through a proxy
	lost    int     // replicas that lose the store
	served  float64 // the least, of what the limits allow
	most    float64 // in any 60 s, of the limit
}

// The figures for fleets in which nothing is unknown, and for those in which something is.
const (
	certain   = 1.0
	uncertain = 1.05
)

// allRows returns the rows for so many replicas. The timeout is that of a call to the store.
func allRows(n int, timeout time.Duration) []row {
	const at, lasts = 25 * time.Second, 15 * time.Second
	return []row{
		{name: "steady", quick: true, at: at, served: 0.99, most: certain},
		{name: "a key dies", at: at, served: 0.99, most: certain, begin: keyDies},
		{name: "kill -9 of one replica", quick: true, slots: true, at: at, served: 0.88, most: certain, begin: killOne},
		{name: "rolling restart", quick: true, at: 10 * time.Second, served: 0.95, most: certain, begin: restartAll},
		{name: "redis killed and started", quick: true, at: at, lasts: lasts, lost: n, served: 0.95, most: uncertain,
			begin: func(_ context.Context, t *trial) error { return t.server.kill() },
			end:   func(_ context.Context, t *trial) error { return t.server.start() }},
		{name: "redis paused", at: at, lasts: 10 * time.Second, lost: n, served: 0.95, most: uncertain,
			begin: func(_ context.Context, t *trial) error { return t.server.signal(syscall.SIGSTOP) },
			end:   func(_ context.Context, t *trial) error { return t.server.signal(syscall.SIGCONT) }},
		{name: "FLUSHALL", quick: true, at: at, served: 0.95, most: uncertain, begin: command("FLUSHALL")},
		{name: "read-only", at: at, lasts: lasts, lost: n, served: 0.95, most: uncertain,
			begin: command("REPLICAOF", "127.0.0.1", "1"), end: command("REPLICAOF", "NO", "ONE")},
		{name: "without permission", at: at, lasts: lasts, lost: n, served: 0.95, most: uncertain,
			begin: command("ACL", "SETUSER", "spillway", "-eval", "-evalsha"),
			end:   command("ACL", "SETUSER", "spillway", "+eval", "+evalsha")},
		toxic("late by twice the timeout", fmt.Sprintf(`{"type": "latency", "attributes": {"latency": %d}}`, 2*timeout.Milliseconds()), n, n),
		toxic("reset", `{"type": "reset_peer", "attributes": {"timeout": 0}}`, n, n),
		toxic("timeout", `{"type": "timeout", "attributes": {"timeout": 0}}`, n, n),
		toxic("half cut off", `{"type": "timeout", "attributes": {"timeout": 0}}`, n/2, n),
	}
}

// toxic is a row for what a proxy does to some of the replicas.
func toxic(name, what string, proxied, n int) row {
	r := row{
		name: name, at: 25 * time.Second, lasts: 15 * time.Second, proxied: proxied, lost: proxied,
		quick: proxied < n, served: 0.95, most: uncertain,
		begin: func(_ context.Context, t *trial) error { return t.proxy.spoil(what) },
		end:   func(_ context.Context, t *trial) error { t.proxy.mend(); return nil },
	}
	if proxied < n { // what the others withhold is lost
		r.served = 0.88
	}
	return r
}

// command is what an administrator does.
func command(words ...string) func(ctx context.Context, t *trial) error {
	return func(ctx context.Context, t *trial) error { return t.server.do(ctx, words...).Error() }
}

// keyDies suspends a key. Google's answer shows it.
func keyDies(_ context.Context, t *trial) error {
	key := keysOf(0)[0]
	t.google.Refuse(key, geminitest.KeySuspended(key))
	return nil
}

// killOne kills the replica with most of the slots, and measures how long the others take to have
// all of them.
func killOne(ctx context.Context, t *trial) error {
	i := t.google.slowest(t.fleet)
	r := t.fleet[i]
	r.killed.Store(true)
	r.stop(syscall.SIGKILL)
	killed := time.Now()
	gone := false
	for time.Since(killed) < time.Minute && ctx.Err() == nil {
		now, _ := t.google.slow()
		if gone = gone || now < slots; gone && now == slots {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.result.slots = time.Since(killed)
	return nil
}

// restartAll restarts one replica after the other, each taken out of the load before, as a balancer
// does.
func restartAll(ctx context.Context, t *trial) error {
	for i := range t.replicas {
		old := t.fleet[i]
		old.out.Store(true)
		time.Sleep(200 * time.Millisecond)
		old.stop(syscall.SIGTERM)
		r, err := t.start(i)
		if err != nil {
			return err
		}
		if !t.wait(ctx, r, t.replicas) {
			return fmt.Errorf("replica %d does not share after its restart", i)
		}
		t.replace(i, r)
	}
	return nil
}
