package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// permissions are the ones in the documentation of store/redis, word for word.
const permissions = "resetkeys resetchannels ~spillway* &spillway* -@all " +
	"+eval +evalsha +ping +subscribe +publish +time +select +cluster|slots +cluster|shards " +
	"+get +set +del +pexpireat +hget +hmget +hgetall +hset +hdel " +
	"+zadd +zcard +zrem +zrangebyscore +zrevrange +zremrangebyscore"

// server is a redis-server that keeps nothing on disk.
type server struct {
	path, config, address string
	password, root        string // of the replicas' user, and of this program
	process               *exec.Cmd
	client                rueidis.Client

	ops atomic.Int64 // scripts so far, over restarts
}

// startServer starts a server on a free port, with its files in a directory.
func startServer(ctx context.Context, path, dir string) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	s := &server{
		path: path, config: filepath.Join(dir, "redis.conf"), address: address,
		password: "the-password-of-replicas", root: "the-password-of-root",
	}
	lines := []string{
		"bind 127.0.0.1", "port " + port, `save ""`, "appendonly no", "dir " + dir, "logfile " + filepath.Join(dir, "redis.log"),
		"requirepass " + s.root, "user spillway on >" + s.password + " " + permissions, "",
	}
	if err := os.WriteFile(s.config, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	for range 200 {
		s.client, err = rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{address}, Password: s.root, DisableCache: true, ForceSingleClient: true, AlwaysRESP2: true,
		})
		if err == nil {
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.stop()
	return nil, err
}

func (s *server) start() error {
	s.process = exec.Command(s.path, s.config) //nolint:noctx // stop ends it
	return s.process.Start()
}

// kill ends the process at once.
func (s *server) kill() error {
	err := s.process.Process.Kill()
	_ = s.process.Wait()
	return err
}

func (s *server) signal(sig syscall.Signal) error { return s.process.Process.Signal(sig) }

// stop ends the process and closes the client.
func (s *server) stop() {
	if s.client != nil {
		s.client.Close()
	}
	_ = s.kill()
}

// url is how replicas reach the server at an address, its own or a proxy's.
func (s *server) url(address string) string {
	return "redis://spillway:" + s.password + "@" + address
}

// do carries out a command.
func (s *server) do(ctx context.Context, words ...string) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return s.client.Do(ctx, s.client.B().Arbitrary(words...).Build())
}

// count adds up the scripts that the server runs, each second until ctx ends. A server that was
// started again counts from 0.
func (s *server) count(ctx context.Context) {
	before := 0
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if info, err := s.do(ctx, "INFO", "commandstats").ToString(); err == nil {
			now := scripts(info)
			if now < before {
				before = 0
			}
			s.ops.Add(int64(now - before))
			before = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// scripts returns how many scripts the server has run, by INFO commandstats.
func scripts(info string) (n int) {
	for line := range strings.Lines(info) {
		var calls int
		for _, command := range []string{"evalsha", "eval"} {
			if _, err := fmt.Sscanf(line, "cmdstat_"+command+":calls=%d", &calls); err == nil {
				n += calls
			}
		}
	}
	return n
}
