package router

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/pool"
)

const (
	// firstLook is when an attempt that is not over yet is looked at. Later looks follow when a
	// quarter more of its time has passed: what is known of its endpoint may have changed.
	firstLook = leastUsual
	lookShare = 4
	// sentAtOnce is the size of a request that is on its way as soon as it is handed over.
	sentAtOnce = 64 << 10
)

// listening is what a router knows of how long endpoints are silent.
type listening struct {
	usual  usualTimes
	places hearings
}

// patience is what a call knows of the time it has.
type patience struct {
	deadline   time.Time // zero: none
	suspicions int       // attempts that ended in one
}

// newPatience reads the caller's deadline: his context's, or the one in his header.
func newPatience(in *incoming, now time.Time) patience {
	deadline, _ := in.ctx.Deadline()
	if limit := seconds(in.req.Header.Get(serverTimeout)); limit > 0 {
		if at := now.Add(limit); deadline.IsZero() || at.Before(deadline) {
			deadline = at
		}
	}
	return patience{deadline: deadline}
}

// seconds returns the duration that a header gives in seconds; zero if it gives none.
func seconds(value string) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(n > 0) || n > float64(time.Hour) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// watch ends an attempt that waits in vain.
type watch struct {
	kind     kind
	hearing  *hearing
	before   int           // suspicions of the call before this attempt
	repeated bool          // the call may be sent again
	limit    time.Duration // Google's time for the response, as the request says it; zero: none
	host     string
	way      *generation // of connections; nil: the transport is not the router's

	mu    sync.Mutex
	timer *time.Timer
	wait  wait
	body  io.Closer // of the response
	over  bool
}

func (a *attempt) startWatch() {
	x, w := a.exchange, &a.watch
	call, model := &x.payload.call, x.request.Model
	w.kind = kind{model, call.Method, effort(&call.Estimate)}
	w.hearing = x.in.router.listening.places.begin(place{a.endpoint.Name, model})
	w.before = x.patience.suspicions
	w.repeated = x.payload.tail == nil && x.attempts < x.in.cfg.MaxAttempts && !call.NonIdempotent()
	w.wait = wait{
		firstByte: x.in.cfg.FirstByteTimeout, idle: x.in.cfg.IdleTimeout,
		began: time.Now(), pieces: call.Stream && call.Generates,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(min(firstLook, w.wait.firstByte), a.look)
}

// look ends the attempt if it has waited for too long, or looks again later.
func (a *attempt) look() {
	w := &a.watch
	now := time.Now()
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return
	}
	next, cause := w.wait.late(now)
	if cause == nil && w.repeated && !w.wait.open {
		if suspected, known := a.suspectedLocked(now); known && !suspected.After(now) {
			cause = errSilent
		} else if again := now.Add(max(firstLook, now.Sub(w.wait.began)/lookShare)); again.Before(next) {
			next = again
			if known {
				next = earlier(next, suspected)
			}
		}
	}
	if cause == nil {
		w.timer.Reset(next.Sub(now))
		w.mu.Unlock()
		return
	}
	w.over = true
	body := w.body
	if cause == errSilent { //nolint:errorlint // it is the very value
		a.suspectLocked(now)
	}
	w.mu.Unlock()
	a.cancel(cause)
	if body != nil { // of a transport that does not heed the context
		_ = body.Close()
	}
}

// suspectedLocked returns when the endpoint is to be suspected. The caller holds a.watch.mu.
func (a *attempt) suspectedLocked(now time.Time) (at time.Time, known bool) {
	w, x := &a.watch, a.exchange
	if w.wait.asked.IsZero() {
		return at, false
	}
	since, waited, silent := w.hearing.silentSince(w.wait.asked, w.wait.silentSince(), now)
	if !silent {
		return at, false
	}
	s := suspicion{
		usual: x.in.router.listening.usual.of(w.kind), deadline: x.patience.deadline,
		before: w.before, waited: waited,
	}
	after, known := s.after(since)
	return since.Add(after), known
}

// suspectLocked notes that the endpoint is suspected. The caller holds a.watch.mu.
func (a *attempt) suspectLocked(now time.Time) {
	w := &a.watch
	since := w.wait.silentSince()
	a.exchange.in.router.listening.usual.guess(w.kind)
	w.hearing.missed(since, now, true)
	w.way.renew(w.host, since, now)
}

// missed reports whether the endpoint was suspected when the caller's deadline passed. If it was
// not, his waiting adds to that of others.
func (a *attempt) missed() bool {
	w, now := &a.watch, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wait.open || w.over || w.wait.asked.IsZero() {
		return false
	}
	if at, known := a.suspectedLocked(now); known && !at.After(now) {
		a.suspectLocked(now)
		return true
	}
	since := w.wait.silentSince()
	usual := a.exchange.in.router.listening.usual.of(w.kind)
	if usual.answers >= enoughAnswers && now.Sub(since) >= max(usual.time, leastUsual) {
		w.hearing.missed(since, now, false)
	}
	return false
}

// stopWatch ends the looking.
func (a *attempt) stopWatch() {
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	a.watch.over = true
	a.watch.timer.Stop()
}

// letGo lets go of what the attempt is about, once.
func (a *attempt) letGo() {
	w := &a.watch
	w.mu.Lock()
	hearing, way := w.hearing, w.way
	w.hearing, w.way = nil, nil
	w.mu.Unlock()
	if hearing != nil {
		a.exchange.in.router.listening.places.end(hearing)
	}
	way.end()
}

// carrier returns what carries the request: the newest connections to its host, or the transport
// that the router was given. The waiting begins.
func (a *attempt) carrier(req *http.Request) http.RoundTripper {
	w, r := &a.watch, a.exchange.in.router
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.sent(time.Now())
	if r.own == nil {
		return r.transport
	}
	w.host = req.URL.Host
	w.way = r.own.begin(w.host)
	return w.way
}

// responded notes that the header of the response came.
func (a *attempt) responded() {
	w, now := &a.watch, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.begun, w.body = now, a.resp.Body
	w.way.hear(now)
}

// accepted notes that the response is handed on while it is read.
func (a *attempt) accepted() {
	w, now := &a.watch, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.open = true
	if w.hearing != nil {
		w.hearing.answer(now)
		a.exchange.in.router.listening.usual.observe(w.kind, now.Sub(w.wait.asked))
	}
}

// listened takes note of how the attempt ended.
func (a *attempt) listened(o *pool.Outcome) {
	w, now := &a.watch, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hearing == nil || o.Unsent || o.Class == pool.ClassTransport || o.Class == pool.ClassCancelled {
		return
	}
	w.hearing.answer(now)
	if o.Class == pool.ClassOK && !w.wait.open && !w.wait.asked.IsZero() {
		a.exchange.in.router.listening.usual.observe(w.kind, now.Sub(w.wait.asked))
	}
}

// overCallersTime reports whether an error of this status says no more than that the time has
// passed that the request gave to Google.
func (a *attempt) overCallersTime(status int) bool {
	w := &a.watch
	if status != http.StatusGatewayTimeout || w.limit == 0 || w.wait.asked.IsZero() {
		return false
	}
	took := time.Since(w.wait.asked)
	return took >= w.limit-w.limit/4 && took <= w.limit+max(w.limit/4, 2*time.Second)
}

// awaited is the body of a response, watched.
type awaited struct {
	io.ReadCloser

	attempt *attempt
}

func (b *awaited) Read(p []byte) (int, error) {
	w := &b.attempt.watch
	w.mu.Lock()
	w.wait.reading = time.Now()
	w.mu.Unlock()
	n, err := b.ReadCloser.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.reading = time.Time{}
	if n == 0 {
		return n, err
	}
	now := time.Now()
	w.way.hear(now)
	if w.wait.received(now, p[:n]) && w.hearing != nil {
		w.hearing.answer(now)
	}
	return n, err
}

// sending is a request's body that is read while it is sent. Until it is sent there is no response
// to wait for.
type sending struct {
	io.Reader

	attempt *attempt
}

func (s *sending) Read(p []byte) (int, error) {
	w := &s.attempt.watch
	w.mu.Lock()
	w.wait.sent(time.Now())
	w.mu.Unlock()
	return s.Reader.Read(p)
}
