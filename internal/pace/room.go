package pace

import (
	"context"
	"sync"
)

// room bounds the bytes of the lines that are under way. A line that is larger than all of it is under
// way alone.
type room struct {
	most int64

	mu    sync.Mutex
	used  int64
	freed chan struct{} // holds one if some was given back since the last look
}

func newRoom(most int64) *room { return &room{most: most, freed: make(chan struct{}, 1)} }

// take waits for room, and reports false if ctx is done first. One goroutine calls it at a time.
func (r *room) take(ctx context.Context, n int64) bool {
	for {
		r.mu.Lock()
		if r.used == 0 || r.used+n <= r.most {
			r.used += n
			r.mu.Unlock()
			return true
		}
		r.mu.Unlock()
		select {
		case <-r.freed:
		case <-ctx.Done():
			return false
		}
	}
}

// give gives back what was taken for a line.
func (r *room) give(n int64) {
	r.mu.Lock()
	r.used -= n
	r.mu.Unlock()
	select {
	case r.freed <- struct{}{}:
	default: // it is known already
	}
}
