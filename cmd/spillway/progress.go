package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress shows on a terminal how far something is, in one line that is drawn again. The zero progress
// shows nothing.
type progress struct {
	mu    sync.Mutex
	to    terminal
	shows bool
	drawn time.Time
}

// progressOn returns the progress that w shows: none, if that is no terminal.
func progressOn(w io.Writer) *progress {
	t, ok := terminalOf(w)
	return &progress{to: t, shows: ok}
}

// set draws how much is done, a few times a second.
func (p *progress) set(done, of int64) {
	if !p.shows {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.drawn) > 200*time.Millisecond {
		p.drawn = now
		_, _ = fmt.Fprintf(p.to, "\r%s%3.0f %%", clearLine, 100*min(float64(done)/max(float64(of), 1), 1))
	}
}

// clear takes the line away.
func (p *progress) clear() {
	if p.shows {
		_, _ = io.WriteString(p.to, "\r"+clearLine)
	}
}
