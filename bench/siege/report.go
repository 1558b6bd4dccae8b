package main

import (
	"fmt"
	"sync"
	"time"
)

// target is a sidecar as its besiegers see it.
type target struct {
	address string
	quick   bool
}

// report is what the clients of a siege met. It is written as JSON from process to process.
type report struct {
	mu sync.Mutex

	Clients int            // that were served, or held on
	Saw     map[string]int // what happened, and how often
	Wrong   map[string]int // what should not have
	Refused time.Time      // when a connection was refused first, where the sidecar ends
}

func newReport() *report { return &report{Saw: make(map[string]int), Wrong: make(map[string]int)} }

// client counts a client.
func (r *report) client() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Clients++
}

func (r *report) saw(format string, values ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Saw[fmt.Sprintf(format, values...)]++
}

func (r *report) wrong(format string, values ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Wrong[fmt.Sprintf(format, values...)]++
}

// refused notes that a connection was refused.
func (r *report) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Refused.IsZero() {
		r.Refused = time.Now()
	}
}
