package router

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/pool"
)

const (
	// firstLook is when an attempt that is not over yet is looked at. Later looks follow when a
	// quarter more of its time has passed: what is known of its endpoint may have changed.
	firstLook = leastUsual
	lookShare = 4
	// forEver is longer than anything that is waited for.
	forEver = 1000 * time.Hour
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
	granted    bool      // the last of them had its retry granted already
}

// learn notes that an attempt was too late.
func (p *patience) learn(w *watch, cause error) {
	if !errors.Is(cause, errSilent) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.granted = w.granted; !w.lost {
		p.suspicions++
	}
}

// take takes the retry that was granted.
func (p *patience) take() (granted bool) {
	granted, p.granted = p.granted, false
	return granted
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
	attempt  *attempt
	cancel   context.CancelCauseFunc
	kind     kind
	patience patience      // of the call, before this attempt
	after    after         // what may follow the attempt
	limit    time.Duration // Google's time for the response, as the request says it; zero: none
	hearing  *hearing      // nil: the attempt is over
	way      *generation   // of connections; nil: the transport is not the router's

	mu    sync.Mutex
	timer *time.Timer
	wait  wait
	body  io.Closer // of the response
	over  bool
	lost  bool // it was the connection that was silent, and others had found out before

	granted bool // the retry that follows a suspicion is taken out of the budget
}

// after is what may follow an attempt that fails: the call may be sent again, or there is a
// stand-in for its model.
type after struct{ retry, standIn bool }

func afterOf(x *exchange) after {
	p := &x.payload
	if p.tail != nil {
		return after{}
	}
	return after{
		retry:   x.costly+1 < x.in.cfg.MaxAttempts && !p.call.NonIdempotent(),
		standIn: x.fallback.Next != "",
	}
}

func (w *watch) router() *Router { return w.attempt.exchange.in.router }

// start begins the watch of an attempt.
func (w *watch) start(a *attempt) {
	x := a.exchange
	call, model, now := &x.payload.call, x.request.Model, time.Now()
	w.attempt, w.cancel, w.patience = a, a.cancel, x.patience
	w.kind = kind{model, request.MethodName(call), effort(&call.Estimate), atFlex(a)}
	w.hearing = w.router().listening.places.begin(place{a.endpoint.Name, model})
	w.after = afterOf(x)
	w.wait = wait{
		firstByte: firstByte(a, now), idle: x.in.cfg.IdleTimeout,
		began: now, pieces: call.Stream && call.Generates,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(min(firstLook, w.wait.firstByte), w.look)
}

// look ends the attempt if it has waited for too long, or looks again later.
func (w *watch) look() {
	now := time.Now()
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return
	}
	next, cause := w.wait.late(now)
	if cause == nil && w.after != (after{}) && !w.wait.open {
		suspected, known := w.suspectedLocked(now)
		if known && !suspected.After(now) && w.mayFollowLocked(now, suspected) {
			cause = errSilent
		} else if again := now.Add(max(firstLook, now.Sub(w.wait.began)/lookShare)); again.Before(next) {
			next = again
			if known && suspected.After(now) {
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
		w.suspectLocked(now)
	}
	w.mu.Unlock()
	w.cancel(cause)
	if body != nil { // of a transport that does not heed the context
		_ = body.Close()
	}
}

// aloneShare is how many times as long an attempt has before it is given up if another would find no
// endpoint: then its caller gets an error.
const aloneShare = 4

// elsewhere reports whether another attempt would find an endpoint: one but this is ready, or the
// call may still wait for one.
func (w *watch) elsewhere() bool {
	x := w.attempt.exchange
	if x.fallback.Spent < x.in.maxWait() {
		return true
	}
	r := *x.request
	return slices.ContainsFunc(others(x.in.router.pool, &r, w.attempt.endpoint.Name), func(other pool.Reason) bool {
		return other.Why == ""
	})
}

// mayFollowLocked reports whether anything may follow the attempt, which has been suspected since a
// moment. If not, it had better wait. The caller holds w.mu.
func (w *watch) mayFollowLocked(now, suspected time.Time) bool {
	since := w.wait.silentSince()
	if now.Sub(since) < aloneShare*suspected.Sub(since) && !w.after.standIn && !w.way.lost(w.wait.asked) && !w.elsewhere() {
		return false
	}
	w.granted = w.after.retry && w.router().budget.retry(now)
	return w.granted || w.after.standIn
}

// lookInLocked makes the next look come sooner than it was to. The caller holds w.mu.
func (w *watch) lookInLocked(d time.Duration) {
	if !w.over {
		w.timer.Reset(d)
	}
}

// suspectedLocked returns when the endpoint is to be suspected. The caller holds w.mu.
func (w *watch) suspectedLocked(now time.Time) (at time.Time, known bool) {
	if w.wait.asked.IsZero() {
		return at, false
	}
	since, waited, silent := w.hearing.silentSince(w.wait.asked, w.wait.silentSince(), now)
	switch {
	case w.way.lost(w.wait.asked): // whatever the endpoint does over other connections
		since, waited = w.wait.silentSince(), forEver
	case !silent, w.kind.flex: // silence is usual there
		return at, false
	}
	s := suspicion{
		usual: w.router().listening.usual.of(w.kind), deadline: w.patience.deadline,
		standIn: w.after.standIn, before: w.patience.suspicions, waited: waited,
	}
	after, known := s.after(since)
	return since.Add(after), known
}

// suspectLocked notes that the endpoint is suspected. The caller holds w.mu.
func (w *watch) suspectLocked(now time.Time) {
	since := w.wait.silentSince()
	if w.lost = w.way.lost(w.wait.asked); w.lost {
		return
	}
	w.router().listening.usual.guess(w.kind)
	w.wait.suspected = true
	w.hearing.missed(since, now, true)
	w.way.renew(since, now)
}

// missed reports whether the endpoint was suspected when the caller's deadline passed. If it was
// not, his waiting adds to that of others.
func (w *watch) missed() bool {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wait.open || w.over || w.wait.asked.IsZero() {
		return false
	}
	if at, known := w.suspectedLocked(now); known && !at.After(now) {
		w.suspectLocked(now)
		return true
	}
	if w.kind.flex {
		return false
	}
	since := w.wait.silentSince()
	if _, _, silent := w.hearing.silentSince(w.wait.asked, since, now); !silent {
		return false
	}
	switch usual := w.router().listening.usual.of(w.kind); {
	case usual.answers == 0: // nobody has ever been answered
		return now.Sub(since) >= unknownDeadline
	case usual.answers >= enoughAnswers && now.Sub(since) >= max(usual.time, leastUsual):
		w.hearing.missed(since, now, false)
	}
	return false
}

// isLost reports whether the attempt says nothing about its endpoint: its connection was silent.
func (w *watch) isLost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// stop ends the looking.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

// letGo lets go of what the attempt is about, once.
func (w *watch) letGo() {
	w.mu.Lock()
	hearing, way := w.hearing, w.way
	w.hearing, w.way = nil, nil
	w.mu.Unlock()
	if hearing != nil {
		w.router().listening.places.end(hearing)
	}
	way.end()
}

// carrier returns what carries the request: the newest connections to its host, or the transport
// that the router was given. The waiting begins.
func (w *watch) carrier(req *http.Request) http.RoundTripper {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.sent(time.Now())
	if w.router().own == nil {
		return w.router().transport
	}
	w.way.end() // of a request before, which has its response
	w.way = w.router().own.begin(req.URL.Host)
	return w.way
}

// responded notes that the header of the response came.
func (w *watch) responded(body io.Closer) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.begun, w.body = now, body
	w.way.hear(now)
	w.lookInLocked(min(firstLook, w.wait.idle))
}

// accepted notes that the response is handed on while it is read.
func (w *watch) accepted() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wait.open = true
	w.lookInLocked(w.wait.idle)
	if w.hearing != nil {
		w.hearing.answer(now)
		w.router().listening.usual.observe(w.kind, now.Sub(w.wait.asked))
	}
}

// ended takes note of how the attempt ended.
func (w *watch) ended(o *pool.Outcome) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hearing == nil || w.wait.suspected || o.Unsent || o.Class == pool.ClassTransport || o.Class == pool.ClassCancelled {
		return
	}
	w.hearing.answer(now)
	if o.Class == pool.ClassOK && !w.wait.open && !w.wait.asked.IsZero() {
		w.router().listening.usual.observe(w.kind, now.Sub(w.wait.asked))
	}
}

// overCallersTime reports whether an error of this status says no more than that the time has
// passed that the request gave to Google.
func (w *watch) overCallersTime(status int) bool {
	if status != http.StatusGatewayTimeout || w.limit == 0 || w.wait.asked.IsZero() {
		return false
	}
	took := time.Since(w.wait.asked)
	return took >= w.limit-w.limit/4 && took <= w.limit+max(w.limit/4, 2*time.Second)
}

// awaited is the body of a response, watched.
type awaited struct {
	io.ReadCloser

	watch *watch
}

func (b *awaited) Read(p []byte) (int, error) {
	w := b.watch
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

	watch *watch
}

func (s *sending) Read(p []byte) (int, error) {
	w := s.watch
	w.mu.Lock()
	w.wait.sent(time.Now())
	w.mu.Unlock()
	return s.Reader.Read(p)
}
