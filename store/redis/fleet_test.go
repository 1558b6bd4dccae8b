package redis_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store"
	"github.com/spillway-go/spillway/store/redis"
	"github.com/spillway-go/spillway/store/storetest"
)

// wantFleet skips a test that starts several servers, unless SPILLWAY_CLUSTER is set, as by
// `make fleet`.
func wantFleet(t *testing.T) {
	t.Helper()
	if os.Getenv("SPILLWAY_CLUSTER") == "" {
		t.Skip("skipped: SPILLWAY_CLUSTER is not set")
	}
}

func TestClusterOfThreePrimaries(t *testing.T) {
	wantFleet(t)
	var nodes []*server
	create := []string{"--cluster", "create", "--cluster-yes"}
	for range 3 {
		n := startServer(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
			"--cluster-require-full-coverage", "no")
		nodes = append(nodes, n)
		create = append(create, n.address())
	}
	output(t, "redis-cli", create...)
	for _, n := range nodes {
		admin := n.admin()
		eventually(t, "the cluster is complete", func() bool {
			info, err := do(t, admin, "cluster", "info").ToString()
			return err == nil && strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, "cluster_known_nodes:3")
		})
		setUser(t, n)
	}
	url := fmt.Sprintf("redis://spillway:%s@%s?addr=%s&addr=%s",
		password, nodes[0].address(), nodes[1].address(), nodes[2].address())
	storetest.Test(t, func(t *testing.T) store.Store {
		return open(t, redis.Config{URL: url, Prefix: newPrefix()})
	}, storetest.Config{})

	s := open(t, redis.Config{URL: url})
	asks := make([]store.Ask, 60)
	for i := range asks {
		asks[i] = ask(1)
		asks[i].Key.Name += strconv.Itoa(i)
	}
	if _, _, err := s.Take(t.Context(), member, asks); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if windows := calls(t, n.admin(), "evalsha"); windows < 10 {
			t.Errorf("%s ran %d scripts: keys are not spread", n.address(), windows)
		}
	}

	// A slot that moves is found, and a node that is gone comes back.
	moveSlot(t, nodes)
	wantAll(t, s)
	nodes[2].stop()
	eventually(t, "windows of other nodes are granted", func() bool {
		for i := range asks {
			if _, _, err := s.Take(t.Context(), member, asks[i:i+1]); err == nil {
				return true
			}
		}
		return false
	})
	nodes[2].start()
	setUser(t, nodes[2])
	wantAll(t, s)
	eventually(t, "all windows are granted", func() bool {
		_, _, err := s.Take(t.Context(), member, asks)
		return err == nil
	})
}

// moveSlot gives the slot of some key to another node.
func moveSlot(t *testing.T, nodes []*server) {
	t.Helper()
	admin := nodes[0].admin()
	for i, n := range nodes {
		names := keys(t, n.admin())
		if len(names) == 0 {
			continue
		}
		key := names[0]
		moved, err := do(t, admin, "cluster", "keyslot", key).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		to := nodes[(i+1)%len(nodes)]
		from, _ := do(t, n.admin(), "cluster", "myid").ToString()
		target, _ := do(t, to.admin(), "cluster", "myid").ToString()
		s := strconv.FormatInt(moved, 10)
		do(t, to.admin(), "cluster", "setslot", s, "importing", from)
		do(t, n.admin(), "cluster", "setslot", s, "migrating", target)
		for _, name := range names {
			if at, _ := do(t, admin, "cluster", "keyslot", name).AsInt64(); at == moved {
				do(t, n.admin(), "migrate", "127.0.0.1", strconv.Itoa(to.port), name, "0", "5000")
			}
		}
		do(t, to.admin(), "cluster", "setslot", s, "node", target)
		do(t, n.admin(), "cluster", "setslot", s, "node", target)
		return
	}
}

func TestSentinels(t *testing.T) {
	wantFleet(t)
	first, second := startServer(t), startServer(t)
	for _, n := range []*server{first, second} {
		setUser(t, n, "+role")
	}
	do(t, second.admin(), "replicaof", "127.0.0.1", strconv.Itoa(first.port))
	file := t.TempDir() + "/sentinel.conf"
	conf := fmt.Sprintf("sentinel monitor main 127.0.0.1 %d 1\nsentinel down-after-milliseconds main 500\n"+
		"sentinel failover-timeout main 2000\n", first.port)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startSentinel(t, file)
	s := open(t, redis.Config{URL: fmt.Sprintf("redis://spillway:%s@%s?master_set=main", password, sentinel.address())})
	wantAll(t, s)
	admin := sentinel.admin()
	eventually(t, "the sentinel knows the replica", func() bool {
		replicas, err := do(t, admin, "sentinel", "replicas", "main").ToArray()
		return err == nil && len(replicas) == 1
	})
	first.stop()
	begun := time.Now()
	for methods["Take"](t.Context(), s) != nil {
		if time.Since(begun) > 60*time.Second {
			t.Fatal("the store has not found the new primary")
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Logf("found the new primary after %v", time.Since(begun))
	wantAll(t, s)
}

// startSentinel starts a sentinel with a configuration file, which it writes to.
func startSentinel(t *testing.T, file string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), port: freePort(t)}
	s.sentinel = []string{file, "--sentinel"}
	s.start()
	t.Cleanup(s.stop)
	return s
}
