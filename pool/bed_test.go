package pool_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const (
	flash = "gemini-2.5-flash"
	pro   = "gemini-2.5-pro"
)

// small is a call of a few tokens.
var small = pool.Need{Input: 100, Output: 100}

// bed is a pool on a time line of its own: nothing passes but what is passed as an argument, unless
// a test sleeps.
type bed struct {
	t     *testing.T
	pool  *pool.Pool
	start time.Time
	log   *logged
}

// logged is a log, which timers write too.
type logged struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// take returns what was logged since the last time.
func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.buffer.String()
	l.buffer = bytes.Buffer{}
	return text
}

// inBubble runs a test on a bed. The time line starts with the year 2000 in UTC, which is four in
// the afternoon in Los Angeles.
func inBubble(t *testing.T, cfg pool.Config, test func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newBed(t, cfg)) })
}

func newBed(t *testing.T, cfg pool.Config) *bed {
	t.Helper()
	b := &bed{t: t, log: &logged{}}
	p, err := pool.New(cfg, pool.Log(slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if err != nil {
		t.Fatal(err)
	}
	b.pool, b.start = p, time.Now()
	return b
}

// candidate returns the endpoint of that name as it stands for a model.
func (b *bed) candidate(model, name string) *pool.Candidate {
	b.t.Helper()
	for _, c := range b.pool.View(b.start, model).All() {
		if c.String() == name {
			return c
		}
	}
	b.t.Fatalf("%s has no endpoint %s", model, name)
	return nil
}

// lease takes a lease that has to be had.
func (b *bed) lease(now time.Time, c *pool.Candidate) pool.Lease {
	b.t.Helper()
	return b.leaseFor(now, c, small)
}

func (b *bed) leaseFor(now time.Time, c *pool.Candidate, n pool.Need) pool.Lease {
	b.t.Helper()
	l, ok := c.Lease(now, n)
	if !ok {
		b.t.Fatalf("%s refuses a call after %v: %q", c, now.Sub(b.start), c.Reason(now, n))
	}
	return l
}

// refuses checks that no lease is to be had.
func (b *bed) refuses(now time.Time, c *pool.Candidate, why string) {
	b.t.Helper()
	if l, ok := c.Lease(now, small); ok {
		l.Release(now)
		b.t.Fatalf("%s takes a call after %v, %s", c, now.Sub(b.start), why)
	}
}

// answer makes one call and settles it at once.
func (b *bed) answer(now time.Time, c *pool.Candidate, o pool.Outcome) {
	b.t.Helper()
	b.lease(now, c).Settle(now, o)
}

// endpoint returns what Stat says of an endpoint.
func (b *bed) endpoint(now time.Time, c *pool.Candidate, model string) pool.EndpointStat {
	b.t.Helper()
	for _, e := range b.pool.Stat(now).Endpoints {
		if e.Endpoint == c.String() && e.Model == model {
			return e
		}
	}
	b.t.Fatalf("Stat does not show %s for %s", c, model)
	return pool.EndpointStat{}
}

// lines returns what was logged since the last time.
func (b *bed) lines() []map[string]any {
	b.t.Helper()
	var all []map[string]any
	for line := range strings.Lines(b.log.take()) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			b.t.Fatalf("log line is no JSON: %v", err)
		}
		all = append(all, one)
	}
	return all
}

// keyless returns a Vertex AI project that sends no credential.
func keyless(name string, locations ...string) pool.Project {
	return pool.Project{Name: name, Backend: pool.BackendVertex, Credentials: pool.NoCredentials, Locations: locations}
}

// amount is how much a test plays: little, or all of it with SPILLWAY_LONG=1.
func amount(little, all int) int {
	if os.Getenv("SPILLWAY_LONG") == "1" {
		return all
	}
	return little
}
