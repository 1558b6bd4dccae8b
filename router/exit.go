package router

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// Google, proxies and transports echo credentials. What they say passes here before it goes
// anywhere: to the caller, to a trace, or to the pool and so to events, logs, Stat and the state
// file. All headers are searched, all errors wherever they come, and every answer that a model has
// not generated. What a model generates is not, because that would cost too much.

// exit takes credentials out of all that comes back for one attempt.
type exit struct {
	scrubbers *scrubbers
	lease     pool.Lease
	own       pool.Secret // the credential that was sent
}

// leastSecret is the length of the shortest credential that is one, as in package pool.
const leastSecret = 4

// sending notes the credential in the header of a request.
func (e *exit) sending(h http.Header) {
	own := h.Get("X-Goog-Api-Key")
	if own == "" {
		own = strings.TrimPrefix(h.Get("Authorization"), "Bearer ")
	}
	if len(own) >= leastSecret {
		e.own = pool.NewSecret(own)
	}
}

// scrubber returns the scrubber of all that is secret now.
func (e *exit) scrubber() *verdict.Scrubber {
	return e.scrubbers.of(e.lease.Secrets()).With(e.own.Reveal())
}

// scrub takes credentials out of an error, or of an answer that holds one.
func (e *exit) scrub(body []byte) []byte { return e.scrubber().Scrub(body) }

// response takes credentials out of the header of a response, and sees to it that its body can be
// read and searched.
func (e *exit) response(resp *http.Response) *http.Response {
	clean := *resp // net/http puts a trailer into the response that it has made: into the other one
	clean.Trailer = nil
	s := e.scrubber()
	clean.Status = s.ScrubText(resp.Status)
	scrubHeader(s, resp.Header)
	heard := &heard{Reader: resp.Body, Closer: resp.Body, exit: e}
	clean.Body = heard
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		// net/http does so itself. A transport that was given to us may not.
		heard.Reader = &unzipping{from: bufio.NewReader(resp.Body)}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		clean.ContentLength, clean.Uncompressed = -1, true
	}
	return &clean
}

// scrubHeader takes secrets out of the values of a header. A name that has one in it goes.
func scrubHeader(s *verdict.Scrubber, h map[string][]string) {
	for name, values := range h {
		if s.ScrubText(name) != name {
			delete(h, name)
			continue
		}
		for i, v := range values {
			if clean := s.ScrubText(v); clean != v {
				values = slices.Clone(values) // the transport may share it
				values[i] = clean
				h[name] = values
			}
		}
	}
}

// outcome takes credentials, and what moves a terminal's cursor, out of what the pool gets to know.
func (e *exit) outcome(o *pool.Outcome) {
	if o.Message == "" && o.Quota == "" && o.Traffic == "" && o.Served == "" && o.Answer == nil {
		return
	}
	s := e.scrubber()
	o.Message = plain.Text(s.ScrubText(o.Message), maxMessage)
	o.Quota = plain.Text(s.ScrubText(o.Quota), maxMessage)
	o.Traffic = plain.Text(s.ScrubText(o.Traffic), maxMessage)
	o.Served = plain.Text(s.ScrubText(o.Served), maxMessage)
	if o.Answer != nil {
		clean := *o.Answer
		clean.Body, clean.IDs = s.Scrub(clean.Body), slices.Clone(clean.IDs)
		for i, id := range clean.IDs {
			clean.IDs[i] = s.ScrubText(id)
		}
		o.Answer = &clean
	}
}

// maxMessage bounds what the pool gets to know of what Google said.
const maxMessage = 300

// err takes credentials, and what moves a terminal's cursor, out of the text of another package's
// error. An error that has none of either stays as it is.
func (e *exit) err(err error) error {
	text := err.Error()
	clean := plain.Lines(e.scrubber().ScrubText(text))
	if clean == text {
		return err
	}
	return &cleanError{clean, func(target error) bool { return errors.Is(err, target) }}
}

// authErr is err for an error of a token provider, which may also show what was sent for a token.
func (e *exit) authErr(err error) error {
	clean := e.err(err)
	text := clean.Error()
	if without := grantSyntax.ReplaceAllString(text, "[redacted]"); without != text {
		return &cleanError{without, func(target error) bool { return errors.Is(err, target) }}
	}
	return clean
}

// cleanError is an error without its credentials. Its cause shows them, so only [errors.Is] gets
// there.
type cleanError struct {
	text string
	is   func(error) bool
}

func (e *cleanError) Error() string { return e.text }

// Is reports whether the error that it was is target.
func (e *cleanError) Is(target error) bool { return e.is(target) }

// guard, deferred, takes credentials out of a panic of a transport or a token provider. A panic
// without any goes on. Of one with credentials, clean is what to panic with instead, outside of the
// deferred function: else the runtime would print both.
func (e *exit) guard(clean *any) {
	p := recover()
	if p == nil {
		return
	}
	text := fmt.Sprint(p)
	without := grantSyntax.ReplaceAllString(e.scrubber().ScrubText(text), "[redacted]")
	if without == text {
		panic(p) //nolint:forbidigo // another package's panic goes on
	}
	*clean = without + "\n\n" + e.scrubber().ScrubText(string(debug.Stack()))
}

// heard is the body of a response as it comes. Its errors and panics show no credentials.
type heard struct {
	io.Reader
	io.Closer

	exit *exit
}

func (h *heard) Read(p []byte) (int, error) {
	n, err, panicked := h.read(p)
	if panicked != nil {
		panic(panicked) //nolint:forbidigo // as in guard
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = h.exit.err(err)
	}
	return n, err
}

func (h *heard) read(p []byte) (n int, err error, panicked any) { //nolint:revive,staticcheck // no error of its own
	defer h.exit.guard(&panicked)
	n, err = h.Reader.Read(p)
	return n, err, nil
}

// unzipping undoes gzip. What is no gzip stays as it is.
type unzipping struct {
	from *bufio.Reader
	to   io.Reader
}

func (u *unzipping) Read(p []byte) (int, error) {
	if u.to == nil {
		u.to = u.from
		if start, _ := u.from.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
			z, err := gzip.NewReader(u.from)
			if err != nil {
				return 0, err
			}
			u.to = z
		}
	}
	return u.to.Read(p)
}

// mayHoldError reports whether a piece of an answer that a model has generated may hold an error.
func mayHoldError(piece []byte) bool { return bytes.Contains(piece, []byte("rror")) }

// piece takes credentials out of a piece of a stream that a model generates, if it may hold an
// error. doubt says that an event of it is cut, or none of a model's. goesOn says that its last
// event goes on in the next piece: used may be less than all of it then, and the rest goes before
// the next piece.
func (e *exit) piece(piece []byte, doubt, goesOn bool) (clean []byte, used int) {
	switch {
	case goesOn:
		return e.scrubber().ScrubSome(piece)
	case doubt, mayHoldError(piece):
		return e.scrub(piece), len(piece)
	default:
		return piece, len(piece)
	}
}

// scrubbedEvents is the body of a stream of a kind that only its caller knows, without credentials.
type scrubbedEvents struct {
	io.ReadCloser

	exit *exit
	held []byte // read, and not searched to its end
	out  []byte // to be handed on
	err  error
}

func (s *scrubbedEvents) Read(p []byte) (int, error) {
	for len(s.out) == 0 && s.err == nil && len(p) > 0 {
		s.held = slices.Grow(s.held, firstBuffer)
		n, err := s.ReadCloser.Read(s.held[len(s.held):cap(s.held)])
		s.held = s.held[:len(s.held)+n]
		if s.err = err; err != nil {
			s.out, s.held = s.exit.scrub(s.held), nil
			break
		}
		clean, used := s.exit.scrubber().ScrubSome(s.held)
		s.out, s.held = bytes.Clone(clean), append(s.held[:0], s.held[used:]...)
	}
	n := copy(p, s.out)
	if s.out = s.out[n:]; n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, s.err
}

// scrubbers keeps the scrubber of the last secrets, which are the same until there is a new one.
type scrubbers struct {
	last atomic.Pointer[scrubber]
}

type scrubber struct {
	*verdict.Scrubber

	secrets []string
	more    int // secrets that were added one by one
}

// mostMore is how many secrets are added to a scrubber before it is made anew.
const mostMore = 8

// of returns a scrubber of secrets, which are sorted and do not change.
func (s *scrubbers) of(secrets []string) *verdict.Scrubber {
	last := s.last.Load()
	if last != nil && same(last.secrets, secrets) {
		return last.Scrubber
	}
	made := last.with(secrets)
	s.last.Store(made)
	return made.Scrubber
}

// with returns a scrubber of secrets, at least. It may know some of before as well.
func (s *scrubber) with(secrets []string) *scrubber {
	if s == nil {
		return &scrubber{verdict.NewScrubber(secrets), secrets, 0}
	}
	made := &scrubber{s.Scrubber, secrets, s.more}
	for _, secret := range secrets {
		grown := made.With(secret)
		if grown == made.Scrubber {
			continue
		}
		if made.more++; made.more > mostMore {
			return &scrubber{verdict.NewScrubber(secrets), secrets, 0}
		}
		made.Scrubber = grown
	}
	return made
}

// same reports whether two slices are one in memory.
func same(a, b []string) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
