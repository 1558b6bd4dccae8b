package main

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
)

// counts are calls by the endpoint that served them.
type counts map[string]int

func (c counts) sum() (n int) {
	for _, count := range c {
		n += count
	}
	return n
}

// tally counts what the callers got, by the headers that Spillway adds to each response. It is safe
// for concurrent use.
type tally struct {
	mu     sync.Mutex
	total  counts
	taken  counts // of total: what take has returned
	moved  int    // calls that took more than one request
	failed []error
}

// count records the end of a call.
func (t *tally) count(header http.Header, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed = append(t.failed, err)
		return
	}
	if t.total == nil {
		t.total = counts{}
	}
	t.total[header.Get("Spillway-Endpoint")]++
	if header.Get("Spillway-Attempts") != "1" {
		t.moved++
	}
}

// take returns the calls since it was last called.
func (t *tally) take() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := counts{}
	for endpoint, n := range t.total {
		fresh[endpoint] = n - t.taken[endpoint]
	}
	t.taken = maps.Clone(t.total)
	return fresh
}

// err returns how many calls failed, and why the first did.
func (t *tally) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d calls failed; the first one: %w", len(t.failed), t.failed[0])
}
