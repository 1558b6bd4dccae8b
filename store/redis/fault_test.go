package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
)

// wantAll checks that every method works, before long.
func wantAll(t *testing.T, s *redis.Store) {
	t.Helper()
	for _, name := range every {
		var err error
		eventually(t, name+" works", func() bool {
			err = methods[name](t.Context(), s)
			return err == nil
		})
	}
}

// wantErrors checks that the methods fail in time, with an error that says why.
func wantErrors(t *testing.T, s *redis.Store, says string, names ...string) {
	t.Helper()
	for _, name := range names {
		begun := time.Now()
		err := methods[name](t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s returned %v, want an error that says %q", name, err, says)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v to fail", name, took)
		}
	}
}

func TestServerThatComesLate(t *testing.T) {
	server := startServer(t)
	server.stop()
	s := open(t, redis.Config{URL: server.url()})
	wantErrors(t, s, "connection refused", every...)
	server.start()
	wantAll(t, s)
}

func TestServerThatIsKilledAndStartsAgain(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	wantAll(t, s)
	before, err := s.Beat(t.Context(), member, false)
	if err != nil {
		t.Fatal(err)
	}
	lost := make(chan error, 1)
	heard := make(chan struct{}, 1000)
	go func() { lost <- s.Subscribe(t.Context(), func([]store.Fact) { heard <- struct{}{} }) }()
	<-heard
	server.stop()
	if err := <-lost; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe returned %v when the server was lost", err)
	}
	wantErrors(t, s, "redis: ", every...)
	eventually(t, "Beat says why it cannot connect again", func() bool {
		_, err := s.Beat(t.Context(), member, false)
		return err != nil && strings.Contains(err.Error(), "connection refused")
	})
	wantErrors(t, s, "connection refused", every...)
	server.start()
	wantAll(t, s)
	if after, err := s.Beat(t.Context(), member, false); err != nil || after.Epoch == before.Epoch {
		t.Errorf("Beat returned epoch %s and %v, before %s", after.Epoch, err, before.Epoch)
	}
}

func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url(), Timeout: 50 * time.Millisecond})
	wantAll(t, s)
	server.cmd.Process.Signal(syscall.SIGSTOP)
	for range 3 {
		wantErrors(t, s, "", every...)
	}
	begun := time.Now()
	if err := methods["Take"](t.Context(), s); err == nil {
		t.Error("Take works while the server hangs")
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("Take took %v with a timeout of 50 ms", took)
	}
	server.cmd.Process.Signal(syscall.SIGCONT)
	wantAll(t, s)
}

func TestManyCallsOfAServerThatHangs(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url(), Timeout: 50 * time.Millisecond})
	wantAll(t, s)
	server.cmd.Process.Signal(syscall.SIGSTOP)
	const callers, each = 200, 10
	ended := make(chan time.Duration, callers)
	for range callers {
		go func() {
			var longest time.Duration
			for range each {
				begun := time.Now()
				_ = methods["Claim"](context.Background(), s)
				longest = max(longest, time.Since(begun))
			}
			ended <- longest
		}()
	}
	for range callers {
		if took := <-ended; took > 2*time.Second {
			t.Errorf("a call with a timeout of 50 ms took %v", took)
		}
	}
	server.cmd.Process.Signal(syscall.SIGCONT)
	wantAll(t, s)
}

func TestPausedClients(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url(), Timeout: 50 * time.Millisecond})
	wantAll(t, s)
	admin := server.admin()
	do(t, admin, "client", "pause", "2000") // nobody can end it early
	for name, err := range map[string]error{
		"Take": methods["Take"](t.Context(), s), "Beat": methods["Beat"](t.Context(), s),
	} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s returned %v, want %v", name, err, context.DeadlineExceeded)
		}
	}
	wantAll(t, s)
}

func TestCallsEndWithTheirContext(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url(), Timeout: time.Minute})
	wantAll(t, s)
	server.cmd.Process.Signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, name := range every {
		if err := methods[name](ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s returned %v, want %v", name, err, context.DeadlineExceeded)
		}
	}
}

func TestServerThatIsAReplica(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	wantAll(t, s)
	admin := server.admin()
	do(t, admin, "replicaof", "127.0.0.1", "1")
	wantErrors(t, s, "READONLY", "Beat", "Take", "Publish")
	do(t, admin, "replicaof", "no", "one")
	wantAll(t, s)
}

func TestServerThatLoads(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	wantAll(t, s)
	admin := server.admin()
	do(t, admin, "debug", "populate", "20000", "filler")
	do(t, admin, "save")
	server.stop()
	server.args = []string{
		"--key-load-delay", "50", "--loading-process-events-interval-bytes", "1024",
	}
	server.start()
	loading := false
	eventually(t, "the server has loaded", func() bool {
		err := methods["Beat"](t.Context(), s)
		loading = loading || err != nil && strings.Contains(err.Error(), "LOADING")
		return err == nil
	})
	if !loading {
		t.Error("no call failed because the server was loading")
	}
	wantAll(t, s)
}

func TestServerWithoutMemory(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	wantAll(t, s)
	admin := server.admin()
	before := dump(t, admin)
	do(t, admin, "config", "set", "maxmemory", "1")
	wantErrors(t, s, "OOM", "Beat", "Take", "Publish",
		"ReserveOrder", "SettleOrder", "PullOrder", "AllowPaced", "RejectPaced", "ReturnPaced")
	if after := dump(t, admin); after != before {
		t.Errorf("scripts that were refused left\n%s\nof\n%s", after, before)
	}
	do(t, admin, "config", "set", "maxmemory", "0")
	wantAll(t, s)
}

func pullOrder(t *testing.T, s *redis.Store, p store.OrderPull) store.OrderNews {
	t.Helper()
	n, err := s.PullOrder(t.Context(), order, p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFlushedServer(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	heard := make(chan store.Fact, 1000)
	go func() {
		_ = s.Subscribe(t.Context(), func(facts []store.Fact) {
			for _, f := range facts {
				heard <- f
			}
		})
	}()
	publish := func(f store.Fact) {
		t.Helper()
		if _, err := s.Publish(t.Context(), []store.Fact{f}); err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case g := <-heard:
				if g.Key == f.Key {
					return
				}
			case <-time.After(soon):
				t.Fatalf("a subscriber has not heard of %v", f.Key)
			}
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		publish(cooldown(name))
	}
	grants, _, err := s.Take(t.Context(), member, []store.Ask{ask(1)})
	if err != nil {
		t.Fatal(err)
	}
	before := pullOrder(t, s, store.OrderPull{Member: member, Number: 1, Changes: []store.OrderChange{
		{Bucket: 1 << 50, Charge: store.Charge{Known: 7}},
	}})
	admin := server.admin()
	do(t, admin, "flushall")
	do(t, admin, "script", "flush")
	after := pullOrder(t, s, store.OrderPull{Member: member, Epoch: before.Epoch, Version: before.Version})
	if len(before.Buckets) != 1 || !after.Whole || after.Epoch == before.Epoch || len(after.Buckets) != 0 {
		t.Errorf("after a flush an order's news are %+v, before they were %+v", after, before)
	}
	again, _, err := s.Take(t.Context(), member, []store.Ask{ask(1)})
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Epoch == grants[0].Epoch || again[0].Used.Requests != 1 {
		t.Errorf("after a flush a grant is %+v, before it was %+v", again[0], grants[0])
	}
	publish(cooldown("d")) // its version is lower than that of c
}

// What the channel loses is found by the next poll.
func TestMessagesThatAreLost(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url()})
	heard := make(chan store.Fact, 1000)
	go func() {
		_ = s.Subscribe(t.Context(), func(facts []store.Fact) {
			for _, f := range facts {
				heard <- f
			}
		})
	}()
	f := cooldown("subject")
	if _, err := s.Publish(t.Context(), []store.Fact{f}); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("publish.lua")
	if err != nil {
		t.Fatal(err)
	}
	admin := server.admin()
	for name, packed := range asMap(t, do(t, admin, "hgetall", "spillway{facts}")) {
		later := fmt.Sprintf("%020d", f.At.Add(time.Minute).UnixNano()) + packed[20:]
		do(t, admin, "eval", string(script), "4", "spillway{facts}", "spillway{facts}:versions",
			"spillway{facts}:ends", "spillway{facts}:meta", "another channel", "nonce", name, later)
	}
	for {
		select {
		case g := <-heard:
			if g.At.Equal(f.At.Add(time.Minute)) {
				return
			}
		case <-time.After(soon):
			t.Fatal("a subscriber has not heard of what was published without a message")
		}
	}
}

func asMap(t *testing.T, r rueidis.RedisResult) map[string]string {
	t.Helper()
	m, err := r.AsStrMap()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// dump returns all keys and what they hold.
func dump(t *testing.T, admin rueidis.Client) string {
	t.Helper()
	var b strings.Builder
	for _, key := range keys(t, admin) {
		held, err := do(t, admin, "dump", key).ToString()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %x\n", key, held)
	}
	return b.String()
}

// keys returns the names of all keys, in order.
func keys(t *testing.T, admin rueidis.Client) []string {
	t.Helper()
	names, err := do(t, admin, "keys", "*").AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
