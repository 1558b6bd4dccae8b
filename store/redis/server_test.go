package redis_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/spillway-go/spillway/store/redis"
)

// soon bounds what has to happen, on a busy machine too.
const soon = 10 * time.Second

// server is a redis-server of one test.
type server struct {
	t    testing.TB
	dir  string
	port int
	args []string

	sentinel []string // what makes it one

	cmd *exec.Cmd
	end chan struct{} // closed when cmd has ended
}

// startServer starts a server that keeps nothing on disk, and ends it with the test. It skips the
// test where there is none.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("skipped: there is no redis-server on the PATH")
	}
	s := &server{t: t, dir: t.TempDir(), port: freePort(t), args: args}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	args := s.sentinel
	if args == nil {
		args = append([]string{
			"--dir", s.dir, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes",
			"--unixsocket", filepath.Join(s.dir, "socket"),
		}, s.args...)
	}
	args = append(args, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1",
		"--logfile", filepath.Join(s.dir, "log"))
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	end := make(chan struct{})
	s.end = end
	cmd := s.cmd
	go func() {
		_ = cmd.Wait()
		close(end)
	}()
	eventually(s.t, "the server listens", func() bool {
		c, err := net.Dial("tcp", s.address())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// stop kills the server.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGCONT)
	s.cmd.Process.Kill()
	<-s.end
}

func (s *server) address() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

func (s *server) url() string { return "redis://" + s.address() }

// admin returns a client of the test's own.
func (s *server) admin() rueidis.Client {
	s.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.address()}, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// do runs a command, which must succeed.
func do(t *testing.T, c rueidis.Client, words ...string) rueidis.RedisResult {
	t.Helper()
	r := c.Do(context.Background(), c.B().Arbitrary(words...).Build())
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%v: %v", words, err)
	}
	return r
}

// open returns a Store that is closed with the test.
func open(t *testing.T, c redis.Config) *redis.Store {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = time.Second // the machine may be busy
	}
	s, err := redis.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var prefixes atomic.Int64

// newPrefix returns one that no other test has.
func newPrefix() string {
	return fmt.Sprintf("spillway-%d-%d", os.Getpid(), prefixes.Add(1))
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late := time.After(soon)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it takes too long until %s", what)
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// output runs a program, which must succeed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// amount is how much of something a test has: little, and all in the long run.
func amount(little, all uint64) uint64 {
	if os.Getenv("SPILLWAY_LONG") != "" {
		return all
	}
	return little
}
