package router

import (
	"sync"
	"time"
)

const (
	// mostHearings bounds the endpoints and models of which something is remembered while no call
	// is under way there.
	mostHearings = 4096
	// waitMemory is how long a waiting in vain is remembered.
	waitMemory = 10 * time.Minute
)

// place is an endpoint and a model.
type place struct{ endpoint, model string }

// hearing is when the callers of an endpoint heard of it last.
type hearing struct {
	place place
	calls int // under way; guarded by the table

	mu       sync.Mutex
	answered time.Time     // when it answered last
	accused  time.Time     // when it was suspected last
	waited   time.Duration // how long calls have waited in vain since it answered
	until    time.Time     // the end of that
}

// hearings are the hearings of all endpoints. The zero value is ready for use.
type hearings struct {
	mu     sync.Mutex
	places map[place]*hearing
}

// begin returns the hearing of a place for a call that is sent there.
func (t *hearings) begin(p place) *hearing {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.places[p]
	if h == nil {
		if t.places == nil {
			t.places = make(map[place]*hearing)
		}
		h = &hearing{place: p}
		t.places[p] = h
	}
	h.calls++
	return h
}

// end lets go of a hearing. What no call needs may be forgotten.
func (t *hearings) end(h *hearing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h.calls--
	if len(t.places) <= mostHearings {
		return
	}
	for p, other := range t.places { // in random order
		if other.calls == 0 {
			delete(t.places, p)
			return
		}
	}
}

// answer notes that the endpoint answered somebody.
func (h *hearing) answer(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered, h.waited = later(h.answered, now), 0
}

// missed notes that a call has waited in vain. suspected says that it did not leave by itself.
func (h *hearing) missed(since, now time.Time, suspected bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since = later(since, h.answered); !since.Before(now) {
		return
	}
	if suspected {
		h.accused = now
	}
	if h.until.Before(now.Add(-waitMemory)) {
		h.waited = 0
	}
	if since = later(since, h.until); since.Before(now) { // time that several have waited counts once
		h.waited += now.Sub(since)
		h.until = now
	}
}

// silentSince returns since when an endpoint is silent for a call that has waited since then, and
// how long others have waited there in vain. It is not silent if it answered anyone since began,
// unless somebody suspects it who began after that.
func (h *hearing) silentSince(began, since, now time.Time) (from time.Time, waited time.Duration, silent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.answered.After(began) {
		if !h.accused.After(h.answered) {
			return since, 0, false
		}
		since = later(since, h.answered)
	}
	if h.until.Before(now.Add(-waitMemory)) {
		return since, 0, true
	}
	return since, h.waited, true
}
