package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/spelling"
	"github.com/spillway-go/spillway/pool"
)

const (
	// maxFollowers bounds the connections that stay open for events.
	maxFollowers = 100
	// heartbeat is how often a response says that it is there, if nothing else is to be said.
	heartbeat = 20 * time.Second
)

// eventKinds are the kinds that can be asked for.
var eventKinds = []string{
	string(pool.CooldownStarted), string(pool.CooldownEnded), string(pool.BreakerOpened), string(pool.BreakerClosed),
	string(pool.LimitLearned), string(pool.LimitForgotten), string(pool.UsageHigh), string(pool.OrderUnused),
	string(pool.OrderUnconfirmed), string(pool.OrderBelowPurchase), string(pool.OrderBegan), string(pool.OrderEnded),
	string(pool.CallsRefused), string(pool.ModelRerouted), string(pool.MemoryFull),
	string(pool.StoreLost), string(pool.StoreBack), string(pool.Reloaded), string(pool.LimitDisputed), string(pool.ProjectDiscovered),
	string(pool.DiscoveryIncomplete),
}

// eventQuery is which events a client wants.
type eventQuery struct {
	kinds  []string  // empty: all
	since  time.Time // zero: all
	follow bool
	last   int64 // the id of the last event that the client has; zero: none
}

// eventQueryOf reads a request, or says what is wrong with it.
func eventQueryOf(req *http.Request, now time.Time) (q eventQuery, err error) {
	values, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return q, errors.New("the query cannot be read")
	}
	for name, all := range values {
		for _, text := range all {
			switch name {
			case "follow":
				if q.follow, err = strconv.ParseBool(text); err != nil {
					err = fmt.Errorf("%.40q is no value for follow; write 1", text)
				}
			case "kind":
				var kinds []string
				kinds, err = kindsOf(text)
				q.kinds = append(q.kinds, kinds...)
			case "since":
				q.since, err = sinceOf(text, now)
			default:
				err = fmt.Errorf("%.40q is no parameter; there are follow, kind and since", name)
			}
			if err != nil {
				return q, err
			}
		}
	}
	// An id that cannot be read is none of ours.
	if id, err := strconv.ParseInt(req.Header.Get("Last-Event-ID"), 10, 64); err == nil && id > 0 {
		q.last = id
	}
	return q, nil
}

// kindsOf reads kinds that are separated by commas.
func kindsOf(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	kinds := strings.Split(text, ",")
	for i, kind := range kinds {
		kinds[i] = strings.ReplaceAll(strings.TrimSpace(kind), "-", "_")
		if slices.Contains(eventKinds, kinds[i]) {
			continue
		}
		if likely, ok := spelling.Nearest(kinds[i], eventKinds); ok {
			return nil, fmt.Errorf("%.40q is no kind of event; did you mean %s?", kind, likely)
		}
		return nil, fmt.Errorf("%.40q is no kind of event; there are %s", kind, strings.Join(eventKinds, ", "))
	}
	return kinds, nil
}

// sinceOf reads a time, or how long ago it was.
func sinceOf(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%.40q is no time for since; write how long ago, such as 10m, or a time such as 2026-11-26T11:00:00Z", text)
}

func (q *eventQuery) wants(e *keptEvent) bool {
	return !e.at.Before(q.since) && (len(q.kinds) == 0 || slices.Contains(q.kinds, string(e.kind)))
}

// eventServer serves the events of a ring.
type eventServer struct {
	*ring
	followers atomic.Int64
}

// serve writes the events that are kept, a line of JSON each, or follows them as server-sent events.
func (s *eventServer) serve(c *client, req *http.Request) {
	q, err := eventQueryOf(req, time.Now())
	if err != nil {
		refuse(c, http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
		return
	}
	h := c.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !q.follow {
		h.Set("Content-Type", "application/jsonl; charset=UTF-8")
		events, _, _, _ := s.after(q.last)
		for i := range events {
			if q.wants(&events[i]) {
				if _, err := c.Write(events[i].line); err != nil {
					return
				}
			}
		}
		return
	}
	defer s.followers.Add(-1)
	if s.followers.Add(1) > maxFollowers {
		refuse(c, http.StatusServiceUnavailable, "UNAVAILABLE", fmt.Sprintf("%d clients follow the events already", maxFollowers))
		return
	}
	h.Set("Content-Type", "text/event-stream; charset=UTF-8")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if req.Method != http.MethodHead {
		s.follow(c, req, q)
	}
}

// follow writes events as they come, until the client leaves or the sidecar ends. A client that
// reads so slowly that events are lost to it, or not at all, loses its connection: when it comes
// back, its Last-Event-ID gets it all that is kept.
func (s *eventServer) follow(c *client, req *http.Request, q eventQuery) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := []byte(":\n\n") // a comment: the response has begun
	ended := false
	for first := true; ; first = false {
		events, last, whole, more := s.after(q.last)
		if !whole && !first {
			return
		}
		for i := range events {
			if e := &events[i]; q.wants(e) {
				text = fmt.Appendf(text, "id: %d\ndata: %s\n", e.id, e.line)
			}
		}
		q.last = last
		if len(text) > 0 {
			if _, err := c.Write(text); err != nil || c.FlushError() != nil {
				return
			}
		}
		if text = nil; ended {
			return // and what came before the end is told
		}
		select {
		case <-more:
		case <-beat.C:
			text = []byte(":\n\n")
		case <-req.Context().Done():
			return
		case <-s.ended:
			ended = true
		}
	}
}
