package pace

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Config says how requests are sent. The zero value of each field is its default.
type Config struct {
	// Transport sends requests to a server at Base: a router, or a sidecar by its URL.
	Transport http.RoundTripper
	Base      string
	// Header is sent with each request.
	Header  http.Header
	Dialect Dialect // Gemini if empty
	// Model and Label are those of lines that name none.
	Model, Label string
	// Share is the part of all limits, orders and paces that the requests may use; 0 is all.
	Share float64
	// Parallel is how many requests are under way at most; 0 is 32.
	Parallel int
	// Memory is how many bytes the lines have together that are under way, if there is more than one;
	// 0 is 128 MB.
	Memory int64
	// Until is when the last request begins. Requests are spread over the time until then. Zero means
	// no end: they begin as soon as there is room.
	Until time.Time
	// Progress is told about twice a second how far the run is, by one goroutine at a time. Optional.
	Progress func(Summary)
}

// ErrRefused ends a run whose requests are refused one after another: with a wrong token, say.
var ErrRefused = errors.New("20 lines in a row were refused")

const (
	usualParallel = 32
	usualMemory   = 128 << 20
	progressEvery = 500 * time.Millisecond
)

// Run sends the requests of a file that the output does not have, until all have ended, or the time
// is over, or ctx is done: then those under way end, and the others are left for another run. What
// each response says is in the output. The summary is there in any case.
func Run(ctx context.Context, in io.ReadSeeker, out *Output, cfg Config) (Summary, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{cfg: cfg, out: out, stop: stop, tally: newTally(out)}
	if r.cfg.Parallel < 1 {
		r.cfg.Parallel = usualParallel
	}
	if r.cfg.Memory < 1 {
		r.cfg.Memory = usualMemory
	}
	r.room = newRoom(r.cfg.Memory)
	if r.cfg.Dialect == "" {
		r.cfg.Dialect = Gemini
	}
	if !cfg.Until.IsZero() {
		var end context.CancelFunc
		ctx, end = context.WithDeadline(ctx, cfg.Until)
		defer end()
	}
	left, twice, err := r.count(ctx, in)
	if err != nil {
		return r.tally.summary(), err
	}
	r.tally.begin(left, twice)
	queue := make(chan numbered)
	var senders sync.WaitGroup
	for range r.cfg.Parallel {
		senders.Go(func() {
			for line := range queue {
				r.send(ctx, line)
			}
		})
	}
	watched := r.watch()
	err = r.feed(ctx, in, queue)
	close(queue)
	senders.Wait()
	watched()
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = cause
	}
	return r.tally.summary(), err
}

// run is a run.
type run struct {
	cfg   Config
	out   *Output
	stop  context.CancelCauseFunc
	tally *tally
	room  *room

	reading sync.Mutex // is held to make a request of a line, which takes its size a second time
}

// count returns how many lines there are to send, and how many of these may have been sent already.
// It goes back to the beginning.
func (r *run) count(ctx context.Context, in io.ReadSeeker) (left, twice int64, err error) {
	err = lines(ctx, in, func(l numbered) bool {
		if r.out.has(l.line) {
			return true
		}
		if left++; r.out.twice(l.line) {
			twice++
		}
		return true
	})
	if err == nil {
		_, err = in.Seek(0, io.SeekStart)
	}
	return left, twice, err
}

// feed gives the lines to the senders: as soon as one is free or, with an end, spread over the time
// until then. Lines that the file has got since they were counted are for another run.
func (r *run) feed(ctx context.Context, in io.Reader, queue chan<- numbered) error {
	left, begun := r.tally.left(), false
	return lines(ctx, in, func(l numbered) bool {
		if r.out.has(l.line) {
			return true
		}
		if left == 0 || begun && !r.rest(ctx, left) {
			return false
		}
		left, begun = left-1, true
		if !r.room.take(ctx, int64(len(l.text))) {
			return false
		}
		select {
		case queue <- l:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

// rest waits until the next of so many lines is due, not the first. It reports false if the run is over.
func (r *run) rest(ctx context.Context, left int64) bool {
	if r.cfg.Until.IsZero() {
		return ctx.Err() == nil
	}
	const used = 0.9 // of the time: what is refused has to be sent again
	return sleep(ctx, time.Duration(used*float64(time.Until(r.cfg.Until))/float64(left+1)))
}

// watch tells of the progress until its result is called.
func (r *run) watch() (end func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.cfg.Progress(r.tally.summary())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// sleep waits; it reports false if ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
