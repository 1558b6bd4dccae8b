package router

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
)

const (
	// smallBody bounds a body that counts as a part of its call, like its buffers and headers. Only
	// what is longer takes of the memory for bodies.
	smallBody = 16 << 10
	// longBody bounds the bodies that may fill the memory. Longer ones share a part of it: the rest
	// stays for common calls, and for the copies that long ones need for a moment.
	longBody  = 1 << 20
	longShare = 3 // the part, as a divisor
	// filesPerMemory is how many times the memory for bodies may be in temporary files.
	filesPerMemory = 16
)

// bodyMemory is the memory for the bodies of all calls, [Config.BodyMemory]: requests that are kept
// for another attempt, and responses that are read whole. A body without room there is not waited
// for: a request goes to a temporary file, a response passes through unread.
type bodyMemory struct {
	bound atomic.Int64
	used  atomic.Int64  // of the bound
	files atomic.Int64  // bytes in temporary files
	desk  chan struct{} // holds one value while a long body is loaded or rewritten
	eyes  chan struct{} // holds a value for each long body that is read through
}

// newBodyMemory returns a memory with eyes for all processors but one, which is left for short calls:
// to read through a long body takes many times as long as one of these.
func newBodyMemory() *bodyMemory {
	return &bodyMemory{desk: make(chan struct{}, 1), eyes: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

// atDesk runs f while no other long body is loaded or rewritten. Copies of all of them at once would
// need several times the memory. f does not wait for the network.
func (m *bodyMemory) atDesk(ctx context.Context, f func() error) error {
	return within(ctx, m.desk, f)
}

// within runs f while there is room for it.
func within(ctx context.Context, room chan struct{}, f func() error) error {
	select {
	case room <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-room }()
	return f()
}

// share is what one body takes of the memory. A nil share takes nothing.
type share struct {
	memory *bodyMemory
	bytes  atomic.Int64
}

// take returns a share of n bytes; nil if there is no room for it.
func (m *bodyMemory) take(n int) *share {
	s := &share{memory: m}
	if !s.grow(n) {
		return nil
	}
	return s
}

// grow adds n bytes to the share, if there is room.
func (s *share) grow(n int) bool {
	m := s.memory
	bound := m.bound.Load()
	if s.bytes.Load()+int64(n) > longBody {
		bound /= longShare
	}
	for {
		used := m.used.Load()
		if used+int64(n) > bound {
			return false
		}
		if m.used.CompareAndSwap(used, used+int64(n)) {
			s.bytes.Add(int64(n))
			return true
		}
	}
}

// shrink gives n bytes of the share back.
func (s *share) shrink(n int) {
	s.bytes.Add(-int64(n))
	s.memory.used.Add(-int64(n))
}

// release gives all of the share back. It may be called more than once.
func (s *share) release() {
	if s != nil {
		s.memory.used.Add(-s.bytes.Swap(0))
	}
}

// part is how much of a body was read.
type part int

const (
	whole  part = iota
	over        // it is longer than was asked for
	noRoom      // the memory has no room for more
)

// read reads a body to its end or to the byte after most, as far as there is room. size is the length
// that it is said to have, negative if it is unknown. The caller releases the share of what was read.
func (m *bodyMemory) read(r io.Reader, size int64, most int) (body []byte, _ *share, read part, err error) {
	const least, first = 512, 4 << 10
	room := first
	if size >= 0 && size <= int64(most) {
		room = max(int(size), least) + 1 // the end is found without more room
	}
	var s *share
	if room > smallBody {
		if s = m.take(room); s == nil {
			room = first
		}
	}
	ended := false
	defer func() { // also if the reader panics
		if !ended {
			s.release()
		}
	}()
	body = make([]byte, 0, room)
	for {
		n, err := r.Read(body[len(body):min(cap(body), most+1)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			ended = true
			return body, s, whole, nil
		case err != nil:
			return nil, nil, whole, err
		case len(body) > most:
			ended = true
			return body, s, over, nil
		case len(body) < cap(body):
			continue
		}
		if body, s = m.grow(body, s, most+1); len(body) == cap(body) {
			ended = true
			return body, s, noRoom, nil
		}
	}
}

// grow returns the body with twice the room, at most most. If there is none, it is as it was.
func (m *bodyMemory) grow(body []byte, s *share, most int) ([]byte, *share) {
	next := min(2*cap(body), most)
	if next > smallBody { // for a moment there are both, the old room and the new one
		if s == nil {
			s = &share{memory: m}
		}
		if !s.grow(next) {
			return body, s
		}
	}
	grown := append(make([]byte, 0, next), body...)
	if cap(body) > smallBody {
		s.shrink(cap(body))
	}
	return grown, s
}
