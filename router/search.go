package router

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

// searchPatience is how long a search waits for one home before it asks the next one as well: one
// that is silent does not hide what another one has.
//
// mostSilence is how long it waits for those that are silent when all have been asked: others wait
// for its slot.
const (
	searchPatience = time.Second
	mostSilence    = 30 * time.Second
)

// probed is what a home said.
type probed struct {
	home     pool.Home
	status   int
	err      error
	panicked any
}

// probeHomes asks the homes one by one, and counts them. An error means that the searching call has
// ended.
func (r resolver) probeHomes(found *lookup, res request.Resource, homes []pool.Home, asked *int) error {
	ctx, cancel := context.WithCancel(r.x.trace.context())
	answers, underWay := make(chan probed), 0
	defer func() {
		for cancel(); underWay > 0; underWay-- {
			<-answers
		}
	}()
	everywhere := true
	for next := 0; next < len(homes) || underWay > 0; {
		if next < len(homes) {
			home := homes[next]
			if next++; !r.mayAsk(home) {
				everywhere = false
				continue
			}
			*asked++
			underWay++
			go r.probe(ctx, answers, res, home)
		}
		patience := searchPatience
		if next == len(homes) {
			patience = mostSilence
		}
		select {
		case <-time.After(patience):
			if next == len(homes) {
				found.unsure = "a project does not respond"
				return nil
			}
		case a := <-answers:
			underWay--
			if ended, err := r.heard(found, res, a); ended {
				return err
			}
		}
	}
	if found.unsure != "" {
		return nil
	}
	found.missing = true
	name := r.key(res) // it may exist where this call may not search
	if everywhere {
		name = r.anywhere(res)
	}
	r.x.in.router.pool.Miss(time.Now(), name)
	return nil
}

// heard takes note of what a home said, and reports whether that ends the search.
func (r resolver) heard(found *lookup, res request.Resource, a probed) (ended bool, err error) {
	switch {
	case a.panicked != nil:
		panic(a.panicked) //nolint:forbidigo // another package's panic goes on
	case a.err != nil && (r.x.in.ctx.Err() != nil || errors.Is(a.err, ErrClosed)):
		return true, a.err
	case a.err != nil:
		found.unsure = where(a.home) + " does not respond"
	case a.status < http.StatusMultipleChoices:
		r.x.in.router.pool.Own(res.Name, a.home)
		found.home, found.unsure = a.home, ""
		return true, nil
	case a.status != http.StatusBadRequest && a.status != http.StatusForbidden &&
		a.status != http.StatusNotFound:
		found.unsure = fmt.Sprintf("%s responds with status %d", where(a.home), a.status)
	}
	return false, nil
}

// probe is probeHome on a goroutine of its own: a panic there goes on in the search.
func (r resolver) probe(ctx context.Context, answers chan<- probed, res request.Resource, home pool.Home) {
	a := probed{home: home, err: errAbandoned}
	defer func() {
		a.panicked = recover()
		answers <- a
	}()
	a.status, a.err = r.probeHome(ctx, res, home)
}
