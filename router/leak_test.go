package router_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/router"
)

// TestCallsOfEveryKindLeaveNothingBehind sends calls from 64 goroutines over everything at once: an
// order that fills, limits that refuse, keys that are revoked and restored, locations that fail,
// callers who leave. In the end nothing is in flight, and nothing runs.
func TestCallsOfEveryKindLeaveNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	pa := vertexed("a", "global", "europe-west4")
	pa.order(flash, "europe-west4", 100)
	pb := vertexed("b", "global", "us-central1", "eu")
	pb.pool.Limits = []pool.Limit{{RPM: 100_000, TPM: 10_000_000, Concurrency: 32}}
	pc := keyed("c", "key-c1", "key-c2")
	pc.pool.Backend = pool.BackendVertex
	b := setup{
		google: geminitest.Config{Capacity: []geminitest.Capacity{{Location: "us-*", Requests: 50}}, Log: -1},
		router: router.Config{MaxWait: 50 * time.Millisecond, Retry: router.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond}},
	}.bed(t, pa, pb, pc)

	const callers = 64
	calls := amount[int64](10_000, 100_000)
	var sent, served atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for sent.Add(1) <= calls {
				if send(t, b, rng) {
					served.Add(1)
				}
				switch rng.IntN(2000) { // and something changes
				case 0:
					b.Revoke("key-c1")
				case 1:
					b.Restore("key-c1")
				case 2:
					b.Outage("global", true)
				case 3, 4, 5, 6, 7, 8, 9, 10:
					b.Outage("global", false)
				}
			}
		})
	}
	wg.Wait()

	stat := b.router.Stat()
	for _, e := range stat.Endpoints {
		if e.Calls != 0 || e.Tokens != 0 {
			t.Errorf("%s still carries %d calls and %d tokens", e.Endpoint, e.Calls, e.Tokens)
		}
	}
	if served.Load() < calls/2 {
		t.Errorf("only %d of %d calls were served", served.Load(), calls)
	}
	if err := b.router.Close(); err != nil {
		t.Error(err)
	}
	// What has done its work takes a moment to be gone.
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		if runtime.NumGoroutine() <= before && b.InFlight() == 0 {
			return
		}
	}
	t.Errorf("%d goroutines before, %d after Close; %d requests still under way at Google", before, runtime.NumGoroutine(), b.InFlight())
}

// send makes one call of some kind, and reports whether it was answered well.
func send(t *testing.T, b *bed, rng *rand.Rand) bool {
	ctx := context.Background()
	var cancel context.CancelFunc = func() {}
	method := ":generateContent"
	leaves := false
	switch rng.IntN(10) {
	case 0, 1:
		method = ":streamGenerateContent?alt=sse"
	case 2:
		method, leaves = ":streamGenerateContent?alt=sse", true
	case 3:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Microsecond)
	}
	defer cancel()
	req, err := toVertex(ctx, method)
	if err != nil {
		t.Error(err)
		return false
	}
	resp, err := b.router.RoundTrip(req)
	if err != nil {
		if ctx.Err() == nil && !strings.Contains(err.Error(), "connection") {
			t.Errorf("call failed: %v", err)
		}
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	if leaves {
		return resp.StatusCode == http.StatusOK
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil && ctx.Err() == nil {
		t.Errorf("reading failed: %v", err)
	}
	return resp.StatusCode == http.StatusOK
}
