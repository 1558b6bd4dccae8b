package pool

import (
	"context"
	"sync"
	"time"

	"github.com/spillway-go/spillway/quota"
)

// asker is something that the store has to be asked for, for one call: an order, or a pace.
type asker interface {
	// ask asks the store. again is how long to wait if it says no.
	ask(ctx context.Context) (h quota.Hold, held bool, again time.Duration)
	// giveBack ends what was granted and is not used.
	giveBack(now time.Time, h quota.Hold)
}

// asks are what the store has to be asked for, or was, for one call. The call's own goroutine asks:
// no lock is held meanwhile. Nil asks nothing.
type asks struct {
	mu   sync.Mutex
	list []asked
}

// asked is one of them.
type asked struct {
	of    any // *order or, of a pace, *entry
	what  asker
	hold  quota.Hold // of an order
	state askState
	until time.Time // of askNone
}

type askState uint8

const (
	askNever   askState = iota
	askUnknown          // the store is to be asked, or is being asked
	askHeld             // it has granted
	askNone             // it has nothing
)

// take returns what is known of something, and gives away what was granted. What the store had
// nothing of may be asked for again after a while.
func (as *asks) take(now time.Time, of any) (a asked) {
	if as == nil {
		return asked{}
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	for i := range as.list {
		if a = as.list[i]; a.of != of {
			continue
		}
		over := a.state == askNone && !now.Before(a.until)
		if a.state == askHeld || over {
			as.list = append(as.list[:i], as.list[i+1:]...)
		}
		if over {
			break
		}
		return a
	}
	return asked{}
}

// add notes that the store has to be asked.
func (as *asks) add(of any, what asker) {
	if as == nil {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.list = append(as.list, asked{of: of, what: what, state: askUnknown})
}

// state returns what is known of something, and until when.
func (as *asks) state(of any) (askState, time.Time) {
	if as == nil {
		return askNever, time.Time{}
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	for i := range as.list {
		if as.list[i].of == of {
			return as.list[i].state, as.list[i].until
		}
	}
	return askNever, time.Time{}
}

// pending returns something that the store has to be asked for.
func (as *asks) pending() (a asked, ok bool) {
	if as == nil {
		return asked{}, false
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	for i := range as.list {
		if as.list[i].state == askUnknown {
			return as.list[i], true
		}
	}
	return asked{}, false
}

// ask asks the store for everything that it has to be asked for, and reports whether there was
// anything.
func (as *asks) ask(ctx context.Context) (some bool) {
	for a, ok := as.pending(); ok; a, ok = as.pending() {
		some = true
		a.state = askHeld
		var held bool
		var again time.Duration
		if a.hold, held, again = a.what.ask(ctx); !held {
			a.state, a.until = askNone, time.Now().Add(again)
		}
		as.mu.Lock()
		for i := range as.list {
			if as.list[i].of == a.of {
				as.list[i] = a
			}
		}
		as.mu.Unlock()
	}
	return some
}

// drop gives back what was granted and the call did not use.
func (as *asks) drop(now time.Time) {
	if as == nil {
		return
	}
	as.mu.Lock()
	list := as.list
	as.list = nil
	as.mu.Unlock()
	for _, a := range list {
		if a.state == askHeld {
			a.what.giveBack(now, a.hold)
		}
	}
}
