package main

import (
	"math/rand/v2"
	"time"

	"github.com/spillway-go/spillway/geminitest"
)

// An oracle knows what a router cannot: every quota, every window, every capacity. It serves calls
// first come first served, never asks in vain, and lets no call wait longer than the router would.
// Its results are what the router's are measured by.

// patience is how long a call waits for its turn: the router's max_wait.
const patience = 10 * time.Second

// fixedWindows is the oracle of minute quotas: projects with the limits of one project each, in
// fixed minutes of unknown phase, as the server keeps them. The phases are its own draw, of the
// same law as the server's: over whole minutes they do not matter.
func fixedWindows(rng *rand.Rand, calls []call, projects int, l geminitest.Limit) []result {
	type window struct {
		phase            time.Duration
		minute           int64
		requests, tokens int
	}
	windows := make([]window, projects)
	for i := range windows {
		windows[i].phase = time.Duration(rng.Int64N(int64(time.Minute)))
	}
	serve := func(now time.Duration, tokens int) bool {
		for i := range windows {
			w := &windows[i]
			if m := int64((now + w.phase) / time.Minute); m != w.minute {
				w.minute, w.requests, w.tokens = m, 0, 0
			}
			if w.requests < l.RPM && (l.TPM == 0 || w.tokens+tokens <= l.TPM) {
				w.requests++
				w.tokens += tokens
				return true
			}
		}
		return false
	}
	return firstComeFirstServed(calls, func(now time.Duration, c *call) bool { return serve(now, c.prompt) })
}

// hiddenCapacity is the oracle of capacity that moves: a token bucket for each location, like the
// server's.
func hiddenCapacity(calls []call, pools []geminitest.Capacity) []result {
	level := make([]float64, len(pools))
	var last time.Duration
	return firstComeFirstServed(calls, func(now time.Duration, _ *call) bool {
		for i, p := range pools {
			rate := capacityAt(p, now)
			level[i] = min(max(1, rate/4), level[i]+rate*(now-last).Seconds())
		}
		last = now
		for i := range level {
			if level[i] >= 1 {
				level[i]--
				return true
			}
		}
		return false
	})
}

// capacityAt is the capacity of a pool at a time.
func capacityAt(p geminitest.Capacity, now time.Duration) float64 {
	rate := p.Requests
	for _, s := range p.Steps {
		if s.At <= now {
			rate = s.Requests
		}
	}
	return rate
}

// oracleStep is how often the oracle looks at calls that wait.
const oracleStep = 10 * time.Millisecond

// firstComeFirstServed lets calls wait in line until serve takes them or their patience ends.
func firstComeFirstServed(calls []call, serve func(now time.Duration, c *call) bool) []result {
	results := make([]result, len(calls))
	head, next := 0, 0
	for now := time.Duration(0); head < len(calls); now += oracleStep {
		for next < len(calls) && calls[next].at <= now {
			next++
		}
		for head < next && (now-calls[head].at > patience || serve(now, &calls[head])) {
			if waited := now - calls[head].at; waited <= patience {
				results[head] = result{served: true, sent: now, took: waited, attempts: 1}
			}
			head++
		}
		if head == next && next < len(calls) { // nobody waits: on to the next who comes
			now = max(now, (calls[next].at/oracleStep)*oracleStep)
		}
	}
	return results
}
