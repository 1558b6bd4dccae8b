package redis_test

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spillway-go/spillway/store/redis"
)

// proxy is an address that stands for a server, and for another one later.
type proxy struct {
	net.Listener

	target atomic.Pointer[server]
	delay  time.Duration // before a connection is of use
}

func startProxy(t *testing.T, target *server, delay time.Duration) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, delay: delay}
	p.target.Store(target)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			time.AfterFunc(p.delay, func() { p.serve(c) })
		}
	}()
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	to, err := net.Dial("tcp", p.target.Load().address())
	if err != nil {
		return
	}
	go func() {
		defer to.Close()
		io.Copy(to, c)
	}()
	io.Copy(c, to)
}

func (p *proxy) url() string { return "redis://" + p.Addr().String() }

// To connect may take longer than a call has.
func TestServerThatIsFarAway(t *testing.T) {
	server := startServer(t)
	p := startProxy(t, server, 300*time.Millisecond)
	s := open(t, redis.Config{URL: p.url(), Timeout: 100 * time.Millisecond})
	wantAll(t, s)
	// So may to connect again, with calls all the while.
	admin := server.admin()
	do(t, admin, "client", "kill", "type", "normal")
	do(t, admin, "client", "kill", "type", "pubsub")
	wantAll(t, s)
}

// A name may stand for another server after a failover, while the old one answers as a replica.
func TestNameThatMovesToAnotherServer(t *testing.T) {
	t.Parallel()
	first, second := startServer(t), startServer(t)
	p := startProxy(t, first, 0)
	s := open(t, redis.Config{URL: p.url()})
	wantAll(t, s)
	do(t, first.admin(), "replicaof", "127.0.0.1", "1")
	p.target.Store(second)
	wantAll(t, s)
	if len(keys(t, second.admin())) == 0 {
		t.Error("the other server has no keys")
	}
}

func TestCloseWhileTheServerHangs(t *testing.T) {
	server := startServer(t)
	s := open(t, redis.Config{URL: server.url(), Timeout: time.Minute})
	wantAll(t, s)
	server.cmd.Process.Signal(syscall.SIGSTOP)
	ended := make(chan error, len(every))
	for _, name := range every {
		go func() { ended <- methods[name](t.Context(), s) }()
	}
	begun := time.Now()
	s.Close()
	for range every {
		if err := <-ended; err == nil {
			t.Error("a call succeeded while the server hung")
		}
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
}
