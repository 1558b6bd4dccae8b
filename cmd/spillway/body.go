package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// errTooLong means that a request's body is longer than [serve] allows.
var errTooLong = errors.New("it is longer than max_body in [serve] allows")

// clientBody is the body of a client's request, as far as it may be long, and as long as it comes. It
// notes what is wrong with it, to tell the client's mistakes from Google's.
type clientBody struct {
	io.ReadCloser

	control *http.ResponseController
	left    int64         // bytes that may come
	silence time.Duration // the longest that nothing may come
	set     time.Time     // when the deadline was set last
	done    atomic.Bool   // nothing more is to be read: it has ended, or its call has
	broken  atomic.Pointer[error]
}

// receive bounds the body of a request. It reports whether the request says itself that it is too long.
func (c *client) receive(req *http.Request, most int64, silence time.Duration) (tooLong bool) {
	if req.Body == nil || req.Body == http.NoBody {
		c.body.done.Store(true)
		return false
	}
	c.body.ReadCloser, c.body.control, c.body.left, c.body.silence = req.Body, c.control, most, silence
	req.Body = &c.body
	return req.ContentLength > most
}

func (b *clientBody) Read(p []byte) (int, error) {
	if b.done.Load() {
		return b.ReadCloser.Read(p)
	}
	// A client that sends nothing for long holds up nothing but itself; it may not do so for ever.
	if now := time.Now(); now.Sub(b.set) > b.silence/8 {
		b.set = now
		_ = b.control.SetReadDeadline(now.Add(b.silence)) // not supported by a test's recorder
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		n, err = 0, errTooLong
	}
	if err == nil {
		return n, nil
	}
	late := errors.Is(err, os.ErrDeadlineExceeded) // then nothing more is waited for
	if !b.done.Swap(true) && !late {
		_ = b.control.SetReadDeadline(time.Time{}) // what is read now is to see whether the client is there
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrBodyReadAfterClose) {
		b.broken.Store(&err)
	}
	return n, err
}

// leftover is the longest that is waited for what is left of a body after its call, so that the client
// reads the response before its connection is closed. Nobody gains by a longer wait, and who was
// refused could take up a connection for it.
const leftover = 5 * time.Second

// end ends what is read for the call. The server reads a little of what is left; the client has to
// send it in time.
func (b *clientBody) end() {
	broken := b.broken.Load()
	if !b.done.Swap(true) || broken != nil && errors.Is(*broken, errTooLong) {
		_ = b.control.SetReadDeadline(time.Now().Add(min(b.silence, leftover)))
	}
}

// refuseBody says what is wrong with a body.
func refuseBody(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLong):
		refuse(w, http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT", "the request's body cannot be read: "+err.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout, "DEADLINE_EXCEEDED", "the request's body cannot be read: nothing of it has come for too long")
	default:
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the request's body cannot be read: "+err.Error())
	}
}
