package main

import (
	"fmt"
	"maps"
	"sync"
)

// tally counts what callers got, by the replica that they asked and by the endpoint that served
// them. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	taken  map[string]int // of counts: what take has returned
	calls  int
	errors []error
}

func (t *tally) served(replica, endpoint string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[replica]++
	t.counts[endpoint]++
	t.calls++
}

func (t *tally) failed(replica string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Errorf("replica %s: %w", replica, err))
}

// take returns the counts since it was last called.
func (t *tally) take() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := map[string]int{}
	for what, n := range t.counts {
		fresh[what] = n - t.taken[what]
	}
	t.taken = maps.Clone(t.counts)
	return fresh
}

// err returns how many calls failed, and why the first did.
func (t *tally) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.errors) == 0 {
		return nil
	}
	return fmt.Errorf("%d calls failed; the first one: %w", len(t.errors), t.errors[0])
}
