package router

import (
	"bytes"
	"errors"
	"time"
)

var (
	// errFirstByte ends an attempt that has stayed without a response for Config.FirstByteTimeout.
	errFirstByte = errors.New("router: no byte within first_byte_timeout")
	// errIdle ends an attempt whose response has paused for Config.IdleTimeout.
	errIdle = errors.New("router: the response paused for longer than idle_timeout")
	// errSilent ends an attempt whose endpoint is suspected to be silent, see suspicion.
	errSilent = errors.New("router: the endpoint is silent, for much longer than responses usually take")
)

// tooLate reports whether the cause of an attempt's end is one of the errors above.
func tooLate(cause error) bool {
	return errors.Is(cause, errFirstByte) || errors.Is(cause, errIdle) || errors.Is(cause, errSilent)
}

const (
	// leastProgress is how many bytes of a response are more than a trickle.
	leastProgress = 4 << 10
	// trickle is how many idle timeouts a response that is read whole has for leastProgress bytes.
	trickle = 5
)

// wait follows the waiting of one attempt, from the beginning to the last byte. Time is an
// argument.
type wait struct {
	firstByte, idle time.Duration

	began   time.Time // when the attempt began, or a piece of the request was sent
	asked   time.Time // when the request was sent; zero before
	begun   time.Time // when the response's header came; zero before
	last    time.Time // when the last byte came; zero before
	mark    time.Time // when more than a trickle came last; zero before
	fresh   int       // bytes since mark that count
	line    line
	pieces  bool      // the response comes in pieces: only content counts
	open    bool      // the response is handed on
	reading time.Time // since when its caller reads; zero: not now

	suspected bool // what came before the end is no answer of the endpoint's
}

// line follows a line of an event stream across reads.
type line struct{ begun, comment bool }

// sent notes that a piece of the request goes out.
func (w *wait) sent(now time.Time) { w.began, w.asked = now, now }

// received notes bytes of the response. It reports whether they are more than a trickle.
func (w *wait) received(now time.Time, p []byte) bool {
	if len(p) == 0 {
		return false
	}
	w.last = now
	switch {
	case w.open:
		return true
	case w.pieces:
		w.follow(p)
	default:
		w.fresh += len(p)
	}
	if w.fresh < leastProgress {
		return false
	}
	w.mark, w.fresh = now, 0
	return true
}

// follow counts the bytes of the current line. A long line is content under way, such as an image.
// A comment is nothing. Whether a whole line has content is not for the wait to judge.
func (w *wait) follow(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\r\n")
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		if len(piece) > 0 && !w.line.begun {
			w.line = line{begun: true, comment: piece[0] == ':'}
		}
		if !w.line.comment {
			w.fresh += len(piece)
		}
		if end < 0 {
			return
		}
		w.line, p = line{}, p[end+1:]
		if w.fresh < leastProgress {
			w.fresh = 0
		}
	}
}

// late returns why the attempt has to end now, or when that is to be asked again.
func (w *wait) late(now time.Time) (next time.Time, cause error) {
	switch {
	case w.open && w.reading.IsZero(): // its caller takes his time
		return now.Add(w.idle), nil
	case w.open:
		return due(now, errIdle, w.reading.Add(w.idle))
	case w.begun.IsZero():
		return due(now, errFirstByte, w.began.Add(w.firstByte))
	case w.last.IsZero():
		first := w.began.Add(w.firstByte)
		if idle := w.begun.Add(w.idle); idle.Before(first) {
			return due(now, errIdle, idle)
		}
		return due(now, errFirstByte, first)
	}
	since := later(w.begun, w.mark)
	if w.pieces {
		return due(now, errIdle, since.Add(w.idle))
	}
	return due(now, errIdle, earlier(w.last.Add(w.idle), since.Add(trickle*w.idle)))
}

// due returns at, and cause unless that is yet to come.
func due(now time.Time, cause error, at time.Time) (time.Time, error) {
	if at.After(now) {
		return at, nil
	}
	return at, cause
}

// silentSince returns when the waiting for something worth the name began.
func (w *wait) silentSince() time.Time { return later(w.asked, w.mark) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

const (
	// surely is how many times the usual time an endpoint is silent before it is suspected.
	// hurried is the same where else no time would be left for another attempt.
	surely, hurried = 4, 2
	// leastUsual is the least usual time: a lost packet costs as much.
	leastUsual = 250 * time.Millisecond
	// unknownShare and unknownMost bound the silence of an endpoint while the usual time is not
	// known: a share of the caller's deadline, but at most unknownMost. unknownLeast is too short to
	// mean anything.
	unknownShare = 2
	unknownLeast = 500 * time.Millisecond
	unknownMost  = 10 * time.Second
	// unknownDeadline is the least deadline that tells something when it passes.
	unknownDeadline = 2 * time.Second
	// mostDoublings bounds the doubling of waits.
	mostDoublings = 16
)

// suspicion is what is known when an endpoint that has answered nobody since an attempt began is to
// be judged.
type suspicion struct {
	usual    usual
	deadline time.Time     // the caller's; zero: none
	standIn  bool          // another model may be asked instead
	before   int           // attempts of the call that ended in suspicion
	waited   time.Duration // how long others have waited there since its last answer
}

// after returns how long an endpoint may be silent from since on. Not ok means for ever.
//
// A call doubles its patience with each suspicion. If every endpoint is slower than usual, nothing
// is wrong with them, and the second attempt has the time that it needs.
func (s *suspicion) after(since time.Time) (wait time.Duration, ok bool) {
	left, bounded := s.deadline.Sub(since), !s.deadline.IsZero()
	if s.usual.answers >= enoughAnswers {
		wait = s.known(left, bounded)
	} else if wait, ok = s.unknown(left, bounded); !ok {
		return 0, false
	}
	return wait, !bounded || wait < left
}

func (s *suspicion) known(left time.Duration, bounded bool) time.Duration {
	usual := max(s.usual.time, leastUsual)
	most := usual + usual/4 // few responses take longer
	wait := surely * usual << min(s.before, mostDoublings)
	if bounded {
		wait = min(wait, max(hurried*usual<<min(s.before, mostDoublings), left-most))
	}
	return max(most, wait-s.waited)
}

// unknown is known with too few answers. Until there is one, nothing tells an endpoint that is
// silent from one that thinks: each suspicion doubles the patience of all calls, and a call
// suspects once.
func (s *suspicion) unknown(left time.Duration, bounded bool) (wait time.Duration, ok bool) {
	if !bounded && !s.standIn || s.usual.answers == 0 && s.before > 0 {
		return 0, false
	}
	if !bounded { // another model may be asked instead
		left = unknownShare * unknownMost
	}
	wait = max(min(left/unknownShare, unknownMost), unknownLeast)
	if s.standIn { // to be wrong costs little
		return wait, true
	}
	if s.usual.answers == 0 {
		return wait << min(s.usual.guesses, mostDoublings), true
	}
	longest := max(s.usual.time, leastUsual)
	wait = max(wait, hurried*longest) << min(s.before, mostDoublings)
	return max(longest+longest/4, wait-s.waited), true
}
