package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// rank is how a process is scheduled beside the others.
type rank int

const (
	low    rank = iota + 1 // clients of the siege, and Google for them: elsewhere they have machines of their own
	middle                 // the sidecar
	high                   // what measures, and Google for the other clients
)

// ranked returns the words that run a program with a rank.
func (o *options) ranked(r rank, words ...string) []string {
	switch {
	case o.realtime && r == low: // Linux throttles the real-time class when it takes all there is
		return append([]string{"chrt", "--other", "0"}, words...)
	case o.realtime:
		return append([]string{"chrt", "--rr", fmt.Sprint(int(r))}, words...)
	case r == low:
		return append([]string{"nice", "-n", "19"}, words...)
	}
	return words
}

// process is a process that tells an address in its first line.
type process struct {
	*exec.Cmd

	address string // host:port
	ended   chan error
}

// served matches an address as the sidecar and the emulators print it.
var served = regexp.MustCompile(`https?://([0-9.]+:[0-9]+)`)

// start starts a process and waits for its address. It logs into a file.
func start(logFile string, words []string) (*process, error) {
	log, err := os.Create(filepath.Clean(logFile))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{Cmd: exec.Command(words[0], words[1:]...), ended: make(chan error, 1)} //nolint:noctx // stop ends it
	p.Stderr = log
	stdout, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stdout)
	line, _ := lines.ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		p.ended <- p.Wait()
	}()
	found := served.FindStringSubmatch(line)
	if found == nil {
		p.kill()
		said, _ := os.ReadFile(filepath.Clean(logFile))
		return nil, fmt.Errorf("%s does not start: %s", words, said)
	}
	p.address = found[1]
	return p, nil
}

// kill ends the process. It may be called again.
func (p *process) kill() {
	_ = p.Process.Kill()
	p.ended <- <-p.ended
}

// wait waits until the process has ended by itself.
func (p *process) wait(atMost time.Duration) error {
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(atMost):
		return errors.New("the sidecar does not end")
	}
}

// resetPeak makes the peak of a process's resident memory what it has now.
func (p *process) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.Process.Pid), []byte("5"), 0o600)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak returns the most resident memory, in bytes, that a process had since resetPeak.
func (p *process) peak() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		return 0, err
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0, errors.New("this system does not say how much memory a process has used")
	}
	kB, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kB << 10, err
}
