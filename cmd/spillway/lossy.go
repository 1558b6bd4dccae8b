package main

import (
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

const (
	// waitingLines is how many lines may wait for who reads the log.
	waitingLines = 1000
	// lastLines is how long the end of the program waits for them.
	lastLines = time.Second
)

// lossy is a writer that never waits: who reads the log may be slow, or stand still, and the call
// whose event is logged must not. One goroutine writes; lines that it has no room for are lost, and
// a line says how many.
type lossy struct {
	to    io.Writer
	lines chan []byte
	lost  atomic.Int64
	ended chan struct{}
	done  chan struct{}
}

// newLossy returns one that writes to w. End it.
func newLossy(w io.Writer) *lossy {
	l := &lossy{to: w, lines: make(chan []byte, waitingLines), ended: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes a line, or loses it.
func (l *lossy) Write(line []byte) (int, error) {
	select {
	case l.lines <- slices.Clone(line):
	default:
		l.lost.Add(1)
	}
	return len(line), nil
}

func (l *lossy) run() {
	defer close(l.done)
	for {
		select {
		case line := <-l.lines:
			l.write(line)
		case <-l.ended:
			for len(l.lines) > 0 {
				l.write(<-l.lines)
			}
			return
		}
	}
}

// write writes a line and, if others were lost meanwhile, how many.
func (l *lossy) write(line []byte) {
	_, _ = l.to.Write(line) // an error has no reader left
	if n := l.lost.Swap(0); n > 0 {
		_, _ = fmt.Fprintf(l.to, "spillway: %s of the log lost: its reader does not keep up\n", plain.Plural(int(n), "line"))
	}
}

// end writes what waits, for a second at most. It is called once; what is written later is lost.
func (l *lossy) end() {
	close(l.ended)
	select {
	case <-l.done:
	case <-time.After(lastLines):
	}
}
