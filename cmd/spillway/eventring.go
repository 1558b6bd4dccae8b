package main

import (
	"bytes"
	"log/slog"
	"sync"
	"time"

	"github.com/spillway-go/spillway/pool"
)

// maxEvents is how many events a sidecar keeps: about a megabyte.
const maxEvents = 1000

// keptEvent is one event.
type keptEvent struct {
	id   int64
	at   time.Time
	kind pool.EventKind
	line []byte // as the log shows it in JSON, with id and kind, and the end of the line
}

// ring keeps the last events of a router's, and wakes who follows them. Nobody who reads it keeps
// the router waiting.
type ring struct {
	mu    sync.Mutex
	kept  [maxEvents]keptEvent // by id
	first int64                // the oldest id that is kept
	next  int64
	more  chan struct{} // closed with the next event
	once  sync.Once
	ended chan struct{} // closed when nobody may follow any more
}

// newRing returns a ring whose ids go on where those of a process before it ended: they count from
// the time of its start, and no pool has a million events a second.
func newRing() *ring {
	start := time.Now().UnixMicro()
	return &ring{first: start, next: start, more: make(chan struct{}), ended: make(chan struct{})}
}

// observe keeps an event that the log shows at its usual level. Others come several times a second
// and would push the rest out: contention and full orders, which status shows.
func (r *ring) observe(e pool.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := lineOf(e, r.next)
	if len(line) == 0 {
		return
	}
	r.kept[r.next%maxEvents] = keptEvent{r.next, e.At, e.Kind, line}
	r.next++
	r.first = max(r.first, r.next-maxEvents)
	close(r.more)
	r.more = make(chan struct{})
}

// after returns the events after an id, the oldest first, and the id of the last that there is. Whole
// says whether none in between is gone. An id that is yet to come is none of this ring's. More is
// closed when another event comes.
func (r *ring) after(id int64) (events []keptEvent, last int64, whole bool, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id >= r.next {
		id = 0
	}
	whole = id+1 >= r.first
	for i := max(id+1, r.first); i < r.next; i++ {
		events = append(events, r.kept[i%maxEvents])
	}
	return events, r.next - 1, whole, r.more
}

// last returns the id of the last event.
func (r *ring) last() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next - 1
}

// end ends the responses to all who follow.
func (r *ring) end() { r.once.Do(func() { close(r.ended) }) }

// lineOf returns the line that the log has for an event, in JSON; nil if it has none.
func lineOf(e pool.Event, id int64) []byte {
	var b bytes.Buffer
	handler := slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch {
		case a.Key == slog.TimeKey:
			return slog.Time(a.Key, e.At.UTC())
		case a.Value.Kind() == slog.KindDuration: // else nanoseconds
			return slog.String(a.Key, a.Value.Duration().String())
		case a.Value.Kind() == slog.KindTime:
			return slog.Time(a.Key, a.Value.Time().UTC())
		}
		return a
	}})
	pool.Log(slog.New(handler).With(slog.Int64("id", id), slog.String("kind", string(e.Kind))))(e)
	return b.Bytes()
}
