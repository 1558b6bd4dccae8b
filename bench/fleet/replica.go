package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// replica is a process of the sidecar.
type replica struct {
	url     string
	logFile string
	process *exec.Cmd
	out     atomic.Bool // of the load: it gets no new calls
	killed  atomic.Bool
}

// startReplica starts a sidecar and waits until it listens. It logs into logFile.
func startReplica(sidecar, file, redisURL, logFile string) (*replica, error) {
	log, err := os.Create(filepath.Clean(logFile))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r := &replica{logFile: logFile, process: exec.Command(sidecar, "serve", file, "--listen", "127.0.0.1:0")} //nolint:noctx // stop ends it
	r.process.Env = append(os.Environ(), "REDIS_URL="+redisURL)
	r.process.Stderr = log
	stdout, err := r.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.process.Start(); err != nil {
		return nil, err
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if _, r.url, _ = strings.Cut(strings.TrimSpace(line), "served at "); r.url == "" {
		r.stop(syscall.SIGKILL)
		said, _ := r.log()
		return nil, errors.New("a sidecar does not start: " + said)
	}
	return r, nil
}

// stop sends the process a signal and waits until it has ended.
func (r *replica) stop(sig syscall.Signal) {
	_ = r.process.Process.Signal(sig)
	_ = r.process.Wait()
}

// log returns what the replica has logged.
func (r *replica) log() (string, error) {
	b, err := os.ReadFile(r.logFile)
	return string(b), err
}

// says counts the lines of the log with some words.
func (r *replica) says(words string) int {
	log, _ := r.log()
	return strings.Count(log, words)
}

// shares reports whether the replica knows of so many members and of what they have used.
func (r *replica) shares(ctx context.Context, members int) bool {
	var status struct {
		Store struct {
			Answers, Knows bool
			Members        int
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/spillway/status", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&status)
	return err == nil && status.Store.Answers && status.Store.Knows && status.Store.Members >= members
}
