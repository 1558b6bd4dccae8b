package router

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/respcache"
	"github.com/spillway-go/spillway/internal/wire/stream"
)

// recording is the body of a stream that is recorded for equal calls while its own caller reads it.
// Read alone uses the fields; Close may come meanwhile.
type recording struct {
	io.ReadCloser

	cached *cached
	flight *respcache.Flight[*answer]
	resp   *http.Response
	events *stream.Stream
	body   []byte
	ends   []int // where the body is between two events
	over   bool  // there is no room, or the stream has ended
}

func newRecording(c *cached, f *respcache.Flight[*answer], resp *http.Response, events *stream.Stream) *recording {
	r := &recording{ReadCloser: resp.Body, cached: c, flight: f, resp: resp, events: events}
	f.Leave(time.Now())
	runtime.AddCleanup(r, leave, f) // callers may forget to read and to close it
	return r
}

// leave ends a flight whose call has gone.
func leave(f *respcache.Flight[*answer]) {
	f.End(respcache.Outcome[*answer]{Fate: respcache.Left})
}

func (r *recording) Read(p []byte) (int, error) {
	returned := false
	defer func() { // a transport may panic
		if !returned {
			leave(r.flight)
		}
	}()
	if !r.over {
		r.flight.Return(time.Now())
	}
	n, err := r.ReadCloser.Read(p)
	returned = true
	if !r.over {
		r.note(p[:n], err)
		r.flight.Leave(time.Now())
	}
	return n, err
}

// note records a piece of the stream, and how it ended.
func (r *recording) note(piece []byte, err error) {
	if len(piece) > 0 {
		before := r.bytes()
		r.body = append(r.body, piece...)
		_, _ = r.events.Write(piece)
		whole := r.events.Pending() == 0
		if whole {
			r.ends = append(r.ends, len(r.body))
		}
		if r.over = !r.flight.Record(r.bytes() - before); r.over {
			r.body, r.ends = nil, nil
			r.flight.End(respcache.Outcome[*answer]{Fate: respcache.Apart})
			return
		}
		if whole && err == nil && r.events.Ended() { // callers may read no further
			err = io.EOF
		}
	}
	if err != nil {
		r.over = true
		r.flight.End(r.outcome(err))
		r.body, r.ends = nil, nil
	}
}

// bytes is what the recording takes in memory.
func (r *recording) bytes() int { return cap(r.body) + 8*cap(r.ends) }

// outcome says what the end of the stream means for equal calls.
func (r *recording) outcome(err error) (o respcache.Outcome[*answer]) {
	r.events.Close()
	switch eof := errors.Is(err, io.EOF); {
	case eof && stream.Complete(r.events):
		return r.cached.answered(r.cached.toKeep(r.resp, bytes.Clone(r.body), slices.Clone(r.ends)))
	case r.cached.x.in.ctx.Err() != nil:
		o.Fate = respcache.Left
	case !eof, r.events.Failure() != nil:
		o.Fate = respcache.Failed
	default:
		o.Fate = respcache.Apart
	}
	return o
}

// Close ends the call. If the stream has not come to its end, another call asks for it again.
func (r *recording) Close() error {
	leave(r.flight)
	return r.ReadCloser.Close()
}

// replayed reads a recorded stream event by event.
type replayed struct {
	body []byte
	ends []int
	at   int
}

func (r *replayed) Read(p []byte) (int, error) {
	for len(r.ends) > 0 && r.ends[0] <= r.at {
		r.ends = r.ends[1:]
	}
	end := len(r.body)
	if len(r.ends) > 0 {
		end = r.ends[0]
	}
	n := copy(p, r.body[r.at:end])
	if r.at += n; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close does nothing: others read the same.
func (r *replayed) Close() error { return nil }
