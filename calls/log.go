package calls

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queued is how many records may wait to be written: more than a second's, at 5,000 a second.
	queued = 8192
	// gather is how long the first of them waits for more. To wake a goroutine and to write for each
	// record would cost calls more than all else.
	gather = 100 * time.Millisecond
	// batch is how many bytes are written at once, where so much waits.
	batch = 64 << 10
	// fullEvery is the least time between two warnings that records are dropped for lack of room.
	fullEvery = time.Minute
	// closePatience is how long Close waits for a disk that hangs.
	closePatience = 5 * time.Second
)

// errUnwritten means that Close has not waited until all was written.
var errUnwritten = errors.New("calls: the call log does not accept its last lines; they are lost")

// Log writes each record as a line of JSON, within about 100 ms. It never makes a call wait: one
// goroutine writes, and when it does not keep up, records are dropped. A line of its own then says how many:
//
//	{"time":"2026-11-26T10:53:00.000Z","dropped":12}
//
// An error of the disk is logged once, until the log can be written again, and that records are dropped
// because it does not keep up, once a minute. What could not be written counts as dropped. A Log is safe for concurrent use.
type Log struct {
	to      io.Writer
	log     *slog.Logger
	queue   chan *Record
	dropped atomic.Uint64
	full    atomic.Int64 // when it was last said that there is no room, Unix time in nanoseconds
	closing chan struct{}
	done    chan struct{}
	close   func() error

	// What follows is of the goroutine that writes.
	buffer  []byte
	told    uint64 // of the dropped ones
	failing bool
}

// NewLog returns a log that writes to w, whole lines at a time, from one goroutine. Problems go to
// log; nil means nowhere. Close it. That does not close w.
func NewLog(w io.Writer, log *slog.Logger) *Log {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		to: w, log: log, queue: make(chan *Record, queued),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	l.close = sync.OnceValue(l.end)
	go l.run()
	return l
}

// OpenLog returns a log that appends to the file at path, or writes to the standard output if path
// is "stdout". A file that cannot be written is no error: it is logged, and tried again with every
// write. Close the log.
func OpenLog(path string, cfg FileConfig, log *slog.Logger) *Log {
	if path == Stdout {
		return NewLog(os.Stdout, log)
	}
	return NewLog(newFile(path, cfg), log)
}

// Stdout is the path of a log that goes to the standard output.
const Stdout = "stdout"

// Add hands a record to the goroutine that writes, or drops it.
func (l *Log) Add(r *Record) {
	select {
	case <-l.closing:
		l.dropped.Add(1)
		return
	default:
	}
	select {
	case l.queue <- r:
	default:
		l.dropped.Add(1)
		l.overflows()
	}
}

// overflows says that there is no room: a disk that hangs reports no error. It keeps no call waiting.
func (l *Log) overflows() {
	now, said := time.Now().UnixNano(), l.full.Load()
	if now-said >= int64(fullEvery) && l.full.CompareAndSwap(said, now) {
		go l.log.Warn("the call log does not keep up, or its disk hangs; calls go on, their records are dropped",
			slog.Uint64("dropped", l.dropped.Load()))
	}
}

// Dropped returns how many records were not written, because the writer did not keep up, failed, or
// was closed.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Close writes what was added before it, and ends the log: what is added later is dropped. It waits
// at most 5 s for a disk that hangs, and then returns an error. It may be called more than once.
func (l *Log) Close() error { return l.close() }

func (l *Log) end() error {
	close(l.closing)
	timeout := time.NewTimer(closePatience)
	defer timeout.Stop()
	select {
	case <-l.done:
		return nil
	case <-timeout.C:
		return errUnwritten
	}
}

// run writes records until the log is closed.
func (l *Log) run() {
	defer close(l.done)
	if f, ok := l.to.(*file); ok {
		defer f.close()
		l.wrote(f.open(), 0) // a wrong path is known at once
	}
	for {
		select {
		case r := <-l.queue:
			select {
			case <-time.After(gather):
			case <-l.closing:
			}
			l.write(r)
			l.drain()
		case <-l.closing:
			l.drain()
			if l.dropped.Load() > l.told {
				l.write(nil)
			}
			return
		}
	}
}

// drain writes what waits.
func (l *Log) drain() {
	for {
		select {
		case r := <-l.queue:
			l.write(r)
		default:
			return
		}
	}
}

// write writes a record, if it is not nil, and others that wait already.
func (l *Log) write(r *Record) {
	l.buffer = l.buffer[:0]
	dropped := l.dropped.Load()
	if dropped > l.told {
		l.buffer = appendDropped(l.buffer, dropped-l.told)
	}
	lines := uint64(0)
	for r != nil {
		l.buffer = r.appendLine(l.buffer)
		lines, r = lines+1, nil
		if len(l.buffer) < batch {
			select {
			case r = <-l.queue:
			default:
			}
		}
	}
	n, err := l.to.Write(l.buffer)
	if err == nil && n < len(l.buffer) {
		err = io.ErrShortWrite
	}
	if err == nil {
		l.told = dropped
	}
	l.wrote(err, lines)
}

// appendDropped appends the line that says how many records are missing before it.
func appendDropped(b []byte, n uint64) []byte {
	l := line{append(b, '{')}
	l.time("time", Time{time.Now()})
	l.number("dropped", int64(n))
	return append(l.b, '}', '\n')
}

// wrote notes how writing so many records has ended.
func (l *Log) wrote(err error, lines uint64) {
	if err == nil {
		if l.failing && lines > 0 {
			l.failing = false
			l.log.Info("the call log is written again", slog.Uint64("dropped", l.dropped.Load()))
		}
		return
	}
	l.dropped.Add(lines)
	if !l.failing {
		l.failing = true
		l.log.Warn("the call log cannot be written; calls go on, their records are dropped", slog.Any("error", err))
	}
}
