package main

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/spillway-go/spillway/router"
)

const (
	// maxSetup bounds a client's first message, which is held while an endpoint is found. Of those
	// that are larger than smallSetup mostSetups are held at a time; others wait, unread.
	maxSetup   = 4 << 20
	smallSetup = 64 << 10
	mostSetups = 8
	// setupTimeout is the time for a client's first message.
	setupTimeout = 10 * time.Second
)

// dial reads the client's setup, and connects the session. If it is not connected the client is told.
func (r *relay) dial(s *sidecar, asked router.LiveRequest) (google *router.LiveConn, ok bool) {
	var err error
	var end func()
	asked.Setup, end, err = r.setup(&s.live.setups)
	defer end()
	if err != nil {
		return nil, false
	}
	r.over = make(chan struct{})
	go func() {
		defer close(r.over)
		r.up()
	}()
	if google, err = s.router.DialLive(r.ctx, asked); err != nil {
		r.close(refusal(err))
		r.end()
		return nil, false
	}
	return google, true
}

// setup reads the client's first message. end lets go of its memory.
func (r *relay) setup(slots *setupSlots) (setup []byte, end func(), err error) {
	late := time.AfterFunc(setupTimeout, func() {
		r.close(int(websocket.StatusPolicyViolation), "spillway: no whole setup has come within "+setupTimeout.String())
	})
	defer late.Stop()
	r.client.SetReadLimit(maxSetup)
	defer r.client.SetReadLimit(maxLiveMessage)
	end = func() {}
	_, message, err := r.client.Reader(r.ctx)
	if err != nil {
		return nil, end, err
	}
	setup, err = io.ReadAll(io.LimitReader(message, smallSetup))
	if err != nil || len(setup) < smallSetup {
		return setup, end, err
	}
	if end, err = slots.take(r.ctx, late); err != nil {
		_, _ = io.Copy(io.Discard, message) // until the client has its close
		return nil, func() {}, err
	}
	rest, err := io.ReadAll(message)
	return append(setup, rest...), end, err
}

// setupSlots bound how many large setups are held. The zero value is ready for use.
type setupSlots struct {
	once sync.Once
	free chan struct{}
}

// take waits for a slot. The client has its time for the rest of its setup from then on.
func (s *setupSlots) take(ctx context.Context, late *time.Timer) (end func(), err error) {
	s.once.Do(func() { s.free = make(chan struct{}, mostSetups) })
	if !late.Stop() {
		return nil, context.DeadlineExceeded // the client is told
	}
	select {
	case s.free <- struct{}{}:
		late.Reset(setupTimeout)
		return func() { <-s.free }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
