package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// feedPath has what the page shows, as server-sent events: "state" when that has changed, at most
	// once a second, and "history" with each sample. ?once=1 has both as one JSON object.
	feedPath = "/spillway/live"
	// maxPages bounds the connections that stay open for it.
	maxPages = 16
	// liveEvery is how often the state is looked at while a page is open.
	liveEvery = time.Second
	// liveShare bounds what looking may cost: one part in so many of one processor, however large the
	// pool is and however many pages are open.
	liveShare = 50
	// liveHeartbeat is how often a state is sent that has not changed: the page sees that the sidecar
	// is there.
	liveHeartbeat = 10 * time.Second
)

// feed is what pages follow.
type feed struct {
	history history
	pages   atomic.Int64

	mu    sync.Mutex
	next  time.Time // when the state is looked at again
	state liveText
	bare  []byte // the state without its time
	past  liveText
	taken int // samples that past has
}

// liveText is JSON for pages. Its number grows when it changes.
type liveText struct {
	number int64
	text   []byte
}

// liveState is the data of an event "state". Its numbers say when events and calls are news.
type liveState struct {
	snapshot

	Event int64  `json:"event"` // the id of the last event
	Call  string `json:"call"`  // the id of the call that ended last
}

// look returns the state and the history as they are now, or were a moment ago: who asks soon after
// another gets the same.
func (s *sidecar) look(now time.Time) (state, past liveText) {
	l := &s.feed
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next) {
		return l.state, l.past
	}
	began := time.Now()
	is := liveState{snapshot: snapshotOf(s.router), Event: s.events.last()}
	if last := s.calls.Last(1); len(last) > 0 {
		is.Call = last[0].ID
	}
	at := is.At
	is.At = time.Time{}
	bare, _ := json.Marshal(is) // it has nothing that JSON lacks
	if !bytes.Equal(bare, l.bare) {
		l.state.number++
		l.bare = bare
	}
	is.At = at
	l.state.text, _ = json.Marshal(is)
	if taken := l.history.taken(); taken != l.taken || l.past.text == nil {
		l.taken = taken
		l.past.number++
		l.past.text, _ = json.Marshal(l.history.snapshot())
	}
	l.next = now.Add(max(liveEvery, liveShare*time.Since(began)))
	return l.state, l.past
}

// tellFeed serves feedPath.
func (s *sidecar) tellFeed(c *client, req *http.Request) {
	h := c.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if once, err := strconv.ParseBool(req.URL.Query().Get("once")); err == nil && once {
		state, past := s.look(time.Now())
		h.Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = fmt.Fprintf(c, "{\"state\":%s,\"history\":%s}\n", state.text, past.text) // on an error the page has left
		return
	}
	defer s.feed.pages.Add(-1)
	if s.feed.pages.Add(1) > maxPages {
		refuse(c, http.StatusServiceUnavailable, "UNAVAILABLE",
			fmt.Sprintf("%d pages are open already; %s?once=1 has the state once", maxPages, feedPath))
		return
	}
	h.Set("Content-Type", "text/event-stream; charset=UTF-8")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if req.Method != http.MethodHead {
		s.followLive(c, req)
	}
}

// followLive writes states until the page leaves or the sidecar ends. States that a slow page has no
// time for are left out: it gets the newest.
func (s *sidecar) followLive(c *client, req *http.Request) {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var state, past int64
	var sent time.Time
	for {
		now := time.Now()
		is, was := s.look(now)
		var text []byte
		if was.number != past {
			text = fmt.Appendf(text, "event: history\ndata: %s\n\n", was.text)
		}
		if is.number != state || now.Sub(sent) >= liveHeartbeat {
			text = fmt.Appendf(text, "event: state\ndata: %s\n\n", is.text)
			sent = now
		}
		state, past = is.number, was.number
		if len(text) > 0 {
			if _, err := c.Write(text); err != nil || c.FlushError() != nil {
				return
			}
		}
		select {
		case <-tick.C:
		case <-req.Context().Done():
			return
		case <-s.events.ended:
			return
		}
	}
}
